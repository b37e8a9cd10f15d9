package irc

import (
	"context"
	"time"
)

// settleAll records the results there are and reports them.
func (b *outbox) settleAll(ctx context.Context) (more bool) {
	b.mu.Lock()
	results := b.results
	b.results, b.settling = nil, len(results)
	b.mu.Unlock()
	for _, r := range results {
		// A failure is told before it is forgotten: should the process die in
		// between, it is told again, which the homeserver recognises.
		if r.err != nil && !b.tell(ctx, r) {
			return false
		}
		if err := b.store.done(context.WithoutCancel(ctx), r.o.Seq); err != nil {
			b.log.Error("a sent message stays in the outbox", "error", err)
		} else {
			b.store.ledger.forget(r.o.Seq)
		}
		if r.err == nil {
			_ = b.settled(ctx, r.o, nil)
		}
	}
	return len(results) > 0
}

// tell reports a failure until somebody has heard it. It returns false when ctx is
// done: the message stays in the outbox, and the failure is told at the next start.
func (b *outbox) tell(ctx context.Context, r result) bool {
	for wait := time.Second; ; wait = min(2*wait, time.Minute) {
		err := b.settled(ctx, r.o, r.err)
		if err == nil {
			return true
		}
		b.log.Error("somebody is not told that their message has failed, trying again", "event_id", r.o.EventID, "error", err, "in", wait)
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return false
		case <-timer.C:
		}
	}
}
