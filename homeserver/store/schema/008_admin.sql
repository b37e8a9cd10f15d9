-- What administrators note of an account: its type ("bot" and the like), that what it sends goes
-- nowhere, and its own limit of requests; rate_milli are thousandths a second, -1 for the usual
-- limits and 0 for none.
ALTER TABLE account ADD COLUMN user_type TEXT NOT NULL DEFAULT '';
ALTER TABLE account ADD COLUMN shadow_banned INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN rate_milli BIGINT NOT NULL DEFAULT -1;
ALTER TABLE account ADD COLUMN rate_burst BIGINT NOT NULL DEFAULT 0;

-- Until when a user may replace the cross-signing keys without showing who they are.
ALTER TABLE account ADD COLUMN keys_until_ts BIGINT NOT NULL DEFAULT 0;

-- Rooms that nobody here may join, also ones that are not known here.
CREATE TABLE blocked_room (
  room_id    TEXT   PRIMARY KEY,
  blocked_by TEXT   NOT NULL,
  created_ts BIGINT NOT NULL
);

-- Long work for administrators, to be gone on with after a restart. kind is delete or purge;
-- state is active, complete or failed. params and result are JSON.
CREATE TABLE admin_task (
  id         TEXT   PRIMARY KEY,
  kind       TEXT   NOT NULL,
  room_id    TEXT   NOT NULL,
  room_nid   BIGINT NOT NULL,
  state      TEXT   NOT NULL,
  params     TEXT   NOT NULL,
  result     TEXT   NOT NULL,
  error      TEXT   NOT NULL,
  changed_ts BIGINT NOT NULL
);
CREATE INDEX admin_task_room ON admin_task (room_id);
CREATE INDEX admin_task_state ON admin_task (state, changed_ts);
