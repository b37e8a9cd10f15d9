package inbound

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/federation/keyring"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/stateres"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// How an event is tried again that could not be taken in: after quarantine tries that follow each other
// soon it waits for longer, and in the end it is dropped.
const (
	takeTime       = 2 * time.Minute
	retrySoon      = 5 * time.Second
	quarantine     = 3
	quarantineTime = time.Hour
	triesMax       = 48
	stalePasses    = 5
)

// lane takes the events of one room in, one after the other. Fields without a note belong to its
// goroutine.
type lane struct {
	i      *Intake
	roomID string
	// again tells that something was staged since the lane last looked, and verified which events
	// needn't be verified any more. Guarded by Intake.mu.
	again    bool
	verified map[string]bool
	// offered are events that were sent once more while they were staged. Guarded by Intake.mu.
	offered map[string]bool
}

// eagerPause is how often an event of a room may be tried sooner than it should be.
const eagerPause = 2 * time.Second

// mayTry tells whether an event may be tried now that should wait, and takes note of it.
func (l *lane) mayTry() bool {
	_, late := l.i.eager.Get(l.roomID)
	if !late {
		l.i.eager.Add(l.roomID, struct{}{})
	}
	return !late
}

// sooner tells whether an event that was put off is worth trying already: somebody, who may know more, has
// sent it once more.
func (l *lane) sooner(id string) bool {
	l.i.mu.Lock()
	offered := l.offered[id]
	delete(l.offered, id)
	l.i.mu.Unlock()
	return offered && l.mayTry()
}

func (l *lane) run(ctx context.Context) {
	for l.i.next(l) {
		for ctx.Err() == nil {
			more, err := l.pass(ctx)
			if err != nil && ctx.Err() == nil {
				l.i.o.Log.ErrorContext(ctx, "taking events of other servers in", "room", l.roomID, "err", err)
			}
			if !more || err != nil {
				break
			}
		}
	}
}

// isVerified tells whether an event's signatures have been checked, and forgets it.
func (l *lane) isVerified(id string) bool {
	l.i.mu.Lock()
	defer l.i.mu.Unlock()
	ok := l.verified[id]
	delete(l.verified, id)
	return ok
}

// item is a staged event.
type item struct {
	store.StagedPDU
	event *event.Event
}

// pass takes in what is staged and ready, the least deep first. more tells that it is worth while to
// look again.
func (l *lane) pass(ctx context.Context) (more bool, err error) {
	r, err := l.i.o.Store.RoomByID(ctx, l.roomID)
	if err != nil {
		return false, err
	}
	all, err := l.i.o.Store.Staged(ctx, l.roomID, stagedPerRoom)
	if err != nil {
		return false, err
	}
	now := l.i.o.Now().UnixMilli()
	var ready []item
	// waiting are events that are not to be tried now, and nor is what follows them.
	waiting := map[string]bool{}
	for _, p := range all {
		e, err := parsePDUWithin(p.JSON, r.ID, r.Version, prevMaxPast, authMaxPast)
		if err != nil || e.ID != p.ID {
			if err := l.drop(ctx, p, cmp.Or(err, errors.New("its id is another one"))); err != nil {
				return false, err
			}
			continue
		}
		// One that is to be tried later than it was ever put off is so by a clock that was put back since.
		if p.Tries > 0 && p.ReceivedTS > now && p.ReceivedTS-now <= putOff(p.Tries).Milliseconds() && !l.sooner(p.ID) {
			if filled, err := l.filled(ctx, e, now-(p.ReceivedTS-putOff(p.Tries).Milliseconds())); err != nil {
				return false, err
			} else if !filled {
				waiting[p.ID] = true
				continue
			}
		}
		ready = append(ready, item{p, e})
	}
	slices.SortStableFunc(ready, func(x, y item) int { return cmp.Compare(x.event.PDU.Depth, y.event.PDU.Depth) })
	for n := 0; n < len(ready); n++ {
		it := ready[n]
		if ctx.Err() != nil {
			return false, nil
		}
		// The server that sent this one may know what is missing before the other.
		if slices.ContainsFunc(it.event.PrevEvents, func(id eventID) bool { return waiting[string(id)] }) && !(it.Tries == 0 && l.mayTry()) {
			waiting[it.ID] = true
			continue
		}
		taken, err := l.chain(ctx, r, ready[n:])
		if err != nil {
			return false, err
		}
		if taken > 0 {
			more, n = true, n+taken-1
			continue
		}
		l.i.mu.Lock()
		delete(l.offered, it.ID)
		l.i.mu.Unlock()
		if err := l.take(ctx, r, it); err != nil {
			if ctx.Err() != nil {
				return false, nil
			}
			waiting[it.ID] = true
			if err := l.later(ctx, it, err); err != nil {
				return false, err
			}
			continue
		}
		more = true
	}
	return more, nil
}

// filledPause is how long an event is put off at least, for its server to send it once more after what was missing.
const filledPause = time.Second

// filled tells whether all is here by now that was missing before an event when it was put off, waited milliseconds
// ago.
func (l *lane) filled(ctx context.Context, e *event.Event, waited int64) (bool, error) {
	if _, ok := l.i.lacking.Get(e.ID); !ok || waited < filledPause.Milliseconds() {
		return false, nil
	}
	missing, err := l.i.unplaced(ctx, e.PrevEvents)
	if err != nil || len(missing) > 0 {
		return false, err
	}
	l.i.lacking.Remove(e.ID)
	return true, nil
}

