package irc_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// witness stands between the bridge and an IRC server and knows what the bridge
// has heard. After what it passes on to the bridge it asks for life, as servers
// do: PING. By answering, the bridge has acknowledged all that came before, and
// may not lose it any more, whatever happens.
//
// What was passed on without an answer can be in the bridge's hands, or in a
// buffer of the operating system that no program can save.
type witness struct {
	addr string

	mu    sync.Mutex
	heard []*hearing // what people said, as it was passed on
	pings map[string]ping
	next  int
	slow  time.Duration // the longest that an answer took
}

// hearing is something said that was passed on to the bridge.
type hearing struct {
	nick, text string
	at         time.Time
	since      time.Time // when the connection began
	acked      bool
}

// ping is a question, and which of what was heard the connection had passed on
// before it.
type ping struct {
	at           time.Time
	begin, heard int
}

const witnessPing = "witness-"

// newWitness makes a witness that passes connections on to a server.
func newWitness(t testing.TB, to string) *witness {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{addr: l.Addr().String(), pings: make(map[string]ping)}
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() { w.pass(ctx, c, to) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		cancel()
		work.Wait()
	})
	return w
}

// pass passes one connection of the bridge through.
func (w *witness) pass(ctx context.Context, bridge net.Conn, to string) {
	defer bridge.Close()
	server, err := new(net.Dialer).DialContext(ctx, "tcp", to)
	if err != nil {
		return
	}
	defer server.Close()
	stop := context.AfterFunc(ctx, func() { bridge.Close(); server.Close() })
	defer stop()
	var both sync.WaitGroup
	both.Go(func() {
		if w.toBridge(bridge, server) {
			bridge.Close()
			return
		}
		_, _ = io.Copy(io.Discard, server) // until it hangs up, too
	})
	both.Go(func() {
		w.toServer(server, bridge)
		// Not Close: a server drops what it has not read of a connection that is
		// reset, and one is reset that has something unread when it is closed.
		_ = server.(*net.TCPConn).CloseWrite()
	})
	both.Wait()
}

// toBridge passes on what the server says. It reports whether the server has hung
// up; if it is the bridge that is gone, its last words are still to be read.
func (w *witness) toBridge(bridge io.Writer, server io.Reader) bool {
	w.mu.Lock()
	begin, since := len(w.heard), time.Now()
	w.mu.Unlock()
	r := bufio.NewReader(server)
	joined := false
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return true
		}
		if _, err := io.WriteString(bridge, line); err != nil {
			return false
		}
		joined = joined || strings.Contains(line, " 366 ")
		w.note(line, since)
		if joined && r.Buffered() == 0 {
			if _, err := io.WriteString(bridge, w.ping(begin)); err != nil {
				return false
			}
		}
	}
}

// note remembers what somebody has said to a channel.
func (w *witness) note(line string, since time.Time) {
	if strings.HasPrefix(line, "@") {
		_, line, _ = strings.Cut(line, " ")
	}
	source, rest, _ := strings.Cut(strings.TrimPrefix(line, ":"), " ")
	rest, ok := strings.CutPrefix(rest, "PRIVMSG #")
	if !ok {
		return
	}
	nick, _, _ := strings.Cut(source, "!")
	_, text, _ := strings.Cut(strings.TrimRight(rest, "\r\n"), " ")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heard = append(w.heard, &hearing{nick: nick, text: strings.TrimPrefix(text, ":"), at: time.Now(), since: since})
}

func (w *witness) ping(begin int) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next++
	name := fmt.Sprint(witnessPing, w.next)
	w.pings[name] = ping{time.Now(), begin, len(w.heard)}
	return "PING :" + name + "\r\n"
}

func (w *witness) toServer(server io.Writer, bridge io.Reader) {
	r := bufio.NewReader(bridge)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		if name, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "PONG :"+witnessPing); ok {
			w.answered(witnessPing + name)
			continue
		}
		if _, err := io.WriteString(server, line); err != nil {
			return
		}
	}
}

// slowest is the longest that an acknowledgement took.
func (w *witness) slowest() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.slow
}

// answered notes that the bridge has acknowledged what came before a PING. What
// was passed on to a connection of an earlier process is not: each connection
// acknowledges its own.
func (w *witness) answered(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.pings[name]
	delete(w.pings, name)
	for i := p.heard - 1; i >= p.begin && !w.heard[i].acked; i-- {
		w.heard[i].acked = true
	}
	w.slow = max(w.slow, time.Since(p.at))
}
