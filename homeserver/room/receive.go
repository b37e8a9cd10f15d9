package room

import (
	"context"
	"errors"
	"fmt"

	"maunium.net/go/mautrix/federation/pdu"

	"github.com/landbridge-im/landbridge/homeserver/authrules"
	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// ErrNoState: the state after an event isn't known, for it was stored without its place in the room.
var ErrNoState = errors.New("the state at the event is not known")

// NameRoom finds the row of a room, or makes one of a room that nobody of this server is in.
func (m *Manager) NameRoom(ctx context.Context, roomID string, v event.Version) (store.RoomName, error) {
	if !event.Supported(v) {
		return store.RoomName{}, mxerror.New(400, "M_UNSUPPORTED_ROOM_VERSION", "This server does not speak room version %q.", string(v))
	}
	m.naming.Lock()
	defer m.naming.Unlock()
	name, err := m.o.Store.RoomByID(ctx, roomID)
	if !errors.Is(err, store.ErrNotFound) {
		return name, err
	}
	name = store.RoomName{NID: m.o.Store.NextRoom(), ID: roomID, Version: v}
	_, err = m.do(ctx, name.NID, func(_ context.Context, a *actor, b *batch) error {
		a.room = store.Room{NID: name.NID, ID: roomID, Version: v, CreatedTS: a.m.o.Now().UnixMilli()}
		b.fresh = true
		return nil
	})
	return name, err
}

// Number gives a received event its numbers: its own, greater than those of all events that were
// numbered before, and those of its room, its sender and its state key. An event that is known
// already gets the number that it has, and known is true. Auth events are numbered, and stored,
// before the events that cite them.
func (m *Manager) Number(ctx context.Context, room int64, e *event.Event) (known bool, err error) {
	s := m.o.Store
	e.Room = room
	if e.Author, err = s.NameUser(ctx, string(e.Sender)); err != nil {
		return false, fmt.Errorf("naming the sender: %w", err)
	}
	if e.IsState() {
		if e.Key, err = s.NameStateKey(ctx, store.StateKey{Type: e.Type, Key: *e.StateKey}); err != nil {
			return false, fmt.Errorf("naming the state key: %w", err)
		}
	}
	e.NID, err = s.EventNID(ctx, e.ID)
	if errors.Is(err, store.ErrNotFound) {
		e.NID = s.NextEvent()
		return false, nil
	}
	return err == nil, err
}

// StateBefore computes the state before an event from the states after its previous events and other
// states, e.g. one that another server tells for a previous event that isn't here. It may be called
// at any time, outside the room's turn. The packs are what has to be stored with the event. It fails
// with ErrNoState where one of prev has no place in the room.
func (m *Manager) StateBefore(ctx context.Context, room int64, prev []int64, more ...statetree.Ref) (statetree.Ref, []statetree.Pack, error) {
	name, err := m.o.Store.RoomByNID(ctx, room)
	if err != nil {
		return 0, nil, err
	}
	events, err := m.o.Store.Events(ctx, prev)
	if err != nil {
		return 0, nil, fmt.Errorf("reading the previous events: %w", err)
	}
	var roots []statetree.Ref
	for _, e := range events {
		if e.Flags&event.Outlier != 0 || e.Root == 0 {
			return 0, nil, fmt.Errorf("event %s: %w", e.ID, ErrNoState)
		}
		roots = append(roots, e.Root)
	}
	return source{Store: m.o.Store}.resolve(ctx, name.Version, append(roots, more...))
}

// StateTree makes a state out of events, which Outliers has stored.
func (m *Manager) StateTree(ctx context.Context, events []int64) (statetree.Ref, []statetree.Pack, error) {
	edit := m.o.Store.State().Edit(0)
	for len(events) > 0 {
		chunk := events[:min(len(events), 64)]
		events = events[len(chunk):]
		links, err := m.o.Store.Links(ctx, chunk)
		if err != nil {
			return 0, nil, err
		}
		for i, l := range links {
			if l.Key == 0 || l.Flags&event.Rejected != 0 {
				continue
			}
			if err := edit.Put(ctx, l.Key, chunk[i]); err != nil {
				return 0, nil, err
			}
		}
	}
	root, packs := edit.Finish()
	return root, packs, nil
}

// Receive takes events of other servers in, in this order, in one turn, all or none. Soft failure
// (check 6) is decided here. If it fails with store.ErrStale, Before and Packs have to be made anew.
func (m *Manager) Receive(ctx context.Context, room int64, list []Received) ([]Outcome, error) {
	out := make([]Outcome, len(list))
	_, err := m.once(ctx, room, func(ctx context.Context, a *actor, b *batch) (err error) {
		for i := range list {
			if out[i], err = a.receive(ctx, b, list[i], event.FromFederation); err != nil {
				return fmt.Errorf("taking in event %s: %w", list[i].Event.ID, err)
			}
		}
		return nil
	})
	if err != nil {
		for _, r := range list {
			m.o.Store.State().Dropped(r.Packs)
		}
		return nil, err
	}
	return out, nil
}

// receive takes one event in.
func (a *actor) receive(ctx context.Context, b *batch, r Received, flags event.Flags) (Outcome, error) {
	if len(a.tips) == 0 {
		return Outcome{}, mxerror.NotFound("This server is not in that room.")
	}
	if r.Done != nil {
		b.extra = append(b.extra, r.Done)
	}
	l := &landing{raw: r.Raw, missing: r.Missing}
	had, err := a.find(ctx, b, r.Event.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		return Outcome{}, err
	case had.Flags&event.Outlier == 0:
		a.m.o.Store.State().Dropped(r.Packs)
		if b.after == nil {
			b.after = a.flight(had)
		}
		return known(had), nil
	default:
		l.placed, l.at = true, had.Pos
	}
	e := a.copy(r, had)
	e.Flags |= flags
	if len(r.Missing) > 0 {
		e.Flags |= event.Gap
	}
	b.packs = append(b.packs, r.Packs...)
	if r.Past {
		e.Depth = min(max(r.Depth, 0), maxDepth)
	} else if err := a.depth(ctx, e); err != nil {
		return Outcome{}, err
	}
	if r.Partial && !e.Has(event.Partial) {
		// The room has become complete since the checks were made.
		return Outcome{}, store.ErrStale
	}
	out := Outcome{Event: e, Rejected: r.Reject}
	if e.Flags&event.Rejected != 0 {
		if out.Rejected == nil {
			out.Rejected = errRejectedBefore
		}
		return out, a.keep(ctx, b, e, r, l)
	}
	if r.Past {
		return out, a.past(ctx, b, e, r, l)
	}
	if out.SoftFailed = r.SoftFail; out.SoftFailed == nil && r.Before != a.room.Root {
		// Check 6: "Passes authorization rules based on the current state of the room, otherwise it
		// is soft failed."
		auth, err := a.authEvents(ctx, event.Proto{Version: a.room.Version, Type: e.Type, Sender: string(e.Sender), StateKey: e.StateKey, Content: e.Content})
		if err != nil {
			return Outcome{}, err
		}
		out.SoftFailed = a.allowedOver(ctx, e, auth)
		if out.SoftFailed != nil && a.partial != nil {
			if out.SoftFailed, err = a.allowedClaimed(ctx, b, e); err != nil {
				return Outcome{}, err
			}
		}
	}
	if out.SoftFailed != nil {
		e.Flags |= event.SoftFailed
		return out, a.keep(ctx, b, e, r, l)
	}
	if err := a.land(ctx, b, e, r.Before, l); err != nil {
		return Outcome{}, err
	}
	if flags&event.FromFederation != 0 {
		l.servers = nil
	}
	// Where the state changes by it, as it does where forks meet, clients must learn of that.
	if len(l.changes) == 0 && e.Flags&event.Turn == 0 {
		hold, err := a.withholds(ctx, b, e)
		if err != nil {
			return Outcome{}, err
		}
		if hold {
			e.Flags |= event.Withheld
			l.unseen = true
		}
	}
	return out, a.redactions(ctx, b, e)
}

// errRejectedBefore is why an event that was rejected as an outlier is rejected in its place.
var errRejectedBefore = errors.New("the rules refuse the event over its own auth events")

// known is the outcome for an event that was received before.
func known(e *event.Event) Outcome {
	o := Outcome{Event: e, Known: true}
	switch {
	case e.Flags&event.Rejected != 0:
		o.Rejected = errors.New("the event was rejected before")
	case e.Flags&event.SoftFailed != 0:
		o.SoftFailed = errors.New("the event was soft-failed before")
	}
	return o
}

// copy makes the event that is stored for a received one; had is the outlier that it was so far.
func (a *actor) copy(r Received, had *event.Event) *event.Event {
	e := *r.Event
	e.Prev, e.Auth = nonNil(r.Prev), nonNil(r.Auth)
	e.Flags &= event.Redacted
	if had != nil {
		// What was known of it stays: an invitation is in the log already.
		e.NID, e.Pos = had.NID, had.Pos
		if had.Flags&event.Redacted != 0 {
			e.PDU, e.RedactedBy = had.PDU, had.RedactedBy
		}
		e.Flags |= had.Flags & (event.Redacted | event.RejectedByAuth)
		if had.Flags&event.RejectedByAuth != 0 {
			e.Flags |= event.Rejected
		}
	}
	if r.Reject != nil {
		e.Flags |= event.Rejected
		if r.ByAuth {
			e.Flags |= event.RejectedByAuth
		}
	}
	return &e
}

func nonNil(nids []int64) []int64 {
	if nids == nil {
		return []int64{}
	}
	return nids
}

// depth works out where an event stands: behind the deepest of its previous events, or, if none is
// here, where it claims to, but not behind the end of the room; and whether the state before it is
// complete.
func (a *actor) depth(ctx context.Context, e *event.Event) error {
	deepest, found := int64(0), false
	for _, nid := range e.Prev {
		p, err := a.event(ctx, nid)
		if err != nil {
			return fmt.Errorf("a previous event: %w", err)
		}
		if p.Flags&event.Outlier == 0 {
			deepest, found = max(deepest, p.Depth), true
			e.Flags |= p.Flags & event.Partial
		}
	}
	if found {
		e.Depth = min(deepest+1, maxDepth)
	} else {
		e.Depth = min(max(e.PDU.Depth, 0), a.room.Depth)
	}
	return nil
}

// keep stores an event that takes no part in the room.
func (a *actor) keep(ctx context.Context, b *batch, e *event.Event, r Received, l *landing) error {
	if err := a.apply(ctx, b, e, r.Before); err != nil {
		return err
	}
	l.unseen = true
	b.add(e, l)
	a.aloft[e.NID] = e
	return nil
}

// past stores an event of the history.
func (a *actor) past(ctx context.Context, b *batch, e *event.Event, r Received, l *landing) error {
	if err := a.apply(ctx, b, e, r.Before); err != nil {
		return err
	}
	b.past, b.pastLandings = append(b.past, e), append(b.pastLandings, l)
	a.aloft[e.NID] = e
	return a.redactions(ctx, b, e)
}

// allowedOver applies the rules over the current state.
func (a *actor) allowedOver(ctx context.Context, e *event.Event, auth []*event.Event) error {
	create, err := a.state(ctx, "m.room.create", "")
	if err != nil {
		return err
	}
	pdus := make([]*pdu.PDU, len(auth))
	for i, x := range auth {
		pdus[i] = x.PDU
	}
	return authrules.AuthorizeOver(e.Version, e.PDU, pdus, create)
}

// Outliers stores events without a place in the graph: auth chains, state before a join. Auth events
// come before what cites them. Events that are known are left as they are.
func (m *Manager) Outliers(ctx context.Context, room int64, list []Received) error {
	_, err := m.do(ctx, room, func(ctx context.Context, a *actor, b *batch) error {
		if a.room.ID == "" {
			return mxerror.NotFound("There is no such room.")
		}
		for _, r := range list {
			had, err := a.find(ctx, b, r.Event.ID)
			if err == nil {
				if f := a.flight(had); f != nil && b.after == nil {
					b.after = f
				}
				continue
			} else if !errors.Is(err, store.ErrNotFound) {
				return err
			}
			e := a.copy(r, nil)
			e.Flags |= event.Outlier | event.FromFederation
			e.Depth = min(max(e.PDU.Depth, 0), maxDepth)
			e.Root, e.Replaces = 0, 0
			b.add(e, &landing{raw: r.Raw, unseen: true})
			a.aloft[e.NID] = e
		}
		return nil
	})
	return err
}

// ReceiveMembership takes in the invitation, or the end of an invitation or a knock, of a user of this
// server in a room that this server is not in: the event becomes an outlier that is news to the user.
func (m *Manager) ReceiveMembership(ctx context.Context, room int64, r Received) (*event.Event, error) {
	out, err := m.do(ctx, room, func(ctx context.Context, a *actor, b *batch) error {
		if a.room.ID == "" {
			return mxerror.NotFound("There is no such room.")
		}
		if r.Event.Membership() == "" {
			return mxerror.BadJSON("That is no membership.")
		}
		had, err := a.find(ctx, b, r.Event.ID)
		switch {
		case err == nil && had.Pos != 0:
			b.result, b.after = []*event.Event{had}, a.flight(had)
			return nil
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return err
		}
		e := a.copy(r, had)
		e.Flags |= event.Outlier | event.FromFederation
		e.Depth = min(max(e.PDU.Depth, 0), maxDepth)
		e.Root = a.room.Root
		user, err := a.m.o.Store.NameUser(ctx, *e.StateKey)
		if err != nil {
			return err
		}
		l := &landing{raw: r.Raw, changes: []change{{key: e.Key, ref: e.NID, self: true, user: *e.StateKey, membership: e.Membership(), member: e.NID}}}
		l.placed = had != nil
		stripped := r.Stripped
		b.extra = append(b.extra, func(t *store.Tx) error { return t.SetInviteState(a.nid, user, stripped) })
		b.add(e, l)
		a.aloft[e.NID] = e
		b.result = []*event.Event{e}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out[0], nil
}
