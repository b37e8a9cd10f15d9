package linechat_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/app"
	"github.com/landbridge-im/landbridge/app/apptest"
	"github.com/landbridge-im/landbridge/examples/linechat"
)

// server is the network: it gives every line to everybody but who sent it.
type server struct {
	net.Listener
	mu    sync.Mutex
	conns map[net.Conn]bool
	wg    sync.WaitGroup
}

func newServer(t *testing.T) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Listener: l, conns: map[net.Conn]bool{}}
	s.wg.Go(s.accept)
	t.Cleanup(func() {
		l.Close()
		s.drop()
		s.wg.Wait()
	})
	return s
}

func (s *server) accept() {
	for {
		c, err := s.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[c] = true
		s.mu.Unlock()
		s.wg.Go(func() {
			for lines := bufio.NewScanner(c); lines.Scan(); {
				s.tell(c, lines.Text())
			}
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
		})
	}
}

func (s *server) tell(from net.Conn, line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if c != from {
			fmt.Fprintln(c, line)
		}
	}
}

// drop ends all connections.
func (s *server) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.Close()
	}
}

// TestLineChat goes the whole way: from the network to /sync and back, over a lost connection and a restart.
func TestLineChat(t *testing.T) {
	t.Parallel()
	network := newServer(t)
	bob, err := net.Dial("tcp", network.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer bob.Close()
	heard := bufio.NewReader(bob)
	expect := func(want string) {
		t.Helper()
		bob.SetReadDeadline(time.Now().Add(time.Minute))
		if line, err := heard.ReadString('\n'); err != nil || line != want+"\n" {
			t.Fatalf("bob hears %q, %v; not %q", line, err, want)
		}
	}
	s := apptest.Start(t, fmt.Sprintf("  - {id: lines, module: linechat, config: {address: %q, channels: [town], open: true}}\n", network.Addr()), linechat.Module())
	alice := s.Person("alice")
	room := alice.Enter("#lines_town:" + apptest.Domain)
	fmt.Fprintln(bob, "town bob hello from afar")
	alice.Hears(room, "@lines_bob:"+apptest.Domain, "hello from afar")
	alice.Tell(room, "hello to you")
	expect("town alice hello to you")

	// A command of the module's own; it is not bridged.
	alice.Tell(room, "!lines channels")
	alice.Hears(room, "@linesbot:"+apptest.Domain, "Bridged: town")

	// What the module refuses is a dead letter.
	alice.Tell(room, strings.Repeat("long ", 1000))
	for deadline := time.Now().Add(time.Minute); !strings.Contains(s.Run("bridge", "dead-letters", "list", "lines"), "too long for line chat"); {
		if time.Now().After(deadline) {
			t.Fatal("the message that is too long is no dead letter")
		}
	}

	// A channel that nobody has named is there for who wants to join it.
	village := alice.Enter("#lines_village:" + apptest.Domain)
	fmt.Fprintln(bob, "village bob it is quiet here")
	alice.Hears(village, "@lines_bob:"+apptest.Domain, "it is quiet here")
	if _, err := alice.Join(t.Context(), "#lines_No-Channel:"+apptest.Domain); err == nil {
		t.Error("there is a room of an impossible name")
	}

	s.Restart()
	alice.Tell(room, "still there?")
	expect("town alice still there?")
}

// TestConfig: what is wrong with a configuration is said with its line, before anything starts.
func TestConfig(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		``:                                            "config is missing",
		`config: {address: "x:1", channel: [a]}`:      `line 2: unknown key "channel"`,
		`config: {address: x, channels: [a]}`:         `line 2: address "x": write host:port`,
		`config: {address: "x:1", channels: []}`:      "line 2: channels: name one",
		`config: {address: "x:1", channels: ["A b"]}`: `line 2: channel "A b"`,
	} {
		var out, errs strings.Builder
		dir := t.TempDir()
		code := app.Run(t.Context(), []string{"config", "check", apptest.WriteConfig(t, dir, "bridges: [{id: lines, module: linechat,\n "+config+"}]\n")},
			app.Build{Modules: append(app.Modules(), linechat.Module())}, strings.NewReader(""), &out, &errs)
		if code != 1 || !strings.Contains(errs.String(), want) {
			t.Errorf("%s: code %d, %s", config, code, errs.String())
		}
	}
}
