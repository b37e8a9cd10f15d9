-- v0 -> v1: Initial revision
CREATE TABLE slack_inbox (
	-- only: sqlite
	seq        INTEGER PRIMARY KEY,
	-- only: postgres
	seq        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,

	bridge_id  TEXT    NOT NULL,
	workspace  TEXT    NOT NULL,
	-- Slack's id of the event, by which a repetition is known.
	event_id   TEXT    NOT NULL,
	-- The event as JSON; emptied when it has been handled.
	event      TEXT    NOT NULL,
	done       BOOLEAN NOT NULL DEFAULT false,
	created_at BIGINT  NOT NULL,

	UNIQUE (bridge_id, workspace, event_id)
);

CREATE INDEX slack_inbox_waiting_idx ON slack_inbox (bridge_id, workspace, done, seq);

CREATE TABLE slack_outbox (
	-- only: sqlite
	seq        INTEGER PRIMARY KEY,
	-- only: postgres
	seq        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,

	bridge_id  TEXT    NOT NULL,
	workspace  TEXT    NOT NULL,
	channel    TEXT    NOT NULL,
	-- The Matrix event that this does in Slack.
	event_id   TEXT    NOT NULL,
	-- What is to be done, as JSON; emptied when it has been.
	action     TEXT    NOT NULL,
	-- Whether a call to Slack was begun whose outcome is not recorded.
	begun      BOOLEAN NOT NULL DEFAULT false,
	done       BOOLEAN NOT NULL DEFAULT false,
	created_at BIGINT  NOT NULL,

	UNIQUE (bridge_id, event_id)
);

CREATE INDEX slack_outbox_waiting_idx ON slack_outbox (bridge_id, workspace, done, seq);

-- How far each channel's messages are in Matrix.
CREATE TABLE slack_channel (
	bridge_id TEXT NOT NULL,
	workspace TEXT NOT NULL,
	channel   TEXT NOT NULL,
	last_ts   TEXT NOT NULL,

	PRIMARY KEY (bridge_id, workspace, channel)
);

-- Custom emoji that were taken over into Matrix.
CREATE TABLE slack_emoji (
	bridge_id TEXT NOT NULL,
	workspace TEXT NOT NULL,
	url       TEXT NOT NULL,
	mxc       TEXT NOT NULL,

	PRIMARY KEY (bridge_id, workspace, url)
);
