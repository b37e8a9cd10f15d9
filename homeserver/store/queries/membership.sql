-- name: membership_put
INSERT INTO membership (room_nid, user_nid, membership, event_nid, pos, forgotten) VALUES ($1, $2, $3, $4, $5, 0)
ON CONFLICT (room_nid, user_nid) DO UPDATE SET membership = excluded.membership, event_nid = excluded.event_nid, pos = excluded.pos, forgotten = 0
-- name: membership_foretell
INSERT INTO membership (room_nid, user_nid, membership, event_nid, pos, forgotten) VALUES ($1, $2, $3, $4, $5, 0) ON CONFLICT (room_nid, user_nid) DO NOTHING
-- name: membership_retract
DELETE FROM membership WHERE room_nid = $1 AND pos = $2
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
-- name: membership_first
SELECT user_nid FROM membership WHERE room_nid = $1 AND membership IN ('join', 'invite') ORDER BY pos, user_nid LIMIT $2
-- name: membership_former
SELECT user_nid FROM membership WHERE room_nid = $1 AND user_nid <> $2 AND membership IN ('leave', 'ban') ORDER BY pos, user_nid LIMIT $3
-- name: membership_and_end_of_user
SELECT m.room_nid, m.user_nid, m.membership, m.event_nid, m.pos, m.forgotten, coalesce(e.pos, 0), coalesce(CASE WHEN e.current <> 0 THEN e.current ELSE e.root END, 0), coalesce(r.id, ''), coalesce(r.version, '')
FROM membership m LEFT JOIN room r ON r.nid = m.room_nid LEFT JOIN event e ON e.room_nid = m.room_nid AND e.pos = (SELECT max(l.pos) FROM event l WHERE l.room_nid = m.room_nid AND l.pos IS NOT NULL)
WHERE m.user_nid = $1
-- name: membership_shared
SELECT count(*) FROM (SELECT 1 FROM membership a JOIN membership b ON b.room_nid = a.room_nid AND b.user_nid = $2 AND b.membership = 'join'
WHERE a.user_nid = $1 AND a.membership = 'join' LIMIT 1) AS shared
