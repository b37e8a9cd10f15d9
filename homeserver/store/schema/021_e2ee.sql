-- When a one-time key was given out, in milliseconds; 0 is not yet. It stays for a while, so that the same key, uploaded
-- once more by a device that did not hear that it had arrived, is not given out again.
ALTER TABLE one_time_key ADD COLUMN taken_ts BIGINT NOT NULL DEFAULT 0;
DROP INDEX one_time_key_next;
CREATE INDEX one_time_key_next ON one_time_key (user_nid, device_id, algorithm, seq) WHERE taken_ts = 0;
