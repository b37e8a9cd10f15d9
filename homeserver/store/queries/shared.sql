-- name: server_name_by_id
SELECT nid FROM server_name WHERE id = $1
-- name: server_name_by_nid
SELECT id FROM server_name WHERE nid = $1
-- name: server_name_max
SELECT coalesce(max(nid), 0) FROM server_name
-- name: server_name_insert
INSERT INTO server_name (nid, id) VALUES ($1, $2)
-- name: room_server_get
SELECT server_nid, room_nid, joined, since_pos, until_pos FROM room_server WHERE server_nid = $1 AND room_nid = $2
-- name: room_server_put
INSERT INTO room_server (server_nid, room_nid, joined, since_pos, until_pos) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (server_nid, room_nid) DO UPDATE SET joined = excluded.joined, since_pos = excluded.since_pos, until_pos = excluded.until_pos
-- name: room_server_of_room
SELECT server_nid, room_nid, joined, since_pos, until_pos FROM room_server WHERE room_nid = $1 ORDER BY server_nid
-- name: room_server_joined
SELECT n.id FROM room_server s JOIN server_name n ON n.nid = s.server_nid WHERE s.room_nid = $1 AND s.joined > 0 ORDER BY n.id
-- name: room_server_rooms
SELECT r.nid, r.local_pos, s.joined, s.since_pos, s.until_pos FROM room_server s JOIN room r ON r.nid = s.room_nid
WHERE s.server_nid = $1 AND r.local_pos > $2 ORDER BY r.local_pos DESC
-- name: room_server_shared
SELECT count(*) FROM room_server WHERE server_nid = $1 AND joined > 0
-- name: missing_prev_insert
INSERT INTO missing_prev (room_nid, id, after_nid) VALUES ($1, $2, $3) ON CONFLICT (room_nid, id, after_nid) DO NOTHING
-- name: missing_prev_delete
DELETE FROM missing_prev WHERE room_nid = $1 AND id = $2
-- name: missing_prev_list
SELECT id, after_nid FROM missing_prev WHERE room_nid = $1 ORDER BY after_nid DESC, id LIMIT $2
-- name: staged_pdu_insert
INSERT INTO staged_pdu (room_id, id, origin, received_ts, tries, json) VALUES ($1, $2, $3, $4, 0, $5) ON CONFLICT (room_id, id) DO NOTHING
-- name: staged_pdu_tried
UPDATE staged_pdu SET tries = $3, received_ts = $4 WHERE room_id = $1 AND id = $2
-- name: staged_pdu_hasten
UPDATE staged_pdu SET received_ts = $2 WHERE tries > 0 AND received_ts > $2 AND (origin = $1 OR room_id IN (SELECT r.id
  FROM server_name n JOIN room_server s ON s.server_nid = n.nid AND s.joined > 0 JOIN room r ON r.nid = s.room_nid WHERE n.id = $1))
