-- name: late_floor
SELECT floor FROM late_range WHERE room_nid = $1
-- name: late_lowest
SELECT coalesce(min(floor), $1) FROM late_range
-- name: late_range_insert
INSERT INTO late_range (room_nid, floor) VALUES ($1, $2)
-- name: late_taken
SELECT count(*) FROM event WHERE room_nid = $1 AND pos = $2
-- name: late_free
SELECT e.pos + 1 FROM event e WHERE e.room_nid = $1 AND e.pos >= $2
  AND NOT EXISTS (SELECT 1 FROM event f WHERE f.room_nid = $1 AND f.pos = e.pos + 1) ORDER BY e.pos LIMIT 1
-- name: late_next
SELECT nid FROM event WHERE room_nid = $1 AND pos > 0 AND state_key = 0 AND ts > $2 ORDER BY pos LIMIT 1
-- name: late_newest
SELECT coalesce(max(ts), 0) FROM event WHERE room_nid = $1 AND pos > 0 AND pos IS NOT NULL AND state_key = 0
-- name: late_lives
SELECT count(*) FROM (SELECT nid FROM event WHERE room_nid = $1 AND pos > 0 AND state_key = 0 AND (flags & $2) = 0 ORDER BY pos DESC LIMIT 1) talk
-- name: late_said
SELECT nid FROM event WHERE room_nid = $1 AND ts >= $2 AND ts <= $3 AND author = $4 AND pos > 0 ORDER BY ts, pos LIMIT 100
