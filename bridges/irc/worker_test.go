package irc

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
)

// TestWorker: every poke is followed by a look, also those from before the start and in the middle of one; there are never two
// at a time, and none after stop.
func TestWorker(t *testing.T) {
	t.Parallel()
	var (
		due, done atomic.Int64
		inside    atomic.Int32
		all       = make(chan struct{}, 1)
	)
	const total = 4 * 500
	w := worker{do: func(context.Context) bool {
		if inside.Add(1) != 1 {
			t.Error("two at a time")
		}
		defer inside.Add(-1)
		n := due.Swap(0)
		if done.Add(n) == total {
			signal(all)
		}
		return n > 0
	}}
	w.poke()
	if w.running {
		t.Fatal("it works before it is started")
	}
	w.start(t.Context(), nil)
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			for range total / 4 {
				due.Add(1)
				w.poke()
			}
		})
	}
	senders.Wait()
	select {
	case <-all:
	case <-t.Context().Done():
	}
	w.stop()
	due.Add(1)
	w.poke()
	if w.running || done.Load() != total {
		t.Errorf("after the end: running %t, %d of %d done", w.running, done.Load(), total)
	}
}
