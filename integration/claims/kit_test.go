package claims_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"maunium.net/go/mautrix/bridgev2"

	"github.com/landbridge-im/landbridge/app/apptest"
	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/examples/linechat"
)

// patience is how long something may take.
const patience = time.Minute

// network is a server of line chat on which the test is everybody: it speaks as anyone, and hears what the bridge says.
type network struct {
	net.Listener
	t     *testing.T
	mu    sync.Mutex
	conn  net.Conn
	lines []string
	news  chan struct{} // closed when there is more
	wg    sync.WaitGroup
}

func newNetwork(t *testing.T) *network {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &network{Listener: l, t: t, news: make(chan struct{})}
	n.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n.mu.Lock()
			n.conn = c
			close(n.news)
			n.news = make(chan struct{})
			n.mu.Unlock()
			n.wg.Go(func() { n.read(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		n.mu.Lock()
		if n.conn != nil {
			n.conn.Close()
		}
		n.mu.Unlock()
		n.wg.Wait()
	})
	return n
}

func (n *network) read(c net.Conn) {
	for lines := bufio.NewScanner(c); lines.Scan(); {
		n.mu.Lock()
		n.lines = append(n.lines, lines.Text())
		close(n.news)
		n.news = make(chan struct{})
		n.mu.Unlock()
	}
}

// say says something in a channel as somebody.
func (n *network) say(channel, nick, text string) {
	n.t.Helper()
	n.until("the bridge", func() bool { return n.conn != nil })
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, err := fmt.Fprintf(n.conn, "%s %s %s\n", channel, nick, text); err != nil {
		n.t.Fatal(err)
	}
}

// until waits for a condition on the network, with n.mu held.
func (n *network) until(what string, ok func() bool) {
	n.t.Helper()
	for deadline := time.After(patience); ; {
		n.mu.Lock()
		done, news := ok(), n.news
		lines := strings.Join(n.lines, "\n")
		n.mu.Unlock()
		if done {
			return
		}
		select {
		case <-news:
		case <-deadline:
			n.t.Fatalf("no %s on the network; it has heard\n%s", what, lines)
		}
	}
}

// hears waits for a line that begins so, and gives the rest of it.
func (n *network) hears(begin string) (rest string) {
	n.t.Helper()
	n.until(begin, func() bool {
		for _, l := range n.lines {
			if r, ok := strings.CutPrefix(l, begin); ok {
				rest = r
				return true
			}
		}
		return false
	})
	return rest
}

// heard counts the lines that have a text in them.
func (n *network) heard(text string) (count int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.lines {
		if strings.Contains(l, text) {
			count++
		}
	}
	return count
}

// restart restarts the server, and waits for nothing that was connected before.
func (n *network) restart(s *apptest.Server) {
	n.t.Helper()
	n.mu.Lock()
	n.conn = nil
	n.mu.Unlock()
	s.Restart()
}

// forget drops what was heard.
func (n *network) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = nil
}

// spy is the module of line chat, and what it was given.
type spy struct {
	appservice.Module
	mu    sync.Mutex
	br    *bridgev2.Bridge
	links appservice.Links
}

func newSpy() *spy {
	s := &spy{Module: linechat.Module()}
	make := s.New
	s.New = func(ctx context.Context, env appservice.Env) (appservice.Bridge, error) {
		b, err := make(ctx, env)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		s.links = env.Links
		s.mu.Unlock()
		return spied{b.(abilities), s}, nil
	}
	return s
}

// abilities are those of line chat.
type abilities interface {
	appservice.Bridge
	appservice.Failer
	appservice.AliasOpener
	appservice.Messenger
	appservice.Freezer
}

type spied struct {
	abilities
	s *spy
}

// Start implements appservice.Bridge.
func (b spied) Start(ctx context.Context, br *bridgev2.Bridge) error {
	b.s.mu.Lock()
	b.s.br = br
	b.s.mu.Unlock()
	return b.abilities.Start(ctx, br)
}

func (s *spy) bridge() *bridgev2.Bridge {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.br
}

// start runs Landbridge with line chat.
func start(t *testing.T, channels string) (*apptest.Server, *network, *spy) {
	t.Helper()
	n, mod := newNetwork(t), newSpy()
	s := apptest.Start(t, fmt.Sprintf("  - {id: lines, module: linechat, config: {address: %q, channels: %s}}\n", n.Addr(), channels), mod.Module)
	return s, n, mod
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not %s", what)
		}
	}
}
