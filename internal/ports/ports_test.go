package ports

import (
	"net"
	"sync"
	"testing"
)

// TestAddr: what many ask for at the same time is given to nobody twice, and can be listened on.
func TestAddr(t *testing.T) {
	t.Parallel()
	var (
		mu   sync.Mutex
		seen = map[string]bool{}
		wg   sync.WaitGroup
	)
	for range 300 {
		wg.Go(func() {
			addr, free, err := Reserve()
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(free)
			mu.Lock()
			if seen[addr] {
				t.Errorf("%s was given out twice", addr)
			}
			seen[addr] = true
			mu.Unlock()
			l, err := net.Listen("tcp", addr)
			if err != nil {
				t.Error(err)
				return
			}
			l.Close()
		})
	}
	wg.Wait()
}
