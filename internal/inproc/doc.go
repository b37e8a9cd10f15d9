// Package inproc carries HTTP requests to a handler of the same process: no
// sockets, no listener, no bytes on a wire, and yet the whole meaning of HTTP
// (status, headers, streamed bodies, cancellation).
//
// It is used in both directions between the homeserver and the application
// service host, so that neither of them knows whether the other one is in the
// same process.
//
// What must not live here: anything that knows of Matrix.
package inproc
