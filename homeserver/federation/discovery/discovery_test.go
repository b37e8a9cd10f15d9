package discovery

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
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
)

// world is a network in which names lead to servers of the test.
type world struct {
	t  *testing.T
	mu sync.Mutex
	// srv has SRV records by "service.host", and hosts what answers at "host:port".
	srv     map[string][]*net.SRV
	srvErr  map[string]error
	hosts   map[string]string
	roots   *x509.CertPool
	now     time.Time
	lookups int
	dialled []string
}

func newWorld(t *testing.T) (*world, *Finder) {
	t.Helper()
	w := &world{t: t, srv: map[string][]*net.SRV{}, srvErr: map[string]error{}, hosts: map[string]string{}, roots: x509.NewCertPool(), now: time.Unix(1_700_000_000, 0)}
	f, err := New(Options{Dial: w.dial, Resolver: w, RootCAs: w.roots, Log: slog.New(slog.DiscardHandler), Now: w.time})
	if err != nil {
		t.Fatal(err)
	}
	return w, f
}

func (w *world) time() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now }
func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) LookupSRV(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lookups++
	key := service + "." + name
	if err := w.srvErr[key]; err != nil {
		return "", nil, err
	}
	if r := w.srv[key]; r != nil && proto == "tcp" {
		return "", r, nil
	}
	return "", nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func (w *world) dial(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	to, ok := w.hosts[address]
	w.dialled = append(w.dialled, address)
	w.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("%s: nobody there", address)
	}
	return (&net.Dialer{}).DialContext(ctx, network, to)
}

// serve answers at host:port with a certificate for these names.
func (w *world) serve(h http.Handler, address string, names ...string) {
	w.t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	cert, leaf := certificate(w.t, names...)
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	srv.StartTLS()
	w.t.Cleanup(srv.Close)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.roots.AddCert(leaf)
	w.hosts[address] = srv.Listener.Addr().String()
}

func wellKnown(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/.well-known/matrix/server" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, body)
	}
}

func records(targets ...string) (out []*net.SRV) {
	for i, t := range targets {
		out = append(out, &net.SRV{Target: t, Port: 7000, Priority: uint16(i)})
	}
	return out
}

