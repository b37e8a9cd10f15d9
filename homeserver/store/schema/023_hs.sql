-- What somebody has done to the state of rooms: how many were invited, and which rooms were joined, since a time.
CREATE INDEX event_state_of_author ON event (author, ts) WHERE state_key <> 0 AND pos IS NOT NULL;

-- When accounts are to be locked by themselves, in milliseconds. A row goes when that has happened.
CREATE TABLE account_end (
  user_nid BIGINT PRIMARY KEY,
  end_ts   BIGINT NOT NULL
);
CREATE INDEX account_end_ts ON account_end (end_ts);
