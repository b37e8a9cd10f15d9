-- name: purge_placed
SELECT nid, coalesce(pos, 0), root FROM event WHERE room_nid = $1 AND pos IS NOT NULL ORDER BY pos LIMIT $2
-- name: purge_placeless
SELECT nid, coalesce(pos, 0), root FROM event WHERE room_nid = $1 AND pos IS NULL LIMIT $2
-- name: purge_messages
SELECT nid, pos, author FROM event WHERE room_nid = $1 AND (depth, pos) > ($2, $3) AND depth < $4 AND pos IS NOT NULL AND state_key = 0
ORDER BY depth, pos LIMIT $5
-- name: purge_event
DELETE FROM event WHERE nid = $1
-- name: purge_log
UPDATE log SET kind = 0, ref = 0 WHERE pos = $1 AND kind = 1
-- name: purge_pack
DELETE FROM state_pack WHERE nid = $1
-- name: purge_account_data
DELETE FROM account_data WHERE room_nid = $1 AND user_nid IN (SELECT user_nid FROM membership WHERE room_nid = $1)
-- name: purge_unread_memo
DELETE FROM unread_memo WHERE room_nid = $1 AND user_nid IN (SELECT user_nid FROM membership WHERE room_nid = $1)
-- name: purge_membership
DELETE FROM membership WHERE room_nid = $1
-- name: purge_alias
DELETE FROM room_alias WHERE room_nid = $1
-- name: purge_receipt
DELETE FROM receipt WHERE room_nid = $1
-- name: purge_thread
DELETE FROM thread WHERE room_nid = $1
-- name: purge_report
DELETE FROM report WHERE room_nid = $1
-- name: purge_delayed
DELETE FROM delayed_event WHERE room_nid = $1
-- name: purge_network_room
DELETE FROM network_room WHERE room_nid = $1
-- name: purge_notice_room
DELETE FROM notice_room WHERE room_nid = $1
-- name: purge_room
DELETE FROM room WHERE nid = $1
-- name: blocked_room_put
INSERT INTO blocked_room (room_id, blocked_by, created_ts) VALUES ($1, $2, $3) ON CONFLICT (room_id) DO NOTHING
-- name: blocked_room_delete
DELETE FROM blocked_room WHERE room_id = $1
-- name: blocked_room_get
SELECT blocked_by FROM blocked_room WHERE room_id = $1
-- name: admin_task_put
INSERT INTO admin_task (id, kind, room_id, room_nid, state, params, result, error, changed_ts) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (id) DO UPDATE SET room_nid = excluded.room_nid, state = excluded.state, result = excluded.result, error = excluded.error, changed_ts = excluded.changed_ts
-- name: admin_task_get
SELECT id, kind, room_id, room_nid, state, params, result, error, changed_ts FROM admin_task WHERE id = $1
-- name: admin_task_of_room
SELECT id, kind, room_id, room_nid, state, params, result, error, changed_ts FROM admin_task WHERE room_id = $1 ORDER BY changed_ts, id
-- name: admin_task_active
SELECT id, kind, room_id, room_nid, state, params, result, error, changed_ts FROM admin_task WHERE state = 'active' ORDER BY changed_ts, id
-- name: admin_task_old
DELETE FROM admin_task WHERE state <> 'active' AND changed_ts < $1
-- name: purge_room_server
DELETE FROM room_server WHERE room_nid = $1
-- name: purge_missing_prev
DELETE FROM missing_prev WHERE room_nid = $1
-- name: purge_told_state
DELETE FROM told_state WHERE room_nid = $1
-- name: purge_unpruned_event
DELETE FROM unpruned_event WHERE room_nid = $1
-- name: purge_partial_poke
DELETE FROM partial_poke WHERE room_nid = $1
-- name: purge_invite_state
DELETE FROM invite_state WHERE room_nid = $1
-- name: purge_waiting_redaction
DELETE FROM waiting_redaction WHERE room_nid = $1

-- name: purge_import_item
DELETE FROM import_item WHERE room_nid = $1
-- name: purge_aged
SELECT nid, pos, ts FROM event WHERE room_nid = $1 AND pos IS NOT NULL AND (ts, nid) > ($2, $3) AND ts < $4 AND state_key = 0
ORDER BY ts, nid LIMIT $5
