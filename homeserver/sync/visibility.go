package sync

import (
	"context"
	"errors"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Reader is somebody who reads a room.
type Reader struct {
	ID string
	// Current is the reader's membership now: it decides together with that at the event.
	Current string
	// Until is the log position at which the reader left the room after having been in it; 0 for
	// others.
	Until int64
}

// joinedAfter tells whether the reader was in the room at any point after a position.
func (r Reader) joinedAfter(pos int64) bool {
	return r.Current == "join" || r.Until != 0 && pos <= r.Until
}

// ReaderOf is somebody with this standing in a room, the zero Membership for none.
func ReaderOf(ctx context.Context, s *store.Store, user string, m store.Membership) (Reader, error) {
	r := Reader{ID: user, Current: m.Membership}
	if m.Membership != "leave" && m.Membership != "ban" || m.Forgotten {
		return r, nil
	}
	own, err := s.Event(ctx, m.Event)
	if err != nil {
		return r, err
	}
	left, err := lastLeft(ctx, s, own)
	r.Until = left
	return r, err
}

// lastLeft is the position at which somebody last left a room having been joined; 0 for never.
func lastLeft(ctx context.Context, s *store.Store, own *event.Event) (int64, error) {
	for at := own; at.Replaces != 0; {
		prev, err := s.Event(ctx, at.Replaces)
		if errors.Is(err, store.ErrNotFound) {
			return 0, nil
		} else if err != nil {
			return 0, err
		}
		if prev.Membership() == "join" {
			return at.Pos, nil
		}
		at = prev
	}
	return 0, nil
}

// Visible tells whether a reader may see an event: specification, client-server API, "Room
// history visibility", "Server behaviour":
//
//  1. If the history_visibility was set to world_readable, allow.
//  2. If the user's membership was join, allow.
//  3. If history_visibility was set to shared, and the user joined the room at any point after
//     the event was sent, allow.
//  4. If the user's membership was invite, and the history_visibility was set to invited, allow.
//  5. Otherwise, deny.
//
// "For m.room.history_visibility events themselves, the user should be allowed to see the event
// if the history_visibility before or after the event would allow them to see it"; likewise for
// the user's own membership events.
func Visible(ctx context.Context, s *store.Store, e *event.Event, r Reader) (bool, error) {
	ok, err := visibleAt(ctx, s, e, store.StateView{Root: e.Root}, r)
	if err != nil || ok {
		return ok, err
	}
	if e.Replaces == 0 && !e.IsState() {
		return false, nil
	}
	if !e.Is("m.room.history_visibility", "") && !e.Is("m.room.member", r.ID) {
		return false, nil
	}
	return visibleAt(ctx, s, e, s.StateBefore(e), r)
}

func visibleAt(ctx context.Context, s *store.Store, e *event.Event, at store.StateView, r Reader) (bool, error) {
	visibility, err := viewString(ctx, s, at, "m.room.history_visibility", "", "history_visibility")
	if err != nil {
		return false, err
	}
	if visibility == "world_readable" {
		return true, nil
	}
	membership, err := viewString(ctx, s, at, "m.room.member", r.ID, "membership")
	if err != nil {
		return false, err
	}
	switch {
	case membership == "join":
		return true, nil
	case visibility == "invited":
		return membership == "invite", nil
	case visibility == "joined":
		return false, nil
	case r.joinedAfter(e.Pos): // "shared" is the default
		return true, nil
	default:
		return joinedSince(ctx, s, e, r)
	}
}

// joinedSince tells whether a reader who is not in the room any more joined it at any point after
// an event.
func joinedSince(ctx context.Context, s *store.Store, e *event.Event, r Reader) (bool, error) {
	user, err := s.UserNID(ctx, r.ID)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	m, err := s.Membership(ctx, e.Room, user)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	if m.Forgotten {
		return false, nil
	}
	for nid, steps := m.Event, 0; nid != 0 && steps < membershipSteps; steps++ {
		own, err := s.Event(ctx, nid)
		if errors.Is(err, store.ErrNotFound) {
			return false, nil
		} else if err != nil {
			return false, err
		}
		if own.Pos <= e.Pos {
			return false, nil
		}
		if own.Membership() == "join" {
			return true, nil
		}
		nid = own.Replaces
	}
	return false, nil
}

// membershipSteps bounds how many changes of a membership are looked through.
const membershipSteps = 100

// visibleMemo remembers the answer for one state: messages that follow each other share it.
type visibleMemo struct {
	room, root int64
	visible    bool
	known      bool
}

// check is Visible for events in a row. Only somebody who is in the room sees all or nothing of
// what has the same state.
func (m *visibleMemo) check(ctx context.Context, s *store.Store, e *event.Event, r Reader) (bool, error) {
	if r.Current != "join" || e.IsState() {
		return Visible(ctx, s, e, r)
	}
	if m.known && m.room == e.Room && m.root == int64(e.Root) {
		return m.visible, nil
	}
	ok, err := Visible(ctx, s, e, r)
	*m = visibleMemo{e.Room, int64(e.Root), ok, err == nil}
	return ok, err
}

func stateString(ctx context.Context, s *store.Store, root statetree.Ref, typ, key, field string) (string, error) {
	return viewString(ctx, s, store.StateView{Root: root}, typ, key, field)
}

func viewString(ctx context.Context, s *store.Store, v store.StateView, typ, key, field string) (string, error) {
	e, err := s.StateOf(ctx, v, typ, key)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	return e.ContentString(field), nil
}
