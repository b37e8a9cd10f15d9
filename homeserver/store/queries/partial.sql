-- name: room_partial_put
INSERT INTO room_partial (room_nid, join_nid, via, servers, since_pos, done_pos) VALUES ($1, $2, $3, $4, $5, 0)
ON CONFLICT (room_nid) DO UPDATE SET join_nid = excluded.join_nid, via = excluded.via, servers = excluded.servers,
since_pos = CASE WHEN room_partial.done_pos = 0 THEN room_partial.since_pos ELSE excluded.since_pos END, done_pos = 0
-- name: room_partial_get
SELECT room_nid, join_nid, via, servers, since_pos FROM room_partial WHERE room_nid = $1 AND done_pos = 0
-- name: room_partial_list
SELECT room_nid, join_nid, via, servers, since_pos FROM room_partial WHERE done_pos = 0 ORDER BY since_pos
-- name: room_partial_spans
SELECT room_nid, since_pos, done_pos, was_root FROM room_partial
-- name: room_partial_done
UPDATE room_partial SET done_pos = $2, was_root = $3, servers = $4 WHERE room_nid = $1
-- name: room_partial_delete
DELETE FROM room_partial WHERE room_nid = $1
-- name: told_state_put
INSERT INTO told_state (room_nid, id, root) VALUES ($1, $2, $3) ON CONFLICT (room_nid, id) DO UPDATE SET root = excluded.root
-- name: told_state_list
SELECT id, root FROM told_state WHERE room_nid = $1
-- name: told_state_clear
DELETE FROM told_state WHERE room_nid = $1
-- name: partial_poke_insert
INSERT INTO partial_poke (room_nid, user_nid) VALUES ($1, $2) ON CONFLICT (room_nid, user_nid) DO NOTHING
-- name: partial_poke_count
SELECT count(*) FROM partial_poke WHERE room_nid = $1
-- name: partial_poke_list
SELECT user_nid FROM partial_poke WHERE room_nid = $1 ORDER BY user_nid
-- name: partial_poke_clear
DELETE FROM partial_poke WHERE room_nid = $1
-- name: event_partials
SELECT nid FROM event WHERE room_nid = $1 AND (flags & 32) <> 0 ORDER BY nid
-- name: event_mend
UPDATE event SET pos = $2, root = $3, current = $4, replaces = $5, flags = $6 WHERE nid = $1
-- name: device_update_since
SELECT DISTINCT d.user_nid, d.device_id FROM device_update d JOIN account a ON a.user_nid = d.user_nid
JOIN membership m ON m.user_nid = d.user_nid AND m.room_nid = $1 AND m.membership = 'join'
WHERE d.pos > $2 ORDER BY d.user_nid, d.device_id
-- name: event_nids_of_room
SELECT id, nid FROM event WHERE room_nid = $1 AND nid IN ({64 from 2})
-- name: unpruned_event_put
INSERT INTO unpruned_event (room_nid, event_nid, by_nid, json) VALUES ($1, $2, $3, $4) ON CONFLICT (room_nid, event_nid) DO NOTHING
-- name: unpruned_event_list
SELECT event_nid, by_nid, json FROM unpruned_event WHERE room_nid = $1 ORDER BY event_nid
-- name: unpruned_event_delete
DELETE FROM unpruned_event WHERE room_nid = $1 AND event_nid = $2
-- name: unpruned_event_clear
DELETE FROM unpruned_event WHERE room_nid = $1
