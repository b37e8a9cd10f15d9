-- name: device_update_last
SELECT coalesce(max(pos), 0) FROM device_update WHERE user_nid = $1 AND device_id <> ''
-- name: device_update_put
INSERT INTO device_update (user_nid, device_id, pos, prev_pos) VALUES ($1, $2, $3, $4)
ON CONFLICT (user_nid, device_id) DO UPDATE SET pos = excluded.pos, prev_pos = excluded.prev_pos
-- name: device_update_for
SELECT d.user_nid, d.device_id, d.pos, d.prev_pos FROM device_update d
WHERE d.pos > $2 AND d.pos <= $3 AND EXISTS (SELECT 1 FROM membership m JOIN room_server s ON s.room_nid = m.room_nid AND s.server_nid = $1 AND s.joined > 0
  WHERE m.user_nid = d.user_nid AND m.membership = 'join')
ORDER BY d.pos LIMIT $4
-- name: server_behind
SELECT s.server_nid FROM room_server s JOIN room r ON r.nid = s.room_nid LEFT JOIN destination d ON d.server_nid = s.server_nid
WHERE r.local_pos > coalesce(d.cursor_pos, s.since_pos) AND r.local_pos > s.since_pos AND (s.until_pos = 0 OR s.until_pos > coalesce(d.cursor_pos, s.since_pos))
UNION SELECT s.server_nid FROM device_update u JOIN account a ON a.user_nid = u.user_nid JOIN membership m ON m.user_nid = u.user_nid AND m.membership = 'join'
  JOIN room_server s ON s.room_nid = m.room_nid AND s.joined > 0 LEFT JOIN destination d ON d.server_nid = s.server_nid WHERE u.pos > coalesce(d.cursor_pos, s.since_pos)
UNION SELECT s.server_nid FROM account a JOIN membership m ON m.user_nid = a.user_nid AND m.membership = 'join'
  JOIN receipt r ON r.room_nid = m.room_nid AND r.user_nid = m.user_nid AND r.kind = 'm.read'
  JOIN room_server s ON s.room_nid = m.room_nid AND s.joined > 0 LEFT JOIN destination d ON d.server_nid = s.server_nid WHERE r.pos > coalesce(d.cursor_pos, s.since_pos) AND r.pos > s.since_pos
UNION SELECT server_nid FROM edu_out UNION SELECT server_nid FROM destination WHERE txn_upto > cursor_pos
-- name: receipt_for
SELECT r.room_nid, r.user_nid, r.kind, r.thread, r.event_id, r.event_nid, r.ts, r.pos FROM room_server s JOIN receipt r ON r.room_nid = s.room_nid AND r.pos > s.since_pos
JOIN account a ON a.user_nid = r.user_nid JOIN membership m ON m.room_nid = r.room_nid AND m.user_nid = r.user_nid AND m.membership = 'join'
WHERE s.server_nid = $1 AND s.joined > 0 AND r.kind = 'm.read' AND r.pos > $2 AND r.pos <= $3 ORDER BY r.pos LIMIT $4
-- name: server_sharing
SELECT DISTINCT n.id FROM membership m JOIN room_server s ON s.room_nid = m.room_nid AND s.joined > 0 JOIN server_name n ON n.nid = s.server_nid
WHERE m.user_nid = $1 AND m.membership = 'join' ORDER BY n.id
-- name: server_new_to
SELECT count(*) FROM room_server s JOIN server_name n ON n.nid = s.server_nid AND n.id <> $3
WHERE s.room_nid = $1 AND s.joined > 0 AND NOT EXISTS (SELECT 1 FROM membership m JOIN room_server o ON o.room_nid = m.room_nid AND o.server_nid = s.server_nid AND o.joined > 0
  WHERE m.user_nid = $2 AND m.membership = 'join' AND m.room_nid <> $1)
