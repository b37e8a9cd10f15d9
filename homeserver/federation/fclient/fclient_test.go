package fclient

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json/jsontext"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/federation/discovery"
	"github.com/landbridge-im/landbridge/homeserver/federation/xmatrix"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/internal/safedial"
)

var key = ed25519.NewKeyFromSeed(make([]byte, 32))

type keys struct{}

func (keys) RequestKey(context.Context, string, string) (ed25519.PublicKey, error) {
	return key.Public().(ed25519.PublicKey), nil
}

// shelf keeps nothing.
type shelf struct{}

func (shelf) Backoff(context.Context, string) (store.Backoff, error) { return store.Backoff{}, nil }
func (shelf) Write(context.Context, func(*store.Tx) error) error     { return nil }

// clock stands still unless it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) time() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }
func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// remote is another server, by TLS on the loopback. It checks the signature of each request that has
// one, and remembers the requests.
type remote struct {
	*httptest.Server
	name    string
	handler func(http.ResponseWriter, *http.Request)

	mu       sync.Mutex
	requests []string
	bodies   []string
	proto    string
}

func newRemote(t *testing.T, h func(http.ResponseWriter, *http.Request)) *remote {
	t.Helper()
	r := &remote{handler: h}
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		r.requests = append(r.requests, req.Method+" "+req.RequestURI)
		r.bodies = append(r.bodies, string(body))
		r.proto = req.Proto
		r.mu.Unlock()
		if req.Header.Get("Authorization") != "" {
			if _, err := (xmatrix.Verifier{Server: r.name, Keys: keys{}}).Verify(req, body); err != nil {
				t.Errorf("%s: %v", req.RequestURI, err)
			}
		}
		if req.Host != r.name {
			t.Errorf("the host is %q, want %q", req.Host, r.name)
		}
		r.handler(w, req)
	}))
	r.EnableHTTP2 = true
	r.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	r.StartTLS()
	r.name = r.Listener.Addr().String()
	t.Cleanup(r.Close)
	return r
}

func (r *remote) last() (request, body string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests[len(r.requests)-1], r.bodies[len(r.bodies)-1]
}

