-- Names: strings at the edge, integers inside. A name is never changed or removed.
CREATE TABLE user_name (
  nid BIGINT PRIMARY KEY,
  id  TEXT NOT NULL UNIQUE
);
CREATE TABLE state_key (
  nid  BIGINT PRIMARY KEY,
  type TEXT NOT NULL,
  key  TEXT NOT NULL,
  UNIQUE (type, key)
);

CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
);

-- Rooms. root, depth and extremities describe the current end of the room's graph.
CREATE TABLE room (
  nid         BIGINT PRIMARY KEY,
  id          TEXT   NOT NULL UNIQUE,
  version     TEXT   NOT NULL,
  root        BIGINT NOT NULL,
  depth       BIGINT NOT NULL,
  extremities BYTEA NOT NULL,
  created_ts  BIGINT NOT NULL
);

-- Events, once each. pos is the place in the log (negative: history brought in later; null: not
-- in the timeline). root is the state after the event. replaces is the state event whose place
-- it took. txn_scope and txn remember the request that made it.
CREATE TABLE event (
  nid         BIGINT PRIMARY KEY,
  room_nid    BIGINT NOT NULL,
  id          TEXT   NOT NULL,
  pos         BIGINT,
  depth       BIGINT NOT NULL,
  author      BIGINT NOT NULL,
  state_key   BIGINT NOT NULL,
  ts          BIGINT NOT NULL,
  root        BIGINT NOT NULL,
  replaces    BIGINT NOT NULL,
  flags       BIGINT NOT NULL,
  redacted_by BIGINT NOT NULL,
  txn_scope   BIGINT,
  txn         TEXT,
  json        BYTEA NOT NULL
);
CREATE UNIQUE INDEX event_id ON event (id);
CREATE UNIQUE INDEX event_timeline ON event (room_nid, pos) WHERE pos IS NOT NULL;
CREATE INDEX event_history ON event (room_nid, depth, pos) WHERE pos IS NOT NULL;
CREATE UNIQUE INDEX event_txn ON event (txn_scope, txn, room_nid) WHERE txn_scope IS NOT NULL;

-- The nodes that one change of state added; see package statetree.
CREATE TABLE state_pack (
  nid  BIGINT PRIMARY KEY,
  data BYTEA NOT NULL
);

-- Current membership of each user in each room, and the event that gave it.
CREATE TABLE membership (
  room_nid   BIGINT  NOT NULL,
  user_nid   BIGINT  NOT NULL,
  membership TEXT    NOT NULL,
  event_nid  BIGINT  NOT NULL,
  pos        BIGINT  NOT NULL,
  forgotten  INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (room_nid, user_nid)
) ;
CREATE INDEX membership_user ON membership (user_nid, room_nid);

-- The one ordered log. kind says what ref is; see store.Kind.
CREATE TABLE log (
  pos      BIGINT PRIMARY KEY,
  kind     INTEGER NOT NULL,
  room_nid BIGINT  NOT NULL,
  user_nid BIGINT  NOT NULL,
  ref      BIGINT  NOT NULL
);
-- Kind 5 is store.KindDeviceList: whose published keys changed between two positions.
CREATE INDEX log_device_list ON log (pos, user_nid) WHERE kind = 5;

CREATE TABLE room_alias (
  alias      TEXT PRIMARY KEY,
  room_nid   BIGINT NOT NULL,
  creator    BIGINT NOT NULL,
  created_ts BIGINT NOT NULL
);
CREATE INDEX room_alias_room ON room_alias (room_nid);

-- Rooms listed in the public directory.
CREATE TABLE public_room (
  room_nid BIGINT PRIMARY KEY
);

