-- The ids of imported events are spread at random: an index that takes them in one by one has as many pages written as there are
-- events. They are gathered in memory instead, and come here sorted, many at once; see store.importedIDs. prefix is characters 2
-- to 9 of the id.
CREATE TABLE imported_id (
  prefix    TEXT   NOT NULL,
  event_nid BIGINT NOT NULL,
  PRIMARY KEY (prefix, event_nid)
) {norowid};
INSERT INTO imported_id (prefix, event_nid) SELECT substr(id, 2, 8), nid FROM event WHERE (flags & 256) <> 0 ORDER BY 1, 2;
DROP INDEX event_id;
CREATE UNIQUE INDEX event_id ON event (id) WHERE (flags & 256) = 0;
-- The position of the log up to which they are here.
INSERT INTO meta (key, value) SELECT 'imported_ids', CAST(coalesce(max(pos), 0) AS TEXT) FROM log;
