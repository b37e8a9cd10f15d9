package sync

import (
	"context"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// settles tells whether the state events of a timeline, in its order, lead to the room's current state.
func (b *builder) settles(ctx context.Context, st Standing, events []*event.Event, upto int64) (bool, error) {
	root, err := st.RootAt(ctx, b.s.o.Store, upto)
	if err != nil {
		return false, err
	}
	done := map[int64]bool{}
	for _, e := range slices.Backward(events) {
		if !e.IsState() || done[e.Key] {
			continue
		}
		done[e.Key] = true
		nid, _, err := b.s.o.Store.State().Get(ctx, root, e.Key)
		if err != nil || nid != e.NID {
			return false, err
		}
	}
	return true, nil
}

// unwind takes the state events of a timeline out of a state that has them, and puts those back that
// they took the place of.
func (b *builder) unwind(d *stateDelta, events []*event.Event) {
	gone, first := map[int64]bool{}, map[int64]bool{}
	var back []int64
	for _, e := range events {
		if !e.IsState() {
			continue
		}
		gone[e.NID] = true
		// Members that a lazily loading client needs are among them by their senders.
		if !first[e.Key] && e.Replaces != 0 && !(b.q.Filter.Room.State.LazyLoadMembers && e.Type == "m.room.member") {
			back = append(back, e.Replaces)
		}
		first[e.Key] = true
	}
	d.nids = slices.DeleteFunc(append(d.nids, back...), func(nid int64) bool { return gone[nid] })
	slices.Sort(d.nids)
	d.nids = slices.Compact(d.nids)
}

// prevOf is the token for what comes before a timeline. In the order of the log that is what came
// earlier, wherever it stands in the history.
func (b *builder) prevOf(ctx context.Context, st Standing, start store.Place, events []*event.Event, p part) (Position, error) {
	prev := Position{Place: start, Log: p.upto}
	if p.from == 0 || !slices.ContainsFunc(events, func(e *event.Event) bool { return e.Has(event.FromFederation) }) {
		return prev, nil // it is in the order of the history
	}
	s, first := b.s.o.Store, events[0]
	late, err := s.Disordered(ctx, st.Room, first.Pos, p.upto)
	if err != nil {
		return prev, err
	}
	if !late {
		deeper, err := s.HistoryForward(ctx, st.Room, start, store.End, first.Pos-1, 1)
		if err != nil || len(deeper) == 0 {
			return prev, err
		}
	}
	return Position{Place: store.End, Log: p.upto, Upto: first.Pos - 1}, nil
}
