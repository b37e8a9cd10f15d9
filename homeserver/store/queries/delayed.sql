-- name: delayed_insert
INSERT INTO delayed_event (id, user_nid, room_nid, type, state_key, content, delay, started_ts, due_ts, state, ended_ts, event_id, error, txn_scope, txn)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'scheduled', 0, '', '', $10, $11)

-- name: delayed_get
SELECT id, user_nid, room_nid, type, state_key, content, delay, started_ts, due_ts, state, ended_ts, event_id, error, txn_scope, txn
FROM delayed_event WHERE id = $1

-- name: delayed_by_txn
SELECT id, user_nid, room_nid, type, state_key, content, delay, started_ts, due_ts, state, ended_ts, event_id, error, txn_scope, txn
FROM delayed_event WHERE txn_scope = $1 AND txn = $2 AND room_nid = $3

-- name: delayed_due
SELECT id, user_nid, room_nid, type, state_key, content, delay, started_ts, due_ts, state, ended_ts, event_id, error, txn_scope, txn
FROM delayed_event WHERE state = 'scheduled' AND due_ts <= $1 ORDER BY due_ts, started_ts, id LIMIT $2

-- name: delayed_next
SELECT coalesce(min(due_ts), 0) FROM delayed_event WHERE state = 'scheduled'

-- name: delayed_count
SELECT count(*) FROM delayed_event WHERE user_nid = $1 AND state = 'scheduled'

-- name: delayed_scheduled
SELECT id, user_nid, room_nid, type, state_key, content, delay, started_ts, due_ts, state, ended_ts, event_id, error, txn_scope, txn
FROM delayed_event WHERE user_nid = $1 AND state = 'scheduled' AND (due_ts, id) > ($2, $3) ORDER BY due_ts, id LIMIT $4

-- name: delayed_ended
SELECT id, user_nid, room_nid, type, state_key, content, delay, started_ts, due_ts, state, ended_ts, event_id, error, txn_scope, txn
FROM delayed_event WHERE user_nid = $1 AND state <> 'scheduled' AND (due_ts, id) > ($2, $3) ORDER BY due_ts, id LIMIT $4

-- name: delayed_restart
UPDATE delayed_event SET started_ts = $2, due_ts = $3 WHERE id = $1 AND state = 'scheduled'

-- name: delayed_end
UPDATE delayed_event SET state = $2, ended_ts = $3, event_id = $4, error = $5 WHERE id = $1 AND state = 'scheduled'

-- name: delayed_cancel_state
UPDATE delayed_event SET state = 'cancelled', ended_ts = $5
WHERE room_nid = $1 AND type = $2 AND state_key = $3 AND state = 'scheduled' AND user_nid <> $4

-- name: delayed_state_count
SELECT count(*) FROM delayed_event WHERE state = 'scheduled' AND state_key IS NOT NULL

-- name: delayed_old
DELETE FROM delayed_event WHERE state <> 'scheduled' AND ended_ts < $1
