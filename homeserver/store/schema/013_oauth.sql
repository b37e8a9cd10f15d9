-- Clients that registered themselves; client_id is a sum of their metadata, so that the same client
-- is here once. used_ts is when somebody last registered it or logged in with it.
CREATE TABLE oauth_client (
  client_id  TEXT   PRIMARY KEY,
  metadata   TEXT   NOT NULL,
  created_ts BIGINT NOT NULL,
  used_ts    BIGINT NOT NULL
) {norowid};
CREATE INDEX oauth_client_used ON oauth_client (used_ts);

-- The devices that came by the OAuth 2.0 API, with their clients and what these may do.
CREATE TABLE oauth_session (
  device_nid BIGINT PRIMARY KEY,
  client_id  TEXT   NOT NULL,
  scope      TEXT   NOT NULL,
  granted_ts BIGINT NOT NULL
) {norowid};
CREATE INDEX oauth_session_client ON oauth_session (client_id);
