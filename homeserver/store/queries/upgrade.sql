-- name: alias_move
UPDATE room_alias SET room_nid = $2 WHERE room_nid = $1

-- name: public_room_move
UPDATE public_room SET room_nid = $2 WHERE room_nid = $1

-- name: push_rules_naming
SELECT m.user_nid FROM membership m JOIN account_data a ON a.user_nid = m.user_nid AND a.room_nid = 0 AND a.type = 'm.push_rules'
WHERE m.room_nid = $1 AND m.membership = 'join' AND a.content LIKE $2
