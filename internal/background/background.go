// Package background lets work outlive the request that began it, because others wait for it too,
// and yet have an owner that waits for its end.
package background

import (
	"context"
	"errors"
	"sync"
)

// ErrClosed is returned for work that comes after Close.
var ErrClosed = errors.New("the server is stopping")

// Group is work with one owner. It is safe for concurrent use.
type Group struct {
	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
	life   context.Context
	end    context.CancelFunc
}

// New makes a Group.
func New() *Group {
	g := &Group{}
	g.life, g.end = context.WithCancel(context.Background())
	return g
}

// Begin announces work on behalf of a request. The context that it returns has the values of the
// request's, and ends with Close instead of the request; done must be called at the end of the
// work.
func (g *Group) Begin(request context.Context) (ctx context.Context, done func(), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, nil, ErrClosed
	}
	g.wg.Add(1)
	ctx, cancel := context.WithCancel(context.WithoutCancel(request))
	stop := context.AfterFunc(g.life, cancel)
	return ctx, func() {
		stop()
		cancel()
		g.wg.Done()
	}, nil
}

// Close ends the contexts of all work, waits for it, and refuses more. It may be repeated.
func (g *Group) Close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.end()
	g.wg.Wait()
}
