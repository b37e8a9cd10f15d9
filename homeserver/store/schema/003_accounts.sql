-- Tokens know the refresh token that they came from, which is given up when one of them is first
-- used; empty otherwise.
ALTER TABLE token ADD COLUMN parent {blob};

-- Log position at which an account was erased: who comes later sees its events redacted.
ALTER TABLE account ADD COLUMN erased_pos BIGINT NOT NULL DEFAULT 0;
CREATE INDEX account_erased ON account (erased_pos, user_nid) WHERE erased_pos > 0;
CREATE INDEX account_kind ON account (kind, user_nid);

-- E-mail addresses and the like that belong to an account, in canonical form.
CREATE TABLE threepid (
  medium       TEXT   NOT NULL,
  address      TEXT   NOT NULL,
  user_nid     BIGINT NOT NULL,
  validated_ts BIGINT NOT NULL,
  added_ts     BIGINT NOT NULL,
  PRIMARY KEY (medium, address)
) {norowid};
CREATE INDEX threepid_user ON threepid (user_nid);

-- Attempts to show that an address is one's own. secret and token are SHA-256 of what the client
-- and the address hold; purpose is what it is good for.
CREATE TABLE threepid_session (
  sid          TEXT    PRIMARY KEY,
  medium       TEXT    NOT NULL,
  address      TEXT    NOT NULL,
  purpose      TEXT    NOT NULL,
  secret       {blob}  NOT NULL,
  token        {blob}  NOT NULL,
  attempt      BIGINT  NOT NULL,
  tries        INTEGER NOT NULL DEFAULT 0,
  next_link    TEXT    NOT NULL,
  validated_ts BIGINT  NOT NULL DEFAULT 0,
  expires_ts   BIGINT  NOT NULL
) {norowid};
CREATE UNIQUE INDEX threepid_session_key ON threepid_session (medium, address, purpose, secret);
CREATE INDEX threepid_session_expires ON threepid_session (expires_ts);

-- Who somebody is at an identity provider.
CREATE TABLE sso_link (
  provider   TEXT   NOT NULL,
  subject    TEXT   NOT NULL,
  user_nid   BIGINT NOT NULL,
  created_ts BIGINT NOT NULL,
  PRIMARY KEY (provider, subject)
) {norowid};
CREATE INDEX sso_link_user ON sso_link (user_nid);

-- The policies that somebody accepted.
CREATE TABLE accepted_policy (
  user_nid    BIGINT NOT NULL,
  policy      TEXT   NOT NULL,
  version     TEXT   NOT NULL,
  accepted_ts BIGINT NOT NULL,
  PRIMARY KEY (user_nid, policy, version)
) {norowid};

CREATE INDEX token_expires ON token (expires_ts) WHERE expires_ts > 0;
