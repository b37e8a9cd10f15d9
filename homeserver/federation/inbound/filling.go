package inbound

import (
	"context"
	"sync"
)

// filling lets one at a time fetch the history of each room. The zero value is ready.
type filling struct {
	mu    sync.Mutex
	under map[int64]chan struct{}
}

// Begin waits until nobody else fetches the history of a room; done lets the next one in.
func (f *filling) Begin(ctx context.Context, room int64) (done func(), err error) {
	for {
		f.mu.Lock()
		other := f.under[room]
		if other == nil {
			own := make(chan struct{})
			if f.under == nil {
				f.under = map[int64]chan struct{}{}
			}
			f.under[room] = own
			f.mu.Unlock()
			return func() {
				f.mu.Lock()
				delete(f.under, room)
				f.mu.Unlock()
				close(own)
			}, nil
		}
		f.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
