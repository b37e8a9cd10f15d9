-- People of bridged networks who can claim an account, and how they are told of it. The hashes are those of
-- the newest offer, which nonce and a key outside of the database make. next_ts is when the next message is
-- due, 0 for never.
CREATE TABLE claim_person (
  service    TEXT   NOT NULL,
  person     TEXT   NOT NULL,
  name       TEXT   NOT NULL DEFAULT '',
  email      TEXT   NOT NULL DEFAULT '',
  via        TEXT   NOT NULL DEFAULT '',
  nonce      {blob} NOT NULL,
  url_hash   {blob} NOT NULL,
  code_hash  {blob} NOT NULL,
  expires_ts BIGINT NOT NULL DEFAULT 0,
  signup_ts  BIGINT NOT NULL DEFAULT 0,
  signup     BIGINT NOT NULL DEFAULT 0,
  sent       BIGINT NOT NULL DEFAULT 0,
  sent_ts    BIGINT NOT NULL DEFAULT 0,
  next_ts    BIGINT NOT NULL DEFAULT 0,
  stopped_ts BIGINT NOT NULL DEFAULT 0,
  failed     TEXT   NOT NULL DEFAULT '',
  PRIMARY KEY (service, person)
) {norowid};
CREATE INDEX claim_person_url ON claim_person (url_hash);
CREATE INDEX claim_person_code ON claim_person (code_hash);
CREATE INDEX claim_person_due ON claim_person (next_ts) WHERE next_ts > 0;

-- Who of a network is which account here. moving is 1 until the account is in all rooms.
CREATE TABLE claim_tie (
  service  TEXT   NOT NULL,
  person   TEXT   NOT NULL,
  user_nid BIGINT NOT NULL,
  since_ts BIGINT NOT NULL,
  moving   BIGINT NOT NULL,
  rooms    BIGINT NOT NULL DEFAULT 0,
  notes    TEXT   NOT NULL DEFAULT '',
  PRIMARY KEY (service, person)
) {norowid};
CREATE INDEX claim_tie_user ON claim_tie (user_nid);
CREATE INDEX claim_tie_moving ON claim_tie (service, person) WHERE moving = 1;

-- Codes that accounts were given, to be said to a bridge's bot.
CREATE TABLE claim_ask (
  hash       {blob} PRIMARY KEY,
  service    TEXT   NOT NULL,
  user_nid   BIGINT NOT NULL,
  expires_ts BIGINT NOT NULL
) {norowid};

-- How far the end of a bridge has come; detail is JSON.
CREATE TABLE cutover (
  service TEXT   PRIMARY KEY,
  state   TEXT   NOT NULL,
  wanted  TEXT   NOT NULL,
  since_ts BIGINT NOT NULL,
  detail  TEXT   NOT NULL
) {norowid};

-- What a room was before its bridge was taken from it; prior is JSON.
CREATE TABLE cutover_room (
  service  TEXT   NOT NULL,
  room_nid BIGINT NOT NULL,
  state    TEXT   NOT NULL,
  prior    TEXT   NOT NULL,
  PRIMARY KEY (service, room_nid)
) {norowid};

-- The users of an application service.
CREATE INDEX account_service ON account (service, user_nid);
