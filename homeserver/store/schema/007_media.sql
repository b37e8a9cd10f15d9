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
  hash       {blob} PRIMARY KEY,
  created_ts BIGINT NOT NULL
) {norowid};

-- Which events speak of which media, as far as it can be read (not inside encrypted ones).
CREATE TABLE media_ref (
  event_nid BIGINT NOT NULL,
  origin    TEXT   NOT NULL,
  id        TEXT   NOT NULL,
  room_nid  BIGINT NOT NULL,
  PRIMARY KEY (event_nid, origin, id)
) {norowid};
CREATE INDEX media_ref_media ON media_ref (origin, id);
CREATE INDEX media_ref_room ON media_ref (room_nid, origin, id);

-- Media of which a redaction took away a mention: to look at after a while.
CREATE TABLE media_unref (
  origin TEXT   NOT NULL,
  id     TEXT   NOT NULL,
  ts     BIGINT NOT NULL,
  PRIMARY KEY (origin, id)
) {norowid};
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
) {norowid};
CREATE INDEX url_preview_expires ON url_preview (expires_ts);
