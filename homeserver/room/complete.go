package room

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"maunium.net/go/mautrix/federation/pdu"

	"github.com/landbridge-im/landbridge/homeserver/authrules"
	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// A room that was joined with memberships left out (MSC3706) goes on over what is known. When the rest
// is here, everything since the join is looked at anew, in one turn: the states, whether the rules
// allow each event after all, and the room's current state.

// ErrLacking: more has to be known to complete a room; see Manager.Lacking.
var ErrLacking = errors.New("not all of the room's state is known yet")

// Complete makes a room's state whole once Lacking lists nothing any more. It fails with ErrLacking if
// something has come meanwhile for which more is needed. A room that is complete is left as it is.
func (m *Manager) Complete(ctx context.Context, room int64) error {
	if err := m.foretell(ctx, room); err != nil {
		return fmt.Errorf("writing memberships of an incomplete room: %w", err)
	}
	_, err := m.do(ctx, room, func(ctx context.Context, a *actor, b *batch) error {
		if a.partial == nil {
			return nil
		}
		// What is not durable yet has to be looked at as well.
		a.inFlight.Wait()
		a.settle()
		if a.dead.Load() {
			return store.ErrStale
		}
		return (&mending{actor: a, b: b, fresh: map[int64]*event.Event{}, back: map[int64]*event.Event{}}).run(ctx)
	})
	return err
}

// GiveUp lets a room stay as incomplete as it is: nobody has the rest, or tells it to this server.
func (m *Manager) GiveUp(ctx context.Context, room int64) error {
	_, err := m.do(ctx, room, func(_ context.Context, a *actor, b *batch) error {
		if a.partial == nil {
			return nil
		}
		a.hold(b, nil)
		a.list()
		known := a.room.Root
		b.first = append(b.first, func(t *store.Tx) error {
			pos, err := t.Log(store.Entry{Kind: store.KindComplete, Room: a.nid})
			if err != nil {
				return err
			}
			if err := t.Retract(a.nid); err != nil {
				return err
			}
			return t.CompleteRoom(a.nid, pos, known)
		})
		return nil
	})
	return err
}

// mending is the turn that completes a room.
type mending struct {
	*actor
	b *batch
	// fresh are the events as they are from now on, those that change.
	fresh map[int64]*event.Event
	// back are those that did not take part so far and may now, and order is that in which they do.
	back  map[int64]*event.Event
	order []*event.Event
	// known is the current state as it was known so far.
	known statetree.Ref
	// restored are events that were redacted by what is forbidden, and restoredRaw their stored forms.
	restored    []*event.Event
	restoredRaw [][]byte
	// missed tells that a server may have been in the room that was taken to be outside of it, and so
	// was not told of devices.
	missed bool
}

func (m *mending) run(ctx context.Context) error {
	partial, err := m.m.o.Store.RoomPartial(ctx, m.nid)
	if err != nil {
		return err
	}
	if err := m.states(ctx); err != nil {
		return err
	}
	root, tips, err := m.replay(ctx, partial.Since)
	if err != nil {
		return err
	}
	return m.turn(ctx, partial, root, tips)
}

// event finds an event as it is from now on.
func (m *mending) event(ctx context.Context, nid int64) (*event.Event, error) {
	if e := m.fresh[nid]; e != nil {
		return e, nil
	}
	return m.m.o.Store.Event(ctx, nid)
}

// resolve resolves states with the events as they are from now on.
func (m *mending) resolve(ctx context.Context, roots []statetree.Ref) (statetree.Ref, error) {
	root, packs, err := source{m.m.o.Store, m.fresh}.resolve(ctx, m.room.Version, roots)
	m.b.packs = append(m.b.packs, packs...)
	return root, err
}

