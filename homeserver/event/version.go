package event

import (
	"unicode/utf8"

	"maunium.net/go/mautrix/id"
)

// Version is a room version, e.g. "12".
type Version = id.RoomVersion

// DefaultVersion is the version of new rooms unless asked otherwise. Specification, "Room
// versions": servers SHOULD use room version 12.
const DefaultVersion Version = "12"

// Versions 1 and 2 have event ids
// made up by servers and a state resolution that nobody should rely on; they are refused.
var versions = [...]Version{"3", "4", "5", "6", "7", "8", "9", "10", "11", "12"}

// Versions lists the room versions that this server speaks, oldest first.
func Versions() []Version { return versions[:] }

// FieldTooLong tells whether a field of a received event is longer than MaxFieldSize. In the versions
// before 11 the network has events whose fields are that long in characters, not bytes; to refuse
// them is to lose all that follows them.
func FieldTooLong(v Version, s string) bool {
	if len(s) <= MaxFieldSize {
		return false
	}
	switch v {
	case "3", "4", "5", "6", "7", "8", "9", "10":
		return utf8.RuneCountInString(s) > MaxFieldSize
	}
	return true
}

// Supported tells whether this server speaks a room version.
func Supported(v Version) bool {
	for _, s := range versions {
		if s == v {
			return true
		}
	}
	return false
}
