-- v2: Channels' history from before they were bridged
-- What was fetched of a channel's past and is not in Matrix yet.
CREATE TABLE slack_history (
	bridge_id TEXT    NOT NULL,
	workspace TEXT    NOT NULL,
	channel   TEXT    NOT NULL,
	ts        TEXT    NOT NULL,
	-- The message as JSON.
	message   TEXT    NOT NULL,
	-- Whether it has replies that have to be fetched.
	replies   BOOLEAN NOT NULL DEFAULT false,

	PRIMARY KEY (bridge_id, workspace, channel, ts)
);

-- Channels whose past is being brought in.
CREATE TABLE slack_past (
	bridge_id TEXT NOT NULL,
	workspace TEXT NOT NULL,
	channel   TEXT NOT NULL,
	-- Where it begins.
	oldest    TEXT NOT NULL,
	-- The oldest message that was fetched; empty before the first.
	reached   TEXT NOT NULL,
	-- What is being done: messages, replies, rooms.
	step      TEXT NOT NULL,

	PRIMARY KEY (bridge_id, workspace, channel)
);