func newClient(t *testing.T, remotes ...*remote) (*Client, *clock, *atomic.Int32) {
	t.Helper()
	roots := x509.NewCertPool()
	for _, r := range remotes {
		roots.AddCert(r.Certificate())
	}
	c := &clock{now: time.Unix(1_700_000_000, 0)}
	dials := &atomic.Int32{}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		dials.Add(1)
		return safedial.Policy{Allow: safedial.Loopback()}.DialContext(ctx, network, address)
	}
	log := slog.New(slog.DiscardHandler)
	f, err := discovery.New(discovery.Options{Dial: dial, RootCAs: roots, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewBackoff(shelf{}, log, c.time)
	if err != nil {
		t.Fatal(err)
	}
	client := New(Options{Finder: f, Signer: event.Signer{Server: "us", KeyID: "ed25519:1", Key: key}, Backoff: b, Dial: dial, RootCAs: roots, Log: log, Timeout: 20 * time.Second})
	t.Cleanup(client.Close)
	return client, c, dials
}

// TestAnswers has answers that are errors, or not what was asked for.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		answer http.HandlerFunc
		check  func(error) bool
		// backs off
		silent bool
	}{
		{"an errcode", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(403)
			io.WriteString(w, `{"errcode":"M_FORBIDDEN","error":"no"}`)
		}, func(err error) bool { return Is(err, "M_FORBIDDEN") }, false},
		{"500 with an errcode", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
			io.WriteString(w, `{"errcode":"M_UNKNOWN"}`)
		}, func(err error) bool { return Is(err, "M_UNKNOWN") }, false},
		{"a proxy", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", http.StatusBadGateway) },
			func(err error) bool { var e *Error; return errors.As(err, &e) && e.Status == 502 }, true},
		{"too many", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(429)
			io.WriteString(w, `{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":60000}`)
		}, func(err error) bool {
			var e *Error
			return errors.As(err, &e) && e.RetryAfter == time.Minute
		}, true},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/other", http.StatusFound) },
			func(err error) bool { var e *Error; return errors.As(err, &e) && e.Status == 302 }, false},
		{"no JSON", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"server":`) }, func(err error) bool { return err != nil }, false},
		{"another type", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"server":[]}`) }, func(err error) bool { return err != nil }, false},
		{"endless", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat(" ", 1<<16)); err != nil {
					return
				}
			}
		}, func(err error) bool { return errors.Is(err, errTooLong) }, false},
		{"broken off", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, func(err error) bool { return err != nil }, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newRemote(t, tc.answer)
			c, _, _ := newClient(t, r)
			if _, _, err := c.Version(t.Context(), r.name); !tc.check(err) {
				t.Errorf("%v", err)
			}
			var b *BackoffError
			if err := c.o.Backoff.Check(t.Context(), r.name); errors.As(err, &b) != tc.silent {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// TestSilence follows a server that goes away and comes back.
func TestSilence(t *testing.T) {
	t.Parallel()
	var up atomic.Bool
	r := newRemote(t, func(w http.ResponseWriter, _ *http.Request) {
		if !up.Load() {
			panic(http.ErrAbortHandler)
		}
		io.WriteString(w, `{}`)
	})
	c, clock, _ := newClient(t, r)
	var woken []string
	c.o.Backoff.OnWake(func(s string) { woken = append(woken, s) })
	ask := func(ctx context.Context) (tried bool, err error) {
		r.mu.Lock()
		before := len(r.requests)
		r.mu.Unlock()
		_, _, err = c.Version(ctx, r.name)
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.requests) > before, err
	}
	expect := func(when string, ctx context.Context, wantTried, wantErr bool) {
		t.Helper()
		if tried, err := ask(ctx); tried != wantTried || (err != nil) != wantErr {
			t.Errorf("%s: tried %t, %v", when, tried, err)
		}
	}
	expect("at first", t.Context(), true, true)
	expect("at once again", t.Context(), false, true)
	expect("urgent", Urgent(t.Context()), true, true)
	if s, _ := c.o.Backoff.State(t.Context(), r.name); s.Failures != 1 {
		t.Errorf("%d failures, want 1: what fails together counts once", s.Failures)
	}
	clock.pass(730 * time.Millisecond)
	expect("after a while", t.Context(), true, true)
	clock.pass(730 * time.Millisecond)
	expect("after another", t.Context(), false, true)
	up.Store(true)
	clock.pass(730 * time.Millisecond)
	expect("after two", t.Context(), true, false)
	expect("from then on", t.Context(), true, false)
	if !slices.Equal(woken, []string{r.name}) {
		t.Errorf("woken: %v", woken)
	}
	up.Store(false)
	for range 30 {
		clock.pass(30 * time.Hour)
		expect("every day", t.Context(), true, true)
	}
	if s, _ := c.o.Backoff.State(t.Context(), r.name); s.RetryTS > clock.time().Add(30*time.Hour).UnixMilli() {
		t.Errorf("the next attempt is in %v", time.UnixMilli(s.RetryTS).Sub(clock.time()))
	}
	expect("in between", t.Context(), false, true)
	up.Store(true)
	c.o.Backoff.Heard(t.Context(), r.name)
	expect("when it was heard", t.Context(), true, false)
	// Whoever gives up doesn't blame the server.
	ctx, cancel := context.WithCancel(t.Context())
	r.handler = func(_ http.ResponseWriter, req *http.Request) { cancel(); <-req.Context().Done() }
	if _, _, err := c.Version(ctx, r.name); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	if s, _ := c.o.Backoff.State(t.Context(), r.name); s.Failures != 0 {
		t.Errorf("given up: %d failures", s.Failures)
	}
}

// TestConnections makes many calls over few connections, and none to a stranger.
func TestConnections(t *testing.T) {
	t.Parallel()
	r := newRemote(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{}`) })
	c, _, dials := newClient(t, r)
	for range 5 {
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if _, _, err := c.Version(t.Context(), r.name); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	if n := dials.Load(); n > connsPerServer {
		t.Errorf("%d connections for 100 calls", n)
	}
	stranger := newRemote(t, r.handler)
	other, _, _ := newClient(t)
	if _, _, err := other.Version(t.Context(), stranger.name); err == nil || len(stranger.requests) != 0 {
		t.Errorf("a certificate by nobody: %v", err)
	}
	if _, _, err := c.Version(t.Context(), "us"); err == nil {
		t.Error("the server called itself")
	}
	if _, _, err := c.Version(t.Context(), "no name"); err == nil {
		t.Error("what is no name was called")
	}
	// The longest name there can be.
	long := strings.Repeat("a", 220) + ".org"
	if got := hostOf(long); strings.Contains(got, "..") || len(strings.Split(got, ".")[0]) > 63 {
		t.Errorf("%s", got)
	}
}

// TestStopped lets the callee end a long answer.
func TestStopped(t *testing.T) {
	t.Parallel()
	r := newRemote(t, func(w http.ResponseWriter, req *http.Request) {
		io.WriteString(w, `{"state":[`)
		for req.Context().Err() == nil {
			if _, err := io.WriteString(w, `{"a":1},`); err != nil {
				return
			}
		}
	})
	c, _, _ := newClient(t, r)
	enough, n := errors.New("enough"), 0
	_, err := c.SendJoin(t.Context(), r.name, "r", "$e", jsontext.Value(`{}`), false, func(Section, jsontext.Value) error {
		if n++; n == 1000 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Errorf("%v", err)
	}
}

func TestMedia(t *testing.T) {
	t.Parallel()
	part := func(header, body string) string { return "\r\n--x\r\n" + header + "\r\n\r\n" + body }
	elsewhere := newRemote(t, func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Authorization") != "" {
			t.Error("elsewhere got an authorization")
		}
		w.Header().Set("Content-Type", "image/png")
		io.WriteString(w, "elsewhere")
	})
	for _, tc := range []struct {
		name, kind, answer, want string
		limit                    int64
	}{
		{"bytes", "multipart/mixed; boundary=x", part("Content-Type: application/json", "{}") + part("Content-Type: text/plain\r\nContent-Disposition: inline", "hello") + "\r\n--x--", "text/plain inline hello", 5},
		{"elsewhere", "multipart/mixed; boundary=x", part("Content-Type: application/json", "{}") + part("Location: https://"+elsewhere.name+"/file", "") + "\r\n--x--", "image/png  elsewhere", 9},
		{"too long", "multipart/mixed; boundary=x", part("Content-Type: application/json", "{}") + part("Content-Type: text/plain", "hello") + "\r\n--x--", "", 4},
		{"too long elsewhere", "multipart/mixed; boundary=x", part("Content-Type: application/json", "{}") + part("Location: https://"+elsewhere.name+"/file", "") + "\r\n--x--", "", 8},
		{"without https", "multipart/mixed; boundary=x", part("Content-Type: application/json", "{}") + part("Location: http://"+elsewhere.name+"/file", "") + "\r\n--x--", "", 9},
		{"one part", "multipart/mixed; boundary=x", part("Content-Type: application/json", "{}") + "\r\n--x--", "", 9},
		{"broken off", "multipart/mixed; boundary=x", part("Content-Type: application/json", "{}") + part("Content-Type: text/plain", "hel"), "", 9},
		{"another type", "text/plain", "hello", "", 9},
	} {
		r := newRemote(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", tc.kind)
			io.WriteString(w, tc.answer)
		})
		c, _, _ := newClient(t, r, elsewhere)
		got := ""
		err := c.Download(t.Context(), r.name, "id", time.Second, tc.limit, func(m Media, body io.Reader) error {
			raw, err := io.ReadAll(body)
			got = m.ContentType + " " + m.ContentDisposition + " " + string(raw)
			return err
		})
		if tc.want == "" && err == nil || tc.want != "" && (err != nil || got != tc.want) {
			t.Errorf("%s: %q, %v", tc.name, got, err)
		}
		if request, _ := r.last(); request != "GET /_matrix/federation/v1/media/download/id?timeout_ms=1000" {
			t.Errorf("%s: %s", tc.name, request)
		}
	}
	r := newRemote(t, func(w http.ResponseWriter, _ *http.Request) { http.NotFound(w, nil) })
	c, _, _ := newClient(t, r)
	if err := c.Thumbnail(t.Context(), r.name, "id", 32, 24, "crop", false, 10, nil); err == nil {
		t.Error("no error")
	}
	if request, _ := r.last(); request != "GET /_matrix/federation/v1/media/thumbnail/id?animated=false&height=24&method=crop&width=32" {
		t.Error(request)
	}
}

func FuzzStream(f *testing.F) {
	f.Add(`{"state":[{"a":1}],"auth_chain":[],"servers_in_room":["a"],"members_omitted":true,"event":{}}`)
	f.Fuzz(func(t *testing.T, s string) {
		j := Joined{}
		each := Each(func(_ Section, raw jsontext.Value) error {
			if !raw.IsValid() {
				t.Errorf("%q is not JSON", raw)
			}
			return nil
		})
		_ = fields{"event": into(&j.Event), "members_omitted": into(&j.MembersOmitted), "servers_in_room": texts(&j.ServersInRoom, 3),
			"state": each.list(SectionState), "auth_chain": each.list(SectionAuth)}.read(nil, strings.NewReader(s))
		if len(j.ServersInRoom) > 3 {
			t.Error("too many servers")
		}
	})
}
