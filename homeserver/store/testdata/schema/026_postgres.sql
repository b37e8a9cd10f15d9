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
-- The signing keys of other servers. A key stays when its server no longer names it, for it
-- verifies old events. expired: valid_until_ts is when the server stopped using it.
CREATE TABLE server_key (
  server         TEXT    NOT NULL,
  key_id         TEXT    NOT NULL,
  public         BYTEA  NOT NULL,
  valid_until_ts BIGINT  NOT NULL,
  expired        INTEGER NOT NULL,
  PRIMARY KEY (server, key_id)
) ;
-- What each server said of its keys last, as it is passed on to those who ask us as a notary.
CREATE TABLE server_key_response (
  server     TEXT   PRIMARY KEY,
  json       BYTEA NOT NULL,
  fetched_ts BIGINT NOT NULL
);
-- Servers that could not be reached: how often in a row, since when, and when to try again. A
-- server that answers has no row.
CREATE TABLE destination_backoff (
  server   TEXT   PRIMARY KEY,
  failures BIGINT NOT NULL,
  since_ts BIGINT NOT NULL,
  retry_ts BIGINT NOT NULL
);
-- Tokens know the refresh token that they came from, which is given up when one of them is first
-- used; empty otherwise.
ALTER TABLE token ADD COLUMN parent BYTEA;

-- Log position at which an account was erased: who comes later sees its events redacted.
ALTER TABLE account ADD COLUMN erased_pos BIGINT NOT NULL DEFAULT 0;
CREATE INDEX account_erased ON account (erased_pos, user_nid) WHERE erased_pos > 0;
CREATE INDEX account_kind ON account (kind, user_nid);

-- E-mail addresses and the like that belong to an account, in canonical form.
CREATE TABLE threepid (
  medium       TEXT   NOT NULL,
  address      TEXT   NOT NULL,
  user_nid     BIGINT NOT NULL,
  validated_ts BIGINT NOT NULL,
  added_ts     BIGINT NOT NULL,
  PRIMARY KEY (medium, address)
) ;
CREATE INDEX threepid_user ON threepid (user_nid);

-- Attempts to show that an address is one's own. secret and token are SHA-256 of what the client
-- and the address hold; purpose is what it is good for.
CREATE TABLE threepid_session (
  sid          TEXT    PRIMARY KEY,
  medium       TEXT    NOT NULL,
  address      TEXT    NOT NULL,
  purpose      TEXT    NOT NULL,
  secret       BYTEA  NOT NULL,
  token        BYTEA  NOT NULL,
  attempt      BIGINT  NOT NULL,
  tries        INTEGER NOT NULL DEFAULT 0,
  next_link    TEXT    NOT NULL,
  validated_ts BIGINT  NOT NULL DEFAULT 0,
  expires_ts   BIGINT  NOT NULL
) ;
CREATE UNIQUE INDEX threepid_session_key ON threepid_session (medium, address, purpose, secret);
CREATE INDEX threepid_session_expires ON threepid_session (expires_ts);

-- Who somebody is at an identity provider.
CREATE TABLE sso_link (
  provider   TEXT   NOT NULL,
  subject    TEXT   NOT NULL,
  user_nid   BIGINT NOT NULL,
  created_ts BIGINT NOT NULL,
  PRIMARY KEY (provider, subject)
) ;
CREATE INDEX sso_link_user ON sso_link (user_nid);

-- The policies that somebody accepted.
CREATE TABLE accepted_policy (
  user_nid    BIGINT NOT NULL,
  policy      TEXT   NOT NULL,
  version     TEXT   NOT NULL,
  accepted_ts BIGINT NOT NULL,
  PRIMARY KEY (user_nid, policy, version)
) ;

CREATE INDEX token_expires ON token (expires_ts) WHERE expires_ts > 0;
-- Who relates to whom: one row for each event in a timeline whose content names a parent
-- (m.relates_to with a rel_type) and has not been redacted. The parent is named as it is in the
-- content; it need not be here. kind and annotation tell duplicate reactions apart. depth and pos
-- are the child's place in its room, ts and id order edits. usable is 0 for an edit that says
-- nothing new (no m.new_content) or is a state event.
CREATE TABLE relation (
  child      BIGINT PRIMARY KEY,
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
) ;
CREATE INDEX thread_root ON thread (root);
CREATE INDEX thread_newest ON thread (room_nid, depth, pos);

