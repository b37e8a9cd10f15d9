package room

import (
	"context"
	"errors"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// foretold is how many memberships of a huge room are written at once: others who write must not wait for
// all of them.
const foretold = 250

// foretell writes the memberships that have become known of an incomplete room, a few at a time, before the
// turn that completes it: which then writes only what is otherwise. Of this server's own users nothing is
// foretold, for clients are told of their memberships. It may be broken off, and done again.
func (m *Manager) foretell(ctx context.Context, room int64) error {
	s := m.o.Store
	partial, err := s.RoomPartial(ctx, room)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	told, err := s.ToldStates(ctx, room)
	if err != nil {
		return err
	}
	members, err := s.MembersOf(ctx, room)
	if err != nil {
		return err
	}
	known := make(map[int64]bool, len(members))
	for _, x := range members {
		known[x.Event] = true
	}
	var fresh []int64
	seen := map[statetree.Ref]bool{}
	for _, root := range told {
		if seen[root] {
			continue
		}
		seen[root] = true
		err := s.State().Walk(ctx, root, func(_, nid int64) bool {
			if !known[nid] {
				known[nid] = true
				fresh = append(fresh, nid)
			}
			return true
		})
		if err != nil {
			return err
		}
	}
	// In the order in which the events were stored they are read fastest.
	slices.Sort(fresh)
	for chunk := range slices.Chunk(fresh, foretold) {
		if err := m.foretellSome(ctx, partial, chunk); err != nil {
			return err
		}
	}
	return nil
}

func (m *Manager) foretellSome(ctx context.Context, partial store.RoomPartial, nids []int64) error {
	var list []store.Foretold
	for chunk := range slices.Chunk(nids, 64) {
		events, err := m.o.Store.Events(ctx, chunk)
		if err != nil {
			return err
		}
		for _, e := range events {
			if how := e.Membership(); how != "" && store.ServerOf(*e.StateKey) != m.o.Signer.Server {
				list = append(list, store.Foretold{User: *e.StateKey, Membership: how, Event: e.NID})
			}
		}
	}
	if len(list) == 0 {
		return nil
	}
	return m.o.Store.Write(ctx, func(t *store.Tx) error { return t.Foretell(partial.Room, partial.Since, list) })
}

// foretold lists the events that memberships were foretold by, with what they say.
func (m *mending) foretold(ctx context.Context, since int64) (map[int64]string, error) {
	members, err := m.m.o.Store.MembersOf(ctx, m.nid)
	if err != nil {
		return nil, err
	}
	out := map[int64]string{}
	for _, x := range members {
		if store.IsForetold(x, since) {
			out[x.Event] = x.Membership
		}
	}
	return out, nil
}

// untrue finds among the memberships that were foretold those that did not come true: users of whom
// the complete state knows nothing, nor did what was known so far.
func (m *mending) untrue(ctx context.Context, said map[int64]string, root statetree.Ref, changes []change) (out []change, err error) {
	for _, c := range changes {
		delete(said, c.member)
	}
	for nid := range said {
		e, err := m.m.o.Store.Event(ctx, nid)
		if err != nil {
			return nil, err
		}
		if known, err := m.holds(ctx, e, m.known, root); err != nil {
			return nil, err
		} else if !known {
			out = append(out, change{key: e.Key, user: *e.StateKey, membership: "leave", member: nid, found: true})
		}
	}
	return out, nil
}

// holds tells whether one of some states has an event's key.
func (m *mending) holds(ctx context.Context, e *event.Event, roots ...statetree.Ref) (bool, error) {
	for _, root := range roots {
		if _, ok, err := m.m.o.Store.State().Get(ctx, root, e.Key); err != nil || ok {
			return ok, err
		}
	}
	return false, nil
}
