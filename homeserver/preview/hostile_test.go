package preview

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/landbridge-im/landbridge/internal/safedial"
)

// TestPrivateAddresses: nobody reaches by a preview what only the server can reach.
func TestPrivateAddresses(t *testing.T) {
	t.Parallel()
	// What must not be reached.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var reached atomic.Int64
	secret := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached.Add(1)
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<title>secret</title>")
	})}
	done := make(chan error, 1)
	go func() { done <- secret.Serve(l) }()
	defer func() { secret.Close(); <-done }()
	_, port, _ := net.SplitHostPort(l.Addr().String())

	s := newSite(t, func(c *Config) { c.Dial = safedial.Policy{Timeout: 2 * time.Second}.DialContext })
	for _, host := range []string{"127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
		"[64:ff9b::7f00:1]", "[2002:7f00:1::]", "169.254.169.254", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "10.0.0.1", "192.168.0.1", "172.16.0.1",
		"100.64.0.1", "[fe80::1]", "[fe80::1%25lo]", "[fd00::1]", "[fec0::1]", "224.0.0.1", "255.255.255.255"} {
		if _, code := s.ask("http://"+host+":"+port+"/", 0); code != "M_UNKNOWN" && code != "M_INVALID_PARAM" {
			t.Errorf("%s: %q", host, code)
		}
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("reached %d times", n)
	}
}