-- Events by their time, for timestamp_to_event.
CREATE INDEX event_time ON event (room_nid, ts) WHERE pos IS NOT NULL;

-- What users have reported: kind is room, event or user. What does not apply is 0.
CREATE TABLE report (
  id         BIGINT PRIMARY KEY,
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
) ;

-- The room in which a user gets notices of the server.
CREATE TABLE notice_room (
  user_nid BIGINT PRIMARY KEY,
  room_nid BIGINT NOT NULL
);
CREATE INDEX notice_room_room ON notice_room (room_nid);
-- What is known of the unread events of a user in a room: a memo that saves counting them again.
-- It may be absent or old at any time.
CREATE TABLE unread_memo (
  user_nid BIGINT NOT NULL,
  room_nid BIGINT NOT NULL,
  data     BYTEA NOT NULL,
  PRIMARY KEY (user_nid, room_nid)
) ;

-- Where a user wants to be notified. json holds what the client gave besides. pos is up to where
-- in the log the pusher has been served; sent_ts and throttle_ms slow down e-mail.
CREATE TABLE pusher (
  user_nid    BIGINT NOT NULL,
  app_id      TEXT   NOT NULL,
  pushkey     TEXT   NOT NULL,
  kind        TEXT   NOT NULL,
  device_nid  BIGINT NOT NULL,
  json        TEXT   NOT NULL,
  changed_ts  BIGINT NOT NULL,
  pos         BIGINT NOT NULL,
  sent_ts     BIGINT NOT NULL DEFAULT 0,
  throttle_ms BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (user_nid, app_id, pushkey)
) ;
CREATE INDEX pusher_key ON pusher (app_id, pushkey);

-- Backups of room keys: versions and the keys in them. A deleted version keeps its row, so that
-- its number is not used again and deleting it again is no error.
CREATE TABLE key_backup (
  user_nid  BIGINT  NOT NULL,
  version   BIGINT  NOT NULL,
  algorithm TEXT    NOT NULL,
  auth_data TEXT    NOT NULL,
  etag      BIGINT  NOT NULL,
  keys      BIGINT  NOT NULL,
  deleted   INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (user_nid, version)
) ;
CREATE TABLE room_key (
  user_nid    BIGINT  NOT NULL,
  version     BIGINT  NOT NULL,
  room_id     TEXT    NOT NULL,
  session_id  TEXT    NOT NULL,
  first_index BIGINT  NOT NULL,
  forwarded   BIGINT  NOT NULL,
  verified    INTEGER NOT NULL,
  json        TEXT    NOT NULL,
  PRIMARY KEY (user_nid, version, room_id, session_id)
) ;

-- A user's dehydrated device (MSC3814): it is a device like others, and this is what another
-- device needs to bring it to life.
CREATE TABLE dehydrated_device (
  user_nid  BIGINT PRIMARY KEY,
  device_id TEXT   NOT NULL,
  data      TEXT   NOT NULL
);

-- How much waits for each device, to bound it. bytes counts characters of the contents.
CREATE TABLE to_device_size (
  user_nid  BIGINT NOT NULL,
  device_id TEXT   NOT NULL,
  messages  BIGINT NOT NULL,
  bytes     BIGINT NOT NULL,
  PRIMARY KEY (user_nid, device_id)
) ;
INSERT INTO to_device_size (user_nid, device_id, messages, bytes)
SELECT user_nid, device_id, count(*), sum(length(content)) FROM to_device GROUP BY user_nid, device_id;
-- The words by which people are found: of the user id and the display name, folded (package
-- words). They are bytes, so that both databases compare them alike.
CREATE TABLE directory_term (
  term     BYTEA NOT NULL,
  user_nid BIGINT NOT NULL,
  PRIMARY KEY (term, user_nid)
) ;
CREATE INDEX directory_term_user ON directory_term (user_nid);
-- History that was brought in later, which no cursor of the log sees.
CREATE INDEX event_past ON event (pos) WHERE pos < 0;
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
-- What administrators note of an account: its type ("bot" and the like), that what it sends goes
-- nowhere, and its own limit of requests; rate_milli are thousandths a second, -1 for the usual
-- limits and 0 for none.
ALTER TABLE account ADD COLUMN user_type TEXT NOT NULL DEFAULT '';
ALTER TABLE account ADD COLUMN shadow_banned INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN rate_milli BIGINT NOT NULL DEFAULT -1;
ALTER TABLE account ADD COLUMN rate_burst BIGINT NOT NULL DEFAULT 0;

