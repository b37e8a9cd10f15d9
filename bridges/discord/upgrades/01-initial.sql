-- v0 -> v1: Initial revision
CREATE TABLE discord_inbox (
	bridge_id TEXT   NOT NULL,
	-- The place in the order in which the events came.
	seq       BIGINT NOT NULL,
	type      TEXT   NOT NULL,
	data      TEXT   NOT NULL,

	PRIMARY KEY (bridge_id, seq)
);

-- The newest message of each channel that Matrix has.
CREATE TABLE discord_cursor (
	bridge_id  TEXT NOT NULL,
	channel_id TEXT NOT NULL,
	message_id TEXT NOT NULL,

	PRIMARY KEY (bridge_id, channel_id)
);

CREATE TABLE discord_outbox (
	-- only: sqlite
	seq        INTEGER PRIMARY KEY,
	-- only: postgres
	seq        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,

	bridge_id  TEXT    NOT NULL,
	channel_id TEXT    NOT NULL,
	-- What is to be done, as JSON; emptied when it is.
	job        TEXT    NOT NULL,
	event_id   TEXT    NOT NULL,
	-- When the request that is under way was begun, in milliseconds; 0 if none is.
	attempted  BIGINT  NOT NULL DEFAULT 0,
	done       BOOLEAN NOT NULL DEFAULT false,
	created_at BIGINT  NOT NULL,

	UNIQUE (bridge_id, event_id)
);

CREATE INDEX discord_outbox_waiting_idx ON discord_outbox (bridge_id, done, seq);

-- The messages that the bridge has sent, one event's perhaps in several parts.
CREATE TABLE discord_sent (
	bridge_id  TEXT   NOT NULL,
	message_id TEXT   NOT NULL,
	-- The channel, or the thread.
	channel_id TEXT   NOT NULL,
	event_id   TEXT   NOT NULL,
	sent_at    BIGINT NOT NULL,

	PRIMARY KEY (bridge_id, message_id)
);

CREATE INDEX discord_sent_event_idx ON discord_sent (bridge_id, event_id);

CREATE TABLE discord_webhook (
	bridge_id  TEXT NOT NULL,
	channel_id TEXT NOT NULL,
	webhook_id TEXT NOT NULL,
	token      TEXT NOT NULL,

	PRIMARY KEY (bridge_id, channel_id)
);

-- Threads, whose messages are in the room of their channel.
CREATE TABLE discord_thread (
	bridge_id  TEXT NOT NULL,
	thread_id  TEXT NOT NULL,
	channel_id TEXT NOT NULL,
	name       TEXT NOT NULL,

	PRIMARY KEY (bridge_id, thread_id)
);

-- Custom emoji that were taken over to Matrix.
CREATE TABLE discord_emoji (
	bridge_id TEXT    NOT NULL,
	emoji_id  TEXT    NOT NULL,
	name      TEXT    NOT NULL,
	animated  BOOLEAN NOT NULL,
	mxc       TEXT    NOT NULL,

	PRIMARY KEY (bridge_id, emoji_id)
);
