package pushers

import (
	"context"
	"crypto/ed25519"
	"encoding/json/jsontext"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/homeserver/unread"
)

// rig has a room of alice and bob, and pushers that the test serves itself, at its own time.
type rig struct {
	testing.TB
	s    *store.Store
	m    *room.Manager
	p    *Pushers
	now  time.Time
	room store.RoomName
	bob  int64
	mail []string
	// unsubscribe is what the last message had.
	unsubscribe string
}

// Deliver implements Mailer.
func (r *rig) Deliver(_ context.Context, to, subject, text, html, unsubscribe string) error {
	r.mail = append(r.mail, fmt.Sprintf("%s\n%s\n%s\n%s", to, subject, text, html))
	r.unsubscribe = unsubscribe
	return nil
}

func newRig(t testing.TB) *rig {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	r := &rig{TB: t, now: time.UnixMilli(1_700_000_000_000)}
	var counter *unread.Counter
	s, err := store.Open(t.Context(), store.Options{URI: filepath.Join(t.TempDir(), "hs.db"), Relaxed: true, Log: log, Publish: func(e []store.Entry) {
		if r.p != nil {
			counter.Publish(e)
			r.p.Publish(e)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return r.now }
	counter = unread.New(unread.Options{Store: s, Log: log})
	r.s = s
	r.p = New(Options{Store: s, Unread: counter, Mailer: r, ServerName: "test", AllowLoopback: true, Log: log, Now: clock,
		HasEmail: func(_ context.Context, _ int64, address string) (bool, error) {
			return address == "bob@example.org", nil
		}})
	r.p.running, r.p.seen = true, s.Position()
	r.m = room.NewManager(room.Options{Store: s, Log: log, Now: clock,
		Signer: event.Signer{Server: "test", KeyID: "ed25519:1", Key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}})
	t.Cleanup(func() {
		r.m.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	state := func(sender, typ, key, content string) room.Proposal {
		return room.Proposal{Sender: sender, Type: typ, StateKey: &key, Content: jsontext.Value(content)}
	}
	r.room, _, err = r.m.Create(t.Context(), room.Creation{Version: "11", Creator: "@alice:test", Content: jsontext.Value(`{"room_version":"11"}`),
		Events: func(string) ([]room.Proposal, error) {
			return []room.Proposal{state("@alice:test", "m.room.member", "@alice:test", `{"membership":"join","displayname":"Alice <a>"}`),
				state("@alice:test", "m.room.join_rules", "", `{"join_rule":"public"}`)}, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.m.Send(t.Context(), r.room.NID, state("@bob:test", "m.room.member", "@bob:test", `{"membership":"join"}`)); err != nil {
		t.Fatal(err)
	}
	if r.bob, err = s.UserNID(t.Context(), "@bob:test"); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) say(body string) *event.Event {
	r.Helper()
	e, err := r.m.Send(r.Context(), r.room.NID, room.Proposal{Sender: "@alice:test", Type: "m.room.message", Content: jsontext.Value(fmt.Sprintf(`{"msgtype":"m.text","body":%q}`, body))})
	if err != nil {
		r.Fatal(err)
	}
	return e
}

func (r *rig) read(e *event.Event) {
	r.Helper()
	err := r.s.Write(r.Context(), func(t *store.Tx) error {
		return t.SetReceipt(store.Receipt{Room: r.room.NID, User: r.bob, Kind: "m.read", EventID: e.ID, Event: e.NID})
	})
	if err != nil {
		r.Fatal(err)
	}
}

// serve serves bob once, and returns when to look again.
func (r *rig) serve() time.Duration {
	r.Helper()
	r.p.mu.Lock()
	r.p.queue(r.p.users[r.bob])
	r.p.mu.Unlock()
	u, round := r.p.take()
	wait, gone, err := r.p.serve(r.Context(), u, round)
	if err != nil {
		r.Fatal(err)
	}
	r.p.done(u, 0, gone, nil)
	return wait
}

func (r *rig) set(body Request) {
	r.Helper()
	name := "x"
	body.AppName, body.DeviceName, body.Lang = &name, &name, &name
	if _, err := r.p.Set(r.Context(), r.bob, 0, body); err != nil {
		r.Fatal(err)
	}
}

func TestMail(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	other := Request{Kind: jsontext.Value(`"email"`), AppID: "m.email", Pushkey: "else@example.org", details: details{Data: jsontext.Value("{}")}}
	name := "x"
	other.AppName, other.DeviceName, other.Lang = &name, &name, &name
	if _, err := r.p.Set(t.Context(), r.bob, 0, other); !mxerror.Is(err, "M_THREEPID_NOT_FOUND") {
		t.Errorf("another's address: %v", err)
	}
	r.set(Request{Kind: jsontext.Value(`"email"`), AppID: "m.email", Pushkey: "bob@example.org", details: details{Data: jsontext.Value("{}")}})
	if wait := r.serve(); wait != 0 {
		t.Errorf("nothing new, and yet another look after %v", wait)
	}
	r.say("one")
	r.now = r.now.Add(time.Minute)
	r.say("two\n<b>")
	if wait := r.serve(); wait != 9*time.Minute || len(r.mail) != 0 {
		t.Errorf("at first: %v, %q", wait, r.mail)
	}
	r.now = r.now.Add(9 * time.Minute)
	r.serve()
	want := "bob@example.org\n2 unread messages on test\nAlice <a>\n  Alice <a>: one\n  Alice <a>: two <b>\n\n" +
		"<h3>Alice &lt;a&gt;</h3>\n<p><b>Alice &lt;a&gt;</b>: one</p>\n<p><b>Alice &lt;a&gt;</b>: two &lt;b&gt;</p>\n"
	if len(r.mail) != 1 || r.mail[0] != want {
		t.Fatalf("%q, want %q", r.mail, want)
	}
	// Who does not come is written to less and less often.
	for _, pause := range []time.Duration{mailThrottleMin, 3 * mailThrottleMin, 9 * mailThrottleMin} {
		r.say("more")
		n := len(r.mail)
		if wait := r.serve(); wait != pause || len(r.mail) != n {
			t.Errorf("wait %v, want %v; %d messages", wait, pause, len(r.mail))
		}
		r.now = r.now.Add(pause)
		if r.serve(); len(r.mail) != n+1 {
			t.Errorf("after %v: %d messages", pause, len(r.mail))
		}
	}
	r.now = r.now.Add(mailReset)
	if r.unsubscribe != "" {
		t.Errorf("a link without an address of the server: %s", r.unsubscribe)
	}
	last := r.say("read in time")
	r.serve()
	r.read(last)
	r.now = r.now.Add(time.Hour)
	n := len(r.mail)
	if wait := r.serve(); wait != 0 || len(r.mail) != n {
		t.Errorf("what has been read: %v, %d messages", wait, len(r.mail))
	}
}

// TestUnsubscribe: the link in a message ends them, for whom it was sent to alone.
func TestUnsubscribe(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.p.o.PublicURL, r.p.o.Key = "https://test", []byte("secret")
	const address = "bob@example.org"
	r.set(Request{Kind: jsontext.Value(`"email"`), AppID: "m.email", Pushkey: address, details: details{Data: jsontext.Value("{}")}})
	r.say("one")
	r.now = r.now.Add(mailDelay)
	r.serve()
	u, err := url.Parse(r.unsubscribe)
	if err != nil || !strings.HasPrefix(r.unsubscribe, "https://test"+UnsubscribePath+"?") || len(r.mail) != 1 || strings.Count(r.mail[0], "No more such messages") != 2 || !strings.Contains(r.mail[0], "\nNo more such messages: "+r.unsubscribe+"\n") {
		t.Fatalf("%q, %q, %v", r.unsubscribe, r.mail, err)
	}
	pushers := func() int {
		t.Helper()
		list, err := r.p.List(t.Context(), r.bob)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	for name, value := range map[string]string{"user": "77", "address": "else@example.org", "proof": "x"} {
		for _, v := range []string{value, ""} {
			q := u.Query()
			q.Set(name, v)
			for _, try := range []bool{true, false} {
				if _, err := r.p.Unsubscribe(t.Context(), q, try); !mxerror.Is(err, "M_FORBIDDEN") {
					t.Errorf("%s %q: %v", name, v, err)
				}
			}
		}
	}
	if got, err := r.p.Unsubscribe(t.Context(), u.Query(), true); got != address || err != nil || pushers() != 1 {
		t.Errorf("looked at: %q, %v, %d pushers", got, err, pushers())
	}
	r.set(Request{Kind: jsontext.Value(`"http"`), AppID: "a", Pushkey: address, details: details{Data: jsontext.Value(`{"url":"http://127.0.0.1:1` + notifyPath + `"}`)}})
	for range 2 {
		if got, err := r.p.Unsubscribe(t.Context(), u.Query(), false); got != address || err != nil || pushers() != 1 {
			t.Errorf("%q, %v, %d pushers", got, err, pushers())
		}
	}
	r.say("two")
	r.now = r.now.Add(time.Hour)
	if r.serve(); len(r.mail) != 1 {
		t.Errorf("%q", r.mail)
	}
}

// TestBackoff: a gateway that fails is asked less and less often, and in the end what waited for it
// is dropped.
func TestBackoff(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	asked, taken, broken := 0, 0, true
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		if broken {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		taken++
		fmt.Fprint(w, `{"rejected":[]}`)
	}))
	defer srv.Close()
	r.set(Request{Kind: jsontext.Value(`"http"`), AppID: "a", Pushkey: "k", details: details{Data: jsontext.Value(`{"url":"` + srv.URL + notifyPath + `"}`)}})
	r.serve()
	r.say("one")
	var waits []time.Duration
	for range 40 {
		wait := r.serve()
		if wait == 0 {
			break
		}
		waits = append(waits, wait)
		r.now = r.now.Add(wait)
	}
	for i := 1; i < 12; i++ {
		if waits[i] != min(2*waits[i-1], backoffMax) {
			t.Errorf("pauses %v", waits)
			break
		}
	}
	if waits[0] != time.Second || asked > 40 {
		t.Errorf("%d times, %v", asked, waits)
	}
	broken = false
	r.now = r.now.Add(giveUp)
	r.serve()
	r.now = r.now.Add(time.Hour)
	r.say("two")
	r.serve()
	if taken != 1 {
		t.Errorf("%d notifications were taken; only the last was still worth it", taken)
	}
	if st := r.p.users[r.bob].state["a\x00k"]; st.failures != 0 || st.badge != 2 {
		t.Errorf("%+v", st)
	}
}

func TestHosts(t *testing.T) {
	t.Parallel()
	h := &hosts{m: map[string]*host{}}
	now := time.Unix(1_700_000_000, 0)
	for range 3 {
		if !h.try("a", now) {
			t.Fatal("left alone too early")
		}
		h.note("a", now, time.Second, false)
	}
	if h.try("a", now) || !h.try("b", now) {
		t.Error("a failing host is tried, or another one is not")
	}
	later := now.Add(time.Minute)
	if !h.try("a", later) || h.try("a", later) {
		t.Error("after the pause, one may try")
	}
	h.note("a", later, time.Second, true)
	if !h.try("a", later) {
		t.Error("a host that has recovered is left alone")
	}
	for i := range hostsMax + 5 {
		h.note(fmt.Sprint(i), now, time.Second, false)
	}
	if len(h.m) > hostsMax {
		t.Errorf("%d hosts are remembered", len(h.m))
	}
}

// BenchmarkRoom is one message in a room where everybody has a pusher.
func BenchmarkRoom(b *testing.B) {
	const people = 1000
	r := newRig(b)
	got := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		got++
		fmt.Fprint(w, `{"rejected":[]}`)
	}))
	defer srv.Close()
	for i := range people {
		id := fmt.Sprintf("@u%d:test", i)
		if _, err := r.m.Send(b.Context(), r.room.NID, room.Proposal{Sender: id, Type: "m.room.member", StateKey: &id, Content: jsontext.Value(`{"membership":"join"}`)}); err != nil {
			b.Fatal(err)
		}
	}
	for i := range people {
		var err error
		if r.bob, err = r.s.UserNID(b.Context(), fmt.Sprintf("@u%d:test", i)); err != nil {
			b.Fatal(err)
		}
		r.set(Request{Kind: jsontext.Value(`"http"`), AppID: "a", Pushkey: fmt.Sprint(i), details: details{Data: jsontext.Value(`{"url":"` + srv.URL + notifyPath + `"}`)}})
		r.serve()
	}
	for b.Loop() {
		r.say("hello")
		for u, round := r.p.take(); u != nil; u, round = r.p.take() {
			_, gone, err := r.p.serve(b.Context(), u, round)
			if err != nil {
				b.Fatal(err)
			}
			r.p.done(u, 0, gone, nil)
		}
	}
	if got != people*b.N {
		b.Errorf("%d notifications", got)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(got), "µs/notification")
}
