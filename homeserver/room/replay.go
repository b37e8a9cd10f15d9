package room

import (
	"context"
	"maps"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// replay is the room as it would have been.
type replay struct {
	*mending
	sim  *actor
	root statetree.Ref
}

// replay takes the events since the join in anew, in the order in which they came, and gives the current
// state and the forward extremities that they lead to.
func (m *mending) replay(ctx context.Context, since int64) (root statetree.Ref, tips []*event.Event, err error) {
	const page = 100
	r := &replay{mending: m, sim: &actor{m: m.m}}
	for at := since - 1; ; {
		events, err := m.m.o.Store.TimelineForward(ctx, m.nid, at, 1<<62, page)
		if err != nil {
			return 0, nil, err
		}
		for _, was := range events {
			at = was.Pos
			e := m.fresh[was.NID]
			if e == nil {
				c := *was
				e = &c
			}
			if e.Membership() != "" {
				m.miss(*e.StateKey)
			}
			if e.Flags&event.Rejected != 0 {
				continue
			}
			due, err := r.due(ctx, e)
			if err != nil {
				return 0, nil, err
			}
			if err := r.readmit(ctx, append(due, e.Prev...)); err != nil {
				return 0, nil, err
			}
			e.Current = 0
			if err := r.land(ctx, e); err != nil {
				return 0, nil, err
			}
			if m.fresh[e.NID] == nil && (e.Current != was.Current || e.Flags != was.Flags) {
				m.fresh[e.NID] = e
			}
		}
		if len(events) < page {
			break
		}
	}
	// What nothing follows comes last.
	if err := r.readmit(ctx, slices.Sorted(maps.Keys(m.back))); err != nil {
		return 0, nil, err
	}
	return r.root, r.sim.tips, nil
}

// land puts an event at the end of the room.
func (r *replay) land(ctx context.Context, e *event.Event) error {
	founds := e.Flags&event.Founding != 0
	if founds {
		r.sim.tips, r.root = nil, 0
	}
	prev, err := through(ctx, r.event, e)
	if err != nil {
		return err
	}
	r.sim.tips = r.sim.follow(e, prev)
	roots := make([]statetree.Ref, len(r.sim.tips))
	for i, t := range r.sim.tips {
		roots[len(roots)-1-i] = t.Root
	}
	now, err := r.resolve(ctx, roots)
	if err != nil {
		return err
	}
	if now != e.Root {
		e.Current = now
	}
	if !founds {
		e.Flags &^= event.Turn
		var changes []statetree.Change
		if err := r.m.o.Store.State().Diff(ctx, r.root, now, func(c statetree.Change) { changes = append(changes, c) }); err != nil {
			return err
		}
		r.turned(e, changes)
	}
	r.root = now
	return nil
}

// due lists those that did not take part so far and came before an event, as their numbers tell, and after
// all that they follow.
func (r *replay) due(ctx context.Context, e *event.Event) (out []int64, err error) {
	for _, nid := range slices.Sorted(maps.Keys(r.back)) {
		late := nid > e.NID
		for _, p := range r.back[nid].Prev {
			if x, err := r.event(ctx, p); err != nil {
				return nil, err
			} else if x.Pos >= e.Pos {
				late = true
			}
		}
		if !late {
			out = append(out, nid)
		}
	}
	return out, nil
}

// readmit takes in those of some events that did not take part so far: with check 6,
// "Passes authorization rules based on the current state of the room, otherwise it is soft failed".
func (r *replay) readmit(ctx context.Context, nids []int64) error {
	for _, nid := range nids {
		e := r.back[nid]
		if e == nil {
			continue
		}
		delete(r.back, nid)
		if err := r.readmit(ctx, e.Prev); err != nil {
			return err
		}
		e.Flags &^= event.SoftFailed
		if reject, err := r.refused(ctx, e, r.root); err != nil {
			return err
		} else if reject != nil {
			e.Flags |= event.SoftFailed
			continue
		}
		if err := r.land(ctx, e); err != nil {
			return err
		}
		r.order = append(r.order, e)
	}
	return nil
}

// miss notes that the server of a user may not have been told of devices.
func (m *mending) miss(user string) {
	server := store.ServerOf(user)
	m.missed = m.missed || server != m.m.o.Signer.Server && m.joined[server] <= 0
}
