-- v3 -> v4: Channels that were added, pages of long messages, accounts of users, what freezing has changed
CREATE TABLE irc_channel (
	bridge_id TEXT NOT NULL,
	network   TEXT NOT NULL,
	name      TEXT NOT NULL,
	key       TEXT NOT NULL,
	alias     TEXT NOT NULL,
	-- A room that was there before, or empty.
	room      TEXT NOT NULL,

	PRIMARY KEY (bridge_id, network, name)
);

CREATE TABLE irc_page (
	bridge_id  TEXT   NOT NULL,
	id         TEXT   NOT NULL,
	event_id   TEXT   NOT NULL,
	network    TEXT   NOT NULL,
	channel    TEXT   NOT NULL,
	name       TEXT   NOT NULL,
	text       TEXT   NOT NULL,
	created_at BIGINT NOT NULL,

	PRIMARY KEY (bridge_id, id)
);

CREATE INDEX irc_page_event_idx ON irc_page (bridge_id, event_id);

CREATE TABLE irc_account (
	bridge_id TEXT   NOT NULL,
	network   TEXT   NOT NULL,
	user_id   TEXT   NOT NULL,
	-- The nick that the user wants, or empty.
	nick      TEXT   NOT NULL,
	-- What proves the user's account, encrypted, or empty.
	secret    TEXT   NOT NULL,
	-- The number of the user's own address; see address.go.
	host      BIGINT NOT NULL,

	PRIMARY KEY (bridge_id, network, user_id)
);

CREATE TABLE irc_frozen (
	bridge_id TEXT NOT NULL,
	network   TEXT NOT NULL,
	channel   TEXT NOT NULL,
	topic     TEXT NOT NULL,
	-- The modes that were set.
	modes     TEXT NOT NULL,

	PRIMARY KEY (bridge_id, network, channel)
);

-- The masks that were set on IRC for people who were banned in Matrix.
CREATE TABLE irc_ban (
	bridge_id TEXT NOT NULL,
	network   TEXT NOT NULL,
	channel   TEXT NOT NULL,
	ghost_id  TEXT NOT NULL,
	mask      TEXT NOT NULL,

	PRIMARY KEY (bridge_id, network, channel, ghost_id)
);
