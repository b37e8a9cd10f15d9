-- name: one_time_key_max
SELECT coalesce(max(seq), 0) FROM one_time_key
-- name: device_key_put
INSERT INTO device_key (user_nid, device_id, json) VALUES ($1, $2, $3)
ON CONFLICT (user_nid, device_id) DO UPDATE SET json = excluded.json
-- name: device_key_get
SELECT device_id, json FROM device_key WHERE user_nid = $1 AND device_id = $2
-- name: device_key_list
SELECT device_id, json FROM device_key WHERE user_nid = $1 ORDER BY device_id
-- name: device_list_changed_for
SELECT DISTINCT user_nid FROM log WHERE kind = 5 AND pos > $1 AND pos <= $2 AND ref IN (0, $3) ORDER BY user_nid
-- name: device_key_delete
DELETE FROM device_key WHERE user_nid = $1 AND device_id = $2
-- name: one_time_key_put
INSERT INTO one_time_key (seq, user_nid, device_id, algorithm, key_id, json) VALUES ($1, $2, $3, $4, $5, $6)
-- name: one_time_key_get
SELECT seq, json, taken_ts FROM one_time_key WHERE user_nid = $1 AND device_id = $2 AND algorithm = $3 AND key_id = $4
-- name: one_time_key_next
SELECT seq, key_id, json FROM one_time_key WHERE user_nid = $1 AND device_id = $2 AND algorithm = $3 AND taken_ts = 0 ORDER BY seq LIMIT 1
-- name: one_time_key_take
UPDATE one_time_key SET taken_ts = $2 WHERE seq = $1
-- name: one_time_key_drop
DELETE FROM one_time_key WHERE seq = $1
-- name: one_time_key_forget
DELETE FROM one_time_key WHERE user_nid = $1 AND device_id = $2 AND taken_ts > 0 AND taken_ts < $3
-- name: one_time_key_count
SELECT algorithm, count(*) FROM one_time_key WHERE user_nid = $1 AND device_id = $2 AND taken_ts = 0 GROUP BY algorithm ORDER BY algorithm
-- name: one_time_key_delete
DELETE FROM one_time_key WHERE user_nid = $1 AND device_id = $2
-- name: fallback_key_put
INSERT INTO fallback_key (user_nid, device_id, algorithm, key_id, json, used) VALUES ($1, $2, $3, $4, $5, 0)
ON CONFLICT (user_nid, device_id, algorithm) DO UPDATE SET key_id = excluded.key_id, json = excluded.json, used = 0
-- name: fallback_key_get
SELECT key_id, json, used FROM fallback_key WHERE user_nid = $1 AND device_id = $2 AND algorithm = $3
-- name: fallback_key_used
UPDATE fallback_key SET used = 1 WHERE user_nid = $1 AND device_id = $2 AND algorithm = $3
-- name: fallback_key_unused
SELECT algorithm FROM fallback_key WHERE user_nid = $1 AND device_id = $2 AND used = 0 ORDER BY algorithm
-- name: fallback_key_delete
DELETE FROM fallback_key WHERE user_nid = $1 AND device_id = $2
-- name: cross_signing_key_put
INSERT INTO cross_signing_key (user_nid, usage, json) VALUES ($1, $2, $3)
ON CONFLICT (user_nid, usage) DO UPDATE SET json = excluded.json
-- name: cross_signing_key_list
SELECT usage, json FROM cross_signing_key WHERE user_nid = $1 ORDER BY usage
-- name: cross_signing_key_delete
DELETE FROM cross_signing_key WHERE user_nid = $1 AND usage = $2
-- name: key_signature_put
INSERT INTO key_signature (target_nid, target_key, signer_nid, signer_key, signature) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (target_nid, target_key, signer_nid, signer_key) DO UPDATE SET signature = excluded.signature
-- name: key_signature_list
SELECT target_key, signer_nid, signer_key, signature FROM key_signature WHERE target_nid = $1 AND signer_nid IN ($1, $2) ORDER BY target_key, signer_nid, signer_key
-- name: key_signature_delete
DELETE FROM key_signature WHERE target_nid = $1 AND target_key = $2
-- name: to_device_put
INSERT INTO to_device (pos, user_nid, device_id, sender, type, content) VALUES ($1, $2, $3, $4, $5, $6)
-- name: to_device_after
SELECT pos, sender, type, content FROM to_device WHERE user_nid = $1 AND device_id = $2 AND pos > $3 AND pos <= $4 ORDER BY pos LIMIT $5
-- name: to_device_upto
DELETE FROM to_device WHERE user_nid = $1 AND device_id = $2 AND pos <= $3
-- name: to_device_delete
DELETE FROM to_device WHERE user_nid = $1 AND device_id = $2
-- name: request_txn_put
INSERT INTO request_txn (scope, txn, created_ts) VALUES ($1, $2, $3) ON CONFLICT (scope, txn) DO NOTHING
-- name: request_txn_old
DELETE FROM request_txn WHERE created_ts < $1
-- name: request_txn_delete
DELETE FROM request_txn WHERE scope = $1
-- name: device_list_changed
SELECT DISTINCT user_nid FROM log WHERE kind = 5 AND pos > $1 AND pos <= $2 ORDER BY user_nid
-- name: to_device_at
SELECT user_nid, device_id, sender, type, content FROM to_device WHERE pos = $1
