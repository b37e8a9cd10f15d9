-- name: author_events
SELECT nid, pos FROM event WHERE room_nid = $1 AND author = $2 AND pos < $3 AND ts >= $4 AND ts <= $5 ORDER BY pos DESC LIMIT $6

-- name: author_memberships
SELECT e.room_nid, e.json FROM event e JOIN state_key k ON k.nid = e.state_key
WHERE e.author = $1 AND e.ts >= $2 AND e.state_key <> 0 AND e.pos IS NOT NULL AND k.type = 'm.room.member'

-- name: server_rooms
SELECT r.id, r.local_pos FROM room_server s JOIN server_name n ON n.nid = s.server_nid JOIN room r ON r.nid = s.room_nid
WHERE n.id = $1 AND s.joined > 0 ORDER BY r.id

-- name: admin_task_all
SELECT id, kind, room_id, room_nid, state, params, result, error, changed_ts FROM admin_task ORDER BY changed_ts, id LIMIT $1

-- name: account_end_put
INSERT INTO account_end (user_nid, end_ts) VALUES ($1, $2) ON CONFLICT (user_nid) DO UPDATE SET end_ts = excluded.end_ts

-- name: account_end_delete
DELETE FROM account_end WHERE user_nid = $1

-- name: account_end_first
SELECT user_nid, end_ts FROM account_end ORDER BY end_ts LIMIT 1
