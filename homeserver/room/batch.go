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
	raw    [][]byte
	// past are events that come before all others, oldest first.
	past      []*event.Event
	pastRaw   [][]byte
	packs     []statetree.Pack
	pruned    []*event.Event
	prunedRaw [][]byte
	touched   []store.StateKey
	// fresh means that the room itself is new.
	fresh bool
	room  store.Room
	// extra is written along.
	extra []func(*store.Tx) error
	// result is what the proposer is answered with.
	result []*event.Event
	// after, for a turn that made nothing, is the batch in flight that it is answered from.
	after *batch

	mu      sync.Mutex
	done    bool
	outcome answer
	waiting []func(answer)
}

// encode makes the stored form of the events and enforces their size.
func (b *batch) encode() (err error) {
	if b.raw, err = encodeAll(b.events); err != nil {
		return err
	}
	if b.pastRaw, err = encodeAll(b.past); err != nil {
		return err
	}
	b.prunedRaw, err = encodeAll(b.pruned)
	return err
}

func encodeAll(events []*event.Event) ([][]byte, error) {
	raws := make([][]byte, len(events))
	for i, e := range events {
		raw, err := e.JSON()
		if err != nil {
			return nil, mxerror.BadJSON("The event's content is not valid JSON.").Because(err)
		}
		if err := event.CheckSize(raw); err != nil {
			return nil, err
		}
		raws[i] = raw
	}
	return raws, nil
}

// empty tells whether there is nothing to write.
func (b *batch) empty() bool { return len(b.events)+len(b.past) == 0 }

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
	for i, e := range b.events {
		if err := t.AddEvent(e, b.raw[i]); err != nil {
			return err
		}
		if e.Type == "m.room.member" && e.IsState() {
			if err := b.writeMember(t, e); err != nil {
				return err
			}
		}
	}
	if err := b.writePast(t); err != nil {
		return err
	}
	for i, e := range b.pruned {
		if err := t.PruneEvent(e, b.prunedRaw[i]); err != nil {
			return err
		}
	}
	for _, fn := range b.extra {
		if err := fn(t); err != nil {
			return err
		}
	}
	if len(b.events) > 0 {
		room := b.room
		for _, e := range b.events {
			if e.Flags&event.FromFederation == 0 {
				room.LocalPos = max(room.LocalPos, e.Pos)
			}
		}
		t.SetRoom(room)
	}
	return nil
}

func (b *batch) writeMember(t *store.Tx, e *event.Event) error {
	user, err := t.NameUser(*e.StateKey)
	if err != nil {
		return err
	}
	membership := e.Membership()
	if membership == "" {
		membership = "leave"
	}
	return t.SetMembership(store.Membership{Room: e.Room, User: user, Membership: membership, Event: e.NID, Pos: e.Pos})
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
