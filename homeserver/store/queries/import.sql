-- name: imported_id_insert
INSERT INTO imported_id (prefix, event_nid) VALUES {64 pairs}
ON CONFLICT (prefix, event_nid) DO NOTHING

-- name: imported_id_unfiled
SELECT e.nid, e.room_nid, e.id FROM log l JOIN event e ON e.nid = l.ref
WHERE l.pos > $1 AND l.kind IN ($2, $3) AND (e.flags & 256) <> 0 ORDER BY l.pos

-- name: purge_imported_id
DELETE FROM imported_id WHERE prefix = (SELECT substr(id, 2, 8) FROM event WHERE nid = $1) AND event_nid = $1

-- name: import_source_get
SELECT nid FROM import_source WHERE name = $1

-- name: import_source_insert
INSERT INTO import_source (nid, name)
SELECT COALESCE(MAX(nid), 0) + 1, CAST($1 AS TEXT) FROM import_source HAVING NOT EXISTS (SELECT 1 FROM import_source WHERE name = $1)

-- name: import_source_list
SELECT name FROM import_source ORDER BY nid

-- name: import_item_insert
INSERT INTO import_item (source, remote, room_nid, event_nid) VALUES ($1, $2, $3, $4)
ON CONFLICT (source, remote) DO UPDATE SET room_nid = excluded.room_nid, event_nid = excluded.event_nid

-- name: import_item_get
SELECT i.remote, i.room_nid, i.event_nid, e.id FROM import_item i JOIN event e ON e.nid = i.event_nid
WHERE i.source = $1 AND i.remote IN ({64 from 2})

-- name: import_item_after
SELECT i.remote, i.room_nid, i.event_nid, e.id FROM import_item i JOIN event e ON e.nid = i.event_nid
WHERE i.source = $1 AND i.remote > $2 ORDER BY i.remote LIMIT $3
