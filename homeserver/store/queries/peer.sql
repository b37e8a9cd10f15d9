-- name: peer_list
SELECT p.id,
  (SELECT count(*) FROM room_server s WHERE s.server_nid = n.nid AND s.joined > 0),
  CAST((SELECT coalesce(sum(s.joined), 0) FROM room_server s WHERE s.server_nid = n.nid AND s.joined > 0) AS BIGINT),
  coalesce(b.failures, 0), coalesce(b.since_ts, 0), coalesce(b.retry_ts, 0),
  (SELECT count(*) FROM room_server s JOIN room r ON r.nid = s.room_nid
   WHERE s.server_nid = n.nid AND r.local_pos > coalesce(d.cursor_pos, s.since_pos) AND r.local_pos > s.since_pos AND (s.until_pos = 0 OR s.until_pos > coalesce(d.cursor_pos, s.since_pos)))
  + (SELECT count(*) FROM edu_out e WHERE e.server_nid = n.nid)
FROM (SELECT id FROM server_name UNION SELECT server FROM destination_backoff) p
LEFT JOIN server_name n ON n.id = p.id LEFT JOIN destination d ON d.server_nid = n.nid LEFT JOIN destination_backoff b ON b.server = p.id
WHERE p.id > $1 AND p.id <> $2 AND p.id LIKE $3 AND coalesce(b.failures, 0) >= $4
ORDER BY p.id LIMIT $5
-- name: peer_counts
SELECT (SELECT count(DISTINCT server_nid) FROM room_server WHERE joined > 0 AND server_nid NOT IN (SELECT nid FROM server_name WHERE id = $1)), (SELECT count(*) FROM destination_backoff WHERE failures > 0)
