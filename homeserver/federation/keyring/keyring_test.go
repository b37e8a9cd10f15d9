package keyring

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"maunium.net/go/mautrix/federation/pdu"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// world is a network of servers with keys; it is the Fetcher and the Cache of all of them.
type world struct {
	mu      sync.Mutex
	now     time.Time
	servers map[string]*Own
	rings   map[string]*Ring
	// answer, if set, changes what a server says of its keys; an empty answer is a dead server.
	answer map[string]func(jsontext.Value) jsontext.Value
	asked  map[string]int
	stored map[string]*Stored
	gate   chan struct{}
}

func newWorld(t *testing.T, names ...string) *world {
	t.Helper()
	w := &world{now: time.UnixMilli(1_700_000_000_000), servers: map[string]*Own{}, rings: map[string]*Ring{}, answer: map[string]func(jsontext.Value) jsontext.Value{},
		asked: map[string]int{}, stored: map[string]*Stored{}}
	for i, name := range names {
		key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(i + 1)}, 32))
		w.servers[name] = &Own{Server: name, Signing: []event.Signer{{Server: name, KeyID: "ed25519:k1", Key: key}}}
	}
	return w
}

func (w *world) time() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now }
func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) ServerKeys(_ context.Context, server string) (jsontext.Value, error) {
	w.mu.Lock()
	w.asked[server]++
	own, change, gate, now := w.servers[server], w.answer[server], w.gate, w.now
	w.mu.Unlock()
	if gate != nil {
		<-gate
	}
	if own == nil {
		return nil, errors.New("no such server")
	}
	raw, err := own.Response(now)
	if change != nil {
		if raw = change(raw); raw == nil {
			return nil, errors.New("nobody there")
		}
	}
	return raw, err
}

func (w *world) QueryKeys(ctx context.Context, notary string, body any) ([]jsontext.Value, error) {
	w.mu.Lock()
	w.asked["notary "+notary]++
	ring := w.rings[notary]
	w.mu.Unlock()
	if ring == nil {
		return nil, errors.New("no such notary")
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	out, err := ring.ServeQueries(httptest.NewRequestWithContext(ctx, "POST", "/_matrix/key/v2/query", bytes.NewReader(raw)))
	if err != nil {
		return nil, err
	}
	list := out.(answer).Keys
	for i := range list {
		if change := w.answer["notary "+notary]; change != nil {
			list[i] = change(list[i])
		}
	}
	return list, nil
}

// shelf is the cache of one ring.
type shelf struct {
	w    *world
	name string
}

func (s shelf) LoadKeys(_ context.Context, server string) (*Stored, error) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	return s.w.stored[s.name+" "+server], nil
}

func (s shelf) SaveKeys(_ context.Context, k *Stored) error {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	s.w.stored[s.name+" "+k.Server] = k
	return nil
}

func (w *world) ring(t *testing.T, name string, notaries ...Notary) *Ring {
	t.Helper()
	r, err := New(Options{Own: w.servers[name], Cache: shelf{w, name}, Fetcher: w, Notaries: notaries, Log: slog.New(slog.DiscardHandler), Now: w.time})
	if err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rings[name] = r
	return r
}

func (w *world) count(what string) int { w.mu.Lock(); defer w.mu.Unlock(); return w.asked[what] }

func dead(jsontext.Value) jsontext.Value { return nil }

// TestOne asks for one key many times at once, later, and after a restart.
func TestOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "us", "a")
	r := w.ring(t, "us")
	w.gate = make(chan struct{})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if k, err := r.RequestKey(t.Context(), "a", "ed25519:k1"); err != nil || !k.Equal(w.servers["a"].Signing[0].Key.Public()) {
				t.Errorf("%x, %v", k, err)
			}
		})
	}
	close(w.gate)
	wg.Wait()
	if n := w.count("a"); n != 1 {
		t.Errorf("asked %d times", n)
	}
	if _, err := w.ring(t, "us").RequestKey(t.Context(), "a", "ed25519:k1"); err != nil || w.count("a") != 1 {
		t.Errorf("after a restart: %v, asked %d times", err, w.count("a"))
	}
	// A key that doesn't exist: not more than once a minute.
	w.pass(2 * time.Minute)
	for range 5 {
		if _, err := r.RequestKey(t.Context(), "a", "ed25519:none"); !errors.Is(err, ErrUnknownKey) {
			t.Errorf("a key that isn't there: %v", err)
		}
	}
	if n := w.count("a"); n != 2 {
		t.Errorf("asked %d times", n)
	}
	// When it has run out, it is asked for again, and no longer taken if that fails.
	w.pass(25 * time.Hour)
	if _, err := r.RequestKey(t.Context(), "a", "ed25519:k1"); err != nil || w.count("a") != 3 {
		t.Errorf("the next day: %v, asked %d times", err, w.count("a"))
	}
	w.answer["a"] = dead
	w.pass(25 * time.Hour)
	if _, err := r.RequestKey(t.Context(), "a", "ed25519:k1"); err == nil {
		t.Error("a key that has run out was good for a request")
	}
}

