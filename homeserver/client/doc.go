// Package client serves the client-server API: one file per module of the specification.
//
// A handler gets a call (who asks, the path's parts, the body) and returns what is to be sent as
// JSON, or an error; the rest (authentication, limits, error form, CORS) is done around it.
// Handlers decide who may do what and turn requests into proposals for rooms and writes for the
// store; they hold no state of their own.
package client
