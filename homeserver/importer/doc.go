// Package importer brings the history of a community that comes from elsewhere into this
// server's log: accounts for those who spoke there, rooms, and what was said, in bounded batches
// beside everything else that the server does.
//
// Each item has a name at its source, and the store keeps which event it has become (the ledger),
// written in the transaction that stores the event. So a batch can be sent again after a crash of
// either side, and whole imports can be: what is here is answered with the event that it is. Events
// are made one after the other out of what the items say and nothing else, so where batches begin
// and end, and how often they were cut off, makes no difference to the events.
//
// A room that was there before, and is lived in, can be adopted: what is brought into it comes to its place by time, and what is
// there already is found (live.go).
//
// It is asked over the console's socket, by whoever may do everything. What must not live here:
// anything that knows where the history comes from (package migration does), and anything that is
// reached over the network.
package importer
