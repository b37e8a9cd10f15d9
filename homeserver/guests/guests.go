package guests

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Rooms sends events into rooms.
type Rooms interface {
	Send(ctx context.Context, room int64, p room.Proposal) (*event.Event, error)
}

// Options say what Guests works with.
type Options struct {
	Store *store.Store
	Rooms Rooms
	// Log tells which guests could not be made to leave.
	Log *slog.Logger
}

// Guests makes guests leave. It is safe for concurrent use.
type Guests struct {
	o Options

	mu sync.Mutex
	// rooms are those to be looked at; all tells that there were too many to note.
	rooms map[int64]bool
	all   bool
	wake  chan struct{}
}

// roomsMax bounds the rooms that are noted.
const roomsMax = 10_000

// New makes Guests. At the start every room with guests is looked at, so that a change of which a crash
// hid the consequences has them all the same.
func New(o Options) *Guests {
	return &Guests{o: o, rooms: map[int64]bool{}, all: true, wake: make(chan struct{}, 1)}
}

// Publish takes in fresh log entries. The store's writer calls it; it does not block.
func (g *Guests) Publish(entries []store.Entry) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range entries {
		changed := e.Kind == store.KindEvent && e.Event != nil && e.Event.Is("m.room.guest_access", "") ||
			e.Kind == store.KindState && e.Member == nil
		if !changed {
			continue
		}
		if g.all = g.all || len(g.rooms) == roomsMax; g.all {
			clear(g.rooms)
		} else {
			g.rooms[e.Room] = true
		}
		select {
		case g.wake <- struct{}{}:
		default:
		}
	}
}

// Run makes guests leave until ctx ends.
func (g *Guests) Run(ctx context.Context) error {
	for {
		if err := g.round(ctx); err != nil && ctx.Err() == nil {
			// The next start tries again.
			g.o.Log.ErrorContext(ctx, "looking for guests who are to leave failed", "err", err)
		}
		select {
		case <-g.wake:
		case <-ctx.Done():
			return nil
		}
	}
}

func (g *Guests) round(ctx context.Context) error {
	g.mu.Lock()
	rooms, all := g.rooms, g.all
	g.rooms, g.all = map[int64]bool{}, false
	g.mu.Unlock()
	if all {
		some, err := g.o.Store.RoomsWithGuests(ctx)
		if err != nil {
			return fmt.Errorf("reading the rooms with guests: %w", err)
		}
		for _, r := range some {
			rooms[r] = true
		}
	}
	var failed error
	for r := range rooms {
		if err := g.SendAway(ctx, r); err != nil {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

// Welcome tells whether guests may join a room: "Servers MUST only allow guest users to join rooms if the
// m.room.guest_access state event is present on the room, and has the guest_access value can_join."
func (g *Guests) Welcome(ctx context.Context, roomNID int64) (bool, error) {
	root, err := g.o.Store.RootAt(ctx, roomNID, g.o.Store.Position())
	if err != nil {
		return false, err
	}
	e, err := g.o.Store.StateEvent(ctx, root, "m.room.guest_access", "")
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && e.ContentString("guest_access") == "can_join", err
}

// SendAway makes the guests of a room leave that doesn't want any: "If the m.room.guest_access event is
// changed to stop this from being the case, the server MUST set those users' m.room.member state to leave."
func (g *Guests) SendAway(ctx context.Context, roomNID int64) error {
	guests, err := g.o.Store.GuestsIn(ctx, roomNID)
	if err != nil || len(guests) == 0 {
		return err
	}
	if ok, err := g.Welcome(ctx, roomNID); err != nil || ok {
		return err
	}
	for _, nid := range guests {
		id, err := g.o.Store.UserID(ctx, nid)
		if err != nil {
			return err
		}
		_, err = g.o.Rooms.Send(ctx, roomNID, room.Proposal{Sender: id, Type: "m.room.member", StateKey: &id, Content: []byte(`{"membership":"leave"}`)})
		if err != nil && !mxerror.Is(err, "M_FORBIDDEN") {
			return fmt.Errorf("making a guest leave: %w", err)
		}
	}
	return nil
}
