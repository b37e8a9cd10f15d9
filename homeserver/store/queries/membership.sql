-- name: membership_put
INSERT INTO membership (room_nid, user_nid, membership, event_nid, pos, forgotten) VALUES ($1, $2, $3, $4, $5, 0)
ON CONFLICT (room_nid, user_nid) DO UPDATE SET membership = excluded.membership, event_nid = excluded.event_nid, pos = excluded.pos, forgotten = 0
-- name: membership_forget
UPDATE membership SET forgotten = 1 WHERE room_nid = $1 AND user_nid = $2
-- name: membership_get
SELECT room_nid, user_nid, membership, event_nid, pos, forgotten FROM membership WHERE room_nid = $1 AND user_nid = $2
-- name: membership_of_room
SELECT room_nid, user_nid, membership, event_nid, pos, forgotten FROM membership WHERE room_nid = $1
-- name: membership_of_user
SELECT room_nid, user_nid, membership, event_nid, pos, forgotten FROM membership WHERE user_nid = $1
-- name: membership_joined_count
SELECT count(*) FROM membership WHERE room_nid = $1 AND membership = 'join'
-- name: membership_counts
SELECT coalesce(sum(CASE WHEN membership = 'join' THEN 1 ELSE 0 END), 0), coalesce(sum(CASE WHEN membership = 'invite' THEN 1 ELSE 0 END), 0)
FROM membership WHERE room_nid = $1
-- name: membership_heroes
SELECT user_nid FROM membership WHERE room_nid = $1 AND user_nid <> $2
ORDER BY CASE WHEN membership IN ('join', 'invite') THEN 0 ELSE 1 END, pos, user_nid LIMIT 5
