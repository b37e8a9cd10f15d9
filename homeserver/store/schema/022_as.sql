-- What application services call events of history that they have brought in (com.beeper.batch_sending): some make ids up,
-- and go on to use them.
CREATE TABLE service_event (
  service   TEXT   NOT NULL,
  name      TEXT   NOT NULL,
  room_nid  BIGINT NOT NULL,
  event_nid BIGINT NOT NULL,
  PRIMARY KEY (service, name)
) {norowid};
CREATE INDEX service_event_event ON service_event (room_nid, event_nid);
