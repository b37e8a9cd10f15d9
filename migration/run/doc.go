// Package run carries a migration out: it reads an export and brings it, in bounded batches, into a
// target, which is our own server (its importer) or another one.
//
// The export is read by one goroutine in an order that depends on nothing but the export, a few
// channels in turn, and each of them has a goroutine that sends its batches. So the same export makes
// the same events, however often it is cut off; the target knows by their names which are there.
//
// In a room that a bridge has made before, messages go to their places by time, and what the bridge has is left out (lived.go).
//
// What must not live here: anything of one network, and what a server may accept (the target says so).
package run
