-- name: claim_person_put
INSERT INTO claim_person (service, person, name, email, via, nonce, url_hash, code_hash, expires_ts, signup_ts, signup, sent, sent_ts, next_ts, stopped_ts, failed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
ON CONFLICT (service, person) DO UPDATE SET name = excluded.name, email = excluded.email, via = excluded.via, nonce = excluded.nonce, url_hash = excluded.url_hash,
  code_hash = excluded.code_hash, expires_ts = excluded.expires_ts, signup_ts = excluded.signup_ts, signup = excluded.signup, sent = excluded.sent,
  sent_ts = excluded.sent_ts, next_ts = excluded.next_ts, stopped_ts = excluded.stopped_ts, failed = excluded.failed
-- name: claim_person_get
SELECT service, person, name, email, via, nonce, url_hash, code_hash, expires_ts, signup_ts, signup, sent, sent_ts, next_ts, stopped_ts, failed
FROM claim_person WHERE service = $1 AND person = $2
-- name: claim_person_by_url
SELECT service, person, name, email, via, nonce, url_hash, code_hash, expires_ts, signup_ts, signup, sent, sent_ts, next_ts, stopped_ts, failed
FROM claim_person WHERE url_hash = $1
-- name: claim_person_by_code
SELECT service, person, name, email, via, nonce, url_hash, code_hash, expires_ts, signup_ts, signup, sent, sent_ts, next_ts, stopped_ts, failed
FROM claim_person WHERE code_hash = $1
-- name: claim_person_due
SELECT service, person, name, email, via, nonce, url_hash, code_hash, expires_ts, signup_ts, signup, sent, sent_ts, next_ts, stopped_ts, failed
FROM claim_person WHERE next_ts > 0 AND next_ts <= $1 ORDER BY next_ts, service, person LIMIT $2
-- name: claim_person_next
SELECT coalesce(min(next_ts), 0) FROM claim_person WHERE next_ts > 0
-- name: claim_person_list
SELECT service, person, name, email, via, nonce, url_hash, code_hash, expires_ts, signup_ts, signup, sent, sent_ts, next_ts, stopped_ts, failed
FROM claim_person WHERE service = $1 AND person > $2 ORDER BY person LIMIT $3
-- name: claim_tie_put
INSERT INTO claim_tie (service, person, user_nid, since_ts, moving) VALUES ($1, $2, $3, $4, 1) ON CONFLICT (service, person) DO NOTHING
-- name: claim_tie_get
SELECT service, person, user_nid, since_ts, moving, rooms, notes FROM claim_tie WHERE service = $1 AND person = $2
-- name: claim_tie_of_user
SELECT service, person, user_nid, since_ts, moving, rooms, notes FROM claim_tie WHERE user_nid = $1 ORDER BY since_ts, service, person
-- name: claim_tie_list
SELECT service, person, user_nid, since_ts, moving, rooms, notes FROM claim_tie WHERE service = $1 AND person > $2 ORDER BY person LIMIT $3
-- name: claim_tie_count
SELECT service, count(*) FROM claim_tie GROUP BY service
-- name: claim_tie_moving
SELECT service, person, user_nid, since_ts, moving, rooms, notes FROM claim_tie WHERE moving = 1 AND (service, person) > ($1, $2) ORDER BY service, person LIMIT $3
-- name: claim_tie_settle
UPDATE claim_tie SET moving = $4, rooms = rooms + $5, notes = $6 WHERE service = $1 AND person = $2 AND user_nid = $3
-- name: claim_tie_delete
DELETE FROM claim_tie WHERE service = $1 AND person = $2
-- name: claim_tie_delete_user
DELETE FROM claim_tie WHERE user_nid = $1
-- name: claim_ask_put
INSERT INTO claim_ask (hash, service, user_nid, expires_ts) VALUES ($1, $2, $3, $4)
-- name: claim_ask_get
SELECT service, user_nid, expires_ts FROM claim_ask WHERE hash = $1
-- name: claim_ask_delete
DELETE FROM claim_ask WHERE hash = $1
-- name: claim_ask_drop
DELETE FROM claim_ask WHERE expires_ts < $1 OR (service = $2 AND user_nid = $3)
-- name: claim_ghosts
SELECT a.user_nid, u.id, coalesce(p.value, '') FROM account a JOIN user_name u ON u.nid = a.user_nid LEFT JOIN profile p ON p.user_nid = a.user_nid AND p.field = 'displayname'
WHERE a.service = $1 AND a.user_nid > $2 ORDER BY a.user_nid LIMIT $3
-- name: cutover_put
INSERT INTO cutover (service, state, wanted, since_ts, detail) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (service) DO UPDATE SET state = excluded.state, wanted = excluded.wanted, since_ts = excluded.since_ts, detail = excluded.detail
-- name: cutover_get
SELECT service, state, wanted, since_ts, detail FROM cutover WHERE service = $1
-- name: cutover_list
SELECT service, state, wanted, since_ts, detail FROM cutover ORDER BY service
-- name: cutover_delete
DELETE FROM cutover WHERE service = $1
-- name: cutover_room_put
INSERT INTO cutover_room (service, room_nid, state, prior) VALUES ($1, $2, $3, $4)
ON CONFLICT (service, room_nid) DO UPDATE SET state = excluded.state, prior = excluded.prior
-- name: cutover_room_list
SELECT room_nid, state, prior FROM cutover_room WHERE service = $1 ORDER BY room_nid
-- name: cutover_room_clear
DELETE FROM cutover_room WHERE service = $1
-- name: room_activity
SELECT author, count(*), max(ts) FROM event WHERE room_nid = $1 AND pos IS NOT NULL AND ts >= $2 AND state_key = 0 GROUP BY author
