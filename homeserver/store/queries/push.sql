-- name: unread_memo_get
SELECT data FROM unread_memo WHERE user_nid = $1 AND room_nid = $2
-- name: unread_memo_put
INSERT INTO unread_memo (user_nid, room_nid, data) VALUES ($1, $2, $3)
ON CONFLICT (user_nid, room_nid) DO UPDATE SET data = excluded.data
-- name: unread_memo_delete
DELETE FROM unread_memo WHERE user_nid = $1 AND room_nid = $2
-- name: event_places_back
SELECT nid, pos FROM event WHERE room_nid = $1 AND pos > $2 AND pos <= $3 ORDER BY pos DESC LIMIT $4
-- name: membership_news
SELECT room_nid FROM membership m WHERE user_nid = $1 AND membership IN ('join', 'invite')
AND EXISTS (SELECT 1 FROM event e WHERE e.room_nid = m.room_nid AND e.pos > $2 AND e.pos <= $3)
-- name: pusher_put
INSERT INTO pusher (user_nid, app_id, pushkey, kind, device_nid, json, changed_ts, pos) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (user_nid, app_id, pushkey) DO UPDATE SET kind = excluded.kind, device_nid = excluded.device_nid, json = excluded.json, changed_ts = excluded.changed_ts
-- name: pusher_list_of
SELECT user_nid, app_id, pushkey, kind, device_nid, json, changed_ts, pos, sent_ts, throttle_ms FROM pusher WHERE user_nid = $1 ORDER BY app_id, pushkey
-- name: pusher_users
SELECT DISTINCT user_nid FROM pusher ORDER BY user_nid
-- name: pusher_others
SELECT DISTINCT user_nid FROM pusher WHERE app_id = $1 AND pushkey = $2 AND user_nid <> $3
-- name: pusher_delete_others
DELETE FROM pusher WHERE app_id = $1 AND pushkey = $2 AND user_nid <> $3
-- name: pusher_delete
DELETE FROM pusher WHERE user_nid = $1 AND app_id = $2 AND pushkey = $3
-- name: pusher_delete_device
DELETE FROM pusher WHERE user_nid = $1 AND device_nid = $2
-- name: pusher_delete_user
DELETE FROM pusher WHERE user_nid = $1
-- name: pusher_served
UPDATE pusher SET pos = $4 WHERE user_nid = $1 AND app_id = $2 AND pushkey = $3 AND pos < $4
-- name: pusher_mailed
UPDATE pusher SET sent_ts = $4, throttle_ms = $5 WHERE user_nid = $1 AND app_id = $2 AND pushkey = $3
-- name: event_place_nth_back
SELECT pos FROM event WHERE room_nid = $1 AND pos > $2 AND pos <= $3 ORDER BY pos DESC LIMIT 1 OFFSET $4
-- name: membership_some
SELECT user_nid FROM membership WHERE room_nid = $1 AND user_nid <> $2 AND membership IN ('join', 'invite') ORDER BY pos, user_nid LIMIT 5
