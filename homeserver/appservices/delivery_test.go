package appservices

import (
	"context"
	"crypto/ed25519"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/presence"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/registration"
)

const server = "test"

// bridge is an application service of a test: it takes transactions, unless the test has it fail.
type bridge struct {
	mu   sync.Mutex
	txns map[string]string // bodies taken, by id
	got  []string          // bodies of events, in the order of taking
	news chan struct{}
	// fault decides what happens to a request: see below.
	fault func() fault
	// legacy has it know only the endpoints of drafts. other answers what is no transaction.
	legacy bool
	other  func(*http.Request) int
}

type fault int

const (
	fine        fault = iota
	refuse            // answers 500 without taking
	takeAndFail       // takes it, then answers 500
	hang              // takes it, and never answers
	broken            // fails without an answer
)

func newBridge() *bridge {
	return &bridge{txns: map[string]string{}, news: make(chan struct{}, 1), fault: func() fault { return fine }}
}

func (b *bridge) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer hs-token") {
		return answer(http.StatusForbidden), nil
	}
	prefix := "/_matrix/app/v1/transactions/"
	if b.legacy {
		prefix = "/transactions/"
	}
	id, ok := strings.CutPrefix(r.URL.Path, prefix)
	switch {
	case !ok && b.other != nil:
		b.mu.Lock()
		defer b.mu.Unlock()
		return answer(b.other(r)), nil
	case !ok:
		return answer(http.StatusNotFound), nil
	case b.legacy && !strings.HasPrefix(r.URL.Query().Get("access_token"), "hs-token"):
		return answer(http.StatusForbidden), nil
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	f := b.fault()
	if f == fine || f == takeAndFail || f == hang {
		b.take(id, raw)
	}
	b.mu.Unlock()
	switch f {
	case refuse, takeAndFail:
		return answer(http.StatusInternalServerError), nil
	case broken:
		return nil, errors.New("connection reset")
	case hang:
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return answer(http.StatusOK), nil
}

// take handles a transaction as services must: once for each id.
func (b *bridge) take(id string, raw []byte) {
	defer func() {
		select {
		case b.news <- struct{}{}:
		default:
		}
	}()
	if have, ok := b.txns[id]; ok {
		if !sameEvents(have, string(raw)) {
			b.got = append(b.got, "transaction "+id+" has changed")
		}
		return
	}
	b.txns[id] = string(raw)
	b.got = append(b.got, bodies(string(raw))...)
}

func sameEvents(a, b string) bool { return fmt.Sprint(bodies(a)) == fmt.Sprint(bodies(b)) }

func bodies(raw string) (out []string) {
	var t struct {
		Events []struct {
			Content struct{ Body string }
		}
	}
	if err := json.Unmarshal([]byte(raw), &t, json.MatchCaseInsensitiveNames(true)); err != nil {
		return []string{err.Error()}
	}
	for _, e := range t.Events {
		if e.Content.Body != "" {
			out = append(out, e.Content.Body)
		}
	}
	return out
}

func answer(status int) *http.Response {
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader("{}")), Header: http.Header{}}
}

// wait waits until the bridge has taken n messages, and returns them.
func (b *bridge) wait(t *testing.T, n int) []string {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		b.mu.Lock()
		got := append([]string{}, b.got...)
		b.mu.Unlock()
		if len(got) >= n {
			return got
		}
		select {
		case <-b.news:
		case <-deadline:
			t.Fatalf("the service has %d of %d messages: %q", len(got), n, got)
		}
	}
}

