-- v0 -> v1: Initial revision
CREATE TABLE irc_outbox (
	-- only: sqlite
	seq        INTEGER PRIMARY KEY,
	-- only: postgres
	seq        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,

	bridge_id  TEXT    NOT NULL,
	network    TEXT    NOT NULL,
	channel    TEXT    NOT NULL,
	-- What was said, as JSON; emptied when it has been sent.
	message    TEXT    NOT NULL,
	event_id   TEXT    NOT NULL,
	-- How many lines of the message were written to the network.
	written    INTEGER NOT NULL DEFAULT 0,
	done       BOOLEAN NOT NULL DEFAULT false,
	created_at BIGINT  NOT NULL,

	UNIQUE (bridge_id, event_id)
);

CREATE INDEX irc_outbox_waiting_idx ON irc_outbox (bridge_id, network, done, seq);

-- The ghosts of people whose nick is not the one that the ghost is named after.
CREATE TABLE irc_identity (
	bridge_id TEXT NOT NULL,
	network   TEXT NOT NULL,
	nick      TEXT NOT NULL,
	ghost_id  TEXT NOT NULL,

	PRIMARY KEY (bridge_id, network, nick)
);
