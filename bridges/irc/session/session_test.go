package session_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/irc/demonet"
	"github.com/landbridge-im/landbridge/bridges/irc/session"
	"github.com/landbridge-im/landbridge/integration/ircd"
)

// recorder keeps the events of a session.
type recorder struct {
	mu     sync.Mutex
	events []session.Event
	next   int
	wake   chan struct{}
}

func newRecorder() *recorder { return &recorder{wake: make(chan struct{}, 1)} }

func (r *recorder) HandleEvent(e session.Event) {
	r.mu.Lock()
	r.events = append(r.events, e)
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// await returns the next event of type E for which match holds; events before it
// are passed over.
func await[E session.Event](t *testing.T, r *recorder, match func(E) bool) E {
	t.Helper()
	timeout := time.After(15 * time.Second)
	for {
		r.mu.Lock()
		for r.next < len(r.events) {
			e, ok := r.events[r.next].(E)
			r.next++
			if ok && (match == nil || match(e)) {
				r.mu.Unlock()
				return e
			}
		}
		r.mu.Unlock()
		select {
		case <-r.wake:
		case <-timeout:
			var zero E
			t.Fatalf("no %s came; events: %+v", reflect.TypeOf(zero), r.events)
		}
	}
}

type server struct {
	name string
	addr string
	// restart kills the server and starts it again at the same address.
	restart func()
	nickLen int
	tags    bool
}

// servers starts each kind of server in a subtest.
func servers(t *testing.T, run func(t *testing.T, s server)) {
	t.Run("demonet", func(t *testing.T) {
		t.Parallel()
		d, err := demonet.Start(demonet.Options{Listen: "127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		addr := d.Addr()
		t.Cleanup(func() { d.Close() })
		run(t, server{name: "demonet", addr: addr, tags: true, nickLen: 30, restart: func() {
			d.Close()
			if d, err = demonet.Start(demonet.Options{Listen: addr}); err != nil {
				t.Error(err)
			}
		}})
	})
	t.Run("ngircd", func(t *testing.T) {
		t.Parallel()
		s := ircd.NgIRCd(t, "")
		run(t, server{name: "ngircd", addr: s.Addr, nickLen: 9, restart: func() { s.Stop(); s.Start() }})
	})
	t.Run("inspircd", func(t *testing.T) {
		t.Parallel()
		s := ircd.InspIRCd(t)
		run(t, server{name: "inspircd", addr: s.Addr, tags: true, nickLen: 30, restart: func() { s.Stop(); s.Start() }})
	})
}

func start(t *testing.T, cfg session.Config) (*session.Session, *recorder) {
	t.Helper()
	r := newRecorder()
	cfg.Handler = r
	if cfg.Nick == "" {
		cfg.Nick = "bridge"
	}
	if cfg.Burst == 0 {
		cfg.Burst, cfg.PerSecond = 200, 200
	}
	cfg.Backoff = session.Backoff{Min: 20 * time.Millisecond, Max: 200 * time.Millisecond}
	if cfg.RejoinDelay == 0 {
		cfg.RejoinDelay = 50 * time.Millisecond
	}
	s := session.New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			t.Error("the session does not stop")
		}
	})
	return s, r
}

// send sends a line and returns what became of it.
func send(t *testing.T, s *session.Session, command string, params ...string) session.Outcome {
	t.Helper()
	done := make(chan session.Outcome, 1)
	err := s.Send(context.Background(), &session.Line{Command: command, Params: params, Done: func(o session.Outcome) { done <- o }})
	if err != nil {
		t.Fatalf("send: %v", err)
	}
	select {
	case o := <-done:
		return o
	case <-time.After(15 * time.Second):
		t.Fatal("no outcome of a line")
		return session.Outcome{}
	}
}

