package flight

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestOnce(t *testing.T) {
	t.Parallel()
	g := NewGroup[int](time.Minute)
	defer g.Close()
	var ran atomic.Int32
	gate := make(chan struct{})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			n, err := g.Do(t.Context(), "a", func(context.Context) (int, error) {
				<-gate
				return int(ran.Add(1)), nil
			})
			if n < 1 || err != nil {
				t.Errorf("%d, %v", n, err)
			}
		})
	}
	// Another key isn't held up, and another result comes afterwards.
	if n, err := g.Do(t.Context(), "b", func(context.Context) (int, error) { return 7, nil }); n != 7 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	close(gate)
	wg.Wait()
	before := ran.Load()
	if n, err := g.Do(t.Context(), "a", func(context.Context) (int, error) { return int(ran.Add(1)), nil }); n != int(before)+1 || err != nil {
		t.Errorf("%d, %v after %d", n, err, before)
	}
}

func TestGivenUp(t *testing.T) {
	t.Parallel()
	g := NewGroup[int](time.Minute)
	defer g.Close()
	gate, started := make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, err := g.Do(ctx, "a", func(ctx context.Context) (int, error) {
			close(started)
			<-gate
			return 5, ctx.Err()
		})
		first <- err
	}()
	<-started
	second := make(chan int, 1)
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up got %v", err)
	}
	go func() {
		n, err := g.Do(t.Context(), "a", func(context.Context) (int, error) { return 5, nil })
		if err != nil {
			t.Error(err)
		}
		second <- n
	}()
	close(gate)
	if n := <-second; n != 5 {
		t.Errorf("who stayed got %d", n)
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	g := NewGroup[int](time.Minute)
	started := make(chan struct{})
	ended := atomic.Bool{}
	result := make(chan error, 1)
	go func() {
		_, err := g.Do(t.Context(), "a", func(ctx context.Context) (int, error) {
			close(started)
			<-ctx.Done()
			ended.Store(true)
			return 0, ctx.Err()
		})
		result <- err
	}()
	<-started
	g.Close()
	if !ended.Load() {
		t.Error("Close did not wait")
	}
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("under way: %v", err)
	}
	if _, err := g.Do(t.Context(), "a", nil); !errors.Is(err, ErrClosed) {
		t.Errorf("afterwards: %v", err)
	}
	short := NewGroup[int](time.Millisecond)
	defer short.Close()
	if _, err := short.Do(t.Context(), "a", func(ctx context.Context) (int, error) { <-ctx.Done(); return 0, ctx.Err() }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("too slow: %v", err)
	}
}
