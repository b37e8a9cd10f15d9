-- Rooms that were joined before all of their state was here. done_pos is the position at which it
-- was; 0 while it isn't.
ALTER TABLE room_partial ADD COLUMN done_pos BIGINT NOT NULL DEFAULT 0;
-- The room's current state as it was known just before that.
ALTER TABLE room_partial ADD COLUMN was_root BIGINT NOT NULL DEFAULT 0;
-- The state after events that aren't here, as other servers told it while a room was incomplete.
CREATE TABLE told_state (
  room_nid BIGINT NOT NULL,
  id       TEXT   NOT NULL,
  root     BIGINT NOT NULL,
  PRIMARY KEY (room_nid, id)
) {norowid};
-- Users whose devices changed while it wasn't known whether they are in an incomplete room.
CREATE TABLE partial_poke (
  room_nid BIGINT NOT NULL,
  user_nid BIGINT NOT NULL,
  PRIMARY KEY (room_nid, user_nid)
) {norowid};
-- Events that were checked over a state that wasn't complete.
CREATE INDEX event_partial ON event (room_nid) WHERE (flags & 32) <> 0;
