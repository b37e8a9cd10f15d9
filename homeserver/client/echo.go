package client

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"
)

// echoes let the answer to a request that sends an event go out before /sync tells the same device
// of that event. The specification leaves the order open, but clients rely on it: matrix-js-sdk
// takes a reply in a thread whose echo comes first for one that was not sent.
type echoes struct {
	mu sync.Mutex
	// sending are the requests under way, by the scope of the device's transaction ids; each channel
	// is closed when its request has been answered.
	sending map[int64][]chan struct{}
}

// echoWait is for how long an answer of /sync is held back at most. What is waited for is written and sent in a
// millisecond; on a machine with forty busy programs it has taken more than a hundred, and the client that was told
// in the wrong order sent its message again for half a minute. What waits for other servers may be overtaken.
const echoWait = 2 * time.Second

// echoGrace is for how long an answer that was written counts as under way: a client reads it from one connection and /sync
// from another, and on a busy machine finds both at once.
const echoGrace = 10 * time.Millisecond

// begin notes a request that sends; end is to be called once it is answered.
func (e *echoes) begin(scope int64) (end func()) {
	answered := make(chan struct{})
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.sending == nil {
		e.sending = map[int64][]chan struct{}{}
	}
	e.sending[scope] = append(e.sending[scope], answered)
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		close(answered)
		if all := slices.DeleteFunc(e.sending[scope], func(c chan struct{}) bool { return c == answered }); len(all) > 0 {
			e.sending[scope] = all
		} else {
			delete(e.sending, scope)
		}
	}
}

// wait waits until those requests of the device that are under way have been answered, though not
// for long.
func (e *echoes) wait(ctx context.Context, scope int64) {
	e.mu.Lock()
	all := slices.Clone(e.sending[scope])
	e.mu.Unlock()
	if len(all) == 0 {
		return
	}
	late := time.NewTimer(echoWait)
	defer late.Stop()
	for _, answered := range all {
		select {
		case <-answered:
		case <-late.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// sends notes that the call sends an event of which /sync will tell the same device.
func (c *call) sends() {
	if c.session.Device != 0 {
		c.answered = c.api.echoes.begin(c.session.Scope())
	}
}

// finish is called when a call has been answered.
func (c *call) finish() {
	if c.answered == nil {
		return
	}
	// Without it the answer would leave some time after the handler has returned. If the client is
	// gone there is nobody to tell.
	_ = http.NewResponseController(c.w).Flush()
	time.AfterFunc(echoGrace, c.answered)
}
