package bridgetest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// Crowd is an IRC server with two channels: #chan, with many people who never say
// anything, and #side, where one person talks.
type Crowd struct {
	Addr  string
	Hello chan time.Time // when something with "hello" came to #chan

	n        int
	listener net.Listener

	mu     sync.Mutex
	conn   net.Conn
	said   []time.Time
	ending chan struct{}
	work   sync.WaitGroup
}

// NewCrowd starts one, with n people in #chan.
func NewCrowd(n int) (*Crowd, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &Crowd{Addr: l.Addr().String(), n: n, listener: l, Hello: make(chan time.Time, 1), ending: make(chan struct{})}
	c.work.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.mu.Lock()
			c.conn = conn
			c.mu.Unlock()
			c.serve(conn)
		}
	})
	return c, nil
}

// Close ends the server.
func (c *Crowd) Close() {
	c.listener.Close()
	c.mu.Lock()
	if c.conn != nil {
		c.conn.Close()
	}
	c.mu.Unlock()
	c.Stop()
	c.work.Wait()
}

// write writes to the bridge.
func (c *Crowd) write(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = io.WriteString(c.conn, text) // a bridge that is gone shows in what does not come
}

// talk says something in #side a few times a second.
func (c *Crowd) talk() {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-c.ending:
			return
		case <-tick.C:
		}
		c.mu.Lock()
		c.said = append(c.said, time.Now())
		c.mu.Unlock()
		c.write(fmt.Sprintf(":talker!t@host PRIVMSG #side :line %d\r\n", i))
	}
}

// Stop ends the talk and returns when the lines were said.
func (c *Crowd) Stop() []time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.ending:
	default:
		close(c.ending)
	}
	return c.said
}

func (c *Crowd) serve(conn net.Conn) {
	defer conn.Close()
	lines := bufio.NewScanner(conn)
	talking := false
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) == 0 {
			continue
		}
		switch strings.ToUpper(words[0]) {
		case "CAP":
			if len(words) > 1 && words[1] == "LS" {
				c.write(":irc.test CAP * LS :\r\n")
			}
		case "USER":
			c.write(":irc.test 001 lbridge :Welcome\r\n:irc.test 005 lbridge CHANTYPES=# NICKLEN=30 :are supported\r\n:irc.test 422 lbridge :No MOTD\r\n")
		case "PING":
			c.write(fmt.Sprintf(":irc.test PONG irc.test %s\r\n", words[len(words)-1]))
		case "PRIVMSG":
			if strings.Contains(lines.Text(), "hello") {
				select {
				case c.Hello <- time.Now():
				default:
				}
			}
		case "JOIN":
			for _, name := range strings.Split(words[1], ",") {
				c.join(name)
			}
			if !talking {
				talking = true
				c.work.Go(c.talk)
			}
		}
	}
}

// join lets the bridge into a channel.
func (c *Crowd) join(name string) {
	var b strings.Builder
	fmt.Fprintf(&b, ":lbridge!l@host JOIN %s\r\n", name)
	if name == "#side" {
		b.WriteString(":irc.test 353 lbridge = #side :talker\r\n")
	}
	for i := 0; name == "#chan" && i < c.n; i += 20 {
		b.WriteString(":irc.test 353 lbridge = #chan :")
		for j := i; j < min(i+20, c.n); j++ {
			fmt.Fprintf(&b, "person%d ", j)
		}
		b.WriteString("\r\n")
	}
	fmt.Fprintf(&b, ":irc.test 366 lbridge %s :End\r\n", name)
	c.write(b.String())
}