-- People and services with an account here. password is an encoded KDF hash, '' for none.
CREATE TABLE account (
  user_nid       BIGINT  PRIMARY KEY,
  password       TEXT    NOT NULL,
  kind           TEXT    NOT NULL,
  admin          INTEGER NOT NULL DEFAULT 0,
  service        TEXT    NOT NULL DEFAULT '',
  created_ts     BIGINT  NOT NULL,
  deactivated_ts BIGINT  NOT NULL DEFAULT 0,
  locked         INTEGER NOT NULL DEFAULT 0,
  suspended      INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE device (
  nid          BIGINT PRIMARY KEY,
  user_nid     BIGINT NOT NULL,
  id           TEXT   NOT NULL,
  name         TEXT   NOT NULL,
  created_ts   BIGINT NOT NULL,
  last_seen_ts BIGINT NOT NULL,
  last_seen_ip TEXT   NOT NULL,
  UNIQUE (user_nid, id)
);

-- Access and refresh tokens, by SHA-256: what is stored can't be used to log in.
CREATE TABLE token (
  hash       BYTEA  PRIMARY KEY,
  kind       TEXT    NOT NULL,
  user_nid   BIGINT  NOT NULL,
  device_nid BIGINT  NOT NULL,
  created_ts BIGINT  NOT NULL,
  expires_ts BIGINT  NOT NULL DEFAULT 0
) ;
CREATE INDEX token_device ON token (user_nid, device_nid);

CREATE TABLE registration_token (
  token        TEXT    PRIMARY KEY,
  uses_allowed BIGINT  NOT NULL,
  used         BIGINT  NOT NULL,
  expires_ts   BIGINT  NOT NULL,
  makes_admin  INTEGER NOT NULL DEFAULT 0,
  created_ts   BIGINT  NOT NULL
);

-- Profile fields; value is JSON.
CREATE TABLE profile (
  user_nid BIGINT NOT NULL,
  field    TEXT   NOT NULL,
  value    TEXT   NOT NULL,
  PRIMARY KEY (user_nid, field)
) ;

-- room_nid 0: global.
CREATE TABLE account_data (
  user_nid BIGINT NOT NULL,
  room_nid BIGINT NOT NULL,
  type     TEXT   NOT NULL,
  content  TEXT   NOT NULL,
  pos      BIGINT NOT NULL,
  PRIMARY KEY (user_nid, room_nid, type)
) ;
CREATE INDEX account_data_pos ON account_data (user_nid, pos);

CREATE TABLE receipt (
  room_nid  BIGINT NOT NULL,
  user_nid  BIGINT NOT NULL,
  kind      TEXT   NOT NULL,
  thread    TEXT   NOT NULL,
  event_id  TEXT   NOT NULL,
  event_nid BIGINT NOT NULL,
  ts        BIGINT NOT NULL,
  pos       BIGINT NOT NULL,
  PRIMARY KEY (room_nid, user_nid, kind, thread)
) ;
CREATE INDEX receipt_pos ON receipt (room_nid, pos);

CREATE TABLE filter (
  user_nid BIGINT NOT NULL,
  id       BIGINT NOT NULL,
  hash     BYTEA NOT NULL,
  json     TEXT   NOT NULL,
  PRIMARY KEY (user_nid, id),
  UNIQUE (user_nid, hash)
);

-- Media by id; the bytes are kept by content hash outside the database. expires_ts, when not 0,
-- is until when the bytes may come: the id is only reserved, and hash is empty.
CREATE TABLE media (
  origin     TEXT   NOT NULL,
  id         TEXT   NOT NULL,
  hash       BYTEA NOT NULL,
  type       TEXT   NOT NULL,
  name       TEXT   NOT NULL,
  size       BIGINT NOT NULL,
  owner      BIGINT NOT NULL,
  created_ts BIGINT NOT NULL,
  expires_ts BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (origin, id)
) ;
CREATE INDEX media_hash ON media (hash);
CREATE INDEX media_reserved ON media (owner, expires_ts) WHERE expires_ts > 0;

-- How far an application service has been told. While a transaction is under way its number
-- and range are kept, so that a retry after a crash is the same transaction.
CREATE TABLE service_cursor (
  service  TEXT   PRIMARY KEY,
  pos      BIGINT NOT NULL,
  txn      BIGINT NOT NULL,
  txn_upto BIGINT NOT NULL
);

-- End-to-end encryption: what devices publish for one another.
CREATE TABLE device_key (
  user_nid  BIGINT NOT NULL,
  device_id TEXT   NOT NULL,
  json      TEXT   NOT NULL,
  PRIMARY KEY (user_nid, device_id)
) ;
CREATE TABLE one_time_key (
  seq       BIGINT PRIMARY KEY,
  user_nid  BIGINT NOT NULL,
  device_id TEXT   NOT NULL,
  algorithm TEXT   NOT NULL,
  key_id    TEXT   NOT NULL,
  json      TEXT   NOT NULL,
  UNIQUE (user_nid, device_id, algorithm, key_id)
);
CREATE INDEX one_time_key_next ON one_time_key (user_nid, device_id, algorithm, seq);
CREATE TABLE fallback_key (
  user_nid  BIGINT  NOT NULL,
  device_id TEXT    NOT NULL,
  algorithm TEXT    NOT NULL,
  key_id    TEXT    NOT NULL,
  json      TEXT    NOT NULL,
  used      INTEGER NOT NULL,
  PRIMARY KEY (user_nid, device_id, algorithm)
) ;
CREATE TABLE cross_signing_key (
  user_nid BIGINT NOT NULL,
  usage    TEXT   NOT NULL,
  json     TEXT   NOT NULL,
  PRIMARY KEY (user_nid, usage)
) ;
-- Signatures that signer put on a key (a device or cross-signing key) of target.
CREATE TABLE key_signature (
  target_nid BIGINT NOT NULL,
  target_key TEXT   NOT NULL,
  signer_nid BIGINT NOT NULL,
  signer_key TEXT   NOT NULL,
  signature  TEXT   NOT NULL,
  PRIMARY KEY (target_nid, target_key, signer_nid, signer_key)
) ;
CREATE TABLE to_device (
  pos       BIGINT PRIMARY KEY,
  user_nid  BIGINT NOT NULL,
  device_id TEXT   NOT NULL,
  sender    TEXT   NOT NULL,
  type      TEXT   NOT NULL,
  content   TEXT   NOT NULL
);
CREATE INDEX to_device_device ON to_device (user_nid, device_id, pos);
-- Requests that are not events but must have their effect once (e.g. sendToDevice).
CREATE TABLE request_txn (
  scope      BIGINT NOT NULL,
  txn        TEXT   NOT NULL,
  created_ts BIGINT NOT NULL,
  PRIMARY KEY (scope, txn)
) ;
CREATE INDEX request_txn_created ON request_txn (created_ts);
-- What can be fetched again (remote media, pictures of previews) is marked as cached, and dropped
-- by when it was last asked for. Quarantined media is not served; protected media is never
-- quarantined with others or dropped by a policy.
ALTER TABLE media ADD COLUMN cached INTEGER NOT NULL DEFAULT 0;
ALTER TABLE media ADD COLUMN access_ts BIGINT NOT NULL DEFAULT 0;
ALTER TABLE media ADD COLUMN quarantined INTEGER NOT NULL DEFAULT 0;
ALTER TABLE media ADD COLUMN protected INTEGER NOT NULL DEFAULT 0;
UPDATE media SET access_ts = created_ts;
CREATE INDEX media_owner ON media (owner, created_ts, id, size) WHERE cached = 0 AND expires_ts = 0;
CREATE INDEX media_cached ON media (access_ts, size) WHERE cached = 1;

-- Content that may be neither served nor stored again.
CREATE TABLE media_blocked (
  hash       BYTEA PRIMARY KEY,
  created_ts BIGINT NOT NULL
) ;

-- Which events speak of which media, as far as it can be read (not inside encrypted ones).
CREATE TABLE media_ref (
  event_nid BIGINT NOT NULL,
  origin    TEXT   NOT NULL,
  id        TEXT   NOT NULL,
  room_nid  BIGINT NOT NULL,
  PRIMARY KEY (event_nid, origin, id)
) ;
CREATE INDEX media_ref_media ON media_ref (origin, id);
CREATE INDEX media_ref_room ON media_ref (room_nid, origin, id);

-- Media of which a redaction took away a mention: to look at after a while.
CREATE TABLE media_unref (
  origin TEXT   NOT NULL,
  id     TEXT   NOT NULL,
  ts     BIGINT NOT NULL,
  PRIMARY KEY (origin, id)
) ;
CREATE INDEX media_unref_ts ON media_unref (ts);
-- Events up to this one came before the table and are read once, later; 0 when that is done.
INSERT INTO meta (key, value) SELECT 'media_ref_from', '0' WHERE EXISTS (SELECT 1 FROM event);

-- What pages said of themselves, at which time, and the local media that json speaks of.
CREATE TABLE url_preview (
  url        TEXT   NOT NULL,
  ts         BIGINT NOT NULL,
  expires_ts BIGINT NOT NULL,
  json       TEXT   NOT NULL,
  media_id   TEXT   NOT NULL,
  PRIMARY KEY (url, ts)
) ;
CREATE INDEX url_preview_expires ON url_preview (expires_ts);
