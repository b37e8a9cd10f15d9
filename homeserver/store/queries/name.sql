-- name: user_max
SELECT coalesce(max(nid), 0) FROM user_name
-- name: user_by_id
SELECT nid FROM user_name WHERE id = $1
-- name: user_by_nid
SELECT id FROM user_name WHERE nid = $1
-- name: user_insert
INSERT INTO user_name (nid, id) VALUES ($1, $2)
-- name: state_key_max
SELECT coalesce(max(nid), 0) FROM state_key
-- name: state_key_by_name
SELECT nid FROM state_key WHERE type = $1 AND key = $2
-- name: state_key_by_nid
SELECT type, key FROM state_key WHERE nid = $1
-- name: state_key_insert
INSERT INTO state_key (nid, type, key) VALUES ($1, $2, $3)
-- name: meta_get
SELECT value FROM meta WHERE key = $1
-- name: meta_set
INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value
