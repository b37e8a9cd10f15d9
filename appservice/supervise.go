package appservice

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"maunium.net/go/mautrix/id"
)

// Limits say how long parts of a bridge may take before it counts as hanging. What hangs is left behind:
// Go has no way to end it.
type Limits struct {
	// Start bounds the start of bridgev2, and again that of the module; default five minutes.
	Start time.Duration
	// Stop bounds each of their stops; default 20 seconds.
	Stop time.Duration
	// Handle bounds the handling of one event from Matrix; default ten minutes. The event becomes a dead
	// letter, and the bridge is started anew.
	Handle time.Duration
}

func (l *Limits) complete() {
	setLimit(&l.Start, 5*time.Minute)
	setLimit(&l.Stop, 20*time.Second)
	setLimit(&l.Handle, 10*time.Minute)
}

func setLimit(d *time.Duration, value time.Duration) {
	if *d <= 0 {
		*d = value
	}
}

// within is guard for what may hang.
func within(limit time.Duration, what string, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- guard(what, f) }()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return fmt.Errorf("%s: it hangs, and is left behind after %v", what, limit)
	}
}

// crash ends a run; only the first reason counts.
func (r *run) crash(err error) {
	select {
	case r.crashed <- err:
	default:
	}
}

// goroutine is Env.Go.
func (r *run) goroutine(f func()) {
	go func() {
		defer func() {
			if v := recover(); v != nil {
				r.crash(fmt.Errorf("panic in a goroutine of the module: %v\n%s", v, debug.Stack()))
			}
		}()
		f()
	}()
}

// watch looks for events that are being handled for too long, until ctx ends.
func (r *run) watch(ctx context.Context) {
	ticker := time.NewTicker(max(min(r.limits.Handle/4, 10*time.Second), time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			for _, w := range r.pump.since(now.Add(-r.limits.Handle)) {
				reason := fmt.Sprintf("it was not handled within %v", r.limits.Handle)
				r.log.Error("a handler hangs; the bridge is started anew without the event", "room_id", w.Lane, "event_id", w.EventID)
				if w.EventID != "" {
					h := headOf(w.Body)
					r.conn.letters.bury(id.EventID(w.EventID), id.RoomID(w.Lane), id.UserID(h.Sender), h.Type, reason)
				}
				if w.Seq != 0 {
					// It must not hang the next run too.
					if err := r.box.Done(ctx, w.Seq); err != nil {
						r.log.Error("cannot mark an event that hangs", "error", err)
					}
				}
				r.crash(fmt.Errorf("the handler of an event in %s hangs", w.Lane))
			}
		}
	}
}
