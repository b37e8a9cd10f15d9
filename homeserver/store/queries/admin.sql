-- name: user_list_f
SELECT a.user_nid, a.password, a.kind, a.admin, a.service, a.created_ts, a.deactivated_ts, a.locked, a.suspended, a.erased_pos, a.user_type, a.shadow_banned, a.rate_milli, a.rate_burst, a.keys_until_ts,
  n.id, coalesce(p.value, ''), coalesce(v.value, ''), coalesce((SELECT max(d.last_seen_ts) FROM device d WHERE d.user_nid = a.user_nid), 0) AS seen
FROM account a JOIN user_name n ON n.nid = a.user_nid
LEFT JOIN profile p ON p.user_nid = a.user_nid AND p.field = 'displayname' LEFT JOIN profile v ON v.user_nid = a.user_nid AND v.field = 'avatar_url'
WHERE (CAST($1 AS TEXT) = '' OR n.id LIKE CAST($1 AS TEXT) ESCAPE '!') AND (CAST($2 AS TEXT) = '' OR lower(n.id) LIKE CAST($3 AS TEXT) ESCAPE '!' OR lower(p.value) LIKE CAST($2 AS TEXT) ESCAPE '!')
  AND (CAST($4 AS BIGINT) = 1 OR a.kind <> 'guest') AND (CAST($5 AS BIGINT) = -1 OR CAST($5 AS BIGINT) = CASE WHEN a.deactivated_ts > 0 THEN 1 ELSE 0 END)
  AND (CAST($6 AS BIGINT) = -1 OR CAST($6 AS BIGINT) = a.admin) AND (CAST($7 AS BIGINT) = 1 OR a.locked = 0)
  AND (CAST($8 AS TEXT) = '' OR CAST($8 AS TEXT) NOT LIKE '%,' || a.user_type || ',%')
ORDER BY CASE CAST($9 AS TEXT) WHEN 'displayname' THEN coalesce(p.value, '') WHEN 'avatar_url' THEN coalesce(v.value, '') WHEN 'user_type' THEN a.user_type WHEN 'name' THEN n.id ELSE '' END,
  CASE CAST($9 AS TEXT) WHEN 'is_guest' THEN CASE WHEN a.kind = 'guest' THEN 1 ELSE 0 END WHEN 'admin' THEN a.admin WHEN 'deactivated' THEN a.deactivated_ts WHEN 'shadow_banned' THEN a.shadow_banned
    WHEN 'creation_ts' THEN a.created_ts WHEN 'locked' THEN a.locked WHEN 'last_seen_ts' THEN coalesce((SELECT max(d.last_seen_ts) FROM device d WHERE d.user_nid = a.user_nid), 0) ELSE 0 END,
  n.id LIMIT $10 OFFSET $11
-- name: user_list_b
SELECT a.user_nid, a.password, a.kind, a.admin, a.service, a.created_ts, a.deactivated_ts, a.locked, a.suspended, a.erased_pos, a.user_type, a.shadow_banned, a.rate_milli, a.rate_burst, a.keys_until_ts,
  n.id, coalesce(p.value, ''), coalesce(v.value, ''), coalesce((SELECT max(d.last_seen_ts) FROM device d WHERE d.user_nid = a.user_nid), 0) AS seen
FROM account a JOIN user_name n ON n.nid = a.user_nid
LEFT JOIN profile p ON p.user_nid = a.user_nid AND p.field = 'displayname' LEFT JOIN profile v ON v.user_nid = a.user_nid AND v.field = 'avatar_url'
WHERE (CAST($1 AS TEXT) = '' OR n.id LIKE CAST($1 AS TEXT) ESCAPE '!') AND (CAST($2 AS TEXT) = '' OR lower(n.id) LIKE CAST($3 AS TEXT) ESCAPE '!' OR lower(p.value) LIKE CAST($2 AS TEXT) ESCAPE '!')
  AND (CAST($4 AS BIGINT) = 1 OR a.kind <> 'guest') AND (CAST($5 AS BIGINT) = -1 OR CAST($5 AS BIGINT) = CASE WHEN a.deactivated_ts > 0 THEN 1 ELSE 0 END)
  AND (CAST($6 AS BIGINT) = -1 OR CAST($6 AS BIGINT) = a.admin) AND (CAST($7 AS BIGINT) = 1 OR a.locked = 0)
  AND (CAST($8 AS TEXT) = '' OR CAST($8 AS TEXT) NOT LIKE '%,' || a.user_type || ',%')
ORDER BY CASE CAST($9 AS TEXT) WHEN 'displayname' THEN coalesce(p.value, '') WHEN 'avatar_url' THEN coalesce(v.value, '') WHEN 'user_type' THEN a.user_type WHEN 'name' THEN n.id ELSE '' END DESC,
  CASE CAST($9 AS TEXT) WHEN 'is_guest' THEN CASE WHEN a.kind = 'guest' THEN 1 ELSE 0 END WHEN 'admin' THEN a.admin WHEN 'deactivated' THEN a.deactivated_ts WHEN 'shadow_banned' THEN a.shadow_banned
    WHEN 'creation_ts' THEN a.created_ts WHEN 'locked' THEN a.locked WHEN 'last_seen_ts' THEN coalesce((SELECT max(d.last_seen_ts) FROM device d WHERE d.user_nid = a.user_nid), 0) ELSE 0 END DESC,
  n.id LIMIT $10 OFFSET $11