// TestLateComer has somebody want a key who saw that it is not known just before somebody else had it.
func TestLateComer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "us", "a")
	r := w.ring(t, "us")
	if _, err := r.RequestKey(t.Context(), "a", "ed25519:k1"); err != nil {
		t.Fatal(err)
	}
	s, err := r.seek(t.Context(), Need{Server: "a", KeyID: "ed25519:k1", At: 0}, nil)
	if err != nil || s.Keys["ed25519:k1"].Public == nil || w.count("a") != 1 {
		t.Errorf("%v, asked %d times", err, w.count("a"))
	}
	// Who knows as much as there is wants more.
	if _, err := r.seek(t.Context(), Need{Server: "a", KeyID: "ed25519:k2", At: 0}, s); err != nil || w.count("a") != 2 {
		t.Errorf("%v, asked %d times", err, w.count("a"))
	}
}

// TestSilence asks a dead server again and again.
func TestSilence(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "us", "a")
	r := w.ring(t, "us")
	w.answer["a"] = dead
	for step, want := range []struct {
		pass  time.Duration
		asked int
	}{{0, 1}, {900 * time.Millisecond, 1}, {101 * time.Millisecond, 2}, {time.Second, 2}, {1001 * time.Millisecond, 3}, {24 * time.Hour, 4}} {
		w.pass(want.pass)
		if _, err := r.RequestKey(t.Context(), "a", "ed25519:k1"); !errors.Is(err, ErrUnavailable) || w.count("a") != want.asked {
			t.Errorf("step %d: %v, asked %d times, want %d", step, err, w.count("a"), want.asked)
		}
	}
	w.answer["a"] = nil
	w.pass(24 * time.Hour)
	if _, err := r.RequestKey(t.Context(), "a", "ed25519:k1"); err != nil {
		t.Errorf("when it is back: %v", err)
	}
}

// TestRefused has servers that say what can't be believed.
func TestRefused(t *testing.T) {
	t.Parallel()
	replace := func(old, new string) func(jsontext.Value) jsontext.Value {
		return func(raw jsontext.Value) jsontext.Value {
			if !bytes.Contains(raw, []byte(old)) {
				t.Errorf("there is no %s in %s", old, raw)
			}
			return bytes.ReplaceAll(raw, []byte(old), []byte(new))
		}
	}
	w := newWorld(t, "us", "a", "b")
	other, err := w.servers["b"].Response(w.now)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(jsontext.Value) jsontext.Value{
		"another server's":   func(jsontext.Value) jsontext.Value { return other },
		"another name":       replace(`"server_name":"a"`, `"server_name":"b"`),
		"changed":            replace(`"valid_until_ts":17`, `"valid_until_ts":18`),
		"unsigned":           replace(`"signatures"`, `"others"`),
		"signed by nobody":   replace(`{"a":{"ed25519:k1"`, `{"a":{"ed25519:k2"`),
		"without validity":   replace(`"valid_until_ts"`, `"valid"`),
		"no JSON":            func(jsontext.Value) jsontext.Value { return jsontext.Value(`{"server_name":"a"`) },
		"a name twice":       replace(`"server_name":"a"`, `"server_name":"b","server_name":"a"`),
		"endless":            func(jsontext.Value) jsontext.Value { return bytes.Repeat([]byte(" "), maxResponse+1) },
		"verify_keys a list": replace(`"verify_keys":{`, `"verify_keys":[],"x":{`),
	} {
		w := newWorld(t, "us", "a", "b")
		w.answer["a"] = change
		if k, err := w.ring(t, "us").RequestKey(t.Context(), "a", "ed25519:k1"); err == nil {
			t.Errorf("%s: %x", name, k)
		}
	}
}

func signedEvent(t *testing.T, v event.Version, s event.Signer, ts int64) *pdu.PDU {
	t.Helper()
	e, err := event.Build(event.Proto{Version: v, RoomID: "!r:a", Type: "m.room.message", Sender: "@x:a", Content: []byte(`{}`), TS: ts, Depth: 1}, s)
	if err != nil {
		t.Fatal(err)
	}
	return e.PDU
}

