-- What administrators did, and when, by the console's pages. nid counts up.
CREATE TABLE audit (
  nid    {pk},
  ts     BIGINT NOT NULL,
  actor  TEXT   NOT NULL,
  action TEXT   NOT NULL,
  target TEXT   NOT NULL,
  detail TEXT   NOT NULL
);

-- Values that are measured over time. span is how many seconds a row stands for; the longer it is the
-- longer rows are kept. ts is when the span begins, in seconds.
CREATE TABLE sample (
  series TEXT   NOT NULL,
  span   BIGINT NOT NULL,
  ts     BIGINT NOT NULL,
  value  DOUBLE PRECISION NOT NULL,
  PRIMARY KEY (series, span, ts)
) {norowid};
CREATE INDEX sample_age ON sample (span, ts);

-- The newest accounts of people first.
CREATE INDEX account_people ON account (user_nid) WHERE service = '';
