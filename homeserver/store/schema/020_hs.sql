-- Authorization and device codes of the OAuth 2.0 API, by their sums: state is 'waiting' for somebody to decide,
-- 'allowed', 'denied', 'used', or 'stolen' if one was used twice. device_nid is the device that was made of it, or 0.
CREATE TABLE oauth_code (
  sum        {blob}  PRIMARY KEY,
  kind       TEXT    NOT NULL,
  user_code  TEXT    NOT NULL,
  client_id  TEXT    NOT NULL,
  redirect   TEXT    NOT NULL,
  challenge  TEXT    NOT NULL,
  device_id  TEXT    NOT NULL,
  scope      TEXT    NOT NULL,
  state      TEXT    NOT NULL,
  user_nid   BIGINT  NOT NULL,
  device_nid BIGINT  NOT NULL,
  expires_ts BIGINT  NOT NULL
) {norowid};
CREATE INDEX oauth_code_expires ON oauth_code (kind, expires_ts);
CREATE UNIQUE INDEX oauth_code_user_code ON oauth_code (user_code) WHERE user_code <> '';
