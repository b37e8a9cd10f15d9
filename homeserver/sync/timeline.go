package sync

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// part is which part of a room's log an answer is about.
type part struct {
	// (from, upto]; from 0 means that the client does not know the room.
	from, upto int64
	// current is the reader's membership now.
	current string
	// always writes also if there is nothing.
	always bool
}

// timeline writes timeline and state of a room. people tells whether what a room is called by may
// have changed.
func (b *builder) timeline(ctx context.Context, st Standing, name store.RoomName, p part) (people bool, err error) {
	known := p.from > 0 && !b.q.FullState && !p.always
	if known && st.Last <= p.from {
		return false, nil
	}
	events, limited, turn, settled, err := b.recent(ctx, st, name, p)
	if err != nil {
		return false, err
	}
	start, before, err := b.startOf(ctx, st, events, turn, p)
	if err != nil {
		return false, err
	}
	prev, err := b.prevOf(ctx, st, start, events, p)
	if err != nil {
		return false, err
	}
	to, section := before, "state"
	if b.q.StateAfter != "" {
		section = b.q.StateAfter
		if to, err = st.RootAt(ctx, b.s.o.Store, p.upto); err != nil {
			return false, err
		}
	}
	if settled {
		if to, err = st.RootAt(ctx, b.s.o.Store, p.upto); err != nil {
			return false, err
		}
	}
	state, err := b.stateChange(ctx, st, p, to, events)
	if err != nil {
		return false, err
	}
	if settled && b.q.StateAfter == "" {
		b.unwind(&state, events)
	}
	if !b.q.Filter.Room.State.AllowsRoom(name.ID) {
		state.nids, state.people = nil, false
	}
	if known && len(events) == 0 && !limited && len(state.nids) == 0 {
		return false, nil
	}
	b.some = true
	people = p.from == 0 || b.q.FullState || limited || state.people
	o := b.out
	o.str(`"timeline":{"events":`)
	// Specification, "Aggregations of child events": they are bundled into "GET /sync when the relevant
	// section has a limited value of true".
	plain := b.rend
	b.rend = b.rend.Bundling(limited, b.q.User, p.upto)
	o.buf, err = b.events(ctx, o.buf, events)
	b.rend = plain
	if err != nil {
		return false, err
	}
	o.str(`,"limited":` + strconv.FormatBool(limited) + `,"prev_batch":`)
	o.quote(prev.String())
	o.str(`},"` + section + `":{"events":[`)
	for _, e := range events {
		people = people || b.note(e)
	}
	if err := b.state(ctx, state.nids); err != nil {
		return false, err
	}
	o.str("]}")
	return people, nil
}

// note takes notice of an event that is passed on: who came, and whether it changes what the room
// is called by.
func (b *builder) note(e *event.Event) bool {
	if !e.IsState() {
		return false
	}
	switch e.Type {
	case "m.room.member":
		if *e.StateKey != b.q.UserID && len(b.met) < metMax && e.Membership() == "join" {
			b.met[*e.StateKey] = true
		}
		return true
	case "m.room.name", "m.room.canonical_alias":
		return true
	}
	return false
}

// metMax bounds how many newcomers one answer looks up the presence of.
const metMax = 1000

// stateChunk is how many state events are in memory at a time.
const stateChunk = 128

// state writes state events that the filter lets through.
func (b *builder) state(ctx context.Context, nids []int64) error {
	f, o, first := b.q.Filter.Room.State, b.out, true
	// What the reader's membership was at each of many events would take long to find out: "they
	// MAY omit it if necessary".
	rend := b.rend
	b.rend.Membership = false
	defer func() { b.rend = rend }()
	for chunk := range slices.Chunk(nids, stateChunk) {
		events, err := b.s.o.Store.Events(ctx, chunk)
		if err != nil {
			return err
		}
		for _, e := range events {
			if !f.Allows(e) {
				continue
			}
			if !first {
				o.str(",")
			}
			first = false
			if len(nids) <= stateChunk {
				b.note(e)
			}
			if o.buf, err = b.event(ctx, o.buf, e); err != nil {
				return err
			}
		}
		if err := o.maybe(); err != nil {
			return err
		}
	}
	return nil
}

