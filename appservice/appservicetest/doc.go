// Package appservicetest is a kit for testing the host and its modules: a
// homeserver in memory that is good enough for bridgev2, and a network that
// echoes.
//
// It is for tests alone. It checks little of what a homeserver must check, and
// is no model for one.
package appservicetest
