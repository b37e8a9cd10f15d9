-- v1 -> v2: Store lines of the networks until Matrix has them
CREATE TABLE irc_inbox (
	bridge_id TEXT   NOT NULL,
	network   TEXT   NOT NULL,
	-- The place in the order in which the lines were read.
	seq       BIGINT NOT NULL,
	-- What it says, as JSON.
	line      TEXT   NOT NULL,

	PRIMARY KEY (bridge_id, network, seq)
);
