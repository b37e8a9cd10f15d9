-- Where imported history came from, and what of it is here. remote is the name that an item has
-- at its source (e.g. slack: channel and time of a message), so that it is brought in once.
CREATE TABLE import_source (
  nid  {pk},
  name TEXT NOT NULL UNIQUE
);
CREATE TABLE import_item (
  source    BIGINT NOT NULL,
  remote    TEXT   NOT NULL,
  room_nid  BIGINT NOT NULL,
  event_nid BIGINT NOT NULL,
  PRIMARY KEY (source, remote)
) {norowid};
