-- What is known of the unread events of a user in a room: a memo that saves counting them again.
-- It may be absent or old at any time.
CREATE TABLE unread_memo (
  user_nid BIGINT NOT NULL,
  room_nid BIGINT NOT NULL,
  data     {blob} NOT NULL,
  PRIMARY KEY (user_nid, room_nid)
) {norowid};

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
) {norowid};
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
) {norowid};
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
) {norowid};

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
) {norowid};
INSERT INTO to_device_size (user_nid, device_id, messages, bytes)
SELECT user_nid, device_id, count(*), sum(length(content)) FROM to_device GROUP BY user_nid, device_id;