type rig struct {
	testing.TB
	store *store.Store
	rooms *room.Manager
	mu    sync.Mutex
	now   *Services
	there map[int64]presence.State
	// timeout is how long a service may take over a transaction; 0 means the usual.
	timeout time.Duration
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{TB: t, there: map[int64]presence.State{}}
	log := slog.New(slog.DiscardHandler)
	s, err := store.Open(t.Context(), store.Options{URI: filepath.Join(t.TempDir(), "hs.db"), Log: log, Publish: r.publish})
	if err != nil {
		t.Fatal(err)
	}
	r.store = s
	r.rooms = room.NewManager(room.Options{Store: s, Log: log, Signer: event.Signer{Server: server, KeyID: "ed25519:1", Key: ed25519.NewKeyFromSeed(make([]byte, 32))}})
	t.Cleanup(func() {
		r.rooms.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r *rig) publish(e []store.Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now != nil {
		r.now.Publish(e)
	}
}

// serve runs the services until the returned function is called.
func (r *rig) serve(services map[string]http.RoundTripper) (stop func()) {
	r.Helper()
	var regs []*registration.Registration
	for id := range services {
		regs = append(regs, &registration.Registration{ID: id, URL: "http://" + id, ASToken: id + "-as-token", HSToken: "hs-token-" + id, SenderLocalpart: id, ReceiveEphemeral: true,
			Namespaces: registration.Namespaces{Users: []registration.Namespace{{Regex: "@" + id + "_.*", Exclusive: true}}}})
	}
	set, err := registration.NewSet(server, regs...)
	if err != nil || len(set.All()) != len(regs) {
		r.Fatal(err, set.Problems())
	}
	s := New(Options{Store: r.store, TransactionTimeout: r.timeout, ServerName: server, Set: set, Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Typing: func(int64) []string { return nil },
		Presence: func(user int64) presence.State {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.there[user]
		},
		Transport: func(reg *registration.Registration) http.RoundTripper { return services[reg.ID] }})
	ctx, cancel := context.WithCancel(r.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	r.mu.Lock()
	r.now = s
	r.mu.Unlock()
	return func() { cancel(); <-done }
}

// room makes a room with a ghost of the bridge in it, and one without.
func (r *rig) room(members ...string) store.RoomName {
	r.Helper()
	name, _, err := r.rooms.Create(r.Context(), room.Creation{Version: "12", Creator: "@alice:test", Content: jsontext.Value(`{"room_version":"12"}`),
		Events: func(string) ([]room.Proposal, error) {
			none := ""
			out := []room.Proposal{join("@alice:test"), {Sender: "@alice:test", Type: "m.room.join_rules", StateKey: &none, Content: jsontext.Value(`{"join_rule":"public"}`)}}
			for _, m := range members {
				out = append(out, join(m))
			}
			return out, nil
		}})
	if err != nil {
		r.Fatal(err)
	}
	return name
}

func join(user string) room.Proposal {
	return room.Proposal{Sender: user, Type: "m.room.member", StateKey: &user, Content: jsontext.Value(`{"membership":"join"}`)}
}

func (r *rig) say(name store.RoomName, body string) {
	r.Helper()
	_, err := r.rooms.Send(r.Context(), name.NID, room.Proposal{Sender: "@alice:test", Type: "m.room.message", Content: jsontext.Value(fmt.Sprintf(`{"body":%q}`, body))})
	if err != nil {
		r.Fatal(err)
	}
}

// TestFaults has a service fail in every way, and the homeserver stop and start, while people
// talk: the service gets everything once and in order, and nothing that is not its business.
func TestFaults(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := newBridge()
	stop := r.serve(map[string]http.RoundTripper{"irc": b})
	mine, other := r.room("@irc_eve:test"), r.room()
	rng := rand.New(rand.NewPCG(1, 2))
	b.mu.Lock()
	b.fault = func() fault {
		if rng.IntN(3) > 0 {
			return fine
		}
		return []fault{refuse, takeAndFail, broken}[rng.IntN(3)]
	}
	b.mu.Unlock()
	var want []string
	for i := range 300 {
		body := fmt.Sprintf("message %d", i)
		r.say(mine, body)
		want = append(want, body)
		if i%3 == 0 {
			r.say(other, "secret")
		}
		if i%60 == 59 {
			// Stop in the middle of whatever is going on, as a crash would.
			stop()
			stop = r.serve(map[string]http.RoundTripper{"irc": b})
		}
	}
	got := b.wait(t, len(want))
	stop()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("the service got\n%q", got)
	}
}

// TestHangingServiceStops takes a transaction and never answers; the server can stop all the same,
// and the transaction comes again under the same name.
func TestHangingServiceStops(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := newBridge()
	stop := r.serve(map[string]http.RoundTripper{"irc": b})
	mine := r.room("@irc_eve:test")
	r.say(mine, "zero")
	b.wait(t, 1)
	b.mu.Lock()
	b.fault = func() fault { return hang }
	b.mu.Unlock()
	r.say(mine, "one")
	b.wait(t, 2)
	stop()
	b.mu.Lock()
	taken := len(b.txns)
	b.fault = func() fault { return fine }
	b.mu.Unlock()
	stop = r.serve(map[string]http.RoundTripper{"irc": b})
	defer stop()
	r.say(mine, "two")
	if got := b.wait(t, 3); fmt.Sprint(got) != "[zero one two]" {
		t.Fatalf("got %q after %d transactions", got, taken)
	}
}

// TestAwayForLong lets a service miss a lot: it gets all of it, in bounded transactions.
func TestAwayForLong(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := newBridge()
	stop := r.serve(map[string]http.RoundTripper{"irc": b})
	mine := r.room("@irc_eve:test")
	r.say(mine, "before")
	b.wait(t, 1)
	stop()
	const missed = 450
	for i := range missed {
		r.say(mine, fmt.Sprint(i))
	}
	stop = r.serve(map[string]http.RoundTripper{"irc": b})
	defer stop()
	got := b.wait(t, missed+1)
	for i, body := range got[1:] {
		if body != fmt.Sprint(i) {
			t.Fatalf("message %d is %q", i, body)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, raw := range b.txns {
		if n := len(bodies(raw)); n > eventsMax {
			t.Errorf("transaction %s has %d events", id, n)
		}
	}
}

// TestStatus tells of a service that can't be reached, and that it can again.
func TestStatus(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := newBridge()
	b.fault = func() fault { return broken }
	stop := r.serve(map[string]http.RoundTripper{"irc": b})
	defer stop()
	mine := r.room("@irc_eve:test")
	r.say(mine, "hello")
	status := func(want bool) Status {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
			if st := r.now.Status(); len(st) == 1 && st[0].Reachable == want && (!want || st[0].Transactions > 0) {
				return st[0]
			} else if time.Now().After(deadline) {
				t.Fatalf("status %+v", st)
			}
		}
	}
	if st := status(false); st.LastError == "" || st.Behind == 0 {
		t.Errorf("unreachable: %+v", st)
	}
	b.mu.Lock()
	b.fault = func() fault { return fine }
	b.mu.Unlock()
	status(true)
	if got := b.wait(t, 1); got[0] != "hello" {
		t.Fatalf("got %q", got)
	}
}
