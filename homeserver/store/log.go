package store

import (
	"context"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// Kind says what a log entry tells of.
type Kind int

const (
	// KindEvent is an event in a room's timeline; Ref is its NID, User the sender's.
	KindEvent Kind = iota + 1
	// KindReceipt is a read receipt of User in Room.
	KindReceipt
	// KindAccountData is a change of User's account data, in Room or (0) global.
	KindAccountData
	// KindToDevice is a message to a device of User.
	KindToDevice
	// KindDeviceList is a change of the keys that User's devices publish; when Ref is not 0, only
	// the user Ref sees it.
	KindDeviceList
	// KindProfile is a change of User's profile.
	KindProfile
	// KindState is a change of a room's current state by an event that was taken in before it, in
	// another key than that event's own: Ref is the event that holds the key now; 0 means that
	// nothing does, and User is the number of the state key then, else of the event's sender.
	KindState
	// KindEDU is a message for the server Ref; see Store.EDUs.
	KindEDU
	// KindComplete tells that all of the state of a room is here that was joined without; see
	// Store.Span. What has changed otherwise than by becoming known follows as KindState.
	KindComplete
	// KindPast is an event that was brought in at its place by time; Ref is its NID. It is no news to anybody.
	KindPast
)

// Entry is one entry of the log. Everything that a client, an application service, a remote
// server or a pusher may see is one entry in this one ordered log; each consumer is a cursor.
type Entry struct {
	Pos  int64
	Kind Kind
	Room int64
	User int64
	Ref  int64
	// Event is the event of a KindEvent entry where the entry is fresh from the writer; nil in
	// entries read back.
	Event *event.Event
	// Member is the standing that the event gave somebody, likewise.
	Member *Membership
	// Servers are the other servers that are to get a KindEvent entry's event, likewise: those with
	// members in the room before or after it. Empty for events of other servers. Nobody may
	// write to it.
	Servers []string
}

// Entries reads the log after a position, at most limit entries, oldest first.
func (s *Store) Entries(ctx context.Context, after int64, limit int) ([]Entry, error) {
	return collect(ctx, s, "log_after", scanEntry, after, limit)
}

func scanEntry(r scanner) (e Entry, err error) {
	return e, r.Scan(&e.Pos, &e.Kind, &e.Room, &e.User, &e.Ref)
}

// SetServers says who is to get the event that was logged last, if that is the one of this number.
func (t *Tx) SetServers(nid int64, servers []string) {
	if last := len(t.entries) - 1; last >= 0 && t.entries[last].Kind == KindEvent && t.entries[last].Ref == nid {
		t.entries[last].Servers = servers
	}
}

// Log appends an entry and returns its position.
func (t *Tx) Log(e Entry) (int64, error) {
	t.w.s.counters.pos++
	e.Pos = t.w.s.counters.pos
	if err := t.exec("log_insert", e.Pos, e.Kind, e.Room, e.User, e.Ref); err != nil {
		return 0, err
	}
	t.entries = append(t.entries, e)
	return e.Pos, nil
}
