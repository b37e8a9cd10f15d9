package delayed

import (
	"context"
	"crypto/rand"
	"encoding/json/jsontext"
	"errors"
	"log/slog"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Bounds of what one user may schedule, and of how long what has ended is remembered.
const (
	MaxDelay   = 24 * time.Hour
	MaxPerUser = 100
	remembered = 7 * 24 * time.Hour
)

// Options say what Events need.
type Options struct {
	Store *store.Store
	Rooms *room.Manager
	Log   *slog.Logger
	Now   func() time.Time
}

// Events are the delayed events of the server. It is safe for concurrent use.
type Events struct {
	o    Options
	wake chan struct{}
}

// New makes Events; nothing is sent by itself until Run.
func New(o Options) *Events { return &Events{o: o, wake: make(chan struct{}, 1)} }

// Schedule puts an event on the list; d needs everything but ID and times. A repeated request is
// answered with the event that the first one scheduled.
func (v *Events) Schedule(ctx context.Context, d store.Delayed) (id string, err error) {
	if d.Delay > MaxDelay.Milliseconds() {
		return "", mxerror.New(400, "M_UNKNOWN", "An event can be delayed by at most %v.", MaxDelay).
			With("org.matrix.msc4140.errcode", "M_MAX_DELAY_EXCEEDED").With("org.matrix.msc4140.max_delay", MaxDelay.Milliseconds())
	}
	d.ID = "d" + rand.Text()
	d.StartedTS = v.o.Now().UnixMilli()
	d.DueTS = d.StartedTS + d.Delay
	err = v.o.Store.Write(ctx, func(t *store.Tx) error {
		id = d.ID
		if d.Txn != "" {
			have, err := t.DelayedByTxn(d.TxnScope, d.Txn, d.Room)
			if !errors.Is(err, store.ErrNotFound) {
				id = have.ID
				return err
			}
		}
		if n, err := t.DelayedCount(d.User); err != nil {
			return err
		} else if n >= MaxPerUser {
			return store.Refuse(mxerror.New(400, "M_UNKNOWN", "You have %d events scheduled already; that is as many as can be.", n).
				With("org.matrix.msc4140.errcode", "M_MAX_DELAYED_EVENTS_EXCEEDED"))
		}
		return t.AddDelayed(d)
	})
	v.poke()
	return id, err
}

func (v *Events) poke() {
	select {
	case v.wake <- struct{}{}:
	default:
	}
}

// Restart lets an event's delay begin again.
func (v *Events) Restart(ctx context.Context, id string) error {
	d, err := v.find(ctx, id)
	if err != nil {
		return err
	}
	var done bool
	err = v.o.Store.Write(ctx, func(t *store.Tx) (err error) {
		now := v.o.Now().UnixMilli()
		done, err = t.RestartDelayed(id, now, now+d.Delay)
		return err
	})
	if err == nil && !done {
		err = errNone()
	}
	v.poke()
	return err
}

// Cancel takes an event off the list.
func (v *Events) Cancel(ctx context.Context, id string) error {
	if _, err := v.find(ctx, id); err != nil {
		return err
	}
	_, err := v.end(ctx, id, store.DelayedCancelled, "", "")
	if err != nil {
		return err
	}
	return v.expect(ctx, id, store.DelayedCancelled)
}

// Send sends an event now.
func (v *Events) Send(ctx context.Context, id string) error {
	d, err := v.find(ctx, id)
	if err != nil {
		return err
	}
	if d.State == store.DelayedScheduled {
		if err := v.send(ctx, d); err != nil {
			return err
		}
	}
	return v.expect(ctx, id, store.DelayedSent)
}

// expect tells whether an event has ended in this way.
func (v *Events) expect(ctx context.Context, id, state string) error {
	d, err := v.find(ctx, id)
	switch {
	case err != nil || d.State == state:
		return err
	case d.State == store.DelayedFailed:
		return mxerror.Forbidden("The event could not be sent: %s", d.Error)
	}
	return mxerror.New(409, "M_UNKNOWN", "The event has been %s already.", d.State)
}

func errNone() error { return mxerror.NotFound("No such event is scheduled.") }

func (v *Events) find(ctx context.Context, id string) (store.Delayed, error) {
	d, err := v.o.Store.Delayed(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return d, errNone()
	}
	return d, err
}

func (v *Events) end(ctx context.Context, id, state, eventID, reason string) (done bool, err error) {
	err = v.o.Store.Write(ctx, func(t *store.Tx) (err error) {
		done, err = t.EndDelayed(id, state, v.o.Now().UnixMilli(), eventID, reason)
		return err
	})
	return done, err
}

// send proposes an event to its room and notes what came of it. The proposal has a transaction id
// made of the event's, so that a crash in between sends nothing twice.
func (v *Events) send(ctx context.Context, d store.Delayed) error {
	sender, err := v.o.Store.UserID(ctx, d.User)
	if err != nil {
		return err
	}
	p := room.Proposal{Sender: sender, Type: d.Type, StateKey: d.StateKey, Content: jsontext.Value(d.Content),
		TxnScope: d.TxnScope, Txn: event.TxnKey("delayed "+d.ID, event.TxnID(d.Txn))}
	if p.TxnScope == 0 {
		p.TxnScope = -d.User
	}
	e, err := v.o.Rooms.Send(ctx, d.Room, p)
	if fail, ok := mxerror.As(err); ok && fail.Status < 500 {
		_, err = v.end(ctx, d.ID, store.DelayedFailed, "", fail.Message)
		return err
	} else if err != nil {
		return err
	}
	_, err = v.end(ctx, d.ID, store.DelayedSent, e.ID, "")
	return err
}

// dueBatch is how many events are sent before looking again at what is due.
const dueBatch = 50

// Run sends events as they fall due, until ctx ends.
func (v *Events) Run(ctx context.Context) error {
	forget := time.NewTicker(time.Hour)
	defer forget.Stop()
	for {
		wait, err := v.round(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			v.o.Log.ErrorContext(ctx, "sending delayed events", "err", err)
			wait = 5 * time.Second
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-v.wake:
		case <-forget.C:
			before := v.o.Now().Add(-remembered).UnixMilli()
			if err := v.o.Store.Write(ctx, func(t *store.Tx) error { return t.ForgetDelayed(before) }); err != nil && ctx.Err() == nil {
				v.o.Log.ErrorContext(ctx, "forgetting delayed events", "err", err)
			}
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
		timer.Stop()
	}
}

// round sends what is due and returns how long there is nothing to do.
func (v *Events) round(ctx context.Context) (time.Duration, error) {
	for {
		due, err := v.o.Store.DelayedDue(ctx, v.o.Now().UnixMilli(), dueBatch)
		if err != nil {
			return 0, err
		}
		for _, d := range due {
			if err := v.send(ctx, d); err != nil {
				return 0, err
			}
		}
		if len(due) == dueBatch {
			continue
		}
		next, err := v.o.Store.DelayedNext(ctx)
		if err != nil {
			return 0, err
		}
		if next == 0 {
			return time.Hour, nil
		}
		return max(time.UnixMilli(next).Sub(v.o.Now()), time.Millisecond), nil
	}
}
