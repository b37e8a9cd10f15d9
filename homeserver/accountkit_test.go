package homeserver

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/client"
)

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

// ahs is a server under test whose options and time the test chooses, and whose errors it looks at.
type ahs struct {
	*hs
	clock *testClock
}

func startWith(t testing.TB, change func(*Options)) *ahs {
	t.Helper()
	dir := t.TempDir()
	clock := &testClock{t: time.UnixMilli(1_800_000_000_000)}
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	o := Options{Name: "test", PublicURL: srv.URL, Dir: dir, Database: filepath.Join(dir, "hs.db"), Media: MediaOptions{Dir: filepath.Join(dir, "media")}, Relaxed: true,
		Settings: client.Settings{OpenRegistration: true, MaxBody: 1 << 20, SyncTimeout: time.Minute}, Now: clock.now,
		Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&o)
	}
	s, err := Open(t.Context(), o)
	if err != nil {
		srv.Close()
		t.Fatal(err)
	}
	mux.Handle("/_matrix/federation/", s.Federation())
	mux.Handle("/", s.Client())
	tr := &http.Transport{MaxIdleConnsPerHost: 8}
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		srv.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &ahs{&hs{t, s, srv.URL, &http.Client{Transport: tr}}, clock}
}

// reply is an answer of any kind.
type reply struct {
	status int
	header http.Header
	raw    string
	json   map[string]any
}

// code is the errcode, or "".
func (r reply) code() string { s, _ := r.json["errcode"].(string); return s }

// str is a member that is text.
func (r reply) str(name string) string { s, _ := r.json[name].(string); return s }

// ask makes a request; path is whole from /_matrix/client on, unless it begins with another slash.
func (h *ahs) ask(token, method, path string, body any, header ...string) reply {
	h.Helper()
	var raw []byte
	switch v := body.(type) {
	case nil:
		if method != "GET" {
			raw = []byte("{}")
		}
	case string:
		raw = []byte(v)
	default:
		var err error
		if raw, err = json.Marshal(body); err != nil {
			h.Fatal(err)
		}
	}
	if path[:2] == "/v" || path[:2] == "/r" {
		path = "/_matrix/client" + path
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

// want makes a request whose status and errcode must be these.
func (h *ahs) want(status int, code, token, method, path string, body any) reply {
	h.Helper()
	r := h.ask(token, method, path, body)
	if r.status != status || r.code() != code {
		h.Errorf("%s %s: %d %s, want %d %q", method, path, r.status, r.raw, status, code)
	}
	return r
}

// passwordAuth is the auth object of somebody with the password that user gives.
func passwordAuth(name string) obj {
	return obj{"type": "m.login.password", "identifier": obj{"type": "m.id.user", "user": name}, "password": "long enough"}
}

// login logs in with the password that user gives.
func (h *ahs) login(name string, more obj) reply {
	h.Helper()
	body := passwordAuth(name)
	for k, v := range more {
		body[k] = v
	}
	return h.want(200, "", "", "POST", "/v3/login", body)
}

// admin makes an account of an administrator.
func (h *ahs) admin(name string) (token string) {
	h.Helper()
	token = h.user(name)
	nid, err := h.store.UserNID(h.Context(), "@"+name+":test")
	if err != nil {
		h.Fatal(err)
	}
	if err := h.accounts.SetAdmin(h.Context(), nid, true); err != nil {
		h.Fatal(err)
	}
	return token
}