func TestTalk(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, srv server) {
		alice := ircd.Dial(t, srv.addr, "alice")
		alice.Join("#room")
		alice.Send("TOPIC #room :the \x02topic\x02")
		s, r := start(t, session.Config{Addr: srv.addr})
		s.Join("#Room", "")
		await[session.Registered](t, r, nil)
		names := await[session.Names](t, r, nil)
		if !strings.EqualFold(names.Channel, "#room") || names.Topic != "the \x02topic\x02" {
			t.Errorf("Names = %+v", names)
		}
		if len(names.Members) != 2 || names.Members[0].Nick != "alice" || !strings.Contains(names.Members[0].Prefixes, "@") {
			t.Errorf("members = %+v, want alice as operator and bridge", names.Members)
		}
		if !s.InChannel("#ROOM") || !s.Present("Alice") || s.Present("nobody") {
			t.Error("the channel's members are not tracked")
		}

		alice.Send("PRIVMSG #room :hello \x02bold\x02 ünï :x")
		m := await[session.Message](t, r, nil)
		if m.Channel != "#room" || m.From.Nick != "alice" || m.Text != "hello \x02bold\x02 ünï :x" || m.Kind != session.KindMessage || m.Echo {
			t.Errorf("message = %+v", m)
		}
		if srv.tags == (m.MsgID == "") {
			t.Errorf("MsgID = %q, tags %v", m.MsgID, srv.tags)
		}
		alice.Send("PRIVMSG #room :\x01ACTION waves\x01")
		if m := await[session.Message](t, r, nil); m.Kind != session.KindAction || m.Text != "waves" {
			t.Errorf("action = %+v", m)
		}
		alice.Send("NOTICE #room :note")
		if m := await[session.Message](t, r, nil); m.Kind != session.KindNotice || m.Text != "note" {
			t.Errorf("notice = %+v", m)
		}
		alice.Send("PRIVMSG #room :caf\xe9 \x80")
		if m := await[session.Message](t, r, nil); srv.name != "demonet" && m.Text != "café €" {
			t.Errorf("Windows-1252 = %q", m.Text)
		}
		alice.Send("PRIVMSG bridge :private")
		if m := await[session.Message](t, r, nil); m.Channel != "" || m.Text != "private" {
			t.Errorf("private = %+v", m)
		}

		if o := send(t, s, "PRIVMSG", "#room", "hi alice: 😀"); o.State != session.Delivered || srv.tags == (o.MsgID == "") {
			t.Errorf("outcome = %+v", o)
		}
		alice.Expect("PRIVMSG #room :hi alice: 😀")
		if o := send(t, s, "PRIVMSG", "#nowhere", "hi"); o.State != session.Refused {
			t.Errorf("outcome of a message to nowhere = %+v", o)
		}
		if o := send(t, s, "PRIVMSG", "#room", "two\nlines"); o.State != session.NotSent {
			t.Errorf("outcome of a line break = %+v", o)
		}
		alice.Send("MODE #room +m")
		await[session.Mode](t, r, func(m session.Mode) bool { return m.Modes == "+m" })
		if o := send(t, s, "PRIVMSG", "#room", "muted"); o.State != session.Refused || !strings.Contains(o.Err.Error(), "404") {
			t.Errorf("outcome in a moderated channel = %+v", o)
		}
		if o := send(t, s, "TOPIC", "#room", "no"); o.State != session.Refused {
			// Without +t everyone may; all three servers set it or the test's
			// channel has it by default.
			if srv.name != "ngircd" {
				t.Errorf("outcome of a topic without rights = %+v", o)
			}
		}
		alice.Send("MODE #room -m+o bridge")
		await[session.Mode](t, r, func(m session.Mode) bool { return strings.Contains(m.Modes, "o") })
		if o := send(t, s, "TOPIC", "#room", "ours"); o.State != session.Delivered {
			t.Errorf("outcome of a topic = %+v", o)
		}
		alice.Expect("TOPIC #room :ours")
		if topic, ok := s.Topic("#room"); !ok || topic != "ours" {
			t.Errorf("Topic() = %q", topic)
		}
	})
}

func TestMembership(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, srv server) {
		alice := ircd.Dial(t, srv.addr, "alice")
		alice.Join("#room")
		s, r := start(t, session.Config{Addr: srv.addr})
		s.Join("#room", "")
		await[session.Names](t, r, nil)
		bob := ircd.Dial(t, srv.addr, "bob")
		bob.Join("#room")
		if e := await[session.Join](t, r, nil); e.User.Nick != "bob" || e.Channel != "#room" {
			t.Errorf("join = %+v", e)
		}
		bob.Send("NICK robert")
		e := await[session.NickChange](t, r, nil)
		if e.Old != "bob" || e.New != "robert" || len(e.Channels) != 1 || e.Self {
			t.Errorf("nick change = %+v", e)
		}
		bob.Send("PART #room :so long")
		if e := await[session.Part](t, r, nil); e.User.Nick != "robert" || !strings.Contains(e.Reason, "so long") {
			t.Errorf("part = %+v", e)
		}
		if s.Present("robert") || s.Present("bob") {
			t.Error("a nick that left is still present")
		}
		bob.Join("#room")
		await[session.Join](t, r, nil)
		alice.Send("KICK #room robert :behave")
		if e := await[session.Kick](t, r, nil); e.Nick != "robert" || e.By.Nick != "alice" || e.Reason != "behave" || e.Self {
			t.Errorf("kick = %+v", e)
		}
		bob.Join("#room")
		await[session.Join](t, r, nil)
		bob.Send("QUIT :gone")
		if e := await[session.Quit](t, r, nil); e.User.Nick != "robert" || len(e.Channels) != 1 || !strings.Contains(e.Reason, "gone") {
			t.Errorf("quit = %+v", e)
		}
		// The session returns after a kick.
		alice.Send("KICK #room bridge :out")
		if e := await[session.Kick](t, r, nil); !e.Self {
			t.Errorf("own kick = %+v", e)
		}
		await[session.Names](t, r, nil)
		// A ban keeps it out, which is told.
		alice.Send("MODE #room +b bridge!*@*")
		alice.Send("KICK #room bridge :out")
		failed := await[session.JoinFailed](t, r, nil)
		if failed.Channel != "#room" || failed.Code != "474" {
			t.Errorf("join failed = %+v", failed)
		}
		alice.Send("MODE #room -b bridge!*@*")
		await[session.Names](t, r, nil)
	})
}

