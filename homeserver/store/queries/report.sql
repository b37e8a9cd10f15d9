-- name: event_time_forward
SELECT nid, ts FROM event WHERE room_nid = $1 AND pos IS NOT NULL AND pos <= $2 AND (ts, nid) > ($3, $4) ORDER BY ts, nid LIMIT $5

-- name: event_time_back
SELECT nid, ts FROM event WHERE room_nid = $1 AND pos IS NOT NULL AND pos <= $2 AND (ts, nid) < ($3, $4) ORDER BY ts DESC, nid DESC LIMIT $5

-- name: mutual_rooms
SELECT a.room_nid FROM membership a JOIN membership b ON b.room_nid = a.room_nid
WHERE a.user_nid = $1 AND b.user_nid = $2 AND a.membership = 'join' AND b.membership = 'join' AND a.room_nid > $3
ORDER BY a.room_nid LIMIT $4

-- name: mutual_rooms_count
SELECT count(*) FROM membership a JOIN membership b ON b.room_nid = a.room_nid
WHERE a.user_nid = $1 AND b.user_nid = $2 AND a.membership = 'join' AND b.membership = 'join'

-- name: report_insert
INSERT INTO report (id, kind, room_nid, event_nid, user_nid, reporter, reason, score, created_ts)
SELECT coalesce(max(id), 0) + 1, $1, CAST($2 AS BIGINT), CAST($3 AS BIGINT), CAST($4 AS BIGINT), CAST($5 AS BIGINT), $6, CAST($7 AS BIGINT), CAST($8 AS BIGINT) FROM report

-- name: report_list
SELECT id, kind, room_nid, event_nid, user_nid, reporter, reason, score, created_ts FROM report
WHERE id < $1 AND ($2 = '' OR kind = $2) ORDER BY id DESC LIMIT $3

-- name: report_get
SELECT id, kind, room_nid, event_nid, user_nid, reporter, reason, score, created_ts FROM report WHERE id = $1

-- name: report_delete
DELETE FROM report WHERE id = $1

-- name: report_count
SELECT count(*) FROM report

-- name: network_room_insert
INSERT INTO network_room (service, network, room_nid) VALUES ($1, $2, $3) ON CONFLICT (service, network, room_nid) DO NOTHING

-- name: network_room_delete
DELETE FROM network_room WHERE service = $1 AND network = $2 AND room_nid = $3

-- name: network_room_list
SELECT room_nid FROM network_room WHERE service = $1 AND network = $2 ORDER BY room_nid

-- name: network_room_all
SELECT DISTINCT room_nid FROM network_room ORDER BY room_nid
