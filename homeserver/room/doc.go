// Package room changes rooms. Each active room has one goroutine, its actor, which alone builds
// events for it: one writer per room, so nothing about a room's state needs a lock.
//
// A proposal goes into the actor's mailbox. In its turn the actor fills in where the event hangs
// (prev and auth events, depth), checks it against the auth rules, hashes and signs it, applies
// it to the state tree, and hands the result to the store. It does not wait for the commit: the
// next proposal builds on what is in memory, while whoever asked is answered when the store says
// that the event is durable. If a write fails, the actor and what it built are thrown away and a
// new one reads the room from the store.
//
// Nothing is ever delivered to anybody under a room's turn: readers follow the store's log.
package room