// startOf is the place just before a timeline, and the state there. A timeline that was cut at a turn
// begins with the state that the turn led to.
func (b *builder) startOf(ctx context.Context, st Standing, events []*event.Event, turn *event.Event, p part) (store.Place, statetree.Ref, error) {
	s := b.s.o.Store
	switch {
	case turn != nil && len(events) > 0:
		return store.Before(events[0]), turn.Now(), nil
	case turn != nil:
		return store.After(turn), turn.Now(), nil
	case len(events) == 0:
		place, err := s.PlaceAt(ctx, st.Room, p.upto)
		if err != nil {
			return place, 0, err
		}
		root, err := st.RootAt(ctx, s, p.upto)
		return place, root, err
	}
	first := events[0]
	if !first.IsState() {
		return store.Before(first), first.Now(), nil // a message that is no turn leaves it as it was
	}
	root, err := st.RootAt(ctx, s, first.Pos-1)
	return store.Before(first), root, err
}

// recentPage is how many events are read at a time, and recentScan how many are looked through:
// filters, and what may not be seen, can hide many.
const recentPage, recentScan = 100, 10 * maxLimit

// recent reads the newest events of a part that the filter lets through, oldest first. Where the
// client works the state out from the timeline, and the current state has taken a turn that the
// timeline doesn't show, the timeline is cut in front of that: turn is the event. It is also cut at a gap, of
// which clients learn by limited and what was in it by going back from prev_batch.
//
// settled tells that the timeline is in the order of the history where that isn't the order in which the
// events came: the state before it is the current one without what is in it.
func (b *builder) recent(ctx context.Context, st Standing, name store.RoomName, p part) (events []*event.Event, limited bool, turn *event.Event, settled bool, err error) {
	if p.from == 0 {
		var late bool
		if events, limited, turn, late, err = b.newest(ctx, st, name, p, false); err != nil || !late {
			return events, limited, turn, false, err
		}
		// Something came later than what stands behind it in the history: state that is made up of the
		// events in that order may be another than the room's. In the order of the log it is right.
		if turn == nil && len(events) > 0 {
			if settled, err = b.settles(ctx, st, events, p.upto); err != nil || settled {
				return events, limited, nil, settled, err
			}
		}
	}
	events, limited, turn, _, err = b.newest(ctx, st, name, p, true)
	return events, limited, turn, false, err
}

// newest is recent in the order of the log or of the history. late tells that the two aren't the same.
func (b *builder) newest(ctx context.Context, st Standing, name store.RoomName, p part, byLog bool) (events []*event.Event, limited bool, turn *event.Event, late bool, err error) {
	f := b.q.Filter.Room.Timeline
	limit := f.limit()
	if !f.AllowsRoom(name.ID) {
		return nil, false, nil, false, nil
	}
	s, reader := b.s.o.Store, Reader{ID: b.q.UserID, Current: p.current}
	// For a client that knows the room, what is new is what came since; else it is the end of the
	// room's history, which also has what was brought in later.
	place := store.End
	n := min(limit+1, recentPage)
	at, low := p.upto, int64(1<<62)
	gap := false
	for seen := 0; len(events) <= limit && turn == nil && !gap; {
		var page []*event.Event
		if !byLog {
			page, err = s.HistoryBack(ctx, st.Room, place, store.Beginning, p.upto, n)
		} else if nids, ok := st.news(p.from, at); ok {
			page, err = s.Events(ctx, nids[:min(len(nids), n)])
		} else {
			page, err = s.Timeline(ctx, st.Room, p.from, at, n)
		}
		if err != nil {
			return nil, false, nil, false, err
		}
		for _, e := range page {
			if e.Pos > 0 {
				late, low = late || e.Pos > low, e.Pos
			}
			ok, err := b.shows(ctx, st, f, e, reader)
			if err != nil {
				return nil, false, nil, false, err
			}
			if b.q.StateAfter == "" && e.Has(event.Turn) {
				won, err := b.holds(ctx, e)
				if err != nil {
					return nil, false, nil, false, err
				}
				if turn = e; ok && won {
					events = append(events, e)
				}
				break
			}
			if ok {
				if events = append(events, e); len(events) > limit {
					break
				}
			}
			if gap, err = b.opens(ctx, e); err != nil {
				return nil, false, nil, false, err
			} else if gap {
				break
			}
		}
		if seen += len(page); len(page) < n {
			break
		}
		if seen >= recentScan {
			limited = true
			break
		}
		at, place = page[len(page)-1].Pos-1, store.Before(page[len(page)-1])
	}
	if !byLog && !late && low < 1<<62 {
		if late, err = s.Disordered(ctx, st.Room, low, p.upto); err != nil {
			return nil, false, nil, false, err
		}
	}
	limited = limited || turn != nil || gap
	if len(events) > limit {
		events, limited, turn = events[:limit], true, nil
	}
	if p.from == 0 && !b.q.Initial {
		// For a client that meets the room, what it gets is never the continuation of what it has.
		limited = true
	}
	slices.Reverse(events)
	return events, limited, turn, late, nil
}

