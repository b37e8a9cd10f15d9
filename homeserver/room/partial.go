package room

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// A room that was joined with memberships left out (MSC3706) goes on over what is known, until Complete.

// StateClaimed is the state over which an event is checked that is known to be incomplete: root, resolved
// with the event's auth events. The packs needn't be stored.
func (m *Manager) StateClaimed(ctx context.Context, room int64, root statetree.Ref, auth []int64) (statetree.Ref, []statetree.Pack, error) {
	name, err := m.o.Store.RoomByNID(ctx, room)
	if err != nil {
		return 0, nil, err
	}
	events, err := m.o.Store.Events(ctx, auth)
	if err != nil {
		return 0, nil, err
	}
	return source{Store: m.o.Store}.claimed(ctx, name.Version, root, events)
}

// allowedClaimed is check 6 for a room that isn't complete.
func (a *actor) allowedClaimed(ctx context.Context, b *batch, e *event.Event) (reject, err error) {
	var auth []*event.Event
	for _, nid := range e.Auth {
		x, err := a.event(ctx, nid)
		if err != nil {
			return nil, err
		}
		auth = append(auth, x)
	}
	root, packs, err := source{a.m.o.Store, a.aloft}.claimed(ctx, a.room.Version, a.room.Root, auth)
	b.packs = append(b.packs, packs...)
	if err != nil {
		return nil, err
	}
	auth, err = a.authOver(ctx, event.Proto{Version: a.room.Version, Type: e.Type, Sender: string(e.Sender), StateKey: e.StateKey, Content: e.Content}, root)
	if err != nil {
		return nil, err
	}
	return a.allowedOver(ctx, e, auth), nil
}

// Lacking lists the events that are not here, and after which the state has to be known to complete that
// of a room. It is empty for a room that lacks nothing.
func (m *Manager) Lacking(ctx context.Context, room int64) ([]string, error) {
	s := m.o.Store
	told, err := s.ToldStates(ctx, room)
	if err != nil {
		return nil, err
	}
	nids, err := s.PartialEvents(ctx, room)
	if err != nil {
		return nil, err
	}
	var out []string
	for chunk := range slices.Chunk(nids, 64) {
		events, err := s.Events(ctx, chunk)
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			_, missing, err := placed(ctx, s, e)
			if err != nil {
				return nil, err
			}
			for _, id := range missing {
				if told[id] == 0 && !slices.Contains(out, id) {
					out = append(out, id)
				}
			}
		}
	}
	return out, nil
}

// placed lists the previous events of an event that have a place in the graph here, and those that don't.
// One that was missing when the event came may have come since.
func placed(ctx context.Context, s *store.Store, e *event.Event) (prev []int64, missing []string, err error) {
	for _, id := range e.PrevEvents {
		p, err := s.EventByID(ctx, string(id))
		switch {
		case errors.Is(err, store.ErrNotFound) || err == nil && p.Flags&event.Outlier != 0:
			missing = append(missing, string(id))
		case err != nil:
			return nil, nil, err
		default:
			prev = append(prev, p.NID)
		}
	}
	return prev, missing, nil
}

// isPartial tells whether an event was checked over a state that wasn't complete.
func isPartial(e *event.Event) bool { return e.Flags&event.Partial != 0 }

// claimed is a state together with what an event's authorisation rests on, by its own account: MSC3902:
// while memberships aren't known, an event is checked over "the state resolution of the state before the
// event and the event's auth events".
func (s source) claimed(ctx context.Context, v event.Version, root statetree.Ref, auth []*event.Event) (statetree.Ref, []statetree.Pack, error) {
	edit := s.State().Edit(root)
	for _, x := range auth {
		if x.IsState() && x.Flags&event.Rejected == 0 {
			if err := edit.Put(ctx, x.Key, x.NID); err != nil {
				return 0, nil, err
			}
		}
	}
	other, packs := edit.Finish()
	out, more, err := s.resolve(ctx, v, []statetree.Ref{root, other})
	return out, append(packs, more...), err
}

// recount gives the counts of members for a turn to change: a turn that fails puts the old ones back.
func (a *actor) recount(b *batch) map[string]int64 {
	if !b.counted {
		a.joined, b.counted = maps.Clone(a.joined), true
	}
	return a.joined
}

// hold counts the servers that are said to be in an incomplete room, as the store does, instead of those
// that were counted before.
func (a *actor) hold(b *batch, servers []string) {
	for _, s := range a.partial {
		a.recount(b)[s]--
	}
	for _, s := range servers {
		a.recount(b)[s]++
	}
	a.partial = servers
}