// TestFind has a case for each step of the specification.
func TestFind(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, server string
		wellKnown    string
		srv          map[string][]*net.SRV
		want         Server
	}{
		{"1: IPv4", "1.2.3.4", "", nil, Server{"1.2.3.4", "1.2.3.4", []string{"1.2.3.4:8448"}}},
		{"1: IPv4 and port", "1.2.3.4:99", "", nil, Server{"1.2.3.4:99", "1.2.3.4", []string{"1.2.3.4:99"}}},
		{"1: IPv6", "[2001:db8::1]", "", nil, Server{"[2001:db8::1]", "2001:db8::1", []string{"[2001:db8::1]:8448"}}},
		{"1: IPv6 and port", "[2001:db8::1]:99", "", nil, Server{"[2001:db8::1]:99", "2001:db8::1", []string{"[2001:db8::1]:99"}}},
		{"2: port", "example.org:99", `{"m.server":"other.org"}`, nil, Server{"example.org:99", "example.org", []string{"example.org:99"}}},
		{"3.1: delegated to an address", "example.org", `{"m.server":"5.6.7.8"}`, nil, Server{"5.6.7.8", "5.6.7.8", []string{"5.6.7.8:8448"}}},
		{"3.1: address and port", "example.org", `{"m.server":"[2001:db8::2]:80"}`, nil, Server{"[2001:db8::2]:80", "2001:db8::2", []string{"[2001:db8::2]:80"}}},
		{"3.2: delegated with port", "example.org", `{"m.server":"other.org:443"}`, nil, Server{"other.org:443", "other.org", []string{"other.org:443"}}},
		{"3.3: delegated, SRV", "example.org", `{"m.server":"other.org"}`, map[string][]*net.SRV{"matrix-fed.other.org": records("a.net.", "b.net."), "matrix.other.org": records("c.net.")},
			Server{"other.org", "other.org", []string{"a.net:7000", "b.net:7000"}}},
		{"3.4: delegated, old SRV", "example.org", `{"m.server":"other.org"}`, map[string][]*net.SRV{"matrix.other.org": records("c.net.")},
			Server{"other.org", "other.org", []string{"c.net:7000"}}},
		{"3.5: delegated alone", "example.org", `{"m.server":"other.org"}`, map[string][]*net.SRV{"matrix.example.org": records("c.net.")},
			Server{"other.org", "other.org", []string{"other.org:8448"}}},
		{"4: SRV", "example.org", "", map[string][]*net.SRV{"matrix-fed.example.org": records("a.net."), "matrix.example.org": records("c.net.")},
			Server{"example.org", "example.org", []string{"a.net:7000"}}},
		{"5: old SRV", "example.org", "", map[string][]*net.SRV{"matrix.example.org": records("c.net.")}, Server{"example.org", "example.org", []string{"c.net:7000"}}},
		{"6: nothing", "example.org", "", nil, Server{"example.org", "example.org", []string{"example.org:8448"}}},
		{"bad JSON", "example.org", `{"m.server":`, nil, Server{"example.org", "example.org", []string{"example.org:8448"}}},
		{"no name", "example.org", `{"m.server":"no name"}`, nil, Server{"example.org", "example.org", []string{"example.org:8448"}}},
		{"no property", "example.org", `{}`, nil, Server{"example.org", "example.org", []string{"example.org:8448"}}},
		{"no string", "example.org", `{"m.server":7}`, nil, Server{"example.org", "example.org", []string{"example.org:8448"}}},
		{"too long", "example.org", `{"m.server":"other.org","x":"` + strings.Repeat("x", wellKnownMax) + `"}`, nil, Server{"example.org", "example.org", []string{"example.org:8448"}}},
		{"SRV without service", "example.org", "", map[string][]*net.SRV{"matrix-fed.example.org": records(".")}, Server{"example.org", "example.org", []string{"example.org:8448"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w, f := newWorld(t)
			w.srv = tc.srv
			if tc.wellKnown != "" {
				w.serve(wellKnown(tc.wellKnown), "example.org:443", "example.org")
			}
			for range 2 {
				got, err := f.Find(t.Context(), tc.server)
				if err != nil || got.Host != tc.want.Host || got.TLSName != tc.want.TLSName || !slices.Equal(got.Addresses, tc.want.Addresses) {
					t.Errorf("got %+v, %v; want %+v", got, err, tc.want)
				}
			}
			if w.lookups > 2 {
				t.Errorf("%d look-ups: the second time they should not have been needed", w.lookups)
			}
		})
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	w, f := newWorld(t)
	asked := atomic.Int32{}
	w.serve(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, "https://b.org/x", http.StatusFound)
	}), "a.org:443", "a.org")
	w.serve(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprint(rw, `{"m.server":"c.org:1"}`) }), "b.org:443", "b.org")
	w.serve(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		http.Redirect(rw, r, "https://loop.org/", http.StatusFound)
	}), "loop.org:443", "loop.org")
	w.serve(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, "http://b.org/x", http.StatusFound)
	}), "plain.org:443", "plain.org")
	for name, want := range map[string]string{"a.org": "c.org:1", "loop.org": "loop.org", "plain.org": "plain.org"} {
		if s, err := f.Find(t.Context(), name); err != nil || s.Host != want {
			t.Errorf("%s leads to %+v, %v", name, s, err)
		}
	}
	if n := asked.Load(); n > redirectsMax+1 {
		t.Errorf("the loop was followed %d times", n)
	}
}

// TestLifetimes counts the requests over two days.
func TestLifetimes(t *testing.T) {
	t.Parallel()
	w, f := newWorld(t)
	asked, broken := atomic.Int32{}, atomic.Bool{}
	w.serve(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if broken.Load() {
			http.Error(rw, "no", http.StatusInternalServerError)
			return
		}
		rw.Header().Set("Cache-Control", "public, max-age=3600")
		fmt.Fprint(rw, `{"m.server":"other.org:1"}`)
	}), "a.org:443", "a.org")
	expect := func(when string, host string, n int32) {
		t.Helper()
		if s, err := f.Find(t.Context(), "a.org"); err != nil || s.Host != host || asked.Load() != n {
			t.Errorf("%s: %+v, %v after %d requests; want %s and %d", when, s, err, asked.Load(), host, n)
		}
	}
	expect("at first", "other.org:1", 1)
	w.pass(59 * time.Minute)
	expect("within the hour", "other.org:1", 1)
	w.pass(2 * time.Minute)
	expect("after it", "other.org:1", 2)
	broken.Store(true)
	w.pass(61 * time.Minute)
	expect("when it fails", "other.org:1", 3)
	expect("at once again", "other.org:1", 3)
	w.pass(61 * time.Second)
	expect("after the first pause", "other.org:1", 4)
	w.pass(61 * time.Second)
	expect("the second pause is longer", "other.org:1", 4)
	w.pass(48 * time.Hour)
	expect("when it has failed too long", "a.org", 5)
}

