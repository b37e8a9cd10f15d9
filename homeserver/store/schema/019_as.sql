-- The transaction that is under way to an application service, as it was sent: what is sent again after a crash is
-- the same. body is compressed; txn is its number.
CREATE TABLE service_transaction (
  service TEXT NOT NULL PRIMARY KEY,
  txn BIGINT NOT NULL,
  body {blob} NOT NULL
);
