-- name: media_insert
INSERT INTO media (origin, id, hash, type, name, size, owner, created_ts, expires_ts, cached, access_ts, quarantined, protected)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
-- name: media_get
SELECT m.origin, m.id, m.hash, m.type, m.name, m.size, m.owner, m.created_ts, m.expires_ts, m.cached, m.access_ts, m.quarantined, m.protected,
  CASE WHEN b.hash IS NULL THEN 0 ELSE 1 END
FROM media m LEFT JOIN media_blocked b ON b.hash = m.hash WHERE m.origin = $1 AND m.id = $2
-- name: media_fill
UPDATE media SET hash = $3, type = $4, name = $5, size = $6, access_ts = $7, created_ts = $7, expires_ts = 0
WHERE origin = $1 AND id = $2 AND expires_ts > $7
-- name: media_reserved_count
SELECT count(*) FROM media WHERE owner = $1 AND expires_ts > $2
-- name: media_reserved_drop
DELETE FROM media WHERE owner = $1 AND expires_ts > 0 AND expires_ts <= $2
-- name: media_expired_drop
DELETE FROM media WHERE expires_ts > 0 AND expires_ts <= $1
-- name: media_hash_count
SELECT count(*) FROM media WHERE hash = $1
-- name: media_usage
SELECT coalesce(sum(size), 0), count(*) FROM media WHERE owner = $1 AND created_ts >= $2 AND cached = 0 AND expires_ts = 0
-- name: media_owned
SELECT m.origin, m.id, m.hash, m.type, m.name, m.size, m.owner, m.created_ts, m.expires_ts, m.cached, m.access_ts, m.quarantined, m.protected,
  CASE WHEN b.hash IS NULL THEN 0 ELSE 1 END
FROM media m LEFT JOIN media_blocked b ON b.hash = m.hash
WHERE m.owner = $1 AND m.cached = 0 AND m.expires_ts = 0 AND (m.created_ts, m.id) > ($2, $3) ORDER BY m.created_ts, m.id LIMIT $4
-- name: media_oldest_cached
SELECT m.origin, m.id, m.hash, m.type, m.name, m.size, m.owner, m.created_ts, m.expires_ts, m.cached, m.access_ts, m.quarantined, m.protected,
  CASE WHEN b.hash IS NULL THEN 0 ELSE 1 END
FROM media m LEFT JOIN media_blocked b ON b.hash = m.hash
WHERE m.cached = 1 AND m.protected = 0 AND m.quarantined = 0 AND m.access_ts < $1 ORDER BY m.access_ts LIMIT $2
-- name: media_cached_bytes
SELECT coalesce(sum(size), 0) FROM media WHERE cached = 1
-- name: media_hashes_after
SELECT DISTINCT hash FROM media WHERE hash > $1 ORDER BY hash LIMIT $2
-- name: media_delete
DELETE FROM media WHERE origin = $1 AND id = $2
-- name: media_touch
UPDATE media SET access_ts = $3 WHERE origin = $1 AND id = $2 AND access_ts < $3
-- name: media_quarantine
UPDATE media SET quarantined = $3 WHERE origin = $1 AND id = $2
-- name: media_protect
UPDATE media SET protected = $3 WHERE origin = $1 AND id = $2
-- name: media_quarantined_count
SELECT count(*) FROM media WHERE hash = $1 AND quarantined = 1
-- name: media_block
INSERT INTO media_blocked (hash, created_ts) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING
-- name: media_unblock
DELETE FROM media_blocked WHERE hash = $1
-- name: media_is_blocked
SELECT count(*) FROM media_blocked WHERE hash = $1
-- name: media_ref_insert
INSERT INTO media_ref (event_nid, origin, id, room_nid) VALUES ($1, $2, $3, $4) ON CONFLICT (event_nid, origin, id) DO NOTHING
-- name: media_ref_lost
INSERT INTO media_unref (origin, id, ts) SELECT origin, id, 0 FROM media_ref WHERE event_nid = $1
ON CONFLICT (origin, id) DO UPDATE SET ts = 0
-- name: media_ref_delete
DELETE FROM media_ref WHERE event_nid = $1
-- name: media_ref_count
SELECT count(*) FROM (SELECT 1 FROM media_ref WHERE origin = $1 AND id = $2 LIMIT 1) AS one
-- name: media_ref_room
SELECT DISTINCT origin, id FROM media_ref WHERE room_nid = $1 AND (origin, id) > ($2, $3) ORDER BY origin, id LIMIT $4
-- name: media_ref_userdata
SELECT count(*) FROM (SELECT 1 FROM profile WHERE value LIKE $1 UNION ALL SELECT 1 FROM account_data WHERE content LIKE $1 LIMIT 1) AS one
-- name: media_ref_unread
SELECT nid, room_nid, json FROM event WHERE nid > $1 ORDER BY nid LIMIT $2
-- name: media_unref_stamp
UPDATE media_unref SET ts = $1 WHERE ts = 0
-- name: media_unref_due
SELECT origin, id FROM media_unref WHERE ts > 0 AND ts <= $1 ORDER BY ts LIMIT $2
-- name: media_unref_delete
DELETE FROM media_unref WHERE origin = $1 AND id = $2
-- name: url_preview_get
SELECT url, ts, expires_ts, json, media_id FROM url_preview WHERE url = $1 AND ts <= $2 ORDER BY ts DESC LIMIT 1
-- name: url_preview_put
INSERT INTO url_preview (url, ts, expires_ts, json, media_id) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (url, ts) DO UPDATE SET expires_ts = $3, json = $4, media_id = $5
-- name: url_preview_expired_drop
DELETE FROM url_preview WHERE expires_ts <= $1
