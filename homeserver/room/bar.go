package room

import (
	"context"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// errGone answers proposals for a room that is being removed.
var errGone = mxerror.NotFound("There is no such room any more.")

// Bar ends a room's actor, after what it has handed to the store has been answered, and keeps any
// other from starting: the room is about to be removed. Proposals for it fail from then on.
func (m *Manager) Bar(ctx context.Context, room int64) error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return errClosed
	}
	m.barred[room] = struct{}{}
	a := m.actors[room]
	m.mu.Unlock()
	if a == nil {
		return nil
	}
	// A dead actor ends after its next turn; this makes sure that there is one.
	a.dead.Store(true)
	t := turn{ctx: ctx, build: func(context.Context, *actor, *batch) error { return errGone }, done: make(chan answer, 1)}
	select {
	case a.mailbox <- t:
	case <-a.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-a.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
