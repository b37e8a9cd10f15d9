// Package demonet is a small IRC server that runs inside the process.
//
// It is what the bridge talks to when no network is configured, so that the
// first start shows something alive: a few scripted people talk in its channels
// and answer when they are addressed, and anyone with an IRC client can join on
// the loopback port. It speaks enough of RFC 1459 and 2812 for ordinary clients,
// and the IRCv3 capabilities message-tags, server-time, echo-message and
// multi-prefix. Tests use it as a server whose faults can be arranged.
//
// It is not meant for the open internet: there are no accounts, no TLS and no
// operators of the server. All that a client sends is bounded nevertheless.
package demonet