// opens tells whether there may be events before one that aren't in the timeline. A join by way of another
// server follows what is here if that is what the other server had too, e.g. since one user of this server left
// the room just before another one joined it.
func (b *builder) opens(ctx context.Context, e *event.Event) (bool, error) {
	if !e.Has(event.Founding) || e.Has(event.Gap) {
		return e.Has(event.Gap), nil
	}
	if len(e.Prev) == 0 || len(e.Prev) < len(e.PrevEvents) {
		return true, nil
	}
	prev, err := b.s.o.Store.Events(ctx, e.Prev)
	if errors.Is(err, store.ErrNotFound) {
		return true, nil // purged since
	} else if err != nil {
		return false, err
	}
	return slices.ContainsFunc(prev, func(p *event.Event) bool { return p.Pos <= 0 || p.Pos > e.Pos }), nil
}

// holds tells whether a turn is one that a timeline may begin at: a message, or state that holds. A
// membership that lost to the same one (with another name, say) is better shown than lost.
func (b *builder) holds(ctx context.Context, e *event.Event) (bool, error) {
	if !e.IsState() {
		return true, nil
	}
	nid, _, err := b.s.o.Store.State().Get(ctx, e.Now(), e.Key)
	if err != nil || nid == e.NID || nid == 0 || e.Type != "m.room.member" {
		return nid == e.NID, err
	}
	won, err := b.s.o.Store.Event(ctx, nid)
	return err == nil && won.Membership() == e.Membership(), err
}

// shows tells whether an event belongs into a timeline. The event by which the user left does also
// if the room's history is closed to them.
func (b *builder) shows(ctx context.Context, st Standing, f EventFilter, e *event.Event, r Reader) (bool, error) {
	if e.Has(event.SoftFailed) || e.Has(event.Rejected) || !f.Allows(e) || b.hides(e) {
		return false, nil
	}
	if e.NID == st.Event {
		return true, nil
	}
	ok, err := b.seen.check(ctx, b.s.o.Store, e, r)
	if err != nil || ok || !e.IsState() || r.Current != "join" {
		return ok, err
	}
	// What is the room's state now is no secret from who is in the room, whenever it was set; clients
	// expect it where it happened.
	return b.current(ctx, st, e)
}

// current tells whether a state event is part of the room's state as of this answer.
func (b *builder) current(ctx context.Context, st Standing, e *event.Event) (bool, error) {
	root, err := st.RootAt(ctx, b.s.o.Store, b.upto.Log)
	if err != nil {
		return false, err
	}
	nid, _, err := b.s.o.Store.State().Get(ctx, root, e.Key)
	return nid == e.NID, err
}

// StateEntry is a change of state: the number of the (type, state key) pair and that of the event, 0
// if there is none any more.
type StateEntry struct{ Key, NID int64 }

// manyEntries is from how many entries on it pays to ask who the members are all at once.
const manyEntries = 200