func TestNickCollision(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, srv server) {
		nick := "longnick12345"[:min(13, srv.nickLen)]
		other := ircd.Dial(t, srv.addr, nick)
		s, r := start(t, session.Config{Addr: srv.addr, Nick: "longnick12345"})
		e := await[session.Registered](t, r, nil)
		if e.Nick == nick || len(e.Nick) > srv.nickLen || s.Nick() != e.Nick {
			t.Errorf("registered as %q", e.Nick)
		}
		if srv.nickLen < 13 {
			return
		}
		// The nick is taken back when it is free.
		other.Send("QUIT")
		_ = other.Drain(100 * time.Millisecond)
		await(t, r, func(e session.NickChange) bool { return e.Self && e.New == nick })
	})
}

// TestNickFreed: who sees that the nick is free takes it at once.
func TestNickFreed(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, srv server) {
		other := ircd.Dial(t, srv.addr, "lb")
		other.Join("#room")
		s, r := start(t, session.Config{Addr: srv.addr, Nick: "lb", RejoinDelay: time.Hour})
		s.Join("#room", "")
		await[session.Names](t, r, nil)
		other.Send("QUIT")
		await(t, r, func(e session.NickChange) bool { return e.Self && e.New == "lb" })
	})
}

func TestReconnect(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, srv server) {
		s, r := start(t, session.Config{Addr: srv.addr})
		s.Join("#room", "")
		await[session.Names](t, r, nil)
		sendHere(t, s)
		srv.restart()
		d := await[session.Disconnected](t, r, nil)
		if !d.WasRegistered || d.Err == nil {
			t.Errorf("disconnected = %+v", d)
		}
		await[session.Names](t, r, nil)
		sendHere(t, s)
	})
}

func sendHere(t *testing.T, s *session.Session) {
	t.Helper()
	if o := send(t, s, "PRIVMSG", "#room", "here"); o.State != session.Delivered {
		t.Fatalf("outcome = %+v", o)
	}
}

func TestOrderAndPace(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, srv server) {
		alice := ircd.Dial(t, srv.addr, "alice")
		alice.Join("#room")
		s, r := start(t, session.Config{Addr: srv.addr, Burst: 5, PerSecond: 50, Queue: 4})
		s.Join("#room", "")
		await[session.Names](t, r, nil)
		const n = 40
		started := time.Now()
		outcomes := make(chan session.Outcome, n)
		for i := range n {
			line := &session.Line{Command: "PRIVMSG", Params: []string{"#room", fmt.Sprintf("line %d", i)}, Done: func(o session.Outcome) { outcomes <- o }}
			if err := s.Send(context.Background(), line); err != nil {
				t.Fatal(err)
			}
		}
		for i := range n {
			alice.Expect(fmt.Sprintf(":line %d", i))
		}
		if took := time.Since(started); took < 600*time.Millisecond {
			t.Errorf("40 lines at 50/s after a burst of 5 took only %v", took)
		}
		for range n {
			if o := <-outcomes; o.State != session.Delivered {
				t.Errorf("outcome = %+v", o)
			}
		}
	})
}

func TestTLS(t *testing.T) {
	t.Parallel()
	srv := ircd.InspIRCd(t)
	pemBytes, err := os.ReadFile(srv.CA)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pemBytes)
	_, r := start(t, session.Config{Addr: srv.TLSAddr, TLS: &tls.Config{ServerName: "irc.test.example", RootCAs: pool}})
	await[session.Registered](t, r, nil)

	_, r = start(t, session.Config{Addr: srv.TLSAddr, Nick: "other", TLS: &tls.Config{ServerName: "wrong.example", RootCAs: pool}})
	if d := await[session.Disconnected](t, r, nil); d.WasRegistered || !strings.Contains(d.Err.Error(), "wrong.example") {
		t.Errorf("disconnected = %+v", d)
	}
}

func TestServerPassword(t *testing.T) {
	t.Parallel()
	srv := ircd.NgIRCd(t, "secret")
	_, r := start(t, session.Config{Addr: srv.Addr, Password: "secret"})
	await[session.Registered](t, r, nil)
	_, r = start(t, session.Config{Addr: srv.Addr, Nick: "other", Password: "wrong"})
	if d := await[session.Disconnected](t, r, nil); d.WasRegistered {
		t.Errorf("disconnected = %+v", d)
	}
}

func TestMaxTextIsExact(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, srv server) {
		alice := ircd.Dial(t, srv.addr, "alice")
		alice.Join("#room")
		s, r := start(t, session.Config{Addr: srv.addr})
		s.Join("#room", "")
		await[session.Names](t, r, nil)
		text := strings.Repeat("x", s.MaxText("PRIVMSG", "#room")-3) + "end"
		if o := send(t, s, "PRIVMSG", "#room", text); o.State != session.Delivered {
			t.Fatalf("outcome = %+v", o)
		}
		if line := alice.Expect("PRIVMSG #room"); !strings.HasSuffix(line, "end") {
			t.Errorf("the server cut the line: %q", line)
		}
	})
}
