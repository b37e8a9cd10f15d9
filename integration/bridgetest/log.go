package bridgetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// Log is an append-only record that can be waited on. Its zero value is empty
// and ready. All methods are safe for concurrent use.
type Log[T any] struct {
	mu    sync.Mutex
	items []T
	more  chan struct{} // closed when an item is added
}

// Add appends items.
func (l *Log[T]) Add(items ...T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.items = append(l.items, items...)
	if l.more != nil {
		close(l.more)
		l.more = nil
	}
}

// Len is how many items there are; as an argument of Wait it means "from now on".
func (l *Log[T]) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.items)
}

// All returns the items from a place on.
func (l *Log[T]) All(from int) []T {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.items[from:])
}

// Wait returns the first item at or behind a place for which match holds, and
// the place behind it. It waits for it until ctx ends.
func (l *Log[T]) Wait(ctx context.Context, from int, match func(T) bool) (item T, next int, err error) {
	at := from
	for {
		l.mu.Lock()
		for ; at < len(l.items); at++ {
			if match(l.items[at]) {
				item = l.items[at]
				l.mu.Unlock()
				return item, at + 1, nil
			}
		}
		if l.more == nil {
			l.more = make(chan struct{})
		}
		more := l.more
		l.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return item, at, fmt.Errorf("waiting for what did not come: %w", ctx.Err())
		}
	}
}
