-- Rooms shared with other servers. current is the room's current state once an event was taken
-- in, where it isn't root; prev and auth are numbers of events, as varints, null in rows that were
-- written before these columns were.
ALTER TABLE event ADD COLUMN current BIGINT NOT NULL DEFAULT 0;
ALTER TABLE event ADD COLUMN prev {blob};
ALTER TABLE event ADD COLUMN auth {blob};
-- The position of the newest event of this server's users.
ALTER TABLE room ADD COLUMN local_pos BIGINT NOT NULL DEFAULT 0;
UPDATE room SET local_pos = coalesce((SELECT max(e.pos) FROM event e WHERE e.room_nid = room.nid AND e.pos IS NOT NULL), 0);

CREATE TABLE server_name (
  nid {pk},
  id  TEXT NOT NULL UNIQUE
);
-- Servers that have or had members in a room: how many now, since which position, and until
-- which (0 while there are some).
CREATE TABLE room_server (
  server_nid BIGINT NOT NULL,
  room_nid   BIGINT NOT NULL,
  joined     BIGINT NOT NULL,
  since_pos  BIGINT NOT NULL,
  until_pos  BIGINT NOT NULL,
  PRIMARY KEY (server_nid, room_nid)
) {norowid};
CREATE INDEX room_server_room ON room_server (room_nid, server_nid);
-- Ends of what is here of a room's graph: events that aren't here, and one that follows each.
CREATE TABLE missing_prev (
  room_nid  BIGINT NOT NULL,
  id        TEXT   NOT NULL,
  after_nid BIGINT NOT NULL,
  PRIMARY KEY (room_nid, id, after_nid)
) {norowid};
-- Events of other servers that are yet to be checked.
CREATE TABLE staged_pdu (
  room_id     TEXT   NOT NULL,
  id          TEXT   NOT NULL,
  origin      TEXT   NOT NULL,
  received_ts BIGINT NOT NULL,
  tries       BIGINT NOT NULL DEFAULT 0,
  json        {blob} NOT NULL,
  PRIMARY KEY (room_id, id)
) {norowid};
CREATE INDEX staged_pdu_origin ON staged_pdu (origin);
-- Transactions of other servers and what was answered.
CREATE TABLE received_txn (
  origin TEXT   NOT NULL,
  txn    TEXT   NOT NULL,
  ts     BIGINT NOT NULL,
  answer {blob} NOT NULL,
  PRIMARY KEY (origin, txn)
) {norowid};
CREATE INDEX received_txn_ts ON received_txn (ts);
-- Rooms of which not all of the state is here yet. servers is a JSON array.
CREATE TABLE room_partial (
  room_nid  BIGINT PRIMARY KEY,
  join_nid  BIGINT NOT NULL,
  via       TEXT   NOT NULL,
  servers   {blob} NOT NULL,
  since_pos BIGINT NOT NULL
);
-- What another server told of a room with an invitation or a knock: a JSON array.
CREATE TABLE invite_state (
  room_nid BIGINT NOT NULL,
  user_nid BIGINT NOT NULL,
  json     {blob} NOT NULL,
  PRIMARY KEY (room_nid, user_nid)
) {norowid};
-- How far another server has been told. While a transaction is under way its number and range
-- are kept, so that a retry after a crash is the same transaction.
CREATE TABLE destination (
  server_nid BIGINT PRIMARY KEY,
  cursor_pos BIGINT NOT NULL,
  txn        BIGINT NOT NULL,
  txn_upto   BIGINT NOT NULL
);
CREATE TABLE edu_out (
  server_nid BIGINT NOT NULL,
  pos        BIGINT NOT NULL,
  json       {blob} NOT NULL,
  PRIMARY KEY (server_nid, pos)
) {norowid};
CREATE TABLE remote_device (
  user_nid  BIGINT NOT NULL,
  device_id TEXT   NOT NULL,
  stream    BIGINT NOT NULL,
  json      {blob} NOT NULL,
  PRIMARY KEY (user_nid, device_id)
) {norowid};
CREATE TABLE remote_device_list (
  user_nid BIGINT  PRIMARY KEY,
  stale    INTEGER NOT NULL,
  stream   BIGINT  NOT NULL
);
CREATE INDEX remote_device_list_stale ON remote_device_list (user_nid) WHERE stale = 1;
-- Redactions that came before what they redact.
CREATE TABLE waiting_redaction (
  room_nid BIGINT NOT NULL,
  id       TEXT   NOT NULL,
  by_nid   BIGINT NOT NULL,
  PRIMARY KEY (room_nid, id, by_nid)
) {norowid};
