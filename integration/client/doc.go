// Package client is a small Matrix client for tests and measurements: typed calls of the
// client-server API, and requests of any kind, also wrong ones. It shares no code with the
// homeserver, so that a mistake there is not made here a second time.
package client
