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
