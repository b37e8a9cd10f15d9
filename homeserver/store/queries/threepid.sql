-- name: threepid_put
INSERT INTO threepid (medium, address, user_nid, validated_ts, added_ts) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (medium, address) DO NOTHING
-- name: threepid_refresh
UPDATE threepid SET validated_ts = $4 WHERE medium = $1 AND address = $2 AND user_nid = $3
-- name: threepid_get
SELECT medium, address, user_nid, validated_ts, added_ts FROM threepid WHERE medium = $1 AND address = $2
-- name: threepid_of_user
SELECT medium, address, user_nid, validated_ts, added_ts FROM threepid WHERE user_nid = $1 ORDER BY added_ts, medium, address
-- name: threepid_delete
DELETE FROM threepid WHERE medium = $1 AND address = $2 AND user_nid = $3
-- name: threepid_delete_user
DELETE FROM threepid WHERE user_nid = $1
-- name: threepid_session_put
INSERT INTO threepid_session (sid, medium, address, purpose, secret, token, attempt, next_link, expires_ts)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
-- name: threepid_session_again
UPDATE threepid_session SET token = $2, attempt = $3, next_link = $4, expires_ts = $5, tries = 0 WHERE sid = $1
-- name: threepid_session_get
SELECT sid, medium, address, purpose, secret, token, attempt, tries, next_link, validated_ts, expires_ts FROM threepid_session WHERE sid = $1
-- name: threepid_session_find
SELECT sid, medium, address, purpose, secret, token, attempt, tries, next_link, validated_ts, expires_ts FROM threepid_session
WHERE medium = $1 AND address = $2 AND purpose = $3 AND secret = $4
-- name: threepid_session_tried
UPDATE threepid_session SET tries = tries + 1 WHERE sid = $1
-- name: threepid_session_validate
UPDATE threepid_session SET validated_ts = $2 WHERE sid = $1
-- name: threepid_session_delete
DELETE FROM threepid_session WHERE sid = $1
-- name: threepid_session_old
DELETE FROM threepid_session WHERE expires_ts < $1
-- name: sso_link_put
INSERT INTO sso_link (provider, subject, user_nid, created_ts) VALUES ($1, $2, $3, $4) ON CONFLICT (provider, subject) DO NOTHING
-- name: sso_link_get
SELECT user_nid FROM sso_link WHERE provider = $1 AND subject = $2
-- name: sso_link_of_user
SELECT provider FROM sso_link WHERE user_nid = $1 ORDER BY provider
-- name: sso_link_delete_user
DELETE FROM sso_link WHERE user_nid = $1
-- name: accepted_policy_put
INSERT INTO accepted_policy (user_nid, policy, version, accepted_ts) VALUES ($1, $2, $3, $4) ON CONFLICT (user_nid, policy, version) DO NOTHING
-- name: accepted_policy_get
SELECT policy, version FROM accepted_policy WHERE user_nid = $1 ORDER BY policy, version
-- name: threepid_bound_put
INSERT INTO threepid_bound (user_nid, medium, address, server) VALUES ($1, $2, $3, $4) ON CONFLICT (user_nid, medium, address, server) DO NOTHING
-- name: threepid_bound_list
SELECT user_nid, medium, address, server FROM threepid_bound WHERE user_nid = $1 ORDER BY medium, address, server
-- name: threepid_bound_delete
DELETE FROM threepid_bound WHERE user_nid = $1 AND medium = $2 AND address = $3 AND server = $4
