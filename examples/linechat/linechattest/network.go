// Package linechattest is a server of line chat for tests.
package linechattest

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long something may take.
const patience = time.Minute

// Network is a server of line chat on which the test is everybody: it speaks as anyone, and hears what the bridge says.
type Network struct {
	net.Listener
	t     testing.TB
	mu    sync.Mutex
	conn  net.Conn
	lines []string
	news  chan struct{} // closed when there is more
	wg    sync.WaitGroup
}

// New starts a server that ends with the test.
func New(t testing.TB) *Network {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &Network{Listener: l, t: t, news: make(chan struct{})}
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

func (n *Network) read(c net.Conn) {
	for lines := bufio.NewScanner(c); lines.Scan(); {
		n.mu.Lock()
		n.lines = append(n.lines, lines.Text())
		close(n.news)
		n.news = make(chan struct{})
		n.mu.Unlock()
	}
}

// Say says something in a channel as somebody.
func (n *Network) Say(channel, nick, text string) {
	n.t.Helper()
	n.until("bridge", func() bool { return n.conn != nil })
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, err := fmt.Fprintf(n.conn, "%s %s %s\n", channel, nick, text); err != nil {
		n.t.Fatal(err)
	}
}

// until waits for a condition on the network, with n.mu held.
func (n *Network) until(what string, ok func() bool) {
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

// Hears waits for a line that begins so, and gives the rest of it.
func (n *Network) Hears(begin string) (rest string) {
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

// Heard counts the lines that have a text in them.
func (n *Network) Heard(text string) (count int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.lines {
		if strings.Contains(l, text) {
			count++
		}
	}
	return count
}

// Drop forgets the bridge's connection: what is said next waits for a new one.
func (n *Network) Drop() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.conn = nil
}

// Forget drops what was heard.
func (n *Network) Forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = nil
}
