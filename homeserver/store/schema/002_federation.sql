-- The signing keys of other servers. A key stays when its server no longer names it, for it
-- verifies old events. expired: valid_until_ts is when the server stopped using it.
CREATE TABLE server_key (
  server         TEXT    NOT NULL,
  key_id         TEXT    NOT NULL,
  public         {blob}  NOT NULL,
  valid_until_ts BIGINT  NOT NULL,
  expired        INTEGER NOT NULL,
  PRIMARY KEY (server, key_id)
) {norowid};
-- What each server said of its keys last, as it is passed on to those who ask us as a notary.
CREATE TABLE server_key_response (
  server     TEXT   PRIMARY KEY,
  json       {blob} NOT NULL,
  fetched_ts BIGINT NOT NULL
);
-- Servers that could not be reached: how often in a row, since when, and when to try again. A
-- server that answers has no row.
CREATE TABLE destination_backoff (
  server   TEXT   PRIMARY KEY,
  failures BIGINT NOT NULL,
  since_ts BIGINT NOT NULL,
  retry_ts BIGINT NOT NULL
);