-- Until when a user may replace the cross-signing keys without showing who they are.
ALTER TABLE account ADD COLUMN keys_until_ts BIGINT NOT NULL DEFAULT 0;

-- Rooms that nobody here may join, also ones that are not known here.
CREATE TABLE blocked_room (
  room_id    TEXT   PRIMARY KEY,
  blocked_by TEXT   NOT NULL,
  created_ts BIGINT NOT NULL
);

-- Long work for administrators, to be gone on with after a restart. kind is delete or purge;
-- state is active, complete or failed. params and result are JSON.
CREATE TABLE admin_task (
  id         TEXT   PRIMARY KEY,
  kind       TEXT   NOT NULL,
  room_id    TEXT   NOT NULL,
  room_nid   BIGINT NOT NULL,
  state      TEXT   NOT NULL,
  params     TEXT   NOT NULL,
  result     TEXT   NOT NULL,
  error      TEXT   NOT NULL,
  changed_ts BIGINT NOT NULL
);
CREATE INDEX admin_task_room ON admin_task (room_id);
CREATE INDEX admin_task_state ON admin_task (state, changed_ts);
-- Rooms shared with other servers. current is the room's current state once an event was taken
-- in, where it isn't root; prev and auth are numbers of events, as varints, null in rows that were
-- written before these columns were.
ALTER TABLE event ADD COLUMN current BIGINT NOT NULL DEFAULT 0;
ALTER TABLE event ADD COLUMN prev BYTEA;
ALTER TABLE event ADD COLUMN auth BYTEA;
-- The position of the newest event of this server's users.
ALTER TABLE room ADD COLUMN local_pos BIGINT NOT NULL DEFAULT 0;
UPDATE room SET local_pos = coalesce((SELECT max(e.pos) FROM event e WHERE e.room_nid = room.nid AND e.pos IS NOT NULL), 0);

