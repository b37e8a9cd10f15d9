package retention

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Every is how long it takes from one look at all rooms to the next.
const Every = time.Hour

// batch is how many events one write removes, and roomsPage how many rooms are listed at a time.
const batch, roomsPage = 200, 500

// Index is the search index, from which what is removed goes too.
type Index interface {
	// Remove takes events out, by their positions in the log.
	Remove(ctx context.Context, positions []int64) error
}

// Options are what a Keeper works with.
type Options struct {
	Store *store.Store
	Index Index // nil: there is none
	Log   *slog.Logger
	Now   func() time.Time
}

// Keeper removes what is too old. It is safe for concurrent use.
type Keeper struct {
	o      Options
	policy atomic.Pointer[Policy]
	wake   chan struct{}
	gone   atomic.Int64
}

// New makes a Keeper that keeps everything.
func New(o Options) *Keeper {
	k := &Keeper{o: o, wake: make(chan struct{}, 1)}
	k.policy.Store(&Policy{})
	return k
}

// SetPolicy puts another policy into force, at once.
func (k *Keeper) SetPolicy(p Policy) {
	if old := k.policy.Swap(&p); *old != p {
		select {
		case k.wake <- struct{}{}:
		default:
		}
	}
}

// Removed is how many events have been removed since the start.
func (k *Keeper) Removed() int64 { return k.gone.Load() }

// Run removes what is too old, every now and then, until ctx ends. It is called once.
func (k *Keeper) Run(ctx context.Context) error {
	for {
		if err := k.Round(ctx); err != nil && ctx.Err() == nil {
			k.o.Log.ErrorContext(ctx, "old messages could not be removed; it is tried again", "err", err)
		}
		timer := time.NewTimer(Every)
		select {
		case <-timer.C:
		case <-k.wake:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
		timer.Stop()
	}
}

// Round looks at all rooms once.
func (k *Keeper) Round(ctx context.Context) error {
	p := *k.policy.Load()
	if p.Idle() {
		return nil
	}
	var gone int64
	var failed error
	for after := int64(0); ; {
		rooms, err := k.o.Store.Rooms(ctx, after, roomsPage)
		if err != nil {
			return fmt.Errorf("listing the rooms: %w", err)
		}
		for _, room := range rooms {
			n, err := k.room(ctx, p, room)
			if gone += n; err != nil {
				failed = errors.Join(failed, fmt.Errorf("room %d: %w", room, err))
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			after = room
		}
		if len(rooms) < roomsPage {
			break
		}
	}
	if gone > 0 {
		pages, err := k.o.Store.GiveBack(ctx)
		failed = errors.Join(failed, err)
		k.o.Log.InfoContext(ctx, "old messages were removed", "events", gone, "pages", pages)
	}
	return failed
}

// room removes what is too old in a room. State stays, and so do the events that nothing follows yet: a room goes on
// from them.
func (k *Keeper) room(ctx context.Context, p Policy, nid int64) (gone int64, err error) {
	lifetime, err := k.lifetime(ctx, p, nid)
	if err != nil || lifetime <= 0 {
		return 0, err
	}
	before := k.o.Now().Add(-lifetime).UnixMilli()
	var from store.Timed
	for {
		events, last, err := k.o.Store.MessagesOlderThan(ctx, nid, from, before, batch)
		if err != nil || len(events) == 0 {
			return gone, err
		}
		from = last
		r, err := k.o.Store.LoadRoom(ctx, nid)
		if err != nil {
			return gone, err
		}
		events = slices.DeleteFunc(events, func(e store.Purged) bool { return slices.Contains(r.Extremities, e.NID) })
		if len(events) == 0 {
			continue
		}
		if err := Drop(ctx, k.o.Store, k.o.Index, events); err != nil {
			return gone, err
		}
		gone += int64(len(events))
		k.gone.Add(int64(len(events)))
	}
}

// Drop removes events for good: first from the search index, nil for none, so that nobody finds what is not there.
func Drop(ctx context.Context, s *store.Store, index Index, events []store.Purged) error {
	if index != nil {
		positions := make([]int64, len(events))
		for i, e := range events {
			positions[i] = e.Pos
		}
		if err := index.Remove(ctx, positions); err != nil {
			return fmt.Errorf("removing events from the search index: %w", err)
		}
	}
	if err := s.Write(ctx, func(t *store.Tx) error { return t.DropEvents(events, false) }); err != nil {
		return fmt.Errorf("removing events: %w", err)
	}
	return nil
}

// lifetime is how long messages of a room are kept; 0 is for ever.
func (k *Keeper) lifetime(ctx context.Context, p Policy, nid int64) (time.Duration, error) {
	if !p.Rooms {
		return p.Lifetime, nil
	}
	root, err := k.o.Store.RootAt(ctx, nid, k.o.Store.Position())
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil // it is being removed
	} else if err != nil {
		return 0, err
	}
	e, err := k.o.Store.StateEvent(ctx, root, Type, "")
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return 0, err
	}
	return p.Of(e), nil
}