// states works out the states before and after each event anew that was checked over an incomplete one,
// and whether the rules allow it.
func (m *mending) states(ctx context.Context) error {
	s := m.m.o.Store
	told, err := s.ToldStates(ctx, m.nid)
	if err != nil {
		return err
	}
	nids, err := s.PartialEvents(ctx, m.nid)
	if err != nil {
		return err
	}
	open := make(map[int64]bool, len(nids))
	for _, nid := range nids {
		open[nid] = true
	}
	for _, first := range nids {
		// Those before it come first; the stack is explicit since rooms are long.
		for stack := []int64{first}; len(stack) > 0; {
			nid := stack[len(stack)-1]
			if !open[nid] {
				stack = stack[:len(stack)-1]
				continue
			}
			e, err := s.Event(ctx, nid)
			if err != nil {
				return err
			}
			more := len(stack)
			prev, missing, err := placed(ctx, s, e)
			if err != nil {
				return err
			}
			for _, p := range prev {
				if open[p] && !slices.Contains(stack, p) {
					stack = append(stack, p)
				}
			}
			if len(stack) > more {
				continue
			}
			if err := m.state(ctx, e, prev, missing, told); err != nil {
				return err
			}
			open[nid] = false
		}
	}
	return nil
}

// state does so for one event.
func (m *mending) state(ctx context.Context, was *event.Event, prev []int64, missing []string, told map[string]statetree.Ref) error {
	var roots []statetree.Ref
	for _, nid := range prev {
		p, err := m.event(ctx, nid)
		if err != nil {
			return err
		}
		roots = append(roots, p.Root)
	}
	for _, id := range missing {
		if told[id] == 0 {
			return fmt.Errorf("%w: the state after %s", ErrLacking, id)
		}
		roots = append(roots, told[id])
	}
	before, err := m.resolve(ctx, roots)
	if err != nil {
		return fmt.Errorf("the state before %s: %w", was.ID, err)
	}
	e := *was
	e.Flags &^= event.Partial
	if e.Flags&event.RejectedByAuth == 0 {
		reject, err := m.refused(ctx, &e, before)
		if err != nil {
			return err
		}
		e.Flags &^= event.Rejected
		if reject != nil {
			e.Flags |= event.Rejected
		}
	}
	if err := m.apply(ctx, m.b, &e, before); err != nil {
		return err
	}
	m.fresh[e.NID] = &e
	switch {
	case e.Flags&event.Rejected != 0:
		e.Pos, e.Current = 0, 0
	case was.Pos == 0:
		m.back[e.NID] = &e
	}
	return nil
}

// refused is check 5: "Passes authorization rules based on the state before the event, otherwise it is
// rejected."
func (m *mending) refused(ctx context.Context, e *event.Event, before statetree.Ref) (reject, err error) {
	if e.Is("m.room.create", "") {
		return nil, nil
	}
	s := m.m.o.Store
	get := func(typ, key string) (*event.Event, error) {
		k, err := s.StateKeyNID(ctx, store.StateKey{Type: typ, Key: key})
		if errors.Is(err, store.ErrNotFound) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		nid, ok, err := s.State().Get(ctx, before, k)
		if err != nil || !ok {
			return nil, err
		}
		return m.event(ctx, nid)
	}
	var auth []*pdu.PDU
	for _, k := range e.AuthEventSelection(e.Version) {
		x, err := get(k.Type, k.StateKey)
		if err != nil {
			return nil, err
		}
		if x != nil {
			auth = append(auth, x.PDU)
		}
	}
	create, err := get("m.room.create", "")
	if err != nil {
		return nil, err
	}
	return authrules.AuthorizeOver(e.Version, e.PDU, auth, create), nil
}