// TestEvents verifies events of different times, before and after the server changed its key.
func TestEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "us", "a")
	r := w.ring(t, "us")
	first := w.servers["a"].Signing[0]
	start := w.now.UnixMilli()
	check := func(name string, v event.Version, s event.Signer, ts int64, want bool) {
		t.Helper()
		if err := r.VerifyEvent(t.Context(), v, signedEvent(t, v, s, ts), "a"); (err == nil) != want {
			t.Errorf("%s, version %s: %v", name, v, err)
		}
	}
	check("at once", "11", first, start, true)
	check("long ago", "11", first, 1000, true)
	check("beyond the key's validity", "11", first, start+48*3600_000, false)
	check("beyond the key's validity", "4", first, start+48*3600_000, true)

	second := event.Signer{Server: "a", KeyID: "ed25519:k2", Key: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{99}, 32))}
	w.pass(48 * time.Hour)
	rotated := w.time().UnixMilli()
	w.mu.Lock()
	w.servers["a"] = &Own{Server: "a", Signing: []event.Signer{second}, Old: []OldKey{{first.KeyID, first.Key.Public().(ed25519.PublicKey), rotated}}}
	w.mu.Unlock()
	w.pass(time.Hour)
	check("by the new key", "11", second, rotated+1, true)
	check("by the old one, before", "11", first, rotated-1, true)
	check("by the old one, after", "11", first, rotated+1, false)
	check("by the old one, after", "3", first, rotated+1, true)
	if _, err := r.RequestKey(t.Context(), "a", first.KeyID); err == nil {
		t.Error("an old key was good for a request")
	}
	forged := signedEvent(t, "11", second, rotated)
	forged.Depth = 7
	if err := r.VerifyEvent(t.Context(), "11", forged, "a"); err == nil {
		t.Error("a changed event was verified")
	}
	if err := r.VerifyEvent(t.Context(), "11", signedEvent(t, "11", second, rotated), "us"); err == nil {
		t.Error("an event that isn't signed by us was verified as ours")
	}
	// Made-up signatures beside a good one neither harm nor send us to the network.
	asked := w.count("a")
	e := signedEvent(t, "11", second, rotated)
	for i := range 20 {
		e.Signatures["a"][id.KeyID(fmt.Sprintf("ed25519:a%d", i))] = e.Signatures["a"]["ed25519:k2"]
	}
	w.pass(time.Hour)
	if err := r.VerifyEvent(t.Context(), "11", e, "a"); err != nil || w.count("a") != asked {
		t.Errorf("%v, asked %d times more", err, w.count("a")-asked)
	}
}

// TestSevenDays: a server can't bind us to a key for longer.
func TestSevenDays(t *testing.T) {
	t.Parallel()
	resp := &response{Server: "a", ValidUntil: 1 << 50, Verify: map[string]publicKey{"ed25519:1": {strings.Repeat("A", 43)}}}
	if k := resp.keys(1000)["ed25519:1"]; k.ValidUntil != 1000+7*24*3600_000 {
		t.Errorf("valid until %d", k.ValidUntil)
	}
}

// TestNotary asks a notary for the keys of dead servers.
func TestNotary(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "us", "a", "b", "notary")
	w.ring(t, "notary").Prefetch(t.Context(), []Need{{Server: "a", KeyID: "ed25519:k1"}, {Server: "b", KeyID: "ed25519:k1"}, {Server: "gone", KeyID: "ed25519:k1"}})
	w.answer["a"], w.answer["b"] = dead, dead
	w.pass(2 * time.Minute)
	pinned := Notary{"notary", map[string]ed25519.PublicKey{"ed25519:k1": w.servers["notary"].Signing[0].Key.Public().(ed25519.PublicKey)}}
	for name, tc := range map[string]struct {
		notary Notary
		change func(jsontext.Value) jsontext.Value
		want   bool
	}{
		"pinned":      {pinned, nil, true},
		"by its word": {Notary{Server: "notary"}, nil, true},
		"another key": {Notary{"notary", map[string]ed25519.PublicKey{"ed25519:k1": make([]byte, 32)}}, nil, false},
		"no signature": {pinned, func(raw jsontext.Value) jsontext.Value {
			return bytes.Replace(raw, []byte(`"notary":`), []byte(`"nobody":`), 1)
		}, false},
		"dead":        {Notary{Server: "nowhere"}, nil, false},
		"not there":   {Notary{Server: "b"}, nil, false},
		"a different": {pinned, func(jsontext.Value) jsontext.Value { return jsontext.Value(`{"server_name":"c"}`) }, false},
	} {
		w.mu.Lock()
		w.answer["notary notary"] = tc.change
		maps.DeleteFunc(w.stored, func(k string, _ *Stored) bool { return strings.HasPrefix(k, "us ") })
		w.mu.Unlock()
		r := w.ring(t, "us", tc.notary)
		before := w.count("notary " + tc.notary.Server)
		r.Prefetch(t.Context(), []Need{{Server: "a", KeyID: "ed25519:k1", At: 5}, {Server: "b", KeyID: "ed25519:k1", At: 5}, {Server: "gone", KeyID: "ed25519:k1", At: 5}, {Server: "us", KeyID: "x", At: 5}})
		if n := w.count("notary "+tc.notary.Server) - before; n != 1 {
			t.Errorf("%s: the notary was asked %d times", name, n)
		}
		for _, server := range []string{"a", "b"} {
			if _, err := r.Find(t.Context(), Need{Server: server, KeyID: "ed25519:k1", At: 5}); (err == nil) != tc.want {
				t.Errorf("%s: %s: %v", name, server, err)
			}
		}
		if _, err := r.Find(t.Context(), Need{Server: "gone", KeyID: "ed25519:k1", At: 5}); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: a server that nobody knows: %v", name, err)
		}
	}
}

