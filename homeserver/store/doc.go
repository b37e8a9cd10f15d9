// Package store keeps everything that must survive: rooms, events, state, the log, accounts.
//
// One goroutine writes. Whoever wants to change something hands it a function; the writer runs
// as many as have arrived in one transaction, commits once, publishes what the log gained, and
// then answers them all: acknowledged means durable, and durability is paid for once a group.
// Reading goes through a pool of its own and never waits for the writer.
//
// Two dialects share one schema and one set of queries: SQLite, embedded, and PostgreSQL. The
// schema is in schema/ as numbered migrations, the queries are in queries/, named. One noun a
// file; methods of Store read, methods of Tx write.
//
// The package knows tables, not rules: who may do what is decided above it.
package store