// turn brings the room to its complete state, and then takes those events in that are allowed after all.
func (m *mending) turn(ctx context.Context, partial store.RoomPartial, root statetree.Ref, tips []*event.Event) error {
	a, b := m.actor, m.b
	m.known = a.room.Root
	said, err := m.foretold(ctx, partial.Since)
	if err != nil {
		return err
	}
	var changes []statetree.Change
	if err := a.m.o.Store.State().Diff(ctx, a.room.Root, root, func(c statetree.Change) { changes = append(changes, c) }); err != nil {
		return err
	}
	// What has become known is told nobody; entries of the log go with the change that follows them.
	slices.SortFunc(changes, func(x, y statetree.Change) int {
		return cmp.Or(cmp.Compare(bit(x.InOld), bit(y.InOld)), cmp.Compare(x.Key, y.Key))
	})
	for nid, e := range m.fresh {
		a.aloft[nid] = e
		b.mended = append(b.mended, e)
	}
	clear(a.current)
	clear(a.resolved)
	a.power, b.bulk = nil, true
	carrier := &event.Event{PDU: &pdu.PDU{}, Room: a.nid}
	l := &landing{own: a.m.o.Signer.Server}
	for chunk := range slices.Chunk(changes, 64) {
		if err := a.warm(ctx, chunk); err != nil {
			return err
		}
		for _, c := range chunk {
			if err := a.changed(ctx, b, carrier, l, c); err != nil {
				return err
			}
			ch := &l.changes[len(l.changes)-1]
			ch.found = !c.InOld
			ch.written = ch.found && said[c.New] == ch.membership && ch.user != ""
			m.missed = m.missed || ch.joined > 0 && !slices.Contains(a.others, store.ServerOf(ch.user))
		}
	}
	untrue, err := m.untrue(ctx, said, root, l.changes)
	if err != nil {
		return err
	}
	l.changes = append(l.changes, untrue...)
	if err := m.restore(ctx); err != nil {
		return err
	}
	a.hold(b, nil)
	a.list()
	b.bulk, b.touched = false, nil
	clear(a.current)
	a.room.Root, a.tips = root, tips
	a.room.Extremities = numbers(tips)
	for _, t := range tips {
		a.room.Depth = max(a.room.Depth, t.Depth)
	}
	b.first = append(b.first, func(t *store.Tx) error { return m.write(t, partial, carrier, l) })
	for _, e := range m.order {
		if err := m.show(ctx, e, root); err != nil {
			return err
		}
	}
	return nil
}

// show brings an event that takes part after all into the timeline, where the room's state has it already.
func (m *mending) show(ctx context.Context, was *event.Event, root statetree.Ref) error {
	e := *was
	e.Current = 0
	e.Flags &^= event.Turn
	if e.Root != root {
		e.Current = root
	}
	if e.IsState() {
		at, _, err := m.m.o.Store.State().Get(ctx, root, e.Key)
		if err != nil {
			return err
		}
		if at != e.NID {
			e.Flags |= event.Turn // who works the state out of the timeline must not go by it
		}
	}
	m.b.add(&e, &landing{placed: true})
	m.aloft[e.NID] = &e
	m.room.Depth = max(m.room.Depth, e.Depth)
	return m.redactions(ctx, m.b, &e)
}

// write writes what has become of the events, and the complete state.
func (m *mending) write(t *store.Tx, partial store.RoomPartial, carrier *event.Event, l *landing) (err error) {
	for _, e := range m.fresh {
		if err := t.Mend(e); err != nil {
			return err
		}
	}
	for i, e := range m.restored {
		if err := t.RestoreEvent(e, m.restoredRaw[i]); err != nil {
			return err
		}
	}
	if carrier.Pos, err = t.Log(store.Entry{Kind: store.KindComplete, Room: m.nid}); err != nil {
		return err
	}
	// Servers are counted once each: they may be few, and their members many.
	joined := map[string]int64{}
	for _, c := range l.changes {
		if c.joined != 0 {
			joined[store.ServerOf(c.user)] += c.joined
		}
		gone := c.joined < 0
		c.joined = 0
		if err := l.writeChange(t, carrier, c); err != nil {
			return err
		}
		if gone { // of whose devices nothing was heard all the while
			user, err := t.NameUser(c.user)
			if err == nil {
				err = t.StaleDeviceList(user)
			}
			if err != nil {
				return err
			}
		}
	}
	for _, server := range slices.Sorted(maps.Keys(joined)) {
		if joined[server] == 0 {
			continue
		}
		if err := t.MoveMembers(m.nid, server, joined[server], carrier.Pos); err != nil {
			return err
		}
	}
	return m.pokes(t, partial, carrier)
}

// pokes tells of devices that changed while it wasn't known who is in the room: those of others, and
// those of this server's users, of which a server may not have been told.
func (m *mending) pokes(t *store.Tx, partial store.RoomPartial, carrier *event.Event) error {
	users, err := t.Pokes(m.nid)
	if err != nil {
		return err
	}
	if err := t.CompleteRoom(m.nid, carrier.Pos, m.known); err != nil {
		return err
	}
	for _, user := range users {
		if err := t.DeviceListChanged(user); err != nil {
			return err
		}
	}
	if !m.missed {
		return nil
	}
	own, err := t.DevicesSince(m.nid, partial.Since)
	if err != nil {
		return err
	}
	for _, user := range slices.Sorted(maps.Keys(own)) {
		if err := t.DeviceListChanged(user, own[user]...); err != nil {
			return err
		}
	}
	return nil
}
