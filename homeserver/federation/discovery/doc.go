// Package discovery finds the machines behind server names: specification, server-server API,
// "Server discovery". It reads /.well-known/matrix/server and SRV records, keeps what it found
// with bounds in time and number, and says for a server name which addresses to try in which
// order, what the Host header is and whom the TLS certificate must be for.
//
// Requests to what it found are made elsewhere (package fclient), by the same dialer, which
// refuses private addresses (package safedial).
package discovery
