-- The words by which people are found: of the user id and the display name, folded (package
-- words). They are bytes, so that both databases compare them alike.
CREATE TABLE directory_term (
  term     {blob} NOT NULL,
  user_nid BIGINT NOT NULL,
  PRIMARY KEY (term, user_nid)
) {norowid};
CREATE INDEX directory_term_user ON directory_term (user_nid);
-- History that was brought in later, which no cursor of the log sees.
CREATE INDEX event_past ON event (pos) WHERE pos < 0;
