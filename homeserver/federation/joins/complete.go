package joins

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/federation/fclient"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

const (
	// completing is how many rooms are completed at once.
	completing = 4
	// retryMin and retryMax bound how long a room waits that none of its servers could complete; the
	// time doubles.
	retryMin = 5 * time.Second
	retryMax = 30 * time.Minute
	// insisting is how often servers are asked even if they did not answer of late.
	insisting = 3
)

// poke tells Run that there is a room to complete.
func (j *Joins) poke() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// attempt is what has been tried for a room.
type attempt struct {
	busy  bool
	tries int
	again time.Time
}

// Run completes the rooms that were joined without all of their state, also those from before a restart,
// until ctx ends. It is called once.
func (j *Joins) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	var mu sync.Mutex
	rooms := map[int64]*attempt{}
	for {
		all, err := j.o.Store.PartialRooms(ctx)
		if err != nil && ctx.Err() == nil {
			j.o.Log.ErrorContext(ctx, "looking for rooms that aren't complete", "err", err)
		}
		wait := retryMax
		mu.Lock()
		busy := 0
		for _, at := range rooms {
			if at.busy {
				busy++
			}
		}
		for _, p := range all {
			at := rooms[p.Room]
			if at == nil {
				at = &attempt{}
				rooms[p.Room] = at
			}
			if at.busy || busy >= completing {
				continue
			}
			if left := time.Until(at.again); left > 0 {
				wait = min(wait, left)
				continue
			}
			at.busy = true
			busy++
			tries := at.tries
			wg.Go(func() {
				err := j.finish(ctx, p, tries)
				mu.Lock()
				defer mu.Unlock()
				if at.busy = false; err == nil {
					delete(rooms, p.Room)
				} else {
					pause := min(retryMin<<min(at.tries, 16), retryMax)
					pause = pause*4/5 + time.Duration(rand.Int64N(int64(pause)*2/5))
					at.tries++
					at.again = time.Now().Add(pause)
					if ctx.Err() == nil {
						j.o.Log.WarnContext(ctx, "a room could not be completed yet", "room", p.Room, "tries", at.tries, "again", pause, "err", err)
					}
				}
				j.poke()
			})
		}
		mu.Unlock()
		timer := time.NewTimer(wait)
		select {
		case <-j.wake:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
		timer.Stop()
	}
}

// finish fetches what a room lacks and makes its state whole. It may be broken off at any time; what
// has been fetched by then stays.
func (j *Joins) finish(ctx context.Context, p store.RoomPartial, tries int) error {
	if tries < insisting {
		ctx = fclient.Urgent(ctx)
	}
	name, err := j.o.Store.RoomByNID(ctx, p.Room)
	if errors.Is(err, store.ErrNotFound) {
		return nil // removed for good
	} else if err != nil {
		return err
	}
	begun := j.o.Now()
	for {
		lacking, err := j.o.Rooms.Lacking(ctx, p.Room)
		if err != nil {
			return err
		}
		if len(lacking) == 0 {
			err := j.o.Rooms.Complete(ctx, p.Room)
			if errors.Is(err, room.ErrLacking) {
				continue
			}
			if err == nil {
				j.o.Log.InfoContext(ctx, "all of a room's state is here", "room", name.ID, "took", j.o.Now().Sub(begun).Round(time.Millisecond))
			}
			return j.gone(ctx, name, err)
		}
		for _, id := range lacking {
			if err := j.fetch(ctx, p, name, id); err != nil {
				return j.gone(ctx, name, err)
			}
		}
	}
}

// gone makes nothing of an error that came about because the room was removed meanwhile, or because this
// server has left it and is told no more.
func (j *Joins) gone(ctx context.Context, name store.RoomName, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	if now, look := j.o.Store.RoomByID(ctx, name.ID); errors.Is(look, store.ErrNotFound) || look == nil && now.NID != name.NID {
		return nil
	}
	if _, in, look := j.Resident(ctx, name.ID); look != nil || in {
		return err
	}
	var e *fclient.Error
	if errors.As(err, &e) && (e.Status == 403 || e.Status == 404) {
		j.o.Log.InfoContext(ctx, "a room that was left stays incomplete", "room", name.ID, "err", err)
		return j.o.Rooms.GiveUp(ctx, name.NID)
	}
	return err
}

// fetch asks one server after the other for the state after an event that is not here, and keeps it.
func (j *Joins) fetch(ctx context.Context, p store.RoomPartial, name store.RoomName, id string) error {
	known, err := j.o.Store.JoinedServers(ctx, p.Room)
	if err != nil {
		return err
	}
	servers := j.servers([]string{p.Via}, p.Servers, known)
	var failed error
	for _, server := range servers {
		k := j.keep(ctx, name)
		nids, err := k.stateAfter(server, id)
		if err == nil {
			err = j.keepTold(ctx, name, id, nids)
		}
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		j.o.Log.InfoContext(ctx, "a server did not complete a room", "room", name.ID, "server", server, "err", err)
		failed = worse(failed, fmt.Errorf("from %s: %w", server, err))
	}
	if failed == nil {
		failed = errNoServers
	}
	return failed
}

// keepTold makes a state out of events and keeps it with the event after which it is. Of two events for
// the same the later one counts.
func (j *Joins) keepTold(ctx context.Context, name store.RoomName, id string, nids []int64) error {
	root, packs, err := j.o.Rooms.StateTree(ctx, nids)
	if err != nil {
		return err
	}
	trees := j.o.Store.State()
	if _, err := j.o.Store.StateEvent(ctx, root, "m.room.create", ""); err != nil {
		trees.Dropped(packs)
		return mxerror.NotFound("The state has no create event.").Because(err)
	}
	err = j.o.Store.Write(ctx, func(t *store.Tx) error {
		if err := t.AddPacks(packs); err != nil {
			return err
		}
		return t.SetToldState(name.NID, id, root)
	})
	if err != nil {
		trees.Dropped(packs)
		return err
	}
	trees.Stored(packs)
	return nil
}
