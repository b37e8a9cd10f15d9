-- name: key_backup_newest
SELECT coalesce(max(version), 0) FROM key_backup WHERE user_nid = $1
-- name: key_backup_current
SELECT version, algorithm, auth_data, etag, keys, deleted FROM key_backup WHERE user_nid = $1 AND deleted = 0 ORDER BY version DESC LIMIT 1
-- name: key_backup_get
SELECT version, algorithm, auth_data, etag, keys, deleted FROM key_backup WHERE user_nid = $1 AND version = $2
-- name: key_backup_insert
INSERT INTO key_backup (user_nid, version, algorithm, auth_data, etag, keys) VALUES ($1, $2, $3, $4, 0, 0)
-- name: key_backup_auth
UPDATE key_backup SET auth_data = $3 WHERE user_nid = $1 AND version = $2
-- name: key_backup_changed
UPDATE key_backup SET etag = etag + 1, keys = keys + $3 WHERE user_nid = $1 AND version = $2
-- name: key_backup_delete
UPDATE key_backup SET deleted = 1, auth_data = '{}', keys = 0 WHERE user_nid = $1 AND version = $2
-- name: key_backup_live
SELECT count(*) FROM key_backup WHERE user_nid = $1 AND deleted = 0
-- name: room_key_get
SELECT first_index, forwarded, verified, json FROM room_key WHERE user_nid = $1 AND version = $2 AND room_id = $3 AND session_id = $4
-- name: room_key_put
INSERT INTO room_key (user_nid, version, room_id, session_id, first_index, forwarded, verified, json) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (user_nid, version, room_id, session_id) DO UPDATE SET first_index = excluded.first_index, forwarded = excluded.forwarded, verified = excluded.verified, json = excluded.json
-- name: room_key_of_room
SELECT room_id, session_id, json FROM room_key WHERE user_nid = $1 AND version = $2 AND room_id = $3 ORDER BY session_id
-- name: room_key_after
SELECT room_id, session_id, json FROM room_key WHERE user_nid = $1 AND version = $2 AND (room_id, session_id) > ($3, $4) ORDER BY room_id, session_id LIMIT $5
-- name: room_key_delete
DELETE FROM room_key WHERE user_nid = $1 AND version = $2 AND room_id = $3 AND session_id = $4
-- name: room_key_delete_room
DELETE FROM room_key WHERE user_nid = $1 AND version = $2 AND room_id = $3
-- name: room_key_delete_all
DELETE FROM room_key WHERE user_nid = $1 AND version = $2
-- name: dehydrated_get
SELECT device_id, data FROM dehydrated_device WHERE user_nid = $1
-- name: dehydrated_put
INSERT INTO dehydrated_device (user_nid, device_id, data) VALUES ($1, $2, $3)
ON CONFLICT (user_nid) DO UPDATE SET device_id = excluded.device_id, data = excluded.data
-- name: dehydrated_delete
DELETE FROM dehydrated_device WHERE user_nid = $1 AND device_id = $2
-- name: to_device_size_add
INSERT INTO to_device_size (user_nid, device_id, messages, bytes) VALUES ($1, $2, 1, $3)
ON CONFLICT (user_nid, device_id) DO UPDATE SET messages = to_device_size.messages + 1, bytes = to_device_size.bytes + excluded.bytes
RETURNING messages, bytes
-- name: to_device_size_less
UPDATE to_device_size SET messages = messages - $3, bytes = bytes - $4 WHERE user_nid = $1 AND device_id = $2
-- name: to_device_size_delete
DELETE FROM to_device_size WHERE user_nid = $1 AND device_id = $2
-- name: to_device_sum
SELECT count(*), coalesce(sum(length(content)), 0) FROM to_device WHERE user_nid = $1 AND device_id = $2 AND pos <= $3
-- name: to_device_nth
SELECT pos FROM to_device WHERE user_nid = $1 AND device_id = $2 ORDER BY pos LIMIT 1 OFFSET $3
