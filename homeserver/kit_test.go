package homeserver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// obj is a JSON object.
type obj = map[string]any

// hs is a server under test, called over a real socket.
type hs struct {
	testing.TB
	*Server
	url  string
	http *http.Client
	// clock is the server's, where startWith made it.
	clock *testClock
}

// start starts a server.
func start(t testing.TB, change ...func(*Options)) *hs {
	t.Helper()
	return open(t, nil, change...)
}

// startWith starts a server whose time the test moves, that takes old things, and that knows its own address.
func startWith(t testing.TB, change func(*Options)) *hs {
	t.Helper()
	clock := &testClock{t: time.UnixMilli(1_800_000_000_000)}
	changes := []func(*Options){func(o *Options) { o.Relaxed, o.Now = true, clock.now }}
	if change != nil {
		changes = append(changes, change)
	}
	return open(t, clock, changes...)
}

func open(t testing.TB, clock *testClock, change ...func(*Options)) *hs {
	t.Helper()
	dir := t.TempDir()
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	o := Options{Name: "test", PublicURL: "http://test", Dir: dir, Database: filepath.Join(dir, "hs.db"), Media: MediaOptions{Dir: filepath.Join(dir, "media")},
		Settings: client.Settings{OpenRegistration: true, MaxBody: 1 << 20, SyncTimeout: time.Minute},
		Log:      slog.New(slog.DiscardHandler)}
	if clock != nil {
		o.PublicURL = srv.URL
	}
	for _, fn := range change {
		fn(&o)
	}
	s, err := Open(t.Context(), o)
	if err != nil {
		srv.Close()
		t.Fatal(err)
	}
	if clock != nil {
		mux.Handle("/_matrix/federation/", s.Federation())
	}
	mux.Handle("/", s.Client())
	tr := &http.Transport{MaxIdleConnsPerHost: 256}
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		srv.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &hs{TB: t, Server: s, url: srv.URL, http: &http.Client{Transport: tr}, clock: clock}
}

// testClock is a time that tests move.
type testClock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *testClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *testClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// runs lets the server do what goes on by itself, until the test ends.
func (h *hs) runs() {
	ctx, stop := context.WithCancel(context.WithoutCancel(h.Context()))
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	h.Cleanup(func() { stop(); <-done })
}

// reply is an answer of any kind.
type reply struct {
	status int
	header http.Header
	raw    string
	json   obj
}

// code is the errcode, or "".
func (r reply) code() string { return r.str("errcode") }

// str is a member that is text.
func (r reply) str(name string) string { s, _ := r.json[name].(string); return s }

