// Package takeover tells the database of a bridge what a migration has brought in: rooms, people,
// messages and reactions, as if the bridge had bridged them, and asks it for what it has had before. So later edits, reactions, replies and
// deletions hit them, on both sides, and the bridge begins where the export ends.
//
// The bridge must not run meanwhile. All that is written can be written again. What must not live
// here: anything that changes the homeserver.
package takeover