CREATE TABLE server_name (
  nid BIGINT PRIMARY KEY,
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
) ;
CREATE INDEX room_server_room ON room_server (room_nid, server_nid);
-- Ends of what is here of a room's graph: events that aren't here, and one that follows each.
CREATE TABLE missing_prev (
  room_nid  BIGINT NOT NULL,
  id        TEXT   NOT NULL,
  after_nid BIGINT NOT NULL,
  PRIMARY KEY (room_nid, id, after_nid)
) ;
-- Events of other servers that are yet to be checked.
CREATE TABLE staged_pdu (
  room_id     TEXT   NOT NULL,
  id          TEXT   NOT NULL,
  origin      TEXT   NOT NULL,
  received_ts BIGINT NOT NULL,
  tries       BIGINT NOT NULL DEFAULT 0,
  json        BYTEA NOT NULL,
  PRIMARY KEY (room_id, id)
) ;
CREATE INDEX staged_pdu_origin ON staged_pdu (origin);
-- Transactions of other servers and what was answered.
CREATE TABLE received_txn (
  origin TEXT   NOT NULL,
  txn    TEXT   NOT NULL,
  ts     BIGINT NOT NULL,
  answer BYTEA NOT NULL,
  PRIMARY KEY (origin, txn)
) ;
CREATE INDEX received_txn_ts ON received_txn (ts);
-- Rooms of which not all of the state is here yet. servers is a JSON array.
CREATE TABLE room_partial (
  room_nid  BIGINT PRIMARY KEY,
  join_nid  BIGINT NOT NULL,
  via       TEXT   NOT NULL,
  servers   BYTEA NOT NULL,
  since_pos BIGINT NOT NULL
);
-- What another server told of a room with an invitation or a knock: a JSON array.
CREATE TABLE invite_state (
  room_nid BIGINT NOT NULL,
  user_nid BIGINT NOT NULL,
  json     BYTEA NOT NULL,
  PRIMARY KEY (room_nid, user_nid)
) ;
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
  json       BYTEA NOT NULL,
  PRIMARY KEY (server_nid, pos)
) ;
CREATE TABLE remote_device (
  user_nid  BIGINT NOT NULL,
  device_id TEXT   NOT NULL,
  stream    BIGINT NOT NULL,
  json      BYTEA NOT NULL,
  PRIMARY KEY (user_nid, device_id)
) ;
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
) ;
-- Which device of a user of this server changed last when; device_id '' stands for the cross-signing
-- keys. prev_pos is the position of the change before of the same user.
CREATE TABLE device_update (
  user_nid  BIGINT NOT NULL,
  device_id TEXT   NOT NULL,
  pos       BIGINT NOT NULL,
  prev_pos  BIGINT NOT NULL,
  PRIMARY KEY (user_nid, device_id)
) ;
CREATE INDEX device_update_pos ON device_update (pos);
-- Rooms that were joined before all of their state was here. done_pos is the position at which it
-- was; 0 while it isn't.
ALTER TABLE room_partial ADD COLUMN done_pos BIGINT NOT NULL DEFAULT 0;
-- The room's current state as it was known just before that.
ALTER TABLE room_partial ADD COLUMN was_root BIGINT NOT NULL DEFAULT 0;
-- The state after events that aren't here, as other servers told it while a room was incomplete.
CREATE TABLE told_state (
  room_nid BIGINT NOT NULL,
  id       TEXT   NOT NULL,
  root     BIGINT NOT NULL,
  PRIMARY KEY (room_nid, id)
) ;
-- Users whose devices changed while it wasn't known whether they are in an incomplete room.
CREATE TABLE partial_poke (
  room_nid BIGINT NOT NULL,
  user_nid BIGINT NOT NULL,
  PRIMARY KEY (room_nid, user_nid)
) ;
-- Events that were checked over a state that wasn't complete.
CREATE INDEX event_partial ON event (room_nid) WHERE (flags & 32) <> 0;
-- With what program a device was last used: GET /admin/whois and the administrators' API tell it.
ALTER TABLE device ADD COLUMN last_seen_agent TEXT NOT NULL DEFAULT '';
-- Clients that registered themselves; client_id is a sum of their metadata, so that the same client
-- is here once. used_ts is when somebody last registered it or logged in with it.
CREATE TABLE oauth_client (
  client_id  TEXT   PRIMARY KEY,
  metadata   TEXT   NOT NULL,
  created_ts BIGINT NOT NULL,
  used_ts    BIGINT NOT NULL
) ;
CREATE INDEX oauth_client_used ON oauth_client (used_ts);

-- The devices that came by the OAuth 2.0 API, with their clients and what these may do.
CREATE TABLE oauth_session (
  device_nid BIGINT PRIMARY KEY,
  client_id  TEXT   NOT NULL,
  scope      TEXT   NOT NULL,
  granted_ts BIGINT NOT NULL
) ;
CREATE INDEX oauth_session_client ON oauth_session (client_id);
-- Where imported history came from, and what of it is here. remote is the name that an item has
-- at its source (e.g. slack: channel and time of a message), so that it is brought in once.
CREATE TABLE import_source (
  nid  BIGINT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
);
CREATE TABLE import_item (
  source    BIGINT NOT NULL,
  remote    TEXT   NOT NULL,
  room_nid  BIGINT NOT NULL,
  event_nid BIGINT NOT NULL,
  PRIMARY KEY (source, remote)
) ;
-- What administrators did, and when, by the console's pages. nid counts up.
CREATE TABLE audit (
  nid    BIGINT PRIMARY KEY,
  ts     BIGINT NOT NULL,
  actor  TEXT   NOT NULL,
  action TEXT   NOT NULL,
  target TEXT   NOT NULL,
  detail TEXT   NOT NULL
);

-- Values that are measured over time. span is how many seconds a row stands for; the longer it is the
-- longer rows are kept. ts is when the span begins, in seconds.
CREATE TABLE sample (
  series TEXT   NOT NULL,
  span   BIGINT NOT NULL,
  ts     BIGINT NOT NULL,
  value  DOUBLE PRECISION NOT NULL,
  PRIMARY KEY (series, span, ts)
) ;
CREATE INDEX sample_age ON sample (span, ts);

