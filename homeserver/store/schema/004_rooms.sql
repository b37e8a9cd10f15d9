-- Who relates to whom: one row for each event in a timeline whose content names a parent
-- (m.relates_to with a rel_type) and has not been redacted. The parent is named as it is in the
-- content; it need not be here. kind and annotation tell duplicate reactions apart. depth and pos
-- are the child's place in its room, ts and id order edits. usable is 0 for an edit that says
-- nothing new (no m.new_content) or is a state event.
CREATE TABLE relation (
  child      {pk},
  room_nid   BIGINT  NOT NULL,
  parent     TEXT    NOT NULL,
  rel_type   TEXT    NOT NULL,
  type       TEXT    NOT NULL,
  annotation TEXT    NOT NULL,
  author     BIGINT  NOT NULL,
  usable     INTEGER NOT NULL,
  depth      BIGINT  NOT NULL,
  pos        BIGINT  NOT NULL,
  ts         BIGINT  NOT NULL,
  id         TEXT    NOT NULL
);
CREATE INDEX relation_place ON relation (parent, depth, pos);
CREATE INDEX relation_kind ON relation (parent, rel_type, author, room_nid, depth, pos);

-- Threads by their newest reply.
CREATE TABLE thread (
  room_nid BIGINT NOT NULL,
  root     TEXT   NOT NULL,
  depth    BIGINT NOT NULL,
  pos      BIGINT NOT NULL,
  PRIMARY KEY (room_nid, root)
) {norowid};
CREATE INDEX thread_root ON thread (root);
CREATE INDEX thread_newest ON thread (room_nid, depth, pos);

-- Events by their time, for timestamp_to_event.
CREATE INDEX event_time ON event (room_nid, ts) WHERE pos IS NOT NULL;

-- What users have reported: kind is room, event or user. What does not apply is 0.
CREATE TABLE report (
  id         {pk},
  kind       TEXT   NOT NULL,
  room_nid   BIGINT NOT NULL,
  event_nid  BIGINT NOT NULL,
  user_nid   BIGINT NOT NULL,
  reporter   BIGINT NOT NULL,
  reason     TEXT   NOT NULL,
  score      BIGINT NOT NULL,
  created_ts BIGINT NOT NULL
);

-- Events to be sent later (MSC4140). state is scheduled, sent, cancelled or failed. state_key is
-- null for other than state events. txn_scope and txn are those of the request.
CREATE TABLE delayed_event (
  id         TEXT   PRIMARY KEY,
  user_nid   BIGINT NOT NULL,
  room_nid   BIGINT NOT NULL,
  type       TEXT   NOT NULL,
  state_key  TEXT,
  content    TEXT   NOT NULL,
  delay      BIGINT NOT NULL,
  started_ts BIGINT NOT NULL,
  due_ts     BIGINT NOT NULL,
  state      TEXT   NOT NULL,
  ended_ts   BIGINT NOT NULL,
  event_id   TEXT   NOT NULL,
  error      TEXT   NOT NULL,
  txn_scope  BIGINT NOT NULL,
  txn        TEXT   NOT NULL
);
CREATE INDEX delayed_event_due ON delayed_event (state, due_ts);
CREATE INDEX delayed_event_user ON delayed_event (user_nid, state, due_ts);
CREATE INDEX delayed_event_state ON delayed_event (room_nid, type, state_key) WHERE state = 'scheduled';
CREATE UNIQUE INDEX delayed_event_txn ON delayed_event (txn_scope, txn, room_nid) WHERE txn <> '';

-- Rooms that application services list in the directory of a network of theirs.
CREATE TABLE network_room (
  service  TEXT   NOT NULL,
  network  TEXT   NOT NULL,
  room_nid BIGINT NOT NULL,
  PRIMARY KEY (service, network, room_nid)
) {norowid};

-- The room in which a user gets notices of the server.
CREATE TABLE notice_room (
  user_nid BIGINT PRIMARY KEY,
  room_nid BIGINT NOT NULL
);
CREATE INDEX notice_room_room ON notice_room (room_nid);
