-- name: oauth_client_put
INSERT INTO oauth_client (client_id, metadata, created_ts, used_ts) VALUES ($1, $2, $3, $3)
ON CONFLICT (client_id) DO NOTHING
-- name: oauth_client_used
UPDATE oauth_client SET used_ts = $2 WHERE client_id = $1
-- name: oauth_client_get
SELECT client_id, metadata, created_ts, used_ts FROM oauth_client WHERE client_id = $1
-- name: oauth_client_trim
DELETE FROM oauth_client WHERE used_ts < $1 AND NOT EXISTS (SELECT 1 FROM oauth_session s WHERE s.client_id = oauth_client.client_id)
-- name: oauth_client_nth
SELECT coalesce(max(used_ts), 0) FROM (SELECT used_ts FROM oauth_client ORDER BY used_ts DESC LIMIT 1 OFFSET $1) AS nth
-- name: oauth_session_put
INSERT INTO oauth_session (device_nid, client_id, scope, granted_ts) VALUES ($1, $2, $3, $4)
ON CONFLICT (device_nid) DO UPDATE SET client_id = excluded.client_id, scope = excluded.scope, granted_ts = excluded.granted_ts
-- name: oauth_session_get
SELECT device_nid, client_id, scope, granted_ts FROM oauth_session WHERE device_nid = $1
-- name: oauth_session_of_user
SELECT s.device_nid, s.client_id, s.scope, s.granted_ts FROM oauth_session s JOIN device d ON d.nid = s.device_nid WHERE d.user_nid = $1
-- name: oauth_session_delete
DELETE FROM oauth_session WHERE device_nid = $1
-- name: oauth_code_put
INSERT INTO oauth_code (sum, kind, user_code, client_id, redirect, challenge, device_id, scope, state, user_nid, device_nid, expires_ts)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $11) ON CONFLICT DO NOTHING
-- name: oauth_code_get
SELECT sum, kind, user_code, client_id, redirect, challenge, device_id, scope, state, user_nid, device_nid, expires_ts FROM oauth_code WHERE sum = $1
-- name: oauth_code_of_user_code
SELECT sum, kind, user_code, client_id, redirect, challenge, device_id, scope, state, user_nid, device_nid, expires_ts FROM oauth_code WHERE user_code = $1 AND user_code <> ''
-- name: oauth_code_move
UPDATE oauth_code SET state = $3, user_nid = $4, device_nid = $5 WHERE sum = $1 AND state = $2
-- name: oauth_code_nth
SELECT coalesce(max(expires_ts), 0) FROM (SELECT expires_ts FROM oauth_code WHERE kind = $1 ORDER BY expires_ts DESC LIMIT 1 OFFSET $2) AS nth
-- name: oauth_code_trim
DELETE FROM oauth_code WHERE kind = $1 AND expires_ts < $2