-- name: user_list_count
SELECT count(*)
FROM account a JOIN user_name n ON n.nid = a.user_nid
LEFT JOIN profile p ON p.user_nid = a.user_nid AND p.field = 'displayname'
WHERE (CAST($1 AS TEXT) = '' OR n.id LIKE CAST($1 AS TEXT) ESCAPE '!') AND (CAST($2 AS TEXT) = '' OR lower(n.id) LIKE CAST($3 AS TEXT) ESCAPE '!' OR lower(p.value) LIKE CAST($2 AS TEXT) ESCAPE '!')
  AND (CAST($4 AS BIGINT) = 1 OR a.kind <> 'guest') AND (CAST($5 AS BIGINT) = -1 OR CAST($5 AS BIGINT) = CASE WHEN a.deactivated_ts > 0 THEN 1 ELSE 0 END)
  AND (CAST($6 AS BIGINT) = -1 OR CAST($6 AS BIGINT) = a.admin) AND (CAST($7 AS BIGINT) = 1 OR a.locked = 0)
  AND (CAST($8 AS TEXT) = '' OR CAST($8 AS TEXT) NOT LIKE '%,' || a.user_type || ',%')
-- name: account_type
UPDATE account SET user_type = $2 WHERE user_nid = $1
-- name: account_shadow
UPDATE account SET shadow_banned = $2 WHERE user_nid = $1
-- name: account_rate
UPDATE account SET rate_milli = $2, rate_burst = $3 WHERE user_nid = $1
-- name: account_keys_until
UPDATE account SET keys_until_ts = $2 WHERE user_nid = $1
-- name: account_reactivate
UPDATE account SET deactivated_ts = 0, erased_pos = 0 WHERE user_nid = $1
-- name: sso_link_subjects
SELECT provider, subject FROM sso_link WHERE user_nid = $1 ORDER BY provider, subject
-- name: membership_local
SELECT m.user_nid, n.id FROM membership m JOIN account a ON a.user_nid = m.user_nid JOIN user_name n ON n.nid = m.user_nid
WHERE m.room_nid = $1 AND m.membership IN ('join', 'invite', 'knock') AND m.user_nid > $2 ORDER BY m.user_nid LIMIT $3
-- name: membership_local_joined
SELECT count(*) FROM membership m JOIN account a ON a.user_nid = m.user_nid WHERE m.room_nid = $1 AND m.membership = 'join'
-- name: membership_local_remembered
SELECT count(*) FROM membership m JOIN account a ON a.user_nid = m.user_nid WHERE m.room_nid = $1 AND m.forgotten = 0
-- name: membership_local_devices
SELECT count(*) FROM membership m JOIN device d ON d.user_nid = m.user_nid WHERE m.room_nid = $1 AND m.membership = 'join'
-- name: membership_joined_ids
SELECT n.id FROM membership m JOIN user_name n ON n.nid = m.user_nid WHERE m.room_nid = $1 AND m.membership = 'join' ORDER BY n.id
-- name: media_by_user
SELECT m.owner, n.id, coalesce(p.value, ''), count(*), coalesce(sum(m.size), 0) FROM media m JOIN user_name n ON n.nid = m.owner
LEFT JOIN profile p ON p.user_nid = m.owner AND p.field = 'displayname'
WHERE m.owner > 0 AND m.cached = 0 AND m.expires_ts = 0 AND m.created_ts >= $1 AND m.created_ts <= $2
  AND (CAST($3 AS TEXT) = '' OR lower(n.id) LIKE CAST($4 AS TEXT) ESCAPE '!' OR lower(p.value) LIKE CAST($3 AS TEXT) ESCAPE '!')
GROUP BY m.owner, n.id, p.value
-- name: room_sizes
SELECT room_nid, sum(length(json)) FROM event GROUP BY room_nid ORDER BY 2 DESC LIMIT $1
-- name: destination_backoff_list
SELECT server, failures, since_ts, retry_ts FROM destination_backoff ORDER BY server
-- name: token_expire_device
UPDATE token SET expires_ts = $3 WHERE user_nid = $1 AND device_nid = $2
-- name: media_shown
SELECT count(*) FROM (SELECT 1 FROM profile WHERE field = 'avatar_url' AND value LIKE $1
UNION ALL SELECT 1 FROM media_ref f JOIN event e ON e.nid = f.event_nid JOIN state_key k ON k.nid = e.state_key WHERE f.origin = $2 AND f.id = $3 AND k.type = 'm.room.avatar' LIMIT 1) AS one
