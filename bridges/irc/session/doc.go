// Package session keeps one client connection to an IRC network alive.
//
// It dials (TCP or TLS), negotiates capabilities (CAP LS 302 with values, CAP
// NEW and DEL), authenticates (SASL), registers a nick, joins the wanted
// channels, follows who is in them, paces what is sent so that no server kills
// the connection for flooding, notices half-open connections and reconnects
// with backoff and jitter. What happens on the network is told to the owner as
// a sequence of typed events, in the order of the wire.
//
// Lines are parsed with gopkg.in/irc.v4's ParseMessage. Its Conn is not used for
// reading because it reads lines of any length into memory and its parser
// panics on a line that ends after its tags; both are guarded here (see
// readLine and parseLine).
//
// Nothing about Matrix or about message formatting belongs here.
package session
