-- name: account_insert
INSERT INTO account (user_nid, password, kind, admin, service, created_ts) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (user_nid) DO NOTHING
-- name: account_get
SELECT user_nid, password, kind, admin, service, created_ts, deactivated_ts, locked, suspended, erased_pos, user_type, shadow_banned, rate_milli, rate_burst, keys_until_ts FROM account WHERE user_nid = $1
-- name: account_count
SELECT count(*) FROM account WHERE service = ''
-- name: account_password
UPDATE account SET password = $2 WHERE user_nid = $1
-- name: account_admin
UPDATE account SET admin = $2 WHERE user_nid = $1
-- name: account_locked
UPDATE account SET locked = $2 WHERE user_nid = $1
-- name: account_suspended
UPDATE account SET suspended = $2 WHERE user_nid = $1
-- name: account_upgrade
UPDATE account SET kind = 'user', password = $2 WHERE user_nid = $1
-- name: account_erase
UPDATE account SET erased_pos = $2 WHERE user_nid = $1
-- name: account_erased
SELECT user_nid, erased_pos FROM account WHERE erased_pos > 0
-- name: account_list
SELECT a.user_nid, a.password, a.kind, a.admin, a.service, a.created_ts, a.deactivated_ts, a.locked, a.suspended, a.erased_pos, a.user_type, a.shadow_banned, a.rate_milli, a.rate_burst, a.keys_until_ts, n.id
FROM account a JOIN user_name n ON n.nid = a.user_nid WHERE a.user_nid > $1 ORDER BY a.user_nid LIMIT $2
-- name: account_guests_in
SELECT m.user_nid FROM membership m JOIN account a ON a.user_nid = m.user_nid
WHERE m.room_nid = $1 AND m.membership = 'join' AND a.kind = 'guest'
-- name: account_guest_rooms
SELECT DISTINCT m.room_nid FROM account a JOIN membership m ON m.user_nid = a.user_nid
WHERE a.kind = 'guest' AND m.membership = 'join'
-- name: account_deactivate
UPDATE account SET password = '', deactivated_ts = $2 WHERE user_nid = $1
-- name: device_max
SELECT coalesce(max(nid), 0) FROM device
-- name: device_put
INSERT INTO device (nid, user_nid, id, name, created_ts, last_seen_ts, last_seen_ip, last_seen_agent) VALUES ($1, $2, $3, $4, $5, $5, $6, $7)
ON CONFLICT (user_nid, id) DO NOTHING
-- name: device_get
SELECT nid, user_nid, id, name, created_ts, last_seen_ts, last_seen_ip, last_seen_agent FROM device WHERE user_nid = $1 AND id = $2
-- name: device_by_nid
SELECT nid, user_nid, id, name, created_ts, last_seen_ts, last_seen_ip, last_seen_agent FROM device WHERE nid = $1
-- name: device_list_of
SELECT nid, user_nid, id, name, created_ts, last_seen_ts, last_seen_ip, last_seen_agent FROM device WHERE user_nid = $1 ORDER BY nid
-- name: device_rename
UPDATE device SET name = $3 WHERE user_nid = $1 AND id = $2
-- name: device_seen
UPDATE device SET last_seen_ts = $2, last_seen_ip = $3, last_seen_agent = $4 WHERE nid = $1
-- name: device_delete
DELETE FROM device WHERE nid = $1
-- name: token_insert
INSERT INTO token (hash, kind, user_nid, device_nid, created_ts, expires_ts, parent) VALUES ($1, $2, $3, $4, $5, $6, $7)
-- name: token_get
SELECT kind, user_nid, device_nid, created_ts, expires_ts, parent FROM token WHERE hash = $1
-- name: token_delete_children
DELETE FROM token WHERE user_nid = $1 AND device_nid = $2 AND parent = $3
-- name: token_delete_kind
DELETE FROM token WHERE user_nid = $1 AND device_nid = $2 AND kind = $3
-- name: token_spend
UPDATE token SET kind = 'spent', expires_ts = $2 WHERE hash = $1
-- name: token_settle
UPDATE token SET parent = NULL WHERE user_nid = $1 AND device_nid = $2 AND parent = $3
-- name: token_expire_others
UPDATE token SET expires_ts = $4 WHERE user_nid = $1 AND device_nid = $2 AND kind = 'access' AND parent IS NULL AND hash <> $3
  AND (expires_ts = 0 OR expires_ts > $4)
-- name: token_delete_expired
DELETE FROM token WHERE user_nid = $1 AND device_nid = $2 AND kind = 'access' AND expires_ts > 0 AND expires_ts < $3
-- name: token_delete_old
DELETE FROM token WHERE kind IN ('login', 'openid', 'web') AND expires_ts > 0 AND expires_ts < $1
-- name: token_delete_user
DELETE FROM token WHERE user_nid = $1
-- name: token_delete
DELETE FROM token WHERE hash = $1
-- name: token_delete_device
DELETE FROM token WHERE user_nid = $1 AND device_nid = $2
-- name: registration_token_put
INSERT INTO registration_token (token, uses_allowed, used, expires_ts, makes_admin, created_ts) VALUES ($1, $2, 0, $3, $4, $5)
ON CONFLICT (token) DO NOTHING
-- name: registration_token_get
SELECT token, uses_allowed, used, expires_ts, makes_admin, created_ts FROM registration_token WHERE token = $1
-- name: registration_token_list
SELECT token, uses_allowed, used, expires_ts, makes_admin, created_ts FROM registration_token ORDER BY created_ts, token
-- name: registration_token_use
UPDATE registration_token SET used = used + 1 WHERE token = $1
-- name: registration_token_change
UPDATE registration_token SET uses_allowed = $2, expires_ts = $3 WHERE token = $1
-- name: registration_token_delete
DELETE FROM registration_token WHERE token = $1
-- name: profile_put
INSERT INTO profile (user_nid, field, value) VALUES ($1, $2, $3) ON CONFLICT (user_nid, field) DO UPDATE SET value = excluded.value
-- name: profile_delete
DELETE FROM profile WHERE user_nid = $1 AND field = $2
-- name: profile_get
SELECT field, value FROM profile WHERE user_nid = $1 ORDER BY field
