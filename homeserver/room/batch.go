package room

import (
	"sync"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// batch is what one turn makes: written by one write of the store, all or nothing.
type batch struct {
	events []*event.Event
	// landings say how each of the events is written.
	landings []*landing
	// past are events that come before all others, oldest first.
	past         []*event.Event
	pastLandings []*landing
	// late are events that come to their places by time.
	late         []*event.Event
	lateLandings []*landing
	// drafts makes those events of which there are many.
	drafts *event.Drafts

	packs     []statetree.Pack
	pruned    []*event.Event
	prunedRaw [][]byte
	// unpruned are the events that pruned are the new form of.
	unpruned []*event.Event
	touched  []store.StateKey
	// fresh means that the room itself is new.
	fresh bool
	room  store.Room
	// mended are events that are there already and have other states now.
	mended []*event.Event
	// first is written before the events, and extra after them.
	first, extra []func(*store.Tx) error
	// bulk tells that the turn brings many changes: what is worked out from all of them comes last.
	bulk bool
	// counted tells that the actor's counts of members are this turn's own already.
	counted bool
	// result is what the proposer is answered with.
	result []*event.Event
	// after, for a turn that made nothing, is the batch in flight that it is answered from.
	after *batch

	mu      sync.Mutex
	done    bool
	outcome answer
	waiting []func(answer)
}

// landing is how an event gets into the store.
type landing struct {
	raw []byte
	// unseen events have no place in the timeline, and placed ones were there as outliers.
	unseen, placed bool
	// at is the position that a placed one had already.
	at int64
	// changes are those of the current state.
	changes []change
	// missing are previous events that aren't here.
	missing []string
	// servers are told of the event.
	servers []string
	// quiet changes aren't logged where they concern nobody of this server.
	quiet bool
	own   string
}

// change is a key of the current state that has another event.
type change struct {
	key, ref int64
	// self tells that it is the landing event's own key, and that the event has won it.
	self bool
	// user, when not empty, has another standing: that of the event member.
	user       string
	membership string
	member     int64
	// joined is 1 for who has joined and -1 for who has left.
	joined int64
	// found tells that it is no change, but has become known only now.
	found bool
	// written tells that the standing is in the store already.
	written bool
}

// encode makes the stored form of the events and enforces their size.
func (b *batch) encode() (err error) {
	if err = encodeAll(b.events, b.landings); err != nil {
		return err
	}
	if err = encodeAll(b.past, b.pastLandings); err != nil {
		return err
	}
	if err = encodeAll(b.late, b.lateLandings); err != nil {
		return err
	}
	b.prunedRaw = make([][]byte, len(b.pruned))
	for i, e := range b.pruned {
		if b.prunedRaw[i], err = encode(e); err != nil {
			return err
		}
	}
	return nil
}

func encodeAll(events []*event.Event, landings []*landing) (err error) {
	for i, e := range events {
		if l := landings[i]; l.raw == nil {
			if l.raw, err = encode(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func encode(e *event.Event) ([]byte, error) {
	raw, size, err := e.Stored()
	if err != nil {
		return nil, mxerror.BadJSON("The event's content is not valid JSON.").Because(err)
	}
	return raw, event.CheckLength(size)
}

// add puts an event in.
func (b *batch) add(e *event.Event, l *landing) {
	b.events, b.landings = append(b.events, e), append(b.landings, l)
}

// empty tells whether there is nothing to write.
func (b *batch) empty() bool {
	return len(b.events)+len(b.past)+len(b.late)+len(b.first)+len(b.extra)+len(b.pruned) == 0 && !b.fresh
}

// write is the batch's part of a transaction. It may run more than once.
func (b *batch) write(t *store.Tx) error {
	if err := t.AddPacks(b.packs); err != nil {
		return err
	}
	if b.fresh {
		if err := t.AddRoom(b.room); err != nil {
			return err
		}
	}
	for _, fn := range b.first {
		if err := fn(t); err != nil {
			return err
		}
	}
	room := b.room
	for i, e := range b.events {
		if err := b.landings[i].write(t, e); err != nil {
			return err
		}
		if e.Flags&event.FromFederation == 0 {
			room.LocalPos = max(room.LocalPos, e.Pos)
		}
	}
	if err := b.writePast(t); err != nil {
		return err
	}
	for i, e := range b.late {
		if err := t.AddLateEvent(e, b.lateLandings[i].raw); err != nil {
			return err
		}
	}
	for i, e := range b.pruned {
		// Of what is written just now, or was just before, the position was not known when it was pruned.
		e.Pos = b.unpruned[i].Pos
		if err := t.PruneEvent(e, b.prunedRaw[i]); err != nil {
			return err
		}
	}
	for _, fn := range b.extra {
		if err := fn(t); err != nil {
			return err
		}
	}
	if len(b.events)+len(b.first) > 0 {
		t.SetRoom(room)
	}
	return nil
}

// write puts an event into the store, with what follows from it.
func (l *landing) write(t *store.Tx, e *event.Event) (err error) {
	switch {
	case l.placed:
		e.Pos = l.at // not that of an earlier run
		err = t.PlaceEvent(e, l.raw, !l.unseen && l.at == 0)
	case l.unseen:
		err = t.AddUnseen(e, l.raw)
	default:
		err = t.AddEvent(e, l.raw)
	}
	if err != nil {
		return err
	}
	t.SetServers(e.NID, l.servers)
	for _, c := range l.changes {
		if err := l.writeChange(t, e, c); err != nil {
			return err
		}
	}
	for _, id := range l.missing {
		if err := t.AddMissingPrev(e.Room, store.MissingPrev{ID: id, After: e.NID}); err != nil {
			return err
		}
	}
	if !l.unseen && e.Flags&event.FromFederation != 0 {
		return t.DeleteMissingPrev(e.Room, e.ID)
	}
	return nil
}

// writeChange writes what follows from a change of the current state. Standings that change have
// the position of the event that changed them.
func (l *landing) writeChange(t *store.Tx, e *event.Event, c change) error {
	if !c.self && !((l.quiet || c.found) && (c.user == "" || store.ServerOf(c.user) != l.own)) {
		entry := store.Entry{Kind: store.KindState, Room: e.Room, User: c.key, Ref: c.ref}
		if c.ref != 0 {
			entry.User = e.Author
		}
		if _, err := t.Log(entry); err != nil {
			return err
		}
	}
	if c.user == "" || c.written {
		return nil
	}
	user, err := t.NameUser(c.user)
	if err != nil {
		return err
	}
	if c.joined != 0 {
		if err := t.MoveMembers(e.Room, store.ServerOf(c.user), c.joined, e.Pos); err != nil {
			return err
		}
	}
	err = t.SetMembership(store.Membership{Room: e.Room, User: user, Membership: c.membership, Event: c.member, Pos: e.Pos})
	if err != nil || c.joined >= 0 {
		return err
	}
	if store.ServerOf(c.user) == l.own {
		// With the last of its users this server is gone, and isn't told of the others' devices any more.
		if n, err := t.JoinedOf(e.Room, l.own); err != nil || n > 0 {
			return err
		}
		return t.StaleDeviceListsIn(e.Room)
	}
	return t.StaleDeviceList(user)
}

// then calls fn with the outcome, now or when there is one.
func (b *batch) then(fn func(answer)) {
	b.mu.Lock()
	if !b.done {
		b.waiting = append(b.waiting, fn)
		b.mu.Unlock()
		return
	}
	b.mu.Unlock()
	fn(b.outcome)
}

func (b *batch) finish(r answer) {
	b.mu.Lock()
	b.done, b.outcome = true, r
	waiting := b.waiting
	b.waiting = nil
	b.mu.Unlock()
	for _, fn := range waiting {
		fn(r)
	}
}
