package ircd

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// Client is a plain IRC client for tests, independent of the project's own: it
// sends and matches raw lines.
type Client struct {
	// Nick is the client's nick at connection.
	Nick string

	t     testing.TB
	conn  net.Conn
	lines chan string
}

// Dial connects and registers a client.
func Dial(t testing.TB, addr, nick string) *Client {
	t.Helper()
	return DialWith(t, addr, nick)
}

// DialWith is Dial with capabilities of IRCv3.
func DialWith(t testing.TB, addr, nick string, caps ...string) *Client {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		t.Fatalf("connect %s to %s: %v", nick, addr, err)
	}
	c := &Client{Nick: nick, t: t, conn: conn, lines: make(chan string, 10000)}
	go func() {
		defer close(c.lines)
		r := bufio.NewReader(conn)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			line = strings.TrimRight(line, "\r\n")
			if rest, ok := strings.CutPrefix(line, "PING "); ok {
				_, _ = fmt.Fprintf(conn, "PONG %s\r\n", rest)
				continue
			}
			c.lines <- line
		}
	}()
	t.Cleanup(func() { conn.Close() })
	if len(caps) > 0 {
		c.Send("CAP REQ :" + strings.Join(caps, " "))
		c.Send("CAP END")
	}
	c.Send("NICK " + nick)
	c.Send("USER " + nick + " 0 * :" + nick)
	c.Expect(" 001 ")
	return c
}

// Send sends one raw line.
func (c *Client) Send(line string) {
	c.t.Helper()
	if _, err := c.conn.Write([]byte(line + "\r\n")); err != nil {
		c.t.Errorf("%s: write: %v", c.Nick, err)
	}
}

// Join joins a channel and waits until it is in.
func (c *Client) Join(channel string) {
	c.t.Helper()
	c.Send("JOIN " + channel)
	c.Expect(" 366 ")
}

// Expect reads lines until one contains the text and returns it.
func (c *Client) Expect(text string) string {
	c.t.Helper()
	timeout := time.After(15 * time.Second)
	var seen []string
	for {
		select {
		case line, ok := <-c.lines:
			if !ok {
				c.t.Fatalf("%s: connection ended while waiting for %q; read:\n%s", c.Nick, text, strings.Join(seen, "\n"))
			}
			if strings.Contains(line, text) {
				return line
			}
			seen = append(seen, line)
		case <-timeout:
			c.t.Fatalf("%s: nothing with %q came; read:\n%s", c.Nick, text, strings.Join(seen, "\n"))
		}
	}
}

// Drain returns what has been read within the wait.
func (c *Client) Drain(wait time.Duration) []string {
	var lines []string
	timeout := time.After(wait)
	for {
		select {
		case line, ok := <-c.lines:
			if !ok {
				return lines
			}
			lines = append(lines, line)
		case <-timeout:
			return lines
		}
	}
}
