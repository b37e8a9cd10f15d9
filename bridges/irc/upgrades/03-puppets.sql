-- v2 -> v3: Connections of Matrix users
CREATE TABLE irc_puppet (
	bridge_id TEXT NOT NULL,
	network   TEXT NOT NULL,
	user_id   TEXT NOT NULL,
	-- The nick that the user had last.
	nick      TEXT NOT NULL,
	-- The channels in whose rooms the user is, as a JSON list.
	channels  TEXT NOT NULL,

	PRIMARY KEY (bridge_id, network, user_id)
);