-- The newest accounts of people first.
CREATE INDEX account_people ON account (user_nid) WHERE service = '';
-- At which identity servers the users of this server have published that an address is theirs.
CREATE TABLE threepid_bound (
  user_nid BIGINT NOT NULL,
  medium   TEXT   NOT NULL,
  address  TEXT   NOT NULL,
  server   TEXT   NOT NULL,
  PRIMARY KEY (user_nid, medium, address, server)
) ;

-- Events that follow others which weren't here: flag event.Gap.
UPDATE event SET flags = flags | 1024 WHERE nid IN (SELECT after_nid FROM missing_prev);
-- People of bridged networks who can claim an account, and how they are told of it. The hashes are those of
-- the newest offer, which nonce and a key outside of the database make. next_ts is when the next message is
-- due, 0 for never.
CREATE TABLE claim_person (
  service    TEXT   NOT NULL,
  person     TEXT   NOT NULL,
  name       TEXT   NOT NULL DEFAULT '',
  email      TEXT   NOT NULL DEFAULT '',
  via        TEXT   NOT NULL DEFAULT '',
  nonce      BYTEA NOT NULL,
  url_hash   BYTEA NOT NULL,
  code_hash  BYTEA NOT NULL,
  expires_ts BIGINT NOT NULL DEFAULT 0,
  signup_ts  BIGINT NOT NULL DEFAULT 0,
  signup     BIGINT NOT NULL DEFAULT 0,
  sent       BIGINT NOT NULL DEFAULT 0,
  sent_ts    BIGINT NOT NULL DEFAULT 0,
  next_ts    BIGINT NOT NULL DEFAULT 0,
  stopped_ts BIGINT NOT NULL DEFAULT 0,
  failed     TEXT   NOT NULL DEFAULT '',
  PRIMARY KEY (service, person)
) ;
CREATE INDEX claim_person_url ON claim_person (url_hash);
CREATE INDEX claim_person_code ON claim_person (code_hash);
CREATE INDEX claim_person_due ON claim_person (next_ts) WHERE next_ts > 0;

-- Who of a network is which account here. moving is 1 until the account is in all rooms.
CREATE TABLE claim_tie (
  service  TEXT   NOT NULL,
  person   TEXT   NOT NULL,
  user_nid BIGINT NOT NULL,
  since_ts BIGINT NOT NULL,
  moving   BIGINT NOT NULL,
  rooms    BIGINT NOT NULL DEFAULT 0,
  notes    TEXT   NOT NULL DEFAULT '',
  PRIMARY KEY (service, person)
) ;
CREATE INDEX claim_tie_user ON claim_tie (user_nid);
CREATE INDEX claim_tie_moving ON claim_tie (service, person) WHERE moving = 1;

-- Codes that accounts were given, to be said to a bridge's bot.
CREATE TABLE claim_ask (
  hash       BYTEA PRIMARY KEY,
  service    TEXT   NOT NULL,
  user_nid   BIGINT NOT NULL,
  expires_ts BIGINT NOT NULL
) ;

-- How far the end of a bridge has come; detail is JSON.
CREATE TABLE cutover (
  service TEXT   PRIMARY KEY,
  state   TEXT   NOT NULL,
  wanted  TEXT   NOT NULL,
  since_ts BIGINT NOT NULL,
  detail  TEXT   NOT NULL
) ;

-- What a room was before its bridge was taken from it; prior is JSON.
CREATE TABLE cutover_room (
  service  TEXT   NOT NULL,
  room_nid BIGINT NOT NULL,
  state    TEXT   NOT NULL,
  prior    TEXT   NOT NULL,
  PRIMARY KEY (service, room_nid)
) ;

