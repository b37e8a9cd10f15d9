-- v3: What the bot writes to people, what was changed to close channels, and files that Slack confirms late
CREATE TABLE slack_direct (
	bridge_id TEXT    NOT NULL,
	-- What makes a message one that is sent once.
	key       TEXT    NOT NULL,
	done      BOOLEAN NOT NULL DEFAULT false,
	-- When it was begun, in milliseconds.
	begun_at  BIGINT  NOT NULL,

	PRIMARY KEY (bridge_id, key)
);

CREATE TABLE slack_frozen (
	bridge_id TEXT NOT NULL,
	workspace TEXT NOT NULL,
	channel   TEXT NOT NULL,
	-- What the topic was before.
	topic     TEXT NOT NULL,

	PRIMARY KEY (bridge_id, workspace, channel)
);

CREATE TABLE slack_late (
	bridge_id TEXT NOT NULL,
	-- Slack's id of a file that was sent, and the Matrix event that it is.
	file      TEXT NOT NULL,
	event_id  TEXT NOT NULL,

	PRIMARY KEY (bridge_id, file)
);