// TestServe asks us as a notary.
func TestServe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "us", "a")
	r := w.ring(t, "us")
	get := func(server, query string) []jsontext.Value {
		t.Helper()
		out, err := r.ServeQuery(httptest.NewRequest("GET", "/_matrix/key/v2/query/x"+query, nil), server)
		if err != nil {
			t.Fatal(err)
		}
		return out.(answer).Keys
	}
	for range 3 {
		list := get("a", "")
		if len(list) != 1 {
			t.Fatalf("%d answers", len(list))
		}
		if _, err := parseResponse(list[0], "a"); err != nil {
			t.Error(err)
		}
		if err := verify(list[0], "us", "ed25519:k1", encode(w.servers["us"].Signing[0].Key.Public().(ed25519.PublicKey))); err != nil {
			t.Errorf("our signature: %v", err)
		}
	}
	if n := w.count("a"); n != 1 {
		t.Errorf("asked %d times", n)
	}
	w.pass(13 * time.Hour)
	if get("a", ""); w.count("a") != 2 {
		t.Errorf("after half of the lifetime it was asked %d times", w.count("a"))
	}
	w.answer["a"] = dead
	w.pass(48 * time.Hour)
	if list := get("a", "?minimum_valid_until_ts=9999999999999"); len(list) != 1 || w.count("a") != 3 {
		t.Errorf("of a dead server: %d answers, asked %d times", len(list), w.count("a"))
	}
	if list := get("gone", ""); len(list) != 0 {
		t.Errorf("of one that never was: %s", list)
	}
	if list := get("no name", ""); len(list) != 0 || w.count("no name") != 0 {
		t.Errorf("of what is no name: %s", list)
	}
	if list := get("us", ""); len(list) != 1 {
		t.Errorf("our own: %s", list)
	}
	for body, want := range map[string]int{
		`{"server_keys":{}}`: 0,
		`{"server_keys":{"us":{},"a":{"ed25519:k1":{"minimum_valid_until_ts":5}}}}`: 2,
		`{"server_keys":{"a":{"ed25519:k1":{}}}}`:                                   1,
		`{`: -1, `{}`: -1, `[]`: -1, `{"server_keys":[]}`: -1, `{"server_keys":{"a":7}}`: -1,
		`{"server_keys":{"a":{"k":{"minimum_valid_until_ts":"x"}}}}`: -1,
	} {
		out, err := r.ServeQueries(httptest.NewRequest("POST", "/_matrix/key/v2/query", strings.NewReader(body)))
		if want < 0 {
			if err == nil {
				t.Errorf("%s: no error", body)
			}
			continue
		}
		if err != nil || len(out.(answer).Keys) != want {
			t.Errorf("%s: %v, %v", body, out, err)
		}
	}
	if _, err := r.ServeQuery(httptest.NewRequest("GET", "/?minimum_valid_until_ts=x", nil), "a"); err == nil {
		t.Error("a time that is none: no error")
	}
}

func FuzzResponse(f *testing.F) {
	w := &Own{Server: "a", Signing: []event.Signer{{Server: "a", KeyID: "ed25519:1", Key: ed25519.NewKeyFromSeed(make([]byte, 32))}}}
	raw, err := w.Response(time.UnixMilli(1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(raw))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := parseResponse(raw, "a")
		if err != nil {
			return
		}
		for keyID, k := range r.keys(0) {
			if len(k.Public) != ed25519.PublicKeySize {
				t.Errorf("key %s is %x", keyID, k.Public)
			}
		}
		if _, err := addSignature(raw, w.Signer()); err != nil {
			t.Errorf("%q can't be signed: %v", raw, err)
		}
	})
}
