package room

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// mailboxSize is how many proposals may wait for a room's turn; more wait at the door.
const mailboxSize = 64

// turn is one piece of work in a mailbox.
type turn struct {
	ctx   context.Context
	build func(context.Context, *actor, *batch) error
	done  chan answer
}

type answer struct {
	events []*event.Event
	err    error
}

// actor is the one writer of a room. Fields without a note belong to its goroutine.
type actor struct {
	m       *Manager
	nid     int64
	mailbox chan turn
	ended   chan struct{}
	users   int // guarded by Manager.mu

	// dead is set when a write failed: nothing may be built on this actor's memory any more.
	dead atomic.Bool
	// inFlight counts batches handed to the store and not yet answered.
	inFlight sync.WaitGroup

	loaded bool
	epoch  int64
	room   store.Room
	tips   []*event.Event // the forward extremities
	// current caches state events of the current state by their key; nil for known absence.
	current map[store.StateKey]*event.Event
	power   *Power
	// resolved remembers what forks resolve to, by the sorted states.
	resolved map[string]statetree.Ref
	// joined counts the joined members by server. partial are the servers in the room of which it is
	// not known yet how many; they are counted with one more, and nil means that the room is
	// complete. others are all servers in it but this one. The lists are never written to.
	joined          map[string]int64
	partial, others []string
	// flying are batches that the store has not answered yet, oldest first, and aloft the
	// events in them and in the batch that is being built.
	flying []*batch
	aloft  map[int64]*event.Event
	// recent remembers the requests of late, so that a retry is recognised without a look at the
	// store.
	recent recentTxns
	// settled are batches that it has; guarded by settledMu.
	settledMu sync.Mutex
	settled   int
}

// currentMax bounds the cached state events of an actor.
const currentMax = 2048

// restPart is after which part of the time after which an idle actor ends it forgets the state that it has cached. Many rooms may have
// been busy for a moment, e.g. with an import, and the members who spoke there take megabytes.
const restPart = 20

func newActor(m *Manager, nid int64) *actor {
	return &actor{m: m, nid: nid, mailbox: make(chan turn, mailboxSize), ended: make(chan struct{}), current: map[store.StateKey]*event.Event{}, resolved: map[string]statetree.Ref{}, joined: map[string]int64{}, aloft: map[int64]*event.Event{}}
}

func (a *actor) run() {
	defer close(a.ended)
	defer a.inFlight.Wait()
	idle := time.NewTimer(a.m.o.Idle)
	defer idle.Stop()
	rest := time.NewTimer(a.m.o.Idle / restPart)
	defer rest.Stop()
	merge := time.NewTimer(a.m.o.MergeAfter)
	merge.Stop()
	defer merge.Stop()
	for waiting := false; ; {
		select {
		case t := <-a.mailbox:
			a.turn(t)
			idle.Reset(a.m.o.Idle)
			rest.Reset(a.m.o.Idle / restPart)
			if many := len(a.tips) > citeMax; many != waiting {
				if waiting = many; many {
					merge.Reset(a.m.o.MergeAfter)
				} else {
					merge.Stop()
				}
			}
		case <-merge.C:
			waiting = false
			a.merge()
		case <-rest.C:
			clear(a.current)
		case <-idle.C:
			if a.m.retire(a) {
				return
			}
			idle.Reset(a.m.o.Idle)
		case <-a.m.stop:
			return
		}
		if a.dead.Load() && a.m.retire(a) {
			return
		}
	}
}

// turn does one piece of work and answers, now or when the store has.
func (a *actor) turn(t turn) {
	b := &batch{drafts: event.NewDrafts(a.m.o.Signer)}
	err := t.ctx.Err()
	if err == nil {
		err = a.load(t.ctx)
	}
	if err != nil {
		t.done <- answer{err: err}
		return
	}
	a.settle()
	before := a.mark()
	if err = t.build(t.ctx, a, b); err == nil && !b.empty() {
		err = b.encode()
	}
	if err != nil {
		a.restore(before, b)
		t.done <- answer{err: err}
		return
	}
	if b.empty() {
		// Nothing new, e.g. the answer to a retry; what it answers with may be in flight.
		a.answerAfter(b, t)
		return
	}
	b.room = a.room
	a.flying = append(a.flying, b)
	a.inFlight.Add(1)
	err = a.m.o.Store.Submit(context.WithoutCancel(t.ctx), a.epoch, b.write, func(err error) {
		defer a.inFlight.Done()
		if err == nil {
			a.m.o.Store.State().Stored(b.packs)
		} else {
			a.dead.Store(true)
			a.m.o.Store.State().Dropped(b.packs)
		}
		a.settledMu.Lock()
		a.settled++
		a.settledMu.Unlock()
		b.finish(answer{b.result, err})
		t.done <- answer{b.result, err}
	})
	if err != nil { // the store is closed
		a.inFlight.Done()
		a.dead.Store(true)
		b.finish(answer{err: err})
		t.done <- answer{err: err}
	}
}

