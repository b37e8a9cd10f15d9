package sync

import (
	"context"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// ServerReader tells which events of a room another server may see. It remembers what it has found
// out; use one for a request, from one goroutine.
type ServerReader struct {
	store  *store.Store
	room   int64
	server string
	users  []string
	loaded bool
	seen   map[statetree.Ref]bool
}

// NewServerReader makes a reader for a server and a room.
func NewServerReader(s *store.Store, room int64, server string) *ServerReader {
	return &ServerReader{store: s, room: room, server: server, seen: map[statetree.Ref]bool{}}
}

// VisibleToServer tells whether a server may see an event: whether one of its users may. What it may
// not see is sent to it redacted.
func VisibleToServer(ctx context.Context, s *store.Store, e *event.Event, server string) (bool, error) {
	return NewServerReader(s, e.Room, server).Visible(ctx, e)
}

// Visible tells whether the server may see an event.
func (r *ServerReader) Visible(ctx context.Context, e *event.Event) (bool, error) {
	if store.ServerOf(string(e.Sender)) == r.server || e.Is("m.room.create", "") {
		return true, nil
	}
	ok, err := r.at(ctx, store.StateView{Root: e.Root})
	if err != nil || ok || !e.IsState() {
		return ok, err
	}
	// "the user should be allowed to see the event if the history_visibility before or after the event
	// would allow them to see it", and likewise for memberships.
	if e.Type != "m.room.history_visibility" && (e.Type != "m.room.member" || store.ServerOf(*e.StateKey) != r.server) {
		return false, nil
	}
	return r.at(ctx, r.store.StateBefore(e))
}

func (r *ServerReader) at(ctx context.Context, v store.StateView) (ok bool, err error) {
	if v.Key == 0 {
		if ok, known := r.seen[v.Root]; known {
			return ok, nil
		}
	}
	visibility, err := viewString(ctx, r.store, v, "m.room.history_visibility", "", "history_visibility")
	if err != nil {
		return false, err
	}
	switch visibility {
	case "world_readable":
		ok = true
	case "invited", "joined":
		ok, err = r.member(ctx, v, visibility == "invited")
	default: // shared: whoever is in the room now
		ok, err = r.store.ServerInRoom(ctx, r.room, r.server)
		if err == nil && !ok {
			ok, err = r.member(ctx, v, false)
		}
	}
	if err == nil && v.Key == 0 {
		r.seen[v.Root] = ok
	}
	return ok, err
}

// member tells whether a user of the server is in the room in a state.
func (r *ServerReader) member(ctx context.Context, v store.StateView, invited bool) (bool, error) {
	if !r.loaded {
		var err error
		if r.users, err = r.store.MembersFrom(ctx, r.room, r.server); err != nil {
			return false, err
		}
		r.loaded = true
	}
	for _, u := range r.users {
		m, err := viewString(ctx, r.store, v, "m.room.member", u, "membership")
		if err != nil {
			return false, err
		}
		if m == "join" || invited && m == "invite" {
			return true, nil
		}
	}
	return false, nil
}
