// Package flight does work once for all who want its result at the same time. Unlike
// golang.org/x/sync/singleflight it owns the goroutines: work goes on when the one who asked for it
// first gives up, and Close ends it and waits.
package flight

import (
	"context"
	"errors"
	"sync"
	"time"
)

// ErrClosed is the result of work that is asked for after Close.
var ErrClosed = errors.New("shutting down")

// Group is a set of work by key. It is safe for concurrent use.
type Group[T any] struct {
	timeout time.Duration
	ctx     context.Context
	cancel  context.CancelFunc

	mu      sync.Mutex
	closed  bool
	flights map[string]*flight[T]
	wg      sync.WaitGroup
}

type flight[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// NewGroup makes a group. Work gets a context that ends after timeout; it has nothing of the
// contexts of those who ask.
func NewGroup[T any](timeout time.Duration) *Group[T] {
	g := &Group[T]{timeout: timeout, flights: map[string]*flight[T]{}}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	return g
}

// Do waits for the work under way for key, or starts it. When ctx ends, Do returns, and the work goes
// on for the others.
func (g *Group[T]) Do(ctx context.Context, key string, work func(context.Context) (T, error)) (T, error) {
	var none T
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return none, ErrClosed
	}
	f := g.flights[key]
	if f == nil {
		f = &flight[T]{done: make(chan struct{})}
		g.flights[key] = f
		g.wg.Go(func() { g.run(key, f, work) })
	}
	g.mu.Unlock()
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

func (g *Group[T]) run(key string, f *flight[T], work func(context.Context) (T, error)) {
	ctx, cancel := context.WithTimeout(g.ctx, g.timeout)
	defer cancel()
	f.value, f.err = work(ctx)
	g.mu.Lock()
	delete(g.flights, key)
	g.mu.Unlock()
	close(f.done)
}

// Close ends the work under way and waits for it.
func (g *Group[T]) Close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.cancel()
	g.wg.Wait()
}
