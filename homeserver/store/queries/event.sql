-- name: event_max
SELECT coalesce(max(nid), 0) FROM event
-- name: event_past
-- Late events, below, have positions of their own.
SELECT coalesce(min(pos), 0) FROM event WHERE pos < 0 AND pos >= -2305843009213693952
-- name: event_insert
INSERT INTO event (nid, room_nid, id, pos, depth, author, state_key, ts, root, replaces, flags, redacted_by, txn_scope, txn, json, current, prev, auth)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
-- name: event_prune
UPDATE event SET flags = $2, redacted_by = $3, json = $4 WHERE nid = $1
-- name: event_by_nid
SELECT nid, room_nid, id, pos, depth, author, state_key, ts, root, replaces, flags, redacted_by, txn_scope, txn, json, current, prev, auth FROM event WHERE nid = $1
-- name: event_by_id
SELECT nid, room_nid, id, pos, depth, author, state_key, ts, root, replaces, flags, redacted_by, txn_scope, txn, json, current, prev, auth FROM event WHERE id = $1 AND (flags & 256) = 0
UNION ALL SELECT e.nid, e.room_nid, e.id, e.pos, e.depth, e.author, e.state_key, e.ts, e.root, e.replaces, e.flags, e.redacted_by, e.txn_scope, e.txn, e.json, e.current, e.prev, e.auth FROM imported_id i JOIN event e ON e.nid = i.event_nid
WHERE i.prefix = $2 AND e.id = $1
-- name: event_by_txn
SELECT nid, room_nid, id, pos, depth, author, state_key, ts, root, replaces, flags, redacted_by, txn_scope, txn, json, current, prev, auth FROM event WHERE txn_scope = $1 AND txn = $2 AND room_nid = $3
-- name: event_by_nids
SELECT nid, room_nid, id, pos, depth, author, state_key, ts, root, replaces, flags, redacted_by, txn_scope, txn, json, current, prev, auth FROM event
WHERE nid IN ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21,$22,$23,$24,$25,$26,$27,$28,$29,$30,$31,$32,$33,$34,$35,$36,$37,$38,$39,$40,$41,$42,$43,$44,$45,$46,$47,$48,$49,$50,$51,$52,$53,$54,$55,$56,$57,$58,$59,$60,$61,$62,$63,$64)
-- name: event_timeline_back
SELECT nid FROM event WHERE room_nid = $1 AND pos > $2 AND pos <= $3 ORDER BY pos DESC LIMIT $4
-- name: event_timeline_forward
SELECT nid FROM event WHERE room_nid = $1 AND pos > $2 AND pos <= $3 ORDER BY pos LIMIT $4
-- name: event_history_back
SELECT nid FROM event WHERE room_nid = $1 AND (depth, pos) <= ($2, $3) AND (depth, pos) > ($4, $5) AND pos <= $6
ORDER BY depth DESC, pos DESC LIMIT $7
-- name: event_history_forward
SELECT nid FROM event WHERE room_nid = $1 AND (depth, pos) > ($2, $3) AND (depth, pos) <= ($4, $5) AND pos <= $6
ORDER BY depth, pos LIMIT $7
-- name: event_last
SELECT nid, room_nid, id, pos, depth, author, state_key, ts, root, replaces, flags, redacted_by, txn_scope, txn, json, current, prev, auth FROM event
WHERE room_nid = $1 AND pos <= $2 ORDER BY pos DESC LIMIT 1
-- name: event_last_pos
SELECT coalesce(max(pos), 0) FROM event WHERE room_nid = $1 AND pos IS NOT NULL
-- name: event_root_at
SELECT CASE WHEN current <> 0 THEN current ELSE root END FROM event WHERE room_nid = $1 AND pos <= $2 ORDER BY pos DESC LIMIT 1
-- name: state_pack_max
SELECT coalesce(max(nid), 0) FROM state_pack
-- name: state_pack_insert
INSERT INTO state_pack (nid, data) VALUES ($1, $2)
-- name: state_pack_by_nid
SELECT data FROM state_pack WHERE nid = $1