-- name: staged_pdu_delete
DELETE FROM staged_pdu WHERE room_id = $1 AND id = $2
-- name: staged_pdu_list
SELECT room_id, id, origin, received_ts, tries, json FROM staged_pdu WHERE room_id = $1 ORDER BY received_ts, id LIMIT $2
-- name: staged_pdu_get
SELECT room_id, id, origin, received_ts, tries, json FROM staged_pdu WHERE room_id = $1 AND id = $2
-- name: staged_pdu_rooms
SELECT room_id, count(*) FROM staged_pdu GROUP BY room_id
-- name: staged_pdu_count_room
SELECT count(*) FROM staged_pdu WHERE room_id = $1
-- name: staged_pdu_count_origin
SELECT count(*) FROM staged_pdu WHERE origin = $1
-- name: received_txn_put
INSERT INTO received_txn (origin, txn, ts, answer) VALUES ($1, $2, $3, $4) ON CONFLICT (origin, txn) DO NOTHING
-- name: received_txn_get
SELECT answer FROM received_txn WHERE origin = $1 AND txn = $2
-- name: received_txn_old
DELETE FROM received_txn WHERE ts < $1
-- name: invite_state_put
INSERT INTO invite_state (room_nid, user_nid, json) VALUES ($1, $2, $3) ON CONFLICT (room_nid, user_nid) DO UPDATE SET json = excluded.json
-- name: invite_state_get
SELECT json FROM invite_state WHERE room_nid = $1 AND user_nid = $2
-- name: invite_state_delete
DELETE FROM invite_state WHERE room_nid = $1 AND user_nid = $2
-- name: destination_get
SELECT server_nid, cursor_pos, txn, txn_upto FROM destination WHERE server_nid = $1
-- name: destination_list
SELECT server_nid, cursor_pos, txn, txn_upto FROM destination ORDER BY server_nid
-- name: destination_put
INSERT INTO destination (server_nid, cursor_pos, txn, txn_upto) VALUES ($1, $2, $3, $4)
ON CONFLICT (server_nid) DO UPDATE SET cursor_pos = excluded.cursor_pos, txn = excluded.txn, txn_upto = excluded.txn_upto
-- name: edu_out_insert
INSERT INTO edu_out (server_nid, pos, json) VALUES ($1, $2, $3)
-- name: edu_out_list
SELECT pos, json FROM edu_out WHERE server_nid = $1 AND pos > $2 AND pos <= $3 ORDER BY pos LIMIT $4
-- name: edu_out_delete
DELETE FROM edu_out WHERE server_nid = $1 AND pos <= $2
-- name: remote_device_put
INSERT INTO remote_device (user_nid, device_id, stream, json) VALUES ($1, $2, $3, $4)
ON CONFLICT (user_nid, device_id) DO UPDATE SET stream = excluded.stream, json = excluded.json
-- name: remote_device_list
SELECT user_nid, device_id, stream, json FROM remote_device WHERE user_nid = $1 ORDER BY device_id
-- name: remote_device_get
SELECT json FROM remote_device WHERE user_nid = $1 AND device_id = $2
-- name: remote_device_list_room
UPDATE remote_device_list SET stale = 1 WHERE user_nid IN (SELECT user_nid FROM membership WHERE room_nid = $1)
-- name: remote_device_list_left
UPDATE remote_device_list SET stale = 1 WHERE user_nid = $1
AND NOT EXISTS (SELECT 1 FROM membership WHERE user_nid = $1 AND membership = 'join')
-- name: remote_device_delete
DELETE FROM remote_device WHERE user_nid = $1 AND device_id = $2
-- name: remote_device_clear
DELETE FROM remote_device WHERE user_nid = $1
-- name: remote_device_list_put
INSERT INTO remote_device_list (user_nid, stale, stream) VALUES ($1, $2, $3)
ON CONFLICT (user_nid) DO UPDATE SET stale = excluded.stale, stream = excluded.stream
-- name: remote_device_list_get
SELECT user_nid, stale, stream FROM remote_device_list WHERE user_nid = $1
-- name: remote_device_list_delete
DELETE FROM remote_device_list WHERE user_nid = $1
-- name: remote_device_list_stale
SELECT user_nid, stale, stream FROM remote_device_list WHERE stale = 1 AND user_nid > $1 ORDER BY user_nid LIMIT $2
-- name: event_local
SELECT nid FROM event WHERE room_nid = $1 AND pos > $2 AND pos <= $3 AND (flags & $4) = 0 ORDER BY pos LIMIT $5
-- name: event_place
UPDATE event SET pos = $2, depth = $3, root = $4, current = $5, replaces = $6, flags = $7, prev = $8, auth = $9 WHERE nid = $1
-- name: event_links
SELECT nid, state_key, flags, prev, auth FROM event WHERE nid IN ({64 from 1})
-- name: event_nid_by_id
SELECT nid FROM event WHERE id = $1 AND (flags & 256) = 0
UNION ALL SELECT e.nid FROM imported_id i JOIN event e ON e.nid = i.event_nid WHERE i.prefix = $2 AND e.id = $1
-- name: event_nid_is
SELECT nid FROM event WHERE nid = $1 AND id = $2
-- name: event_nids_by_id
SELECT id, nid FROM event WHERE (flags & 256) = 0 AND id IN ({64 from 1})
UNION ALL SELECT e.id, e.nid FROM imported_id i JOIN event e ON e.nid = i.event_nid
WHERE i.prefix IN ({64 from 65}) AND e.id IN ({64 from 1})
-- name: room_server_count
SELECT joined FROM room_server WHERE server_nid = $1 AND room_nid = $2
-- name: room_server_move
INSERT INTO room_server (server_nid, room_nid, joined, since_pos, until_pos) VALUES ($1, $2, $3, $4, 0)
ON CONFLICT (server_nid, room_nid) DO UPDATE SET joined = room_server.joined + excluded.joined,
since_pos = CASE WHEN room_server.joined <= 0 THEN excluded.since_pos ELSE room_server.since_pos END,
until_pos = CASE WHEN room_server.joined + excluded.joined <= 0 THEN excluded.since_pos ELSE 0 END
-- name: waiting_redaction_insert
INSERT INTO waiting_redaction (room_nid, id, by_nid) VALUES ($1, $2, $3) ON CONFLICT (room_nid, id, by_nid) DO NOTHING
-- name: waiting_redaction_delete
DELETE FROM waiting_redaction WHERE room_nid = $1 AND id = $2
-- name: waiting_redaction_list
SELECT by_nid FROM waiting_redaction WHERE room_nid = $1 AND id = $2 ORDER BY by_nid
-- name: membership_from
SELECT u.id FROM membership m JOIN user_name u ON u.nid = m.user_nid WHERE m.room_nid = $1 AND substr(u.id, length(u.id) - length(CAST($2 AS TEXT))) = ':' || CAST($2 AS TEXT)
-- name: event_disordered
SELECT count(*) FROM (SELECT 1 FROM event e WHERE e.room_nid = $1 AND e.pos > $2 AND e.pos <= $3
AND e.depth < (SELECT f.depth FROM event f WHERE f.room_nid = $1 AND f.pos = $2) LIMIT 1) AS late
