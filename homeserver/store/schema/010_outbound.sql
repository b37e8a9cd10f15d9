-- Which device of a user of this server changed last when; device_id '' stands for the cross-signing
-- keys. prev_pos is the position of the change before of the same user.
CREATE TABLE device_update (
  user_nid  BIGINT NOT NULL,
  device_id TEXT   NOT NULL,
  pos       BIGINT NOT NULL,
  prev_pos  BIGINT NOT NULL,
  PRIMARY KEY (user_nid, device_id)
) {norowid};
CREATE INDEX device_update_pos ON device_update (pos);
