-- name: log_max
SELECT coalesce(max(pos), 0) FROM log
-- name: log_insert
INSERT INTO log (pos, kind, room_nid, user_nid, ref) VALUES ($1, $2, $3, $4, $5)
-- name: log_after
SELECT pos, kind, room_nid, user_nid, ref FROM log WHERE pos > $1 ORDER BY pos LIMIT $2
-- name: service_cursor_get
SELECT pos, txn, txn_upto FROM service_cursor WHERE service = $1
-- name: service_transaction_get
SELECT body FROM service_transaction WHERE service = $1 AND txn = $2
-- name: service_transaction_put
INSERT INTO service_transaction (service, txn, body) VALUES ($1, $2, $3)
ON CONFLICT (service) DO UPDATE SET txn = excluded.txn, body = excluded.body
-- name: service_cursor_put
INSERT INTO service_cursor (service, pos, txn, txn_upto) VALUES ($1, $2, $3, $4)
ON CONFLICT (service) DO UPDATE SET pos = excluded.pos, txn = excluded.txn, txn_upto = excluded.txn_upto
