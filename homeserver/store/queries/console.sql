-- name: audit_insert
INSERT INTO audit (nid, ts, actor, action, target, detail)
SELECT coalesce(max(nid), 0) + 1, CAST($1 AS BIGINT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS TEXT), CAST($5 AS TEXT) FROM audit
-- name: audit_list
SELECT nid, ts, actor, action, target, detail FROM audit WHERE nid < $1 ORDER BY nid DESC LIMIT $2
-- name: audit_trim
DELETE FROM audit WHERE nid <= (SELECT coalesce(max(nid), 0) FROM audit) - CAST($1 AS BIGINT)
-- name: sample_put
INSERT INTO sample (series, span, ts, value) VALUES ($1, $2, $3, $4) ON CONFLICT (series, span, ts) DO UPDATE SET value = excluded.value
-- name: sample_list
SELECT series, MIN(ts) AS first, MAX(value) FROM sample WHERE span = $1 AND ts >= $2 GROUP BY series, ts / $3 ORDER BY series, first
-- name: sample_trim
DELETE FROM sample WHERE span = $1 AND ts < $2
-- name: sample_mean
SELECT series, avg(value) FROM sample WHERE span = $1 AND ts >= $2 AND ts < $3 GROUP BY series
-- name: console_people
SELECT a.user_nid, n.id, coalesce(p.value, ''), a.kind, a.admin, a.service, a.created_ts, a.deactivated_ts, a.locked, a.suspended, a.shadow_banned
FROM account a JOIN user_name n ON n.nid = a.user_nid LEFT JOIN profile p ON p.user_nid = a.user_nid AND p.field = 'displayname'
WHERE a.service = '' AND a.user_nid < $1 ORDER BY a.user_nid DESC LIMIT $2
-- name: console_accounts
SELECT a.user_nid, n.id, coalesce(p.value, ''), a.kind, a.admin, a.service, a.created_ts, a.deactivated_ts, a.locked, a.suspended, a.shadow_banned
FROM account a JOIN user_name n ON n.nid = a.user_nid LEFT JOIN profile p ON p.user_nid = a.user_nid AND p.field = 'displayname'
WHERE a.user_nid < $1 ORDER BY a.user_nid DESC LIMIT $2
-- name: console_accounts_named
SELECT a.user_nid, n.id, coalesce(p.value, ''), a.kind, a.admin, a.service, a.created_ts, a.deactivated_ts, a.locked, a.suspended, a.shadow_banned
FROM user_name n JOIN account a ON a.user_nid = n.nid LEFT JOIN profile p ON p.user_nid = a.user_nid AND p.field = 'displayname'
WHERE n.id > $1 AND n.id < $2 ORDER BY n.id LIMIT $3
-- name: console_rooms
SELECT nid FROM room WHERE nid < $1 ORDER BY nid DESC LIMIT $2
-- name: console_rooms_named
SELECT DISTINCT room_nid FROM room_alias WHERE lower(alias) LIKE $1 ESCAPE '!' ORDER BY room_nid DESC LIMIT $2
-- name: console_people_count
SELECT count(*) FROM account WHERE service = ''
-- name: console_account_count
SELECT count(*) FROM account
-- name: console_room_count
SELECT count(*) FROM room
-- name: console_media_count
SELECT count(*), coalesce(sum(size), 0) FROM media WHERE expires_ts = 0
-- name: console_first_admin
SELECT user_nid FROM account WHERE admin = 1 AND deactivated_ts = 0 AND service = '' ORDER BY created_ts, user_nid LIMIT 1
