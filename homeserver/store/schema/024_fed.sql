-- Events of a room that isn't complete as they were before a redaction: whether that one is allowed turns out when
-- all of the room's state is here, and then the row goes.
CREATE TABLE unpruned_event (
  room_nid  BIGINT NOT NULL,
  event_nid BIGINT NOT NULL,
  by_nid    BIGINT NOT NULL,
  json      {blob} NOT NULL,
  PRIMARY KEY (room_nid, event_nid)
) {norowid};
