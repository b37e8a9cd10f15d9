// Package bridgetest is what the end-to-end tests and measurements of bridges
// share: a Matrix client over HTTP, an IRC client over a raw socket, both of
// which remember all that they see, and the measuring of how long a message
// takes from one to the other. Neither client uses the project's own code for
// its protocol, so that both would notice if that understood it wrongly.
//
// Errors are returned, not fatal, so that the functions can be called from any
// goroutine and from outside of tests. Nothing that is not a test or a
// measurement belongs here.
package bridgetest
