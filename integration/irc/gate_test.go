package irc_test

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
)

// gate stands between the bridge and an IRC server, so that people can be on
// the server before the bridge is.
type gate struct {
	addr string

	mu     sync.Mutex
	shut   bool
	frozen chan struct{} // closed when what is frozen may go on; nil while nothing is
	conns  map[net.Conn]bool
}

// newGate makes a gate that is open.
func newGate(t testing.TB, to string) *gate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{addr: l.Addr().String(), conns: make(map[net.Conn]bool)}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() { g.pass(t.Context(), c, to) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		if g.frozen != nil {
			g.Thaw()
		}
		g.Shut()
		work.Wait()
	})
	return g
}

// pass passes one connection through.
func (g *gate) pass(ctx context.Context, c net.Conn, to string) {
	defer c.Close()
	up, err := new(net.Dialer).DialContext(ctx, "tcp", to)
	if err != nil {
		return
	}
	defer up.Close()
	g.mu.Lock()
	if g.shut {
		g.mu.Unlock()
		return
	}
	g.conns[c], g.conns[up] = true, true
	g.mu.Unlock()
	var both sync.WaitGroup
	for _, pair := range [][2]net.Conn{{c, up}, {up, c}} {
		both.Go(func() {
			_, _ = io.Copy(frost{pair[0], g}, pair[1]) // the end of either is the end of both
			pair[0].Close()
			pair[1].Close()
		})
	}
	both.Wait()
	g.mu.Lock()
	delete(g.conns, c)
	delete(g.conns, up)
	g.mu.Unlock()
}

// Shut cuts all connections and lets none through until Open.
func (g *gate) Shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = true
	for c := range g.conns {
		c.Close()
	}
}

// Open lets connections through again.
func (g *gate) Open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = false
}

// frost is a connection that does not get what is written to it while its gate is frozen.
type frost struct {
	net.Conn
	g *gate
}

func (f frost) Write(p []byte) (int, error) {
	f.g.mu.Lock()
	frozen := f.g.frozen
	f.g.mu.Unlock()
	if frozen != nil {
		<-frozen
		return 0, net.ErrClosed
	}
	return f.Conn.Write(p)
}

// Freeze has all connections die without anybody being told: they stay open, and nothing comes through. Thaw ends them, and
// lets new ones through.
func (g *gate) Freeze() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.frozen = make(chan struct{})
}

// Thaw lets new connections through after Freeze.
func (g *gate) Thaw() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.frozen)
	g.frozen = nil
}