func TestCacheLifetime(t *testing.T) {
	t.Parallel()
	now := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		header http.Header
		want   time.Duration
	}{
		{http.Header{}, 24 * time.Hour},
		{http.Header{"Cache-Control": {"max-age=7200"}}, 2 * time.Hour},
		{http.Header{"Cache-Control": {"public", `Max-Age="7200"`}}, 2 * time.Hour},
		{http.Header{"Cache-Control": {"max-age=1"}}, lifetimeMin},
		{http.Header{"Cache-Control": {"max-age=99999999999"}}, lifetimeMax},
		{http.Header{"Cache-Control": {"max-age=x"}}, 24 * time.Hour},
		{http.Header{"Cache-Control": {"no-store"}}, lifetimeMin},
		{http.Header{"Expires": {now.Add(time.Hour).Format(http.TimeFormat)}}, time.Hour},
		{http.Header{"Expires": {now.Add(time.Hour).Format(http.TimeFormat)}, "Cache-Control": {"max-age=7200"}}, 2 * time.Hour},
		{http.Header{"Expires": {"0"}}, lifetimeMin},
	} {
		if got := cacheLifetime(tc.header, now); got != tc.want {
			t.Errorf("%v: %v, want %v", tc.header, got, tc.want)
		}
	}
}

// TestDial connects although the first address is dead and the second one somebody else's.
func TestDial(t *testing.T) {
	t.Parallel()
	w, f := newWorld(t)
	w.srv = map[string][]*net.SRV{"matrix-fed.example.org": records("dead.net.", "other.net.", "right.net.")}
	w.serve(http.NotFoundHandler(), "other.net:7000", "other.net")
	if _, err := f.Dial(t.Context(), "example.org"); err == nil {
		t.Fatal("a certificate for another name was good enough")
	}
	w.serve(http.NotFoundHandler(), "right.net:7000", "example.org")
	conn, err := f.Dial(t.Context(), "example.org")
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	w.mu.Lock()
	if n := len(w.dialled); n < 3 || !slices.Equal(w.dialled[n-3:], []string{"dead.net:7000", "other.net:7000", "right.net:7000"}) {
		t.Errorf("dialled %v", w.dialled)
	}
	w.mu.Unlock()
	w.serve(http.NotFoundHandler(), "[2001:db8::1]:8448", "2001:db8::1")
	w.serve(http.NotFoundHandler(), "[2001:db8::2]:8448", "2001:db8::1")
	if conn, err = f.Dial(t.Context(), "[2001:db8::1]"); err != nil {
		t.Errorf("an IP address with its own certificate: %v", err)
	} else {
		conn.Close()
	}
	if _, err = f.Dial(t.Context(), "[2001:db8::2]"); err == nil {
		t.Error("an IP address with the certificate of another was good enough")
	}
}

func TestParseName(t *testing.T) {
	t.Parallel()
	for _, ok := range []string{"a", "example.org", "EXAMPLE.org", "a-b.c:1", "1.2.3.4", "1.2.3.4:65535", "[::1]", "[2001:db8::1]:8448", "matrix.org:8448", "1.2.3"} {
		if _, err := ParseName(ok); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", ":1", "a:", "a:0", "a:65536", "a:+1", "a:x", "a_b", "a b", "a/b", "a@b", "[::1", "[1.2.3.4]", "[::1]x", "[fe80::1%eth0]", "::1", "a:1:2", "ä", "a\x00", strings.Repeat("a", 231)} {
		if n, err := ParseName(bad); err == nil {
			t.Errorf("%q became %+v", bad, n)
		}
	}
}

func FuzzParseName(f *testing.F) {
	f.Add("example.org:8448")
	f.Add("[::1]:1")
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseName(s)
		if err == nil && (n.Host == "" || strings.ContainsAny(n.Host, "/@?#[] ")) {
			t.Errorf("%q became %+v", s, n)
		}
	})
}

func FuzzWellKnown(f *testing.F) {
	f.Add([]byte(`{"m.server":"other.org:443"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if name, err := parseWellKnown(raw); err == nil {
			if _, err := ParseName(name); err != nil {
				t.Error(err)
			}
		}
	})
}
