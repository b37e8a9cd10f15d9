package room

import (
	"context"
	"encoding/json/jsontext"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Proposal is an event that somebody wants to have in a room.
type Proposal struct {
	Sender   string
	Type     string
	StateKey *string
	Content  jsontext.Value
	// Redacts is the id of the event that an m.room.redaction prunes.
	Redacts string
	// ByAdmin means that an administrator of this server redacts, who may do so with everything by
	// users of this server.
	ByAdmin bool
	// TS is the time in milliseconds; 0 means now.
	TS int64
	// TxnScope and Txn make the proposal idempotent: a second one with both the same answers
	// with the first one's event. TxnScope 0 means that it is not.
	TxnScope int64
	Txn      string
	// asked is the log position until which the store has been asked for the transaction.
	asked int64
	// past means that this is history being brought in, which is taken as it was.
	past bool
	// imported marks the event as one of a chronicle.
	imported bool
}

// Options say what a Manager needs.
type Options struct {
	Store  *store.Store
	Signer event.Signer
	// Policy asks policy servers; nil means that rooms can't use them.
	Policy Policy
	Log    *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Idle is how long an actor without work stays; 0 means five minutes.
	Idle time.Duration
	// MergeAfter is how long a room is left with more forward extremities than one event can cite
	// before one is made to join them; 0 means a minute.
	MergeAfter time.Duration
}

// Manager finds or starts the actors of rooms. It is safe for concurrent use.
type Manager struct {
	o Options

	mu     sync.Mutex
	actors map[int64]*actor
	// barred are the rooms that are being removed, see Bar; their numbers are not used again.
	barred map[int64]struct{}
	closed bool
	// making are the ids of rooms that are being made.
	making map[string]bool
	wg     sync.WaitGroup
	// naming is held while a room of other servers gets its row.
	naming sync.Mutex
	// adopting is held while a draft that a policy server has signed is taken in.
	adopting sync.Mutex
	// stop ends the actors.
	stop chan struct{}
}

// NewManager makes a manager; Close ends it.
func NewManager(o Options) *Manager {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Idle == 0 {
		o.Idle = 5 * time.Minute
	}
	if o.MergeAfter == 0 {
		o.MergeAfter = time.Minute
	}
	o.Store.SignBy(o.Signer)
	return &Manager{o: o, actors: map[int64]*actor{}, making: map[string]bool{}, barred: map[int64]struct{}{}, stop: make(chan struct{})}
}

// Close ends all actors and waits for them. Proposals in their mailboxes fail.
func (m *Manager) Close() {
	m.mu.Lock()
	if !m.closed {
		m.closed = true
		close(m.stop)
	}
	m.mu.Unlock()
	m.wg.Wait()
}

// errClosed answers what comes after Close.
var errClosed = mxerror.New(503, "M_UNKNOWN", "The server is shutting down.")

// acquire finds or starts a room's actor and keeps it from being evicted until release.
func (m *Manager) acquire(nid int64) (*actor, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, errClosed
	}
	if _, gone := m.barred[nid]; gone {
		return nil, errGone
	}
	a := m.actors[nid]
	if a == nil || a.dead.Load() {
		a = newActor(m, nid)
		m.actors[nid] = a
		m.wg.Go(a.run)
	}
	a.users++
	return a, nil
}

func (m *Manager) release(a *actor) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a.users--
}

// retire takes an actor out if nobody uses it; true means that it must end.
func (m *Manager) retire(a *actor) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a.users > 0 && !a.dead.Load() {
		return false
	}
	if m.actors[a.nid] == a {
		delete(m.actors, a.nid)
	}
	return true
}

// Active counts the rooms with an actor.
func (m *Manager) Active() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.actors)
}

// Send puts one event into a room and returns it once it is durable.
func (m *Manager) Send(ctx context.Context, room int64, p Proposal) (*event.Event, error) {
	if p.TxnScope != 0 {
		// A retry of long ago; retries of what is still under way are the actor's to know. The
		// position is taken first: what comes after it the actor has seen.
		p.asked = m.o.Store.Position()
		e, err := m.o.Store.EventByTxn(ctx, p.TxnScope, p.Txn, room)
		if !errors.Is(err, store.ErrNotFound) {
			return e, err
		}
	}
	out, err := m.SendAll(ctx, room, []Proposal{p})
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// SendAll puts events into a room, all or none, and returns them once they are durable.
func (m *Manager) SendAll(ctx context.Context, room int64, ps []Proposal) ([]*event.Event, error) {
	out, err := m.do(ctx, room, func(ctx context.Context, a *actor, b *batch) error {
		for _, p := range ps {
			e, err := a.propose(ctx, b, p)
			if err != nil {
				return err
			}
			b.result = append(b.result, e)
		}
		return nil
	})
	var asking *askPolicy
	if errors.As(err, &asking) {
		return m.sendAsked(ctx, room, ps)
	}
	return out, err
}

// tries is how often a proposal is made anew when what it was built on did not become durable.
const tries = 3

// do runs build in a room's turn and waits until what it built is durable.
func (m *Manager) do(ctx context.Context, room int64, build func(context.Context, *actor, *batch) error) ([]*event.Event, error) {
	for try := 1; ; try++ {
		out, err := m.once(ctx, room, build)
		if !errors.Is(err, store.ErrStale) || try == tries {
			return out, err
		}
	}
}

func (m *Manager) once(ctx context.Context, room int64, build func(context.Context, *actor, *batch) error) ([]*event.Event, error) {
	a, err := m.acquire(room)
	if err != nil {
		return nil, err
	}
	defer m.release(a)
	t := turn{ctx: ctx, build: build, done: make(chan answer, 1)}
	select {
	case a.mailbox <- t:
	case <-a.ended:
		return nil, fmt.Errorf("room %d: %w", room, store.ErrStale)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case r := <-t.done:
		return r.events, r.err
	case <-a.ended:
		// The actor answers everything that it took out of its mailbox; look once more.
		select {
		case r := <-t.done:
			return r.events, r.err
		default:
			return nil, fmt.Errorf("room %d: %w", room, store.ErrStale)
		}
	}
}

// Power reads a room's power levels as they are in the store.
func (m *Manager) Power(ctx context.Context, room int64) (*Power, error) {
	s := m.o.Store
	row, err := s.LoadRoom(ctx, room)
	if err != nil {
		return nil, err
	}
	create, err := s.StateEvent(ctx, row.Root, "m.room.create", "")
	if err != nil {
		return nil, err
	}
	levels, err := s.StateEvent(ctx, row.Root, "m.room.power_levels", "")
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	return parsePower(create, levels), nil
}