// answerAfter answers a turn that made nothing, when the batch whose event it is answered with
// is durable.
func (a *actor) answerAfter(b *batch, t turn) {
	if b.after == nil {
		t.done <- answer{events: b.result}
		return
	}
	b.after.then(func(r answer) {
		t.done <- answer{b.result, r.err}
	})
}

// load reads the room from the store.
func (a *actor) load(ctx context.Context) error {
	if a.dead.Load() {
		return store.ErrStale
	}
	if a.loaded {
		return nil
	}
	s := a.m.o.Store
	a.epoch = s.Epoch()
	row, err := s.LoadRoom(ctx, a.nid)
	if errors.Is(err, store.ErrNotFound) {
		// A room that is just being made: its first batch writes the row.
		a.room, a.loaded = store.Room{NID: a.nid}, true
		return nil
	}
	if err != nil {
		return fmt.Errorf("loading room: %w", err)
	}
	a.recent.since = s.Position()
	tips, err := s.Events(ctx, row.Extremities)
	if err != nil {
		return fmt.Errorf("loading room %s: %w", row.ID, err)
	}
	if err := a.loadServers(ctx); err != nil {
		return fmt.Errorf("loading room %s: %w", row.ID, err)
	}
	a.room, a.tips, a.loaded = row, tips, true
	return nil
}

// settle forgets batches that are durable.
func (a *actor) settle() {
	a.settledMu.Lock()
	n := a.settled
	a.settled = 0
	a.settledMu.Unlock()
	for _, b := range a.flying[:n] {
		for _, e := range b.events {
			delete(a.aloft, e.NID)
			a.recent.add(e)
		}
		for _, e := range b.mended {
			delete(a.aloft, e.NID)
		}
	}
	a.flying = a.flying[n:]
}

// mark remembers what a failed turn must put back.
type mark struct {
	room   store.Room
	tips   []*event.Event
	power  *Power
	joined map[string]int64

	partial, others []string
}

func (a *actor) mark() mark { return mark{a.room, a.tips, a.power, a.joined, a.partial, a.others} }

func (a *actor) restore(m mark, b *batch) {
	a.room, a.tips, a.power, a.joined, a.partial, a.others = m.room, m.tips, m.power, m.joined, m.partial, m.others
	clear(a.resolved) // some of it may be in the packs that are dropped
	for _, k := range b.touched {
		delete(a.current, k)
	}
	for _, e := range slices.Concat(b.events, b.mended) {
		delete(a.aloft, e.NID)
	}
	a.m.o.Store.State().Dropped(b.packs)
}

// state finds an event of the current state; nil if there is none.
func (a *actor) state(ctx context.Context, typ, key string) (*event.Event, error) {
	k := store.StateKey{Type: typ, Key: key}
	if e, ok := a.current[k]; ok {
		return e, nil
	}
	nid, err := a.m.o.Store.StateKeyNID(ctx, k)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	at, ok, err := a.m.o.Store.State().Get(ctx, a.room.Root, nid)
	if err != nil {
		return nil, fmt.Errorf("looking up state %s %q: %w", typ, key, err)
	}
	var e *event.Event
	if ok {
		if e, err = a.event(ctx, at); err != nil {
			return nil, err
		}
	}
	a.remember(k, e)
	return e, nil
}

func (a *actor) remember(k store.StateKey, e *event.Event) {
	if len(a.current) >= currentMax {
		clear(a.current)
	}
	a.current[k] = e
}

// event finds an event by number, also one that is not durable yet.
func (a *actor) event(ctx context.Context, nid int64) (*event.Event, error) {
	if e, ok := a.aloft[nid]; ok {
		return e, nil
	}
	return a.m.o.Store.Event(ctx, nid)
}

// levels are the current power levels.
func (a *actor) levels(ctx context.Context) (*Power, error) {
	if a.power != nil {
		return a.power, nil
	}
	create, err := a.state(ctx, "m.room.create", "")
	if err != nil {
		return nil, err
	}
	levels, err := a.state(ctx, "m.room.power_levels", "")
	if err != nil {
		return nil, err
	}
	a.power = parsePower(create, levels)
	return a.power, nil
}

// append hangs an event that was made here at the end of the room.
func (a *actor) append(ctx context.Context, b *batch, e *event.Event) error {
	tips, before, err := a.cite(ctx, b)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(tips, isPartial) {
		e.Flags |= event.Partial
	}
	return a.land(ctx, b, e, before, &landing{})
}
