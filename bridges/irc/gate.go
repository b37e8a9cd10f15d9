package irc

import (
	"context"
	"strings"
	"sync"
	"time"
)

// gate lets the connections of a network be made one after the other. When the server says that it is too many too fast,
// they are made further apart for a while.
type gate struct {
	spread time.Duration

	mu   sync.Mutex
	next time.Time
	slow time.Duration
}

// slowest is the longest time between two connections.
const slowest = time.Minute

// wait waits for its turn.
func (g *gate) wait(ctx context.Context) error {
	g.mu.Lock()
	now := time.Now()
	at := g.next
	if at.Before(now) {
		at = now
	}
	g.next = at.Add(g.spread + g.slow)
	g.mu.Unlock()
	if !pause(ctx, time.Until(at)) {
		return ctx.Err()
	}
	return nil
}

// ended takes note of how an attempt has ended.
func (g *gate) ended(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err == nil {
		g.slow /= 2
		return
	}
	text := strings.ToLower(err.Error())
	for _, sign := range []string{"throttl", "too fast", "too many", "trying to reconnect", "no more connections", "connection limit", "clones"} {
		if strings.Contains(text, sign) {
			g.slow = min(max(2*g.slow, time.Second), slowest)
			return
		}
	}
}
