package demonet

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"gopkg.in/irc.v4"
)

// client is one connection, or one of the scripted people. Its fields other
// than those of the connection are guarded by the server's mutex.
type client struct {
	s    *Server
	conn net.Conn // nil for people
	out  chan string
	done chan struct{}
	once sync.Once

	nick, user, real string
	host             string
	caps             map[string]bool
	negotiating      bool
	registered       bool
	away             string
	joined           map[*channel]bool
	since            time.Time
	quitReason       string
}

func newClient(s *Server, nc net.Conn) *client {
	c := &client{
		s: s, conn: nc, host: "localhost", since: time.Now(),
		out: make(chan string, sendQueue), done: make(chan struct{}),
		caps: make(map[string]bool), joined: make(map[*channel]bool),
	}
	if nc != nil {
		if host, _, err := net.SplitHostPort(nc.RemoteAddr().String()); err == nil {
			c.host = strings.ReplaceAll(host, ":", "-")
		}
	}
	return c
}

func (c *client) virtual() bool { return c.conn == nil }

func (c *client) prefix() string { return c.nick + "!" + c.user + "@" + c.host }

// kill ends a connection; the server's mutex must be held.
func (c *client) kill(reason string) {
	c.once.Do(func() {
		c.quitReason = reason
		c.send("ERROR :Closing link: " + reason)
		close(c.done)
	})
}

// send queues a line; a client that does not read is disconnected.
func (c *client) send(line string) {
	if c.virtual() {
		return
	}
	select {
	case c.out <- line:
	default:
		c.once.Do(func() {
			c.quitReason = "SendQ exceeded"
			close(c.done)
		})
	}
}

// reply sends a numeric.
func (c *client) reply(code, params string) {
	nick := c.nick
	if nick == "" {
		nick = "*"
	}
	c.send(fmt.Sprintf(":%s %s %s %s", c.s.opts.Name, code, nick, params))
}

// relay sends a line that comes from someone, with the tags that this client has
// asked for.
func (c *client) relay(at time.Time, id, line string) {
	var tags []string
	if c.caps["server-time"] {
		tags = append(tags, "time="+at.UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	if id != "" && c.caps["message-tags"] {
		tags = append(tags, "msgid="+id)
	}
	if len(tags) > 0 {
		line = "@" + strings.Join(tags, ";") + " " + line
	}
	c.send(line)
}

func (c *client) write() {
	defer c.conn.Close()
	w := bufio.NewWriter(c.conn)
	flush := func() bool {
		_ = c.conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
		return w.Flush() == nil
	}
	for {
		select {
		case line := <-c.out:
			_, _ = w.WriteString(line + "\r\n")
			if len(c.out) == 0 && !flush() {
				return
			}
		case <-c.done:
			for len(c.out) > 0 {
				_, _ = w.WriteString(<-c.out + "\r\n")
			}
			flush()
			return
		}
	}
}

// read handles lines until the connection ends, slowing down a client that
// sends faster than people do.
func (c *client) read() {
	r := bufio.NewReaderSize(c.conn, tagLen+lineLen)
	const burst, perSecond = 400.0, 200.0
	tokens, last := burst, time.Now()
	pinged := false
	for {
		wait := c.s.opts.PingEvery
		if !c.isRegistered() {
			wait = registerWithin
		}
		_ = c.conn.SetReadDeadline(time.Now().Add(wait))
		line, err := r.ReadSlice('\n')
		if err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() && !pinged && c.isRegistered() && len(line) == 0 {
				pinged = true
				c.send("PING :" + c.s.opts.Name)
				continue
			}
			c.gone(readReason(err))
			return
		}
		pinged = false
		tokens = min(burst, tokens+time.Since(last).Seconds()*perSecond) - 1
		last = time.Now()
		if tokens < 0 {
			time.Sleep(time.Duration(-tokens / perSecond * float64(time.Second)))
		}
		if !c.handle(strings.TrimRight(string(line), "\r\n")) {
			return
		}
	}
}

func readReason(err error) string {
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		return "Ping timeout"
	}
	if err == bufio.ErrBufferFull {
		return "Line too long"
	}
	return "Connection closed"
}

func (c *client) isRegistered() bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.registered
}

// handle handles one line; false means that the client is gone.
func (c *client) handle(line string) bool {
	if len(line) > tagLen+lineLen || !utf8.ValidString(line) || strings.IndexByte(line, 0) >= 0 {
		line = strings.ReplaceAll(strings.ToValidUTF8(line, "\uFFFD"), "\x00", "")
	}
	tags := ""
	if strings.HasPrefix(line, "@") {
		tags, line, _ = strings.Cut(line, " ")
		line = strings.TrimLeft(line, " ")
	}
	if strings.HasPrefix(line, ":") {
		_, line, _ = strings.Cut(line, " ")
		line = strings.TrimLeft(line, " ")
	}
	if strings.TrimSpace(line) == "" {
		return true
	}
	if len(line) > lineLen-2 {
		line = strings.ToValidUTF8(line[:lineLen-2], "")
	}
	m, err := irc.ParseMessage(line)
	if err != nil {
		return true
	}
	_ = tags // client-only tags are accepted and not passed on
	c.s.mu.Lock()
	gone := c.dispatch(m)
	c.s.mu.Unlock()
	if gone {
		c.gone("")
	}
	return !gone
}

// gone removes the client from the server.
func (c *client) gone(reason string) {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	c.kill(reason)
	s.forget(c, c.quitReason)
}

// forget tells everyone who shares a channel with the client that it has quit.
func (s *Server) forget(c *client, reason string) {
	if !s.clients[c] {
		return
	}
	delete(s.clients, c)
	if c.registered {
		line := ":" + c.prefix() + " QUIT :" + reason
		now := time.Now()
		for other := range c.neighbours() {
			other.relay(now, "", line)
		}
		delete(s.nicks, fold(c.nick))
	}
	for ch := range c.joined {
		s.leave(ch, c)
	}
}

// neighbours are the other clients that share a channel with the client.
func (c *client) neighbours() map[*client]bool {
	all := make(map[*client]bool)
	for ch := range c.joined {
		for other := range ch.members {
			if other != c {
				all[other] = true
			}
		}
	}
	return all
}
