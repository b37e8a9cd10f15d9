-- Positions that are set aside for what is brought into a room at its place by time; see Tx.AddLateEvent. The positions of
-- a room begin at floor.
CREATE TABLE late_range (
  room_nid BIGINT PRIMARY KEY,
  floor    BIGINT NOT NULL
) {norowid};
