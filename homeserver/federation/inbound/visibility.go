package inbound

import (
	"context"
	"encoding/json/jsontext"
	"errors"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// sight is what one server may see of rooms. It is made for a request.
type sight struct {
	store  *store.Store
	server string
	// members are the server's users who ever had a standing in a room, by room.
	members map[int64][]string
	memo    struct {
		room    int64
		root    statetree.Ref
		visible bool
	}
}

func newSight(s *store.Store, server string) *sight {
	return &sight{store: s, server: server, members: map[int64][]string{}}
}

// sees tells whether the server may see an event, as far as history visibility goes: what is
// world_readable or shared any server that is in the room (which the caller has seen to), what is
// invited or joined one that had an invited or joined user at the event.
func (v *sight) sees(ctx context.Context, e *event.Event) (bool, error) {
	if store.ServerOf(string(e.Sender)) == v.server {
		return true, nil
	}
	root := e.Root
	if root == 0 {
		// An event without a place in the graph: it was told as part of some state, and what the
		// room is like now decides.
		row, err := v.store.LoadRoom(ctx, e.Room)
		if err != nil {
			return false, err
		}
		root = row.Root
	}
	if v.memo.room == e.Room && v.memo.root == root {
		return v.memo.visible, nil
	}
	ok, err := v.at(ctx, e.Room, root)
	if err == nil && !ok && e.Has(event.Partial) {
		// Pruned, it would stay so with who asks.
		return false, mxerror.NotFound("This server does not know yet who could see the event %s.", clip(e.ID))
	}
	if err == nil {
		v.memo.room, v.memo.root, v.memo.visible = e.Room, root, ok
	}
	return ok, err
}

func (v *sight) at(ctx context.Context, room int64, root statetree.Ref) (bool, error) {
	e, err := v.store.StateEvent(ctx, root, "m.room.history_visibility", "")
	if errors.Is(err, store.ErrNotFound) {
		return true, nil // "If no history_visibility is set, shared is assumed."
	} else if err != nil {
		return false, err
	}
	visibility := e.ContentString("history_visibility")
	if visibility != "invited" && visibility != "joined" {
		return true, nil
	}
	users, ok := v.members[room]
	if !ok {
		if users, err = membersOfServer(ctx, v.store, room, v.server); err != nil {
			return false, err
		}
		v.members[room] = users
	}
	for _, u := range users {
		e, err := v.store.StateEvent(ctx, root, "m.room.member", u)
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return false, err
		}
		if m := e.Membership(); m == "join" || m == "invite" && visibility == "invited" {
			return true, nil
		}
	}
	return false, nil
}

// show is an event as the server may see it: pruned where it may not.
func (v *sight) show(ctx context.Context, e *event.Event) (jsontext.Value, error) {
	ok, err := v.sees(ctx, e)
	if err != nil {
		return nil, err
	}
	if ok {
		ok, err = v.unerased(ctx, e)
		if err != nil {
			return nil, err
		}
	}
	if !ok {
		e = e.Pruned(0)
	}
	return encodePDU(e)
}

// unerased tells whether a server may still see what somebody wrote who has had everything erased:
// specification, "POST /account/deactivate": those "which had visibility on those events prior to the
// erasure are still able to see unredacted copies". State is the room's and stays.
func (v *sight) unerased(ctx context.Context, e *event.Event) (bool, error) {
	if v.store.ErasedAt(e.Author) == 0 || e.IsState() || e.Root == 0 {
		return true, nil
	}
	users, ok := v.members[e.Room]
	if !ok {
		var err error
		if users, err = membersOfServer(ctx, v.store, e.Room, v.server); err != nil {
			return false, err
		}
		v.members[e.Room] = users
	}
	for _, u := range users {
		m, err := v.store.StateEvent(ctx, e.Root, "m.room.member", u)
		if err == nil && m.Membership() == "join" {
			return true, nil
		} else if err != nil && !errors.Is(err, store.ErrNotFound) {
			return false, err
		}
	}
	return false, nil
}

// encodePDU is an event as other servers get it.
func encodePDU(e *event.Event) (jsontext.Value, error) {
	if e.Unsigned != nil {
		c := *e
		c.PDU = e.PDU.Clone()
		c.PDU.Unsigned = nil
		e = &c
	}
	return e.JSON()
}

// membersOfServer lists a server's users who ever had a standing in a room.
func membersOfServer(ctx context.Context, s *store.Store, room int64, server string) (out []string, err error) {
	all, err := s.MembersOf(ctx, room)
	if err != nil {
		return nil, err
	}
	for _, m := range all {
		id, err := s.UserID(ctx, m.User)
		if err != nil {
			return nil, err
		}
		if store.ServerOf(id) == server {
			out = append(out, id)
		}
	}
	return out, nil
}
