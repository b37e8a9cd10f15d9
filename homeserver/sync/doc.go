// Package sync answers what is new: it tells waiting clients when the log has something for
// them, and writes the /sync response out of the log, the state trees and the users' own data.
//
// A client's position is a place in the log. What changed since is read from there, never from
// a queue of its own, so a client may come back after a month, or twice with the same token.
//
// A waiter is registered before the log's position is sampled, so nothing can slip in between.
package sync
