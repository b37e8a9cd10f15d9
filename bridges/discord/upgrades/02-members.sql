-- v2: Pictures of guilds, direct messages, what is closed, votes, and what commands have said
-- Pictures that were taken over to Matrix, by their path on the file server.
CREATE TABLE discord_picture (
	bridge_id TEXT NOT NULL,
	path      TEXT NOT NULL,
	mxc       TEXT NOT NULL,

	PRIMARY KEY (bridge_id, path)
);

-- Direct messages of the bot that are to be sent once, by their key.
CREATE TABLE discord_direct (
	bridge_id TEXT    NOT NULL,
	key       TEXT    NOT NULL,
	user_id   TEXT    NOT NULL,
	-- When sending was begun, in milliseconds.
	begun     BIGINT  NOT NULL,
	done      BOOLEAN NOT NULL DEFAULT false,

	PRIMARY KEY (bridge_id, key)
);

-- Channels in which people of Discord may write no more, and how they were before, as JSON.
CREATE TABLE discord_frozen (
	bridge_id  TEXT NOT NULL,
	channel_id TEXT NOT NULL,
	before     TEXT NOT NULL,

	PRIMARY KEY (bridge_id, channel_id)
);

-- Who on Discord has voted for what in polls that Matrix began.
CREATE TABLE discord_vote (
	bridge_id  TEXT NOT NULL,
	message_id TEXT NOT NULL,
	user_id    TEXT NOT NULL,
	answer     TEXT NOT NULL,

	PRIMARY KEY (bridge_id, message_id, user_id, answer)
);

-- What a command has said of a channel, over the configuration.
CREATE TABLE discord_choice (
	bridge_id  TEXT    NOT NULL,
	channel_id TEXT    NOT NULL,
	bridged    BOOLEAN NOT NULL,

	PRIMARY KEY (bridge_id, channel_id)
);
