-- At which identity servers the users of this server have published that an address is theirs.
CREATE TABLE threepid_bound (
  user_nid BIGINT NOT NULL,
  medium   TEXT   NOT NULL,
  address  TEXT   NOT NULL,
  server   TEXT   NOT NULL,
  PRIMARY KEY (user_nid, medium, address, server)
) {norowid};

-- Events that follow others which weren't here: flag event.Gap.
UPDATE event SET flags = flags | 1024 WHERE nid IN (SELECT after_nid FROM missing_prev);
