package irc_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// standin is a server whose network does what a test says. It lets in whoever comes,
// and answers the bridge as servers do.
type standin struct {
	t    *testing.T
	addr string

	mu      sync.Mutex
	conn    net.Conn
	names   map[string]string // of channels
	heard   []string
	changed chan struct{}
}

// newStandin makes a server with capabilities and the names of channels.
func newStandin(t *testing.T, caps string, names map[string]string) *standin {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &standin{t: t, addr: l.Addr().String(), names: names, changed: make(chan struct{})}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conn = conn
			s.mu.Unlock()
			work.Go(func() { s.serve(conn, caps) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.hangUp()
		work.Wait()
	})
	return s
}

func (s *standin) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		s.conn.Close()
	}
}

func (s *standin) serve(conn net.Conn, caps string) {
	defer conn.Close()
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(conn, format+"\r\n", args...) }
	r := bufio.NewReader(conn)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		s.mu.Lock()
		s.heard = append(s.heard, line)
		close(s.changed)
		s.changed = make(chan struct{})
		s.mu.Unlock()
		command, rest, _ := strings.Cut(line, " ")
		switch command {
		case "CAP":
			switch sub, arg, _ := strings.Cut(rest, " "); sub {
			case "LS":
				say(":srv CAP * LS :%s", caps)
			case "REQ":
				say(":srv CAP * ACK %s", arg)
			case "END":
				say(":srv 001 bridge :Welcome\r\n:srv 005 bridge PREFIX=(Yqaohv)!~&@%%+ CHANMODES=beI,k,l,imnpst :are supported\r\n:srv 422 bridge :No MOTD")
			}
		case "JOIN":
			for _, name := range strings.Split(rest, ",") {
				s.mu.Lock()
				names := s.names[name]
				s.mu.Unlock()
				say(":bridge!b@h JOIN %s\r\n:srv 353 bridge = %s :bridge %s\r\n:srv 366 bridge %s :End", name, name, names, name)
			}
		case "MODE":
			say(":srv 324 bridge %s +nt", rest)
		case "PING":
			say(":srv PONG srv %s", rest)
		}
	}
}

// send sends lines to the bridge.
func (s *standin) send(lines ...string) {
	s.t.Helper()
	s.mu.Lock()
	conn := s.conn
	s.mu.Unlock()
	if _, err := conn.Write([]byte(strings.Join(lines, "\r\n") + "\r\n")); err != nil {
		s.t.Errorf("send: %v", err)
	}
}

// expect waits until the bridge has sent a line, from a place on, and returns the
// place after it.
func (s *standin) expect(from int, line string) int {
	s.t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		s.mu.Lock()
		for i := from; i < len(s.heard); i++ {
			if s.heard[i] == line {
				s.mu.Unlock()
				return i + 1
			}
		}
		heard, changed := s.heard[from:], s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-deadline:
			s.t.Fatalf("no %q came, but %q", line, heard)
		}
	}
}