// ask makes a request. A path from a version on is one of the client API, from /client or /media on one of Matrix; a
// body that is text or bytes is sent as it is; header has names and values in turn. No redirect is followed.
func (h *hs) ask(token, method, path string, body any, header ...string) reply {
	h.Helper()
	var raw []byte
	switch v := body.(type) {
	case nil:
		if method != "GET" {
			raw = []byte("{}")
		}
	case string:
		raw = []byte(v)
	case []byte:
		raw = v
	default:
		var err error
		if raw, err = json.Marshal(body); err != nil {
			h.Fatal(err)
		}
	}
	for _, of := range []struct{ begins, prefix string }{{"/v", "/_matrix/client"}, {"/r0", "/_matrix/client"}, {"/unstable", "/_matrix/client"},
		{"/client/", "/_matrix"}, {"/media/", "/_matrix"}} {
		if strings.HasPrefix(path, of.begins) {
			path = of.prefix + path
			break
		}
	}
	req, err := http.NewRequestWithContext(h.Context(), method, h.url+path, bytes.NewReader(raw))
	if err != nil {
		h.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	c := *h.http
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := c.Do(req)
	if err != nil {
		h.Fatal(err)
	}
	defer res.Body.Close()
	if raw, err = io.ReadAll(res.Body); err != nil {
		h.Fatal(err)
	}
	out := reply{status: res.StatusCode, header: res.Header, raw: string(raw)}
	_ = json.Unmarshal(raw, &out.json) // a page is none
	return out
}

// value is a body of which text is encoded as JSON too.
func (h *hs) value(body any) any {
	if s, ok := body.(string); ok {
		raw, err := json.Marshal(s)
		if err != nil {
			h.Fatal(err)
		}
		return raw
	}
	return body
}

// call makes a request and decodes the answer if it is a success.
func (h *hs) call(token, method, path string, body, out any) int {
	h.Helper()
	r := h.ask(token, method, path, h.value(body))
	if r.status >= 300 {
		h.Logf("%s %s: %d %s", method, path, r.status, r.raw)
	} else if out != nil {
		if err := json.Unmarshal([]byte(r.raw), out); err != nil {
			h.Fatalf("%s %s: %v in %s", method, path, err, r.raw)
		}
	}
	return r.status
}

// must is call where it must succeed.
func (h *hs) must(token, method, path string, body, out any) {
	h.Helper()
	if status := h.call(token, method, path, body, out); status/100 != 2 {
		h.Fatalf("%s %s: %d", method, path, status)
	}
}

// do makes a request and returns its status and its answer, which must be JSON.
func (h *hs) do(token, method, path string, body any) (int, gjson.Result) {
	h.Helper()
	r := h.ask(token, method, path, h.value(body))
	if !gjson.Valid(r.raw) {
		h.Fatalf("%s %s: no JSON: %s", method, path, r.raw)
	}
	return r.status, gjson.Parse(r.raw)
}

// ok makes a request that must succeed.
func (h *hs) ok(token, method, path string, body any) gjson.Result {
	h.Helper()
	status, out := h.do(token, method, path, body)
	if status/100 != 2 {
		h.Fatalf("%s %s: %d %s", method, path, status, out.Raw)
	}
	return out
}

// get makes a GET request that must succeed.
func (h *hs) get(token, path string) gjson.Result {
	h.Helper()
	return h.ok(token, "GET", path, nil)
}

// refused makes a request that must fail in this way.
func (h *hs) refused(status int, code, token, method, path string, body any) gjson.Result {
	h.Helper()
	got, out := h.do(token, method, path, body)
	if got != status || out.Get("errcode").Str != code {
		h.Errorf("%s %s: %d %s, want %d %s", method, path, got, out.Raw, status, code)
	}
	return out
}

// want makes a request whose status and errcode must be these.
func (h *hs) want(status int, code, token, method, path string, body any) reply {
	h.Helper()
	r := h.ask(token, method, path, body)
	if r.status != status || r.code() != code {
		h.Errorf("%s %s: %d %s, want %d %q", method, path, r.status, r.raw, status, code)
	}
	return r
}

// answer makes a request and returns the status, the errcode and the answer.
func (h *hs) answer(token, method, path string, body any) (int, string, obj) {
	h.Helper()
	r := h.ask(token, method, path, body)
	if r.json == nil {
		h.Fatalf("%s %s: no JSON: %s", method, path, r.raw)
	}
	return r.status, r.code(), r.json
}

// adm, admOK and admNo are do, ok and refused for the administrators' API.
func (h *hs) adm(token, method, path string, body any) (int, gjson.Result) {
	h.Helper()
	return h.do(token, method, "/_synapse/admin"+path, body)
}

func (h *hs) admOK(token, method, path string, body any) gjson.Result {
	h.Helper()
	return h.ok(token, method, "/_synapse/admin"+path, body)
}

func (h *hs) admNo(status int, code, token, method, path string, body any) {
	h.Helper()
	h.refused(status, code, token, method, "/_synapse/admin"+path, body)
}

// want checks values of an answer by their paths.
func want(t testing.TB, out gjson.Result, values map[string]string) {
	t.Helper()
	for path, v := range values {
		if got := out.Get(path).String(); got != v {
			t.Errorf("%s is %q, want %q, in %s", path, got, v, out.Raw)
		}
	}
}

func (h *hs) equal(what string, got, want any) {
	h.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		h.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// has reports whether somebody is shown an event of a room.
func (h *hs) has(token, room, event string) bool {
	status, _ := h.do(token, "GET", "/v3/rooms/"+url.PathEscape(room)+"/event/"+url.PathEscape(event), nil)
	return status == 200
}

// eventually waits until check is true.
func (h *hs) eventually(what string, check func() bool) {
	h.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if check() {
			return
		}
		if time.Now().After(end) {
			h.Fatalf("%s: not in time", what)
		}
	}
}

// tick waits until the clock shows another time, in milliseconds.
func (h *hs) tick() {
	now := time.Now().UnixMilli()
	h.eventually("time passes", func() bool { return time.Now().UnixMilli() > now })
}

// list collects one field of each element of an array, and all joins them.
func list(r gjson.Result, field string) (out []string) {
	for _, e := range r.Array() {
		out = append(out, e.Get(field).String())
	}
	return out
}

func all(r gjson.Result, field string) string { return strings.Join(list(r, field), " ") }

// admin makes somebody an administrator of the server.
func (h *hs) admin(user string) {
	h.Helper()
	nid, err := h.Store().UserNID(h.Context(), user)
	if err == nil {
		err = h.Store().Write(h.Context(), func(t *store.Tx) error { return t.SetAdmin(nid, true) })
	}
	if err != nil {
		h.Fatal(err)
	}
}
