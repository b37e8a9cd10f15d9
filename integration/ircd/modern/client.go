package modern

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gopkg.in/irc.v4"
)

// client is a connection. What has no other lock is guarded by the server's.
type client struct {
	s    *Server
	conn net.Conn
	out  chan string
	done chan struct{}
	once sync.Once

	nick, user, host, account string
	ident                     string // what the ident server has said
	real                      string
	caps                      map[string]bool
	negotiating, registered   bool
	sasl                      *saslState
	batches                   int

	// What is answered to one command is gathered, to be labelled.
	gathering bool
	label     string
	answer    []*irc.Message

	multi *pending

	frozen atomic.Bool // see Server.Freeze
}

// pending is a message of several lines that is being sent.
type pending struct {
	ref, target, label, command string
	tags                        map[string]string
	lines                       []part
}

func newClient(s *Server, conn net.Conn, host string) *client {
	return &client{s: s, conn: conn, host: host, nick: "*", out: make(chan string, 100_000), done: make(chan struct{}), caps: make(map[string]bool)}
}

func (c *client) mask() string { return c.nick + "!" + c.username() + "@" + c.host }

// username is what the ident server says, or what the client says itself.
func (c *client) username() string {
	if c.ident != "" {
		return c.ident
	}
	return "~" + c.user
}

// identify asks the ident server whose connection it is (RFC 1413).
func (c *client) identify() {
	conn, err := net.DialTimeout("tcp", c.s.opts.Ident, 5*time.Second)
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	there, here := c.conn.RemoteAddr().(*net.TCPAddr), c.conn.LocalAddr().(*net.TCPAddr)
	if _, err := fmt.Fprintf(conn, "%d , %d\r\n", there.Port, here.Port); err != nil {
		return
	}
	answer, _ := bufio.NewReader(conn).ReadString('\n')
	if parts := strings.Split(answer, ":"); len(parts) == 4 && strings.TrimSpace(parts[1]) == "USERID" {
		c.ident = strings.TrimSpace(parts[3])
	}
}

func (c *client) write() {
	defer c.conn.Close()
	w := bufio.NewWriter(c.conn)
	for {
		select {
		case line := <-c.out:
			_, _ = w.WriteString(line + "\r\n")
			if len(c.out) == 0 && w.Flush() != nil {
				return
			}
		case <-c.done:
			for len(c.out) > 0 {
				_, _ = w.WriteString(<-c.out + "\r\n")
			}
			_ = w.Flush()
			return
		}
	}
}

func (c *client) hangUp() { c.once.Do(func() { close(c.done) }) }

// send sends a raw line.
func (c *client) send(line string) {
	if c.frozen.Load() {
		return
	}
	select {
	case c.out <- line:
	default:
		c.conn.Close() // who does not read
	}
}

// say sends a line with tags, as far as the client has the capabilities for them, or gathers it.
func (c *client) say(m *irc.Message) {
	if m.Tags == nil {
		m.Tags = irc.Tags{}
	}
	if c.caps["server-time"] && m.Tags["time"] == "" {
		m.Tags["time"] = stamp(time.Now())
	}
	if !c.caps["server-time"] {
		delete(m.Tags, "time")
	}
	if c.gathering {
		c.answer = append(c.answer, m)
		return
	}
	c.send(m.String())
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// num sends a numeric reply.
func (c *client) num(code string, params ...string) {
	c.say(&irc.Message{Prefix: &irc.Prefix{Name: name}, Command: code, Params: append([]string{c.nick}, params...)})
}

func (c *client) fail(params ...string) {
	c.say(&irc.Message{Prefix: &irc.Prefix{Name: name}, Command: "FAIL", Params: params})
}

const name = "modern.test.example"

// from sends something that another client has done.
func (c *client) from(other *client, tags map[string]string, command string, params ...string) {
	m := &irc.Message{Prefix: irc.ParsePrefix(other.mask()), Command: command, Params: params, Tags: irc.Tags{}}
	if c.caps["message-tags"] {
		for k, v := range tags {
			m.Tags[k] = v
		}
	}
	if c.caps["account-tag"] && other.account != "" {
		m.Tags["account"] = other.account
	}
	c.say(m)
}

// flush sends what was gathered for one command. s.mu is held.
func (c *client) flush() {
	lines, label := c.answer, c.label
	c.gathering, c.answer, c.label = false, nil, ""
	if label == "" || !c.caps["labeled-response"] {
		for _, m := range lines {
			c.send(m.String())
		}
		return
	}
	switch n := len(lines); {
	case n == 0:
		lines = []*irc.Message{{Prefix: &irc.Prefix{Name: name}, Command: "ACK", Tags: irc.Tags{"label": label}}}
	case n == 1:
		lines[0].Tags["label"] = label
	case lines[0].Command == "BATCH" && lines[n-1].Command == "BATCH" && lines[0].Params[0][1:] == lines[n-1].Params[0][1:]:
		lines[0].Tags["label"] = label
	default:
		ref := c.batch()
		c.send(fmt.Sprintf("@label=%s :%s BATCH +%s labeled-response", label, name, ref))
		for _, m := range lines {
			if m.Tags["batch"] == "" {
				m.Tags["batch"] = ref
			}
		}
		lines = append(lines, &irc.Message{Prefix: &irc.Prefix{Name: name}, Command: "BATCH", Params: []string{"-" + ref}})
	}
	for _, m := range lines {
		c.send(m.String())
	}
}

func (c *client) batch() string {
	c.batches++
	return fmt.Sprintf("b%d", c.batches)
}

// read reads the client's lines, at the pace of Options.
func (c *client) read() {
	defer func() {
		c.s.mu.Lock()
		c.s.end(c, "Connection closed")
		c.s.mu.Unlock()
		c.hangUp()
	}()
	lines := make(chan string, 10_000)
	var unread struct {
		sync.Mutex
		bytes int
	}
	go func() {
		defer close(lines)
		r := bufio.NewReaderSize(c.conn, 16<<10)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			unread.Lock()
			unread.bytes += len(line)
			over := c.s.opts.MaxUnread > 0 && unread.bytes > c.s.opts.MaxUnread
			unread.Unlock()
			if over {
				c.s.mu.Lock()
				c.s.killed = append(c.s.killed, c.nick)
				c.s.end(c, "Excess Flood")
				c.s.mu.Unlock()
				return
			}
			lines <- strings.TrimRight(line, "\r\n")
		}
	}()
	tokens, last := 10.0, time.Now()
	for line := range lines {
		if rate := c.s.opts.Rate; rate > 0 && c.registered {
			tokens = min(10, tokens+time.Since(last).Seconds()*rate)
			last = time.Now()
			if tokens < 1 {
				time.Sleep(time.Duration((1 - tokens) / rate * float64(time.Second)))
			}
			tokens--
		}
		unread.Lock()
		unread.bytes -= len(line) + 2
		unread.Unlock()
		m, err := irc.ParseMessage(line)
		if err != nil || c.frozen.Load() {
			continue
		}
		c.s.mu.Lock()
		if c.s.clients[c] {
			c.gathering, c.label = true, m.Tags["label"]
			refusal := ""
			if c.s.opts.Refuse != nil && c.registered {
				refusal = c.s.opts.Refuse(c.nick, line)
			}
			if refusal != "" {
				if m, err := irc.ParseMessage(refusal); err == nil {
					c.say(m)
				}
			} else {
				c.handle(m)
			}
			c.flush()
		}
		c.s.mu.Unlock()
	}
}