-- The users of an application service.
CREATE INDEX account_service ON account (service, user_nid);
-- What a server said when it last named a key that it names no more, as it is passed on to those who ask
-- us as a notary for that key. NULL: the newest answer (server_key_response) names it.
ALTER TABLE server_key ADD COLUMN response BYTEA;
-- The transaction that is under way to an application service, as it was sent: what is sent again after a crash is
-- the same. body is compressed; txn is its number.
CREATE TABLE service_transaction (
  service TEXT NOT NULL PRIMARY KEY,
  txn BIGINT NOT NULL,
  body BYTEA NOT NULL
);
-- Authorization and device codes of the OAuth 2.0 API, by their sums: state is 'waiting' for somebody to decide,
-- 'allowed', 'denied', 'used', or 'stolen' if one was used twice. device_nid is the device that was made of it, or 0.
CREATE TABLE oauth_code (
  sum        BYTEA  PRIMARY KEY,
  kind       TEXT    NOT NULL,
  user_code  TEXT    NOT NULL,
  client_id  TEXT    NOT NULL,
  redirect   TEXT    NOT NULL,
  challenge  TEXT    NOT NULL,
  device_id  TEXT    NOT NULL,
  scope      TEXT    NOT NULL,
  state      TEXT    NOT NULL,
  user_nid   BIGINT  NOT NULL,
  device_nid BIGINT  NOT NULL,
  expires_ts BIGINT  NOT NULL
) ;
CREATE INDEX oauth_code_expires ON oauth_code (kind, expires_ts);
CREATE UNIQUE INDEX oauth_code_user_code ON oauth_code (user_code) WHERE user_code <> '';
-- When a one-time key was given out, in milliseconds; 0 is not yet. It stays for a while, so that the same key, uploaded
-- once more by a device that did not hear that it had arrived, is not given out again.
ALTER TABLE one_time_key ADD COLUMN taken_ts BIGINT NOT NULL DEFAULT 0;
DROP INDEX one_time_key_next;
CREATE INDEX one_time_key_next ON one_time_key (user_nid, device_id, algorithm, seq) WHERE taken_ts = 0;
-- What application services call events of history that they have brought in (com.beeper.batch_sending): some make ids up,
-- and go on to use them.
CREATE TABLE service_event (
  service   TEXT   NOT NULL,
  name      TEXT   NOT NULL,
  room_nid  BIGINT NOT NULL,
  event_nid BIGINT NOT NULL,
  PRIMARY KEY (service, name)
) ;
CREATE INDEX service_event_event ON service_event (room_nid, event_nid);
-- What somebody has done to the state of rooms: how many were invited, and which rooms were joined, since a time.
CREATE INDEX event_state_of_author ON event (author, ts) WHERE state_key <> 0 AND pos IS NOT NULL;

-- When accounts are to be locked by themselves, in milliseconds. A row goes when that has happened.
CREATE TABLE account_end (
  user_nid BIGINT PRIMARY KEY,
  end_ts   BIGINT NOT NULL
);
CREATE INDEX account_end_ts ON account_end (end_ts);
-- Events of a room that isn't complete as they were before a redaction: whether that one is allowed turns out when
-- all of the room's state is here, and then the row goes.
CREATE TABLE unpruned_event (
  room_nid  BIGINT NOT NULL,
  event_nid BIGINT NOT NULL,
  by_nid    BIGINT NOT NULL,
  json      BYTEA NOT NULL,
  PRIMARY KEY (room_nid, event_nid)
) ;
-- Positions that are set aside for what is brought into a room at its place by time; see Tx.AddLateEvent. The positions of
-- a room begin at floor.
CREATE TABLE late_range (
  room_nid BIGINT PRIMARY KEY,
  floor    BIGINT NOT NULL
) ;
-- The ids of imported events are spread at random: an index that takes them in one by one has as many pages written as there are
-- events. They are gathered in memory instead, and come here sorted, many at once; see store.importedIDs. prefix is characters 2
-- to 9 of the id.
CREATE TABLE imported_id (
  prefix    TEXT   NOT NULL,
  event_nid BIGINT NOT NULL,
  PRIMARY KEY (prefix, event_nid)
) ;
INSERT INTO imported_id (prefix, event_nid) SELECT substr(id, 2, 8), nid FROM event WHERE (flags & 256) <> 0 ORDER BY 1, 2;
DROP INDEX event_id;
CREATE UNIQUE INDEX event_id ON event (id) WHERE (flags & 256) = 0;
-- The position of the log up to which they are here.
INSERT INTO meta (key, value) SELECT 'imported_ids', CAST(coalesce(max(pos), 0) AS TEXT) FROM log;