// drop forgets a staged event.
func (l *lane) drop(ctx context.Context, p store.StagedPDU, why error) error {
	if why != nil {
		l.i.o.Log.InfoContext(ctx, "an event of another server was dropped", "room", l.roomID, "event", p.ID, "origin", p.Origin, "err", why)
	}
	return l.i.o.Store.Write(ctx, func(t *store.Tx) error { return t.Unstage(p.RoomID, p.ID) })
}

// putOff is for how long an event is put off that has been tried so often.
func putOff(tries int64) time.Duration {
	if tries >= quarantine {
		return quarantineTime
	}
	return retrySoon
}

// later puts an event off.
func (l *lane) later(ctx context.Context, it item, why error) error {
	p := it.StagedPDU
	if missing, err := l.i.unplaced(ctx, it.event.PrevEvents); err != nil {
		return err
	} else if len(missing) > 0 {
		l.i.lacking.Add(p.ID, struct{}{})
		l.i.mu.Lock()
		l.i.soon[l.roomID] = time.Now().Add(filledPause)
		l.i.mu.Unlock()
	}
	if p.Tries++; p.Tries >= triesMax {
		return l.drop(ctx, p, why)
	}
	wait := putOff(p.Tries)
	l.i.o.Log.InfoContext(ctx, "an event of another server can't be taken in yet", "room", l.roomID, "event", p.ID, "origin", p.Origin,
		"tries", p.Tries, "again", wait, "err", why)
	p.ReceivedTS = l.i.o.Now().Add(wait).UnixMilli()
	return l.i.o.Store.Write(ctx, func(t *store.Tx) error { return t.Restage(p) })
}

// take takes one event in, with what is missing before it. If it returns nil the event is no longer
// staged: it was stored, or dropped because it can't ever be.
func (l *lane) take(ctx context.Context, r store.RoomName, it item) error {
	ctx, cancel := context.WithTimeout(ctx, takeTime)
	defer cancel()
	if done, err := l.i.known(ctx, it.event); err != nil {
		return err
	} else if done {
		return l.drop(ctx, it.StagedPDU, nil)
	}
	e := it.event
	if l.isVerified(it.ID) {
		e = checkHash(e)
	} else {
		v, err := l.i.check.verify(ctx, e)
		if errors.Is(err, keyring.ErrUnavailable) || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		} else if err != nil {
			return l.drop(ctx, it.StagedPDU, err)
		}
		e = v
	}
	in, err := l.i.o.Store.ServerInRoom(ctx, r.NID, l.i.o.Server)
	if err != nil {
		return err
	}
	if !in {
		return l.outside(ctx, r, it, e)
	}
	g := &gap{i: l.i, room: r, origin: it.Origin}
	defer g.release()
	err = g.receive(ctx, e, it.Tries == 0)
	if errors.Is(err, errNever) {
		return l.drop(ctx, it.StagedPDU, err)
	}
	if err != nil || g.placed == it.ID {
		return err
	}
	return l.drop(ctx, it.StagedPDU, nil)
}

// outside takes in the end of an invitation or a knock in a room that nobody here is in.
func (l *lane) outside(ctx context.Context, r store.RoomName, it item, e *event.Event) error {
	ok, err := l.i.concernsUs(ctx, r, e)
	if err != nil {
		return err
	}
	if !ok {
		return l.drop(ctx, it.StagedPDU, errors.New("nobody of this server is in the room any more"))
	}
	if _, err := l.i.o.Rooms.Number(ctx, r.NID, e); err != nil {
		return err
	}
	if _, err := l.i.o.Rooms.ReceiveMembership(ctx, r.NID, room.Received{Event: e}); err != nil {
		return err
	}
	return l.drop(ctx, it.StagedPDU, nil)
}

// wanted is check 7: "Is validated by the Policy Server, if the room is using a Policy Server, otherwise it is
// soft failed." no is why it isn't; err is anything else that happened.
func (i *Intake) wanted(ctx context.Context, room int64, e *event.Event) (no, err error) {
	err = i.o.Policy.Check(ctx, room, e)
	var refused *mxerror.Error
	if errors.As(err, &refused) && ctx.Err() == nil {
		return err, nil
	}
	return nil, err
}

// place takes in an event whose auth events are all here.
func (i *Intake) place(ctx context.Context, r store.RoomName, e *event.Event, missing []string, told []statetree.Ref) error {
	return i.placeAt(ctx, r, e, missing, told, nil)
}

// placeAt is place; an event of the history stands at the depth past.
func (i *Intake) placeAt(ctx context.Context, r store.RoomName, e *event.Event, missing []string, told []statetree.Ref, past *int64) error {
	for pass := 1; ; pass++ {
		in, err := i.assemble(ctx, r, e, missing, told)
		if err != nil {
			if errors.Is(err, stateres.ErrTooCostly) {
				return fmt.Errorf("the fork before the event: %w", err)
			}
			return err
		}
		if past != nil {
			in.Past, in.Depth = true, *past
		}
		in.Done = unstage(r, e)
		if err := i.receive(ctx, r, []room.Received{in}); !errors.Is(err, store.ErrStale) || pass >= stalePasses {
			return err
		}
	}
}
