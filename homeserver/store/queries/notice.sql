-- name: notice_room_get
SELECT room_nid FROM notice_room WHERE user_nid = $1

-- name: notice_room_put
INSERT INTO notice_room (user_nid, room_nid) VALUES ($1, $2) ON CONFLICT (user_nid) DO UPDATE SET room_nid = excluded.room_nid
