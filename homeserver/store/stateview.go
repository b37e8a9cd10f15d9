package store

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
)

// StateView is a state: a tree, perhaps with one key otherwise. Key 0 means none; Event 0 that the
// state has nothing there.
type StateView struct {
	Root       statetree.Ref
	Key, Event int64
	// Complete is false where not all of the room's state is here yet.
	Complete bool
}

// StateBefore is the state before an event: that after it, with what it took the place of put back.
func (s *Store) StateBefore(e *event.Event) StateView {
	v := StateView{Root: e.Root, Complete: !e.Has(event.Partial)}
	if e.IsState() && e.Flags&event.Rejected == 0 {
		v.Key, v.Event = e.Key, e.Replaces
	}
	return v
}

// StateOf reads one event out of a state; ErrNotFound if it has none.
func (s *Store) StateOf(ctx context.Context, v StateView, typ, key string) (*event.Event, error) {
	k, err := s.StateKeyNID(ctx, StateKey{typ, key})
	if err != nil {
		return nil, err
	}
	nid := v.Event
	if v.Key == 0 || v.Key != k {
		if nid, _, err = s.state.Get(ctx, v.Root, k); err != nil {
			return nil, err
		}
	}
	if nid == 0 {
		return nil, ErrNotFound
	}
	return s.Event(ctx, nid)
}

// WalkState calls fn for each entry of a state, in no particular order, until fn returns false.
func (s *Store) WalkState(ctx context.Context, v StateView, fn func(key, nid int64) bool) error {
	more := true
	err := s.state.Walk(ctx, v.Root, func(key, nid int64) bool {
		if v.Key != 0 && key == v.Key {
			return true
		}
		more = fn(key, nid)
		return more
	})
	if err == nil && more && v.Key != 0 && v.Event != 0 {
		fn(v.Key, v.Event)
	}
	return err
}

// ClientEvent reads an event by its id for somebody who may be told of it: one that has its place
// in a room's timeline or history. ErrNotFound for all others.
func (s *Store) ClientEvent(ctx context.Context, id string) (*event.Event, error) {
	e, err := s.EventByID(ctx, id)
	if err == nil && (e.Pos == 0 || e.Flags&(event.Rejected|event.SoftFailed) != 0) {
		return nil, ErrNotFound
	}
	return e, err
}

// EventNID is the number of an event, in its place or not; ErrNotFound if it isn't known.
func (s *Store) EventNID(ctx context.Context, id string) (nid int64, err error) {
	if nid, ok := s.imported.find(id); ok {
		return nid, s.row(ctx, "event_nid_is", nid, id).Scan(&nid)
	}
	return nid, s.row(ctx, "event_nid_by_id", id, prefixOf(id)).Scan(&nid)
}

// EventNIDs finds the numbers of those of some events that are known and of a room, in their place or not.
func (s *Store) EventNIDs(ctx context.Context, room int64, ids []string) (map[string]int64, error) {
	found, err := s.numbersOf(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make(map[string]int64, len(found))
	for chunk := range slices.Chunk(slices.Collect(maps.Values(found)), eventBatch) {
		args := make([]any, 1+eventBatch)
		args[0] = room
		for i := range eventBatch {
			args[1+i] = int64(0) // no event has that number
			if i < len(chunk) {
				args[1+i] = chunk[i]
			}
		}
		err := s.each(ctx, "event_nids_of_room", func(r scanner) error {
			var id string
			var nid int64
			err := r.Scan(&id, &nid)
			out[id] = nid
			return err
		}, args...)
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// EventsByID reads events by id, in the order given; nil for those that aren't known.
func (s *Store) EventsByID(ctx context.Context, ids []string) ([]*event.Event, error) {
	out := make([]*event.Event, len(ids))
	for i, id := range ids {
		e, err := s.EventByID(ctx, id)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		} else if err == nil {
			out[i] = e
		}
	}
	return out, nil
}

// Disordered tells whether an event of (pos, upto] stands before the one at pos in the room's history.
func (s *Store) Disordered(ctx context.Context, room, pos, upto int64) (bool, error) {
	var n int64
	err := s.row(ctx, "event_disordered", room, pos, upto).Scan(&n)
	return n > 0, err
}
