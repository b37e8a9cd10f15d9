-- name: account_data_put
INSERT INTO account_data (user_nid, room_nid, type, content, pos) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (user_nid, room_nid, type) DO UPDATE SET content = excluded.content, pos = excluded.pos
-- name: account_data_get
SELECT room_nid, type, content, pos FROM account_data WHERE user_nid = $1 AND room_nid = $2 AND type = $3
-- name: account_data_after
SELECT room_nid, type, content, pos FROM account_data WHERE user_nid = $1 AND pos > $2 AND pos <= $3 ORDER BY pos
-- name: receipt_put
INSERT INTO receipt (room_nid, user_nid, kind, thread, event_id, event_nid, ts, pos) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (room_nid, user_nid, kind, thread) DO UPDATE SET event_id = excluded.event_id, event_nid = excluded.event_nid, ts = excluded.ts, pos = excluded.pos
-- name: receipt_after
SELECT room_nid, user_nid, kind, thread, event_id, event_nid, ts, pos FROM receipt WHERE room_nid = $1 AND pos > $2 AND pos <= $3 ORDER BY pos
-- name: receipt_place
SELECT e.pos FROM receipt r JOIN event e ON e.nid = r.event_nid WHERE r.room_nid = $1 AND r.user_nid = $2 AND r.kind = $3 AND r.thread = $4
-- name: receipt_of_user
SELECT room_nid, user_nid, kind, thread, event_id, event_nid, ts, pos FROM receipt WHERE room_nid = $1 AND user_nid = $2
-- name: filter_get
SELECT json FROM filter WHERE user_nid = $1 AND id = $2
-- name: filter_find
SELECT id FROM filter WHERE user_nid = $1 AND hash = $2
-- name: filter_insert
INSERT INTO filter (user_nid, id, hash, json) SELECT $1, coalesce(max(id), 0) + 1, $2, $3 FROM filter WHERE user_nid = $1
-- name: profile_delete_all
DELETE FROM profile WHERE user_nid = $1
-- name: account_data_delete_all
DELETE FROM account_data WHERE user_nid = $1
-- name: filter_delete_all
DELETE FROM filter WHERE user_nid = $1