// TestRedirectsToPrivateAddresses: nor by a page that sends us there, nor by what belongs to it.
func TestRedirectsToPrivateAddresses(t *testing.T) {
	t.Parallel()
	var s *site
	var denied atomic.Int64
	s = newSite(t, func(c *Config) {
		// The site may be reached, at its own port alone.
		policy := safedial.Policy{Timeout: 2 * time.Second}
		var d net.Dialer
		c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if "http://"+address == s.url {
				return d.DialContext(ctx, network, address)
			}
			conn, err := policy.DialContext(ctx, network, address)
			if err != nil {
				denied.Add(1)
			}
			return conn, err
		}
	})
	s.mux.HandleFunc("/to", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Query().Get("u"), http.StatusFound)
	})
	s.mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) })
	s.mux.HandleFunc("/page", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<p>T</p><meta property="og:image" content=%q><link rel=alternate type="application/json+oembed" href=%q>`, r.URL.Query().Get("u"), r.URL.Query().Get("u"))
	})
	private := []string{"http://127.0.0.1:8008/_matrix/client/versions", "http://169.254.169.254/latest/meta-data/", "http://[::1]:8008/", "http://[::ffff:169.254.169.254]/", "http://localhost:8008/", "http://10.0.0.1/"}
	for _, target := range private {
		before := denied.Load()
		if _, code := s.ask(s.url+"/to?u="+url.QueryEscape(target), 0); code != "M_UNKNOWN" || denied.Load() == before {
			t.Errorf("redirected to %s: %s", target, code)
		}
		before = denied.Load()
		// Through two redirects, of the picture and of oEmbed data.
		via := s.url + "/to?u=" + url.QueryEscape(target)
		got, code := s.ask(s.url+"/page?u="+url.QueryEscape(via), 0)
		if code != "" || got["og:image"] != nil || got["og:description"] != "T" || denied.Load() < before+2 {
			t.Errorf("a page with %s: %v %s", target, got, code)
		}
	}
	for _, target := range []string{"file:///etc/passwd", "ftp://example.org/", "http://u:p@" + strings.TrimPrefix(s.url, "http://"), "http://example.org:25/", "gopher://x/"} {
		if _, code := s.ask(s.url+"/to?u="+url.QueryEscape(target), 0); code != "M_UNKNOWN" {
			t.Errorf("redirected to %s: %s", target, code)
		}
	}
	if _, code := s.ask(s.url+"/loop", 0); code != "M_UNKNOWN" || s.hit("/loop") != maxRedirects+1 {
		t.Errorf("a loop: %s after %d requests", code, s.hit("/loop"))
	}
}

// TestRebinding: a name that is public when it is looked up first, and ours the next time.
func TestRebinding(t *testing.T) {
	t.Parallel()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var questions atomic.Int64
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			m.Response, m.Additionals = true, nil
			if q.Type == dnsmessage.TypeA {
				ip := [4]byte{127, 0, 0, 1}
				if questions.Add(1)%2 == 1 {
					ip = [4]byte{203, 0, 113, 1} // reserved for documentation: refused too, and never answers
				}
				m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}, Body: &dnsmessage.AResource{A: ip}}}
			}
			if raw, err := m.Pack(); err == nil {
				pc.WriteTo(raw, from)
			}
		}
	}()
	defer func() { pc.Close(); <-done }()
	policy := safedial.Policy{Timeout: 2 * time.Second, Resolver: &net.Resolver{PreferGo: true,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "udp", pc.LocalAddr().String())
		}}}
	s := newSite(t, func(c *Config) { c.Dial = policy.DialContext })
	s.page("/", "text/html", "<title>secret</title>")
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(s.url, "http://"))
	for range 4 {
		if _, code := s.ask("http://rebind.example:"+port+"/", 0); code != "M_UNKNOWN" {
			t.Errorf("%q", code)
		}
		s.later(failureFresh)
	}
	if s.hit("/") != 0 || questions.Load() < 4 {
		t.Errorf("%d questions, reached %d times", questions.Load(), s.hit("/"))
	}
}

// TestEndlessPages: what is read, and for how long, is bounded.
func TestEndlessPages(t *testing.T) {
	s := newSite(t)
	stop := make(chan struct{})
	s.mux.HandleFunc("/endless", func(w http.ResponseWriter, r *http.Request) { endless(w, "text/html") })
	s.mux.HandleFunc("/bomb", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		block := make([]byte, 1<<20)
		for range 1000 {
			if _, err := z.Write(block); err != nil {
				return
			}
		}
	})
	s.mux.HandleFunc("/tag", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<meta "+strings.Repeat("a=b ", 1<<20))
	})
	s.mux.HandleFunc("/deep", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, strings.Repeat("<div><script>", 1<<17))
	})
	s.mux.HandleFunc("/many", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		for i := range 20000 {
			fmt.Fprintf(w, `<meta property="og:x%d" content="%0500d">`, i, i)
		}
	})
	s.mux.HandleFunc("/silent", func(w http.ResponseWriter, r *http.Request) { <-stop })
	s.mux.HandleFunc("/drops", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		for {
			if _, err := io.WriteString(w, "x"); err != nil || http.NewResponseController(w).Flush() != nil {
				return
			}
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	})
	s.mux.HandleFunc("/header", func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) })
	t.Cleanup(func() { close(stop) }) // before the server waits for its handlers
	for path, code := range map[string]string{"/endless": "", "/bomb": "", "/tag": "", "/deep": "", "/many": "", "/silent": "M_UNKNOWN", "/drops": "M_UNKNOWN", "/header": "M_UNKNOWN"} {
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		// Those that have an end get all the time that a busy machine may need.
		s.c.Timeout = time.Minute
		if code != "" {
			s.c.Timeout = time.Second
		}
		began := time.Now()
		got, have := s.ask(s.url+path, 0)
		took := time.Since(began)
		runtime.ReadMemStats(&after)
		if have != code || took > 50*time.Second {
			t.Errorf("%s: %s after %v", path, have, took)
		}
		if len(got) > maxProperties+5 {
			t.Errorf("%s: %d properties", path, len(got))
		}
		// Server and client are in one process here.
		if used := after.TotalAlloc - before.TotalAlloc; used > 48<<20 {
			t.Errorf("%s: %d bytes of memory", path, used)
		}
	}
}

func FuzzPage(f *testing.F) {
	f.Add([]byte(`<title>a</title><meta property="og:title" content="b"><p>c<img src=d><script type="application/ld+json">{"name":["x"]}</script>`))
	f.Add([]byte(`<script><title></script><nav><nav></nav><base href="//x"><link rel="alternate" type="application/json+oembed" href="e">`))
	base, err := url.Parse("https://example.org/a/b")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := parsePage(strings.NewReader(string(raw)), base)
		if err != nil {
			return
		}
		if err := p.addOEmbed(raw); err == nil && len(p.embedTitle) > maxValue {
			t.Error("a long title")
		}
		for name, v := range p.openGraph() {
			if s, ok := v.(string); !ok || len(s) > maxValue || strings.ContainsFunc(s, func(c rune) bool { return c < ' ' }) {
				t.Errorf("%s: %q", name, v)
			}
		}
		for _, u := range p.candidates() {
			if err := checkURL(u); err != nil {
				t.Errorf("%s: %v", u, err)
			}
		}
	})
}

func FuzzAddress(f *testing.F) {
	f.Add("http://example.org/", "*.org/*")
	f.Add("http://[::1%25x]:80/%2e%2e", "e?")
	f.Fuzz(func(t *testing.T, address, text string) {
		u, err := parseURL(address)
		if err != nil {
			return
		}
		if again, err := parseURL(u.String()); err != nil || again.String() != u.String() {
			t.Errorf("%q becomes %q, and that %v, %v", address, u, again, err)
		}
		if p, err := parsePattern(text); err == nil {
			p.matches(u)
		}
	})
}
