-- name: one_time_key_max
SELECT coalesce(max(seq), 0) FROM one_time_key
