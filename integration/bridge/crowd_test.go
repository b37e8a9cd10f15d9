package bridge_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// manyOnIRC is how many people are in the IRC channel; LANDBRIDGE_MANY changes it.
func manyOnIRC(t *testing.T) int {
	text := os.Getenv("LANDBRIDGE_MANY")
	if text == "" {
		return many
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestManyOnIRC has a bridge join a channel in which many people are already, and
// another one in which somebody talks meanwhile.
func TestManyOnIRC(t *testing.T) {
	many := manyOnIRC(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	irc := newCrowd(t, many)
	began := time.Now()
	s := testserver.New(t, testserver.Options{Extra: "bridges:\n" + bridgetest.IRCBridge("irc", "none",
		bridgetest.IRCNetwork{ID: "crowd", Addr: irc.addr, Channels: []string{"#chan", "#side"}})})
	anna, err := bridgetest.Register(ctx, s.URL(), "anna", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(anna.Close)
	bert, err := bridgetest.Register(ctx, s.URL(), "bert", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bert.Close)
	room, side := joinRoom(ctx, t, anna, "#irc_crowd_#chan:test"), joinRoom(ctx, t, bert, "#irc_crowd_#side:test")
	if err := bert.Follow(ctx); err != nil {
		t.Fatal(err)
	}

	members := 0
	for members < many {
		list, err := anna.Members(ctx, room)
		if err != nil {
			t.Fatalf("with %d members: %v", members, err)
		}
		members = len(list)
		time.Sleep(500 * time.Millisecond) // to ask is work, too
	}
	took := time.Since(began)
	t.Logf("%d people of a channel in the room %v after the start", many, took.Round(time.Millisecond))
	if took > slack*allIn {
		t.Errorf("it took %v", took)
	}

	// The large room works.
	sent := time.Now()
	if _, err := anna.SendTxn(ctx, room, "m.room.message", "hello", map[string]any{"msgtype": "m.text", "body": "hello"}); err != nil {
		t.Fatal(err)
	}
	select {
	case at := <-irc.hello:
		t.Logf("a message to the large channel took %v", at.Sub(sent).Round(time.Millisecond))
		if at.Sub(sent) > slack*time.Second {
			t.Errorf("a message to the large channel took %v", at.Sub(sent))
		}
	case <-ctx.Done():
		t.Fatal("a message never came to the large channel")
	}

	// The small one was not held up meanwhile.
	said := irc.stop()
	var talk bridgetest.Latencies
	for i, at := range said {
		e, _, err := bert.Await(ctx, 0, side, "a message of the small channel", func(e bridgetest.Event) bool {
			return e.Type == "m.room.message" && e.Body() == fmt.Sprintf("line %d", i)
		})
		if err != nil {
			t.Fatal(err)
		}
		talk = append(talk, e.At.Sub(at))
	}
	t.Logf("from the small channel meanwhile: %v", talk)
	if len(talk) == 0 || talk.Percentile(100) > slack*time.Second {
		t.Errorf("the small channel was held up: %v", talk)
	}
}

// joinRoom joins a room that the bridge may not have made yet.
func joinRoom(ctx context.Context, t *testing.T, m *bridgetest.Matrix, alias string) string {
	t.Helper()
	for {
		room, err := m.Join(ctx, alias)
		if err == nil {
			return room
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// crowd is an IRC server with two channels: #chan, with many people who never say
// anything, and #side, where one person talks.
type crowd struct {
	addr  string
	n     int
	hello chan time.Time // when something with "hello" came to #chan

	mu     sync.Mutex
	conn   net.Conn
	said   []time.Time
	ending chan struct{}
	work   sync.WaitGroup
}

func newCrowd(t *testing.T, n int) *crowd {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &crowd{addr: l.Addr().String(), n: n, hello: make(chan time.Time, 1), ending: make(chan struct{})}
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
	t.Cleanup(func() {
		l.Close()
		c.mu.Lock()
		if c.conn != nil {
			c.conn.Close()
		}
		c.mu.Unlock()
		c.stop()
		c.work.Wait()
	})
	return c
}

// write writes to the bridge.
func (c *crowd) write(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = io.WriteString(c.conn, text) // a bridge that is gone shows in what does not come
}

// talk says something in #side a few times a second.
func (c *crowd) talk() {
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

// stop ends the talk and returns when the lines were said.
func (c *crowd) stop() []time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.ending:
	default:
		close(c.ending)
	}
	return c.said
}

func (c *crowd) serve(conn net.Conn) {
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
				case c.hello <- time.Now():
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
func (c *crowd) join(name string) {
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
