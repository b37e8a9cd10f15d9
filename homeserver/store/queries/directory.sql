-- name: directory_clear
DELETE FROM directory_term WHERE user_nid = $1
-- name: directory_insert
INSERT INTO directory_term (term, user_nid) VALUES ($1, $2) ON CONFLICT (term, user_nid) DO NOTHING
-- name: directory_scan
SELECT term, user_nid FROM directory_term WHERE (term, user_nid) > ($1, $2) AND term < $3 ORDER BY term, user_nid LIMIT $4
-- name: directory_name
SELECT u.id, coalesce(p.value, '') FROM user_name u LEFT JOIN profile p ON p.user_nid = u.nid AND p.field = 'displayname' WHERE u.nid = $1
-- name: account_after
SELECT user_nid FROM account WHERE user_nid > $1 AND deactivated_ts = 0 ORDER BY user_nid LIMIT $2
-- name: event_past_before
SELECT nid FROM event WHERE pos < $1 AND pos < 0 AND pos >= $2 ORDER BY pos DESC LIMIT $3
