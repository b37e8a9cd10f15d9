-- name: room_max
SELECT coalesce(max(nid), 0) FROM room
-- name: room_count
SELECT count(*) FROM room
-- name: room_list
SELECT nid FROM room WHERE nid > $1 ORDER BY nid LIMIT $2
-- name: room_insert
INSERT INTO room (nid, id, version, root, depth, extremities, created_ts, local_pos) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
-- name: room_update
UPDATE room SET root = $2, depth = $3, extremities = $4, local_pos = CASE WHEN local_pos < $5 THEN $5 ELSE local_pos END WHERE nid = $1
-- name: room_name_by_id
SELECT nid, version FROM room WHERE id = $1
-- name: room_name_by_nid
SELECT id, version FROM room WHERE nid = $1
-- name: room_by_nid
SELECT id, version, root, depth, extremities, created_ts, local_pos FROM room WHERE nid = $1
-- name: alias_insert
INSERT INTO room_alias (alias, room_nid, creator, created_ts) VALUES ($1, $2, $3, $4) ON CONFLICT (alias) DO NOTHING
-- name: alias_delete
DELETE FROM room_alias WHERE alias = $1
-- name: alias_get
SELECT alias, room_nid, creator FROM room_alias WHERE alias = $1
-- name: alias_list
SELECT alias, room_nid, creator FROM room_alias WHERE room_nid = $1 ORDER BY alias
-- name: public_room_insert
INSERT INTO public_room (room_nid) VALUES ($1) ON CONFLICT (room_nid) DO NOTHING
-- name: public_room_delete
DELETE FROM public_room WHERE room_nid = $1
-- name: public_room_has
SELECT count(*) FROM public_room WHERE room_nid = $1
-- name: public_room_list
SELECT room_nid FROM public_room ORDER BY room_nid
