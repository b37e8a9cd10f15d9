-- name: service_event_put
INSERT INTO service_event (service, name, room_nid, event_nid) VALUES ($1, $2, $3, $4)
ON CONFLICT (service, name) DO UPDATE SET room_nid = excluded.room_nid, event_nid = excluded.event_nid

-- name: service_event_any
SELECT 1 FROM service_event WHERE service = $1 LIMIT 1

-- name: service_event_by_name
SELECT s.name, e.id FROM service_event s JOIN event e ON e.nid = s.event_nid
WHERE s.service = $1 AND s.room_nid = $2 AND s.name IN ({64 from 3})

-- name: service_event_name
SELECT s.name FROM service_event s JOIN event e ON e.nid = s.event_nid
WHERE e.nid = $1 AND s.room_nid = $2 AND s.event_nid = e.nid AND s.service = $3

-- name: purge_service_event
DELETE FROM service_event WHERE room_nid = $1
