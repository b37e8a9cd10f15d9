// Package pgtest starts a real PostgreSQL server for tests: a throw-away cluster in a temporary
// folder, reachable by a Unix socket only, with a fresh database for each test. It is for tests
// alone.
package pgtest
