// Package store opens the one database file of a bridge and keeps the host's
// own tables in it: the inbox of what the homeserver has handed over.
//
// The file is shared with bridgev2, which owns every table but those whose
// names begin with "landbridge_". Sharing matters: a mark that an event was
// handled follows the event's effects in the same write-ahead log, so no crash
// can keep the mark and lose the effects.
//
// What must not live here: anything that knows what an event means.
package store
