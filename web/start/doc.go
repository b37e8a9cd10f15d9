// Package start is the page at the root of a server: what the server is, how to join it with the
// common clients, its public rooms and the networks that it is bridged with.
//
// It shows only what anybody may know. What must not live here: anything that asks who somebody is.
package start
