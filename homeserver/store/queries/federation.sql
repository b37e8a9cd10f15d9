-- name: server_key_put
INSERT INTO server_key (server, key_id, public, valid_until_ts, expired, response) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (server, key_id) DO UPDATE SET public = excluded.public, valid_until_ts = excluded.valid_until_ts, expired = excluded.expired,
  response = excluded.response
-- name: server_keys_get
SELECT key_id, public, valid_until_ts, expired, response FROM server_key WHERE server = $1 ORDER BY key_id
-- name: server_key_response_put
INSERT INTO server_key_response (server, json, fetched_ts) VALUES ($1, $2, $3)
ON CONFLICT (server) DO UPDATE SET json = excluded.json, fetched_ts = excluded.fetched_ts
-- name: server_key_response_get
SELECT json, fetched_ts FROM server_key_response WHERE server = $1
-- name: destination_backoff_put
INSERT INTO destination_backoff (server, failures, since_ts, retry_ts) VALUES ($1, $2, $3, $4)
ON CONFLICT (server) DO UPDATE SET failures = excluded.failures, since_ts = excluded.since_ts, retry_ts = excluded.retry_ts
-- name: destination_backoff_get
SELECT failures, since_ts, retry_ts FROM destination_backoff WHERE server = $1
-- name: destination_backoff_delete
DELETE FROM destination_backoff WHERE server = $1