// StateChanges lists what is different in a state from another one, in no order. Without members it
// leaves out m.room.member.
func StateChanges(ctx context.Context, s *store.Store, room int64, before, after statetree.Ref, withoutMembers bool) (out []StateEntry, err error) {
	err = s.State().Diff(ctx, before, after, func(c statetree.Change) {
		e := StateEntry{Key: c.Key}
		if c.InNew {
			e.NID = c.New
		}
		out = append(out, e)
	})
	if err != nil || !withoutMembers {
		return out, err
	}
	members := map[int64]bool{}
	if len(out) > manyEntries {
		all, err := s.MembersOf(ctx, room)
		if err != nil {
			return nil, err
		}
		for _, m := range all {
			members[m.Event] = true
		}
	}
	var failed error
	out = slices.DeleteFunc(out, func(e StateEntry) bool {
		if failed != nil || members[e.NID] {
			return true
		}
		k, err := s.StateKey(ctx, e.Key)
		failed = err
		return k.Type == "m.room.member"
	})
	return out, failed
}

// stateDelta is which state events a client needs.
type stateDelta struct {
	nids []int64
	// people tells whether there are memberships, names or aliases among them.
	people bool
}

// stateChange lists the state events by which a client gets from what it knows of a room to the
// given state.
func (b *builder) stateChange(ctx context.Context, st Standing, p part, after statetree.Ref, timeline []*event.Event) (d stateDelta, err error) {
	s, f := b.s.o.Store, b.q.Filter.Room.State
	known := p.from > 0 && !b.q.FullState
	var before statetree.Ref
	if known {
		if before, err = st.RootAt(ctx, s, p.from); err != nil {
			return d, err
		}
	}
	lazy := f.LazyLoadMembers
	// "When a sync is limited, the server MUST return membership events for events in the gap".
	// Other than there, lazily loading clients get what they need only.
	entries, err := StateChanges(ctx, s, st.Room, before, after, lazy && !known)
	if err != nil {
		return d, err
	}
	if known {
		if entries, err = b.corrected(ctx, st.Room, p, after, entries); err != nil {
			return d, err
		}
	}
	seen := make(map[int64]bool, len(entries))
	for _, c := range entries {
		if c.NID == 0 {
			continue
		}
		if known {
			k, err := s.StateKey(ctx, c.Key)
			if err != nil {
				return d, err
			}
			if !f.AllowsType(k.Type) {
				continue // nor does it make the room worth telling
			}
			d.people = d.people || k.Type == "m.room.member" || k.Type == "m.room.name" || k.Type == "m.room.canonical_alias"
		}
		d.nids, seen[c.NID] = append(d.nids, c.NID), true
	}
	if lazy {
		users, err := b.lazyUsers(ctx, st, known, timeline)
		if err != nil {
			return d, err
		}
		for _, user := range users {
			e, err := MemberAt(ctx, s, after, user, timeline)
			if errors.Is(err, store.ErrNotFound) {
				continue
			} else if err != nil {
				return d, err
			}
			key := LazyKey{b.q.Scope, st.Room, user}
			if !seen[e.NID] && (!known || f.IncludeRedundantMembers || !b.s.lazy.Has(key, e.NID, b.q.Since.Log)) {
				d.nids, seen[e.NID] = append(d.nids, e.NID), true
			}
			b.s.lazy.Add(key, e.NID, b.upto.Log)
		}
	}
	slices.Sort(d.nids)
	return d, nil
}

// lazyUsers are the users whose memberships a lazily loading client needs: the senders, and where
// it meets the room, also its own ("servers MUST include the syncing user's own membership event
// when they join a room, or when the full state of rooms is requested") and those of the heroes
// ("the membership events for the heroes MUST be included in the state, unless they are
// redundant").
func (b *builder) lazyUsers(ctx context.Context, st Standing, known bool, timeline []*event.Event) (users []string, err error) {
	add := func(u string) {
		if !slices.Contains(users, u) {
			users = append(users, u)
		}
	}
	people := !known
	for _, e := range timeline {
		add(string(e.Sender))
		people = people || e.IsState() && (e.Type == "m.room.member" || e.Type == "m.room.name")
	}
	if !known {
		add(b.q.UserID)
	}
	if !people || st.Membership.Membership != "join" {
		return users, nil
	}
	if named, err := b.named(ctx, st); err != nil || named {
		return users, err
	}
	heroes, err := b.s.Heroes(ctx, st, b.q.User)
	if err != nil {
		return nil, err
	}
	for _, h := range heroes {
		id, err := b.s.o.Store.UserID(ctx, h)
		if err != nil {
			return nil, err
		}
		add(id)
	}
	return users, nil
}
