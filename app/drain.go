package app

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// busy knows the connections that are being read from or answered.
type busy struct {
	mu sync.Mutex
	of map[net.Conn]struct{}
}

// state is an http.Server's ConnState.
func (b *busy) state(c net.Conn, s http.ConnState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch s {
	case http.StateNew, http.StateActive:
		b.of[c] = struct{}{}
	default:
		delete(b.of, c)
	}
}

func (b *busy) none() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.of) == 0
}

// settleTime is how long a server that stops goes on answering those who have just come. Shutdown
// would drop requests that it reads after it has begun.
const settleTime = 2 * time.Second

// settle waits until nobody is taken in any more, which closed tells, and nobody is being answered, if that comes soon.
func (b *busy) settle(closed <-chan struct{}) {
	end, cancel := context.WithTimeout(context.Background(), settleTime)
	defer cancel()
	select {
	case <-closed:
	case <-end.Done():
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !b.none() {
		select {
		case <-tick.C:
		case <-end.Done():
			return
		}
	}
}
