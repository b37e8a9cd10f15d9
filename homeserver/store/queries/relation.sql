-- name: relation_insert
INSERT INTO relation (child, room_nid, parent, rel_type, type, annotation, author, usable, depth, pos, ts, id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (child) DO NOTHING

-- name: relation_get
SELECT room_nid, parent, rel_type FROM relation WHERE child = $1

-- name: relation_delete
DELETE FROM relation WHERE child = $1

-- name: relation_annotations
SELECT child FROM relation WHERE parent = $1 AND rel_type = 'm.annotation' AND author = $2 AND type = $3 AND annotation = $4 AND room_nid = $5

-- name: relation_counts
SELECT parent, room_nid, rel_type, author, count(*) FROM relation
WHERE pos <= $1 AND rel_type IN ('m.thread', 'm.replace', 'm.reference') AND parent IN ({64 from 2})
GROUP BY parent, room_nid, rel_type, author

-- name: relation_edits
SELECT child FROM (
  SELECT r.child AS child, row_number() OVER (PARTITION BY r.parent, r.type ORDER BY r.ts DESC, r.id DESC) AS n
  FROM event e JOIN relation r ON r.parent = e.id AND r.author = e.author AND r.room_nid = e.room_nid
  WHERE r.pos <= $1 AND r.rel_type = 'm.replace' AND r.usable = 1 AND e.nid IN ({64 from 2})
) newest WHERE n = 1

-- name: relation_references
SELECT child, room_nid, parent, id, author FROM (
  SELECT child, room_nid, parent, id, author, row_number() OVER (PARTITION BY parent, room_nid ORDER BY depth, pos) AS n
  FROM relation WHERE pos <= $1 AND rel_type = 'm.reference' AND parent IN ({64 from 3})
) first WHERE n <= $2 ORDER BY parent, n

-- name: relation_reactions
SELECT parent, room_nid, annotation, author FROM relation
WHERE pos <= $1 AND rel_type = 'm.annotation' AND type = 'm.reaction' AND parent IN ({64 from 2}) ORDER BY parent, depth, pos

-- name: relation_replies
SELECT r.child, r.room_nid, r.author, r.parent, r.pos FROM thread t
JOIN relation r ON r.parent = t.root AND r.depth = t.depth AND r.pos = t.pos AND r.room_nid = t.room_nid
WHERE t.root IN ({64 from 1})

-- name: relation_thread_back
SELECT child FROM relation WHERE parent = $1 AND room_nid = $2 AND rel_type = 'm.thread' AND pos <= $3 ORDER BY depth DESC, pos DESC LIMIT $4

-- name: relation_direct_back
SELECT child FROM relation WHERE parent = $1 AND room_nid = $2 AND ($3 = '' OR rel_type = $3) AND ($4 = '' OR type = $4)
  AND (depth, pos) <= ($5, $6) AND (depth, pos) > ($7, $8) AND pos <= $9 ORDER BY depth DESC, pos DESC LIMIT $10

-- name: relation_direct_forward
SELECT child FROM relation WHERE parent = $1 AND room_nid = $2 AND ($3 = '' OR rel_type = $3) AND ($4 = '' OR type = $4)
  AND (depth, pos) > ($5, $6) AND (depth, pos) <= ($7, $8) AND pos <= $9 ORDER BY depth, pos LIMIT $10

-- name: relation_back
WITH RECURSIVE related (child, id, depth, pos, level) AS (
  SELECT child, id, depth, pos, 1 FROM relation
  WHERE parent = $1 AND room_nid = $2 AND ($3 = '' OR rel_type = $3) AND ($4 = '' OR type = $4)
  UNION ALL
  SELECT r.child, r.id, r.depth, r.pos, t.level + 1 FROM related t JOIN relation r ON r.parent = t.id
  WHERE t.level < $5 AND r.room_nid = $2 AND ($3 = '' OR r.rel_type = $3) AND ($4 = '' OR r.type = $4)
)
SELECT child FROM related WHERE (depth, pos) <= ($6, $7) AND (depth, pos) > ($8, $9) AND pos <= $10
ORDER BY depth DESC, pos DESC LIMIT $11

-- name: relation_forward
WITH RECURSIVE related (child, id, depth, pos, level) AS (
  SELECT child, id, depth, pos, 1 FROM relation
  WHERE parent = $1 AND room_nid = $2 AND ($3 = '' OR rel_type = $3) AND ($4 = '' OR type = $4)
  UNION ALL
  SELECT r.child, r.id, r.depth, r.pos, t.level + 1 FROM related t JOIN relation r ON r.parent = t.id
  WHERE t.level < $5 AND r.room_nid = $2 AND ($3 = '' OR r.rel_type = $3) AND ($4 = '' OR r.type = $4)
)
SELECT child FROM related WHERE (depth, pos) > ($6, $7) AND (depth, pos) <= ($8, $9) AND pos <= $10
ORDER BY depth, pos LIMIT $11

-- name: thread_put
INSERT INTO thread (room_nid, root, depth, pos) VALUES ($1, $2, $3, $4)
ON CONFLICT (room_nid, root) DO UPDATE SET depth = excluded.depth, pos = excluded.pos
WHERE (excluded.depth, excluded.pos) > (thread.depth, thread.pos)

-- name: thread_delete
DELETE FROM thread WHERE room_nid = $1 AND root = $2

-- name: thread_again
INSERT INTO thread (room_nid, root, depth, pos)
SELECT room_nid, parent, depth, pos FROM relation WHERE parent = $2 AND rel_type = 'm.thread' AND room_nid = $1
ORDER BY depth DESC, pos DESC LIMIT 1

-- name: thread_list
SELECT e.nid, t.depth, t.pos,
  coalesce((SELECT n.author FROM event n WHERE n.room_nid = t.room_nid AND n.pos = t.pos), 0)
FROM thread t JOIN event e ON e.room_nid = t.room_nid AND e.nid = coalesce((SELECT o.nid FROM event o WHERE o.id = t.root AND (o.flags & 256) = 0),
  (SELECT m.nid FROM imported_id i JOIN event m ON m.nid = i.event_nid WHERE i.prefix = substr(t.root, 2, 8) AND m.id = t.root LIMIT 1))
WHERE t.room_nid = $1 AND (t.depth, t.pos) < ($2, $3)
  AND (CAST($4 AS BIGINT) = 0 OR e.author = CAST($4 AS BIGINT) OR EXISTS (SELECT 1 FROM relation r WHERE r.parent = t.root AND r.room_nid = t.room_nid AND r.rel_type = 'm.thread' AND r.author = CAST($4 AS BIGINT)))
ORDER BY t.depth DESC, t.pos DESC LIMIT $5

-- name: thread_replies
SELECT r.depth, r.pos, r.author FROM event e JOIN relation r ON r.parent = e.id AND r.room_nid = e.room_nid
WHERE e.nid = $1 AND r.rel_type = 'm.thread' AND (r.depth, r.pos) < ($2, $3) ORDER BY r.depth DESC, r.pos DESC LIMIT $4
