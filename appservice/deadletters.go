package appservice

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice/store"
)

// DeadLetter is an event from Matrix that did not get across to the remote network.
type DeadLetter = store.DeadLetter

// ErrNotRunning means that a bridge has to run for what was asked for.
var ErrNotRunning = errors.New("the bridge is not running")

// letters keeps account of the events that did not get across. Its methods are safe for concurrent use.
type letters struct {
	box *store.Inbox
	log *slog.Logger

	mu   sync.Mutex
	dead map[id.EventID]bool
}

func newLetters(ctx context.Context, box *store.Inbox, log *slog.Logger) (*letters, error) {
	l := &letters{box: box, log: log, dead: map[id.EventID]bool{}}
	list, err := box.Dead(ctx)
	for _, d := range list {
		l.dead[id.EventID(d.EventID)] = true
	}
	return l, err
}

// note takes in what has become of an event.
func (l *letters) note(ms *bridgev2.MessageStatus, evt *bridgev2.MessageStatusEventInfo) {
	switch ms.Status {
	case event.MessageStatusSuccess:
		l.mu.Lock()
		was := l.dead[evt.SourceEventID]
		delete(l.dead, evt.SourceEventID)
		l.mu.Unlock()
		if !was {
			return
		}
		// Whoever waits for the status is not to wait for this.
		if _, err := l.box.Unbury(context.Background(), string(evt.SourceEventID)); err != nil {
			l.log.Error("cannot forget a dead letter", "event_id", evt.SourceEventID, "error", err)
		}
	case event.MessageStatusRetriable, event.MessageStatusFail:
		if evt.EventType.IsState() || ms.ErrorReason == event.MessageStatusUnsupported {
			return // it would fail in the same way every time
		}
		reason := ms.Message
		if ms.InternalError != nil {
			reason = ms.InternalError.Error()
		}
		l.bury(evt.SourceEventID, evt.RoomID, evt.Sender, evt.EventType.Type, reason)
	}
}

// maxReason bounds what is kept of a reason, in bytes.
const maxReason = 1000

func (l *letters) bury(evt id.EventID, room id.RoomID, sender id.UserID, kind, reason string) {
	if len(reason) > maxReason {
		reason = reason[:maxReason]
	}
	err := l.box.Bury(context.Background(), DeadLetter{EventID: string(evt), Room: string(room), Sender: string(sender), Type: kind, Reason: reason, At: time.Now()})
	if err != nil {
		l.log.Error("cannot record a dead letter", "event_id", evt, "error", err)
		return
	}
	l.mu.Lock()
	l.dead[evt] = true
	l.mu.Unlock()
}

// count is how many dead letters there are.
func (l *letters) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.dead)
}

// runOf gives the run of an instance that runs.
func (h *Host) runOf(instance string) (*run, error) {
	in, err := h.instance(instance)
	if err != nil {
		return nil, err
	}
	if r, _ := in.current(); r != nil {
		return r, nil
	}
	return nil, fmt.Errorf("bridge %s: %w", instance, ErrNotRunning)
}

// DeadLetters lists the events that did not get across, oldest first: what the module or bridgev2 reported
// as failed, what could not be read, and what a handler panicked at or did not come back from. At most
// 10,000 are kept. The bridge must run.
func (h *Host) DeadLetters(ctx context.Context, instance string) ([]DeadLetter, error) {
	r, err := h.runOf(instance)
	if err != nil {
		return nil, err
	}
	return r.box.Dead(ctx)
}

// DropDeadLetters forgets dead letters, all of them if none is named, and tells how many there were.
func (h *Host) DropDeadLetters(ctx context.Context, instance string, events ...string) (int, error) {
	r, err := h.runOf(instance)
	if err != nil {
		return 0, err
	}
	if events, err = r.named(ctx, events); err != nil {
		return 0, err
	}
	n, err := r.box.Unbury(ctx, events...)
	r.conn.letters.mu.Lock()
	for _, e := range events {
		delete(r.conn.letters.dead, id.EventID(e))
	}
	r.conn.letters.mu.Unlock()
	return n, err
}

// RetryDeadLetters has dead letters handled once more, all of them if none is named: the homeserver is asked
// for each event, and it takes its place behind what waits in its room. A letter is forgotten when it has got
// across. The number is of those that were taken over; the error tells of the others.
func (h *Host) RetryDeadLetters(ctx context.Context, instance string, events ...string) (n int, err error) {
	r, err := h.runOf(instance)
	if err != nil {
		return 0, err
	}
	list, err := r.box.Dead(ctx)
	if err != nil {
		return 0, err
	}
	var errs []error
	for _, d := range list {
		if len(events) > 0 && !slices.Contains(events, d.EventID) {
			continue
		}
		if err := r.retry(ctx, d); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", d.EventID, err))
			continue
		}
		n++
	}
	return n, errors.Join(errs...)
}

// named are the events themselves, or if there are none, all that are dead.
func (r *run) named(ctx context.Context, events []string) ([]string, error) {
	if len(events) > 0 {
		return events, nil
	}
	list, err := r.box.Dead(ctx)
	for _, d := range list {
		events = append(events, d.EventID)
	}
	return events, err
}

// retry takes an event over once more.
func (r *run) retry(ctx context.Context, d DeadLetter) error {
	evt, err := r.conn.Bot.GetEvent(ctx, id.RoomID(d.Room), id.EventID(d.EventID))
	if err != nil {
		return fmt.Errorf("ask the homeserver for the event: %w", err)
	}
	if evt.Unsigned.RedactedBecause != nil {
		return errors.New("the event was redacted meanwhile")
	}
	body, err := json.Marshal(evt)
	if err != nil {
		return fmt.Errorf("encode the event: %w", err)
	}
	if err := r.box.Forget(ctx, d.EventID); err != nil {
		return err
	}
	// Two tries at once are two transactions; the event is then in the inbox once.
	txn := fmt.Sprintf("retry %s %d", d.EventID, time.Now().UnixNano())
	return r.take(ctx, txn, []store.Item{{Kind: store.KindEvent, Lane: d.Room, EventID: d.EventID, Body: body}}, nil)
}
