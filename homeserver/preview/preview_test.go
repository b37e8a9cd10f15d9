package preview

import (
	"bytes"
	"context"
	"encoding/json/v2"
	"fmt"
	"image"
	"image/png"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/media"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/internal/safedial"
)

// site is a web server, and a previewer that may reach it.
type site struct {
	*Previewer
	t   testing.TB
	mux *http.ServeMux
	url string

	mu    sync.Mutex
	hits  map[string]int
	ahead time.Duration
	repo  *media.Repo
}

func newSite(t testing.TB, change ...func(*Config)) *site {
	t.Helper()
	log, dir := slog.New(slog.DiscardHandler), t.TempDir()
	s, err := store.Open(t.Context(), store.Options{URI: filepath.Join(dir, "test.db"), Log: log, Relaxed: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	out := &site{t: t, mux: http.NewServeMux(), hits: map[string]int{}}
	now := func() time.Time {
		out.mu.Lock()
		defer out.mu.Unlock()
		return time.UnixMilli(1_700_000_000_000).Add(out.ahead)
	}
	if out.repo, err = media.New(media.Config{Dir: filepath.Join(dir, "media"), Server: "x.org", Store: s, Log: log, Now: now}); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out.mu.Lock()
		out.hits[r.URL.Path]++
		out.mu.Unlock()
		out.mux.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	out.url = srv.URL
	c := Config{Enabled: true, Server: "x.org", Store: s, Pictures: out.repo, Log: log, Now: now, Timeout: 10 * time.Second,
		Dial: safedial.Policy{Allow: safedial.Loopback()}.DialContext, Language: "de", UserAgent: "test"}
	for _, fn := range change {
		fn(&c)
	}
	if out.Previewer, err = New(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(out.repo.Close)
	t.Cleanup(out.Previewer.Close)
	return out
}

// page serves a body at a path.
func (s *site) page(path, contentType, body string) {
	s.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		if contentType != "" {
			w.Header().Set("Content-Type", contentType)
		}
		io.WriteString(w, body)
	})
}

func (s *site) hit(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hits[path]
}

func (s *site) later(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead += d
}

// ask asks for a preview; an error is given as its errcode.
func (s *site) ask(address string, ts int64) (map[string]any, string) {
	s.t.Helper()
	raw, err := s.Preview(s.t.Context(), Query{URL: address, TS: ts})
	if err != nil {
		e, ok := mxerror.As(err)
		if !ok {
			s.t.Fatalf("%s: %v", address, err)
		}
		return nil, e.Code
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		s.t.Fatal(err)
	}
	return out, ""
}

func picture(w, h int) string {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, w, h))); err != nil {
		panic(err)
	}
	return b.String()
}

func TestPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.page("/picture.png", "image/png", picture(120, 80))
	s.page("/oembed", "application/json", `{"type":"video","title":"From oEmbed","provider_name":"Tube","thumbnail_url":"`+s.url+`/picture.png"}`)
	s.page("/broken", "application/json", `{"title":`)
	for i, test := range []struct {
		contentType, body string
		want              map[string]any
		picture           bool
	}{
		{"text/html; charset=utf-8", `<html><head><title>Not this</title><meta property="og:title" content="The &quot;title&quot;">
			<meta property="og:description" content=" A
			description "><meta property="og:image" content="/picture.png"><meta property="og:image:width" content="9999">
			<meta property="og:type" content="article"><meta property="og:site_name" content="Site"></head><body>text`,
			map[string]any{"og:title": `The "title"`, "og:description": "A description", "og:type": "article", "og:site_name": "Site"}, true},
		{"text/html", `<title>A <b>title</b></title><meta name=description content="What it is"><p>Something`,
			map[string]any{"og:title": "A <b>title</b>", "og:description": "What it is"}, false},
		{"text/html", `<nav><p>Menu</p></nav><script>document.write("<p>no</p>")</script><style>p{}</style><h1>Heading</h1>
			<p>First <em>words</em>.</p><p>More.</p><img src=/x.gif width=1><img src="picture.png">`,
			map[string]any{"og:title": "Heading", "og:description": "First words. More."}, true},
		{"text/html", `<meta name="twitter:title" content="T"><meta name="twitter:description" content="D"><meta name="twitter:image" content="/picture.png">`,
			map[string]any{"og:title": "T", "og:description": "D"}, true},
		{"text/html", `<title>Page</title><script type="application/ld+json">[{"@type":"Thing"},{"headline":"Linked","description":"data","image":{"url":"/picture.png"}}]</script>`,
			map[string]any{"og:title": "Linked", "og:description": "data"}, true},
		{"text/html", `<title>Page</title><script type="application/ld+json">{"@graph":[{"name":"Graph","image":["/picture.png","/other"]}]}</script>`,
			map[string]any{"og:title": "Graph"}, true},
		{"text/html", `<link rel="alternate" type="application/json+oembed" href="/oembed"><p>`,
			map[string]any{"og:title": "From oEmbed", "og:site_name": "Tube"}, true},
		{"text/html", `<title>Still</title><link rel="alternate" type="application/json+oembed" href="/broken">`, map[string]any{"og:title": "Still"}, false},
		{"text/html; charset=iso-8859-1", "<title>S\xfc\xdf</title>", map[string]any{"og:title": "Süß"}, false},
		{"text/html", "<meta charset=shift_jis><title>\x93\xfa\x96{</title>", map[string]any{"og:title": "日本"}, false},
		{"text/html; charset=utf-8", "<title>a\x00b\u202ec\xff</title>", map[string]any{"og:title": "abc"}, false},
		{"text/html", `<base href="` + s.url + `/"><link rel=image_src href="picture.png">`, map[string]any{}, true},
		{"application/xhtml+xml", `<html xmlns="http://www.w3.org/1999/xhtml"><head><title>X</title></head></html>`, map[string]any{"og:title": "X"}, false},
		{"text/html", "", map[string]any{}, false},
		{"text/html", "<", map[string]any{}, false},
		{"text/html", `<meta property="og:title" content="` + strings.Repeat("é", 2000) + `">`, map[string]any{"og:title": strings.Repeat("é", 148) + "…"}, false},
		{"application/pdf", "%PDF", map[string]any{}, false},
		{"text/plain", "<title>no</title>", map[string]any{}, false},
		{"nonsense", "<title>no</title>", map[string]any{}, false},
	} {
		path := fmt.Sprintf("/page%d", i)
		s.page(path, test.contentType, test.body)
		got, code := s.ask(s.url+path+"#part", 0)
		if code != "" {
			t.Errorf("%s: %s", test.body, code)
			continue
		}
		if test.picture {
			id, ok := strings.CutPrefix(fmt.Sprint(got["og:image"]), "mxc://x.org/")
			m, err := s.repo.Info(t.Context(), store.MediaName{Origin: "x.org", ID: id})
			if !ok || err != nil || got["og:image:width"] != 120.0 || got["og:image:height"] != 80.0 || got["og:image:type"] != "image/png" ||
				got["matrix:image:size"] != float64(m.Size) || !m.Cached {
				t.Errorf("%s: %v, %+v, %v", test.body, got, m, err)
			}
			for _, name := range []string{"og:image", "og:image:width", "og:image:height", "og:image:type", "matrix:image:size"} {
				delete(got, name)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("%s:\n got %v\nwant %v", test.body, got, test.want)
		}
	}
	got, code := s.ask(s.url+"/picture.png", 0)
	if code != "" || got["og:image"] == nil || got["og:title"] != "picture.png" {
		t.Errorf("a picture itself: %v %s", got, code)
	}
}

// TestBadPictures: a page's picture that is none is left out.
func TestBadPictures(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.MaxPicture = 100 << 10 })
	s.page("/ok.png", "image/png", picture(70, 70))
	s.page("/svg", "image/svg+xml", "<svg/>")
	s.page("/html.png", "image/png", "<html>")
	s.page("/page.png", "text/html", picture(70, 70))
	s.mux.HandleFunc("/endless.png", func(w http.ResponseWriter, r *http.Request) { endless(w, "image/png") })
	s.mux.HandleFunc("/page", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<title>T</title>")
		for _, u := range r.URL.Query()["u"] {
			fmt.Fprintf(w, `<meta property="og:image" content="%s">`, u)
		}
	})
	for _, bad := range []string{"/svg", "/html.png", "/page.png", "/none.png", "/endless.png", "javascript:alert(1)", "data:image/png;base64,AAAA", "file:///etc/passwd", "http://[::1", "ftp://x/y", "//user@x/", "http://127.0.0.1:22/"} {
		address := s.url + "/page?u=" + url.QueryEscape(bad)
		if got, code := s.ask(address, 0); code != "" || got["og:image"] != nil || got["og:title"] != "T" {
			t.Errorf("%s: %v %s", bad, got, code)
		}
		if got, code := s.ask(address+"&u=/ok.png", 0); code != "" || got["og:image"] == nil {
			t.Errorf("%s and a good one: %v %s", bad, got, code)
		}
	}
}

func endless(w http.ResponseWriter, contentType string) {
	w.Header().Set("Content-Type", contentType)
	block := bytes.Repeat([]byte("<p>x</p>"), 1024)
	for {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

func TestCaching(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	title := "old"
	var mu sync.Mutex
	set := func(v string) { mu.Lock(); title = v; mu.Unlock() }
	s.mux.HandleFunc("/a", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<title>%s</title>%s, %s", title, r.Header.Get("User-Agent"), r.Header.Get("Accept-Language"))
	})
	s.page("/p.png", "image/png", picture(70, 70))
	s.page("/pic", "text/html", `<title>P</title><meta property="og:image" content="/p.png">`)
	expect := func(what string, ts int64, want string, hits int) {
		t.Helper()
		got, code := s.ask(s.url+"/a", ts)
		if code != "" || got["og:title"] != want || s.hit("/a") != hits {
			t.Errorf("%s: %v %s after %d requests, want %q after %d", what, got, code, s.hit("/a"), want, hits)
		}
	}
	began := s.c.Now().UnixMilli()
	expect("first", 0, "old", 1)
	expect("again", 0, "old", 1)
	set("new")
	s.later(59 * time.Minute)
	expect("still good", 0, "old", 1)
	s.cache.Purge() // as after a restart
	expect("from the table", 0, "old", 1)
	s.later(2 * time.Minute)
	expect("no longer good", 0, "new", 2)
	expect("as it was", began+60_000, "old", 2)
	expect("as it is", began+(62*time.Minute).Milliseconds(), "new", 2)
	expect("in the future", began+(24*time.Hour).Milliseconds(), "new", 2)
	expect("before the first", began-1, "new", 2) // a newer version may be given
	s.later(24 * time.Hour)
	set("newest")
	expect("a day later", 0, "newest", 3)
	expect("as it was", began+60_000, "old", 3)
	s.later(keptFor)
	expect("a month later", 0, "newest", 4)
	expect("forgotten", began+60_000, "newest", 4)

	// Failures are remembered for a short while.
	for range 3 {
		if _, code := s.ask(s.url+"/none", 0); code != "M_UNKNOWN" {
			t.Errorf("what is not there: %s", code)
		}
	}
	if n := s.hit("/none"); n != 1 {
		t.Errorf("%d requests for what is not there", n)
	}
	s.later(failureFresh)
	s.ask(s.url+"/none", 0)
	if n := s.hit("/none"); n != 2 {
		t.Errorf("%d requests later", n)
	}

	// A preview is made anew when its picture is gone.
	got, _ := s.ask(s.url+"/pic", 0)
	id := strings.TrimPrefix(fmt.Sprint(got["og:image"]), "mxc://x.org/")
	if err := s.repo.Delete(t.Context(), store.MediaName{Origin: "x.org", ID: id}); err != nil {
		t.Fatal(err)
	}
	if again, code := s.ask(s.url+"/pic", 0); code != "" || again["og:image"] == nil || again["og:image"] == got["og:image"] {
		t.Errorf("without its picture: %v %s", again, code)
	}
}

func TestManyAskForOnePage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	hold := make(chan struct{})
	s.mux.HandleFunc("/a", func(w http.ResponseWriter, r *http.Request) {
		<-hold
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<title>A</title>")
	})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := s.Preview(ctx, Query{URL: s.url + "/a"}); err == nil {
			t.Error("gave up, and got an answer")
		}
	})
	for s.hit("/a") == 0 {
		runtime.Gosched()
	}
	for range 10 {
		wg.Go(func() {
			if got, code := s.ask(s.url+"/a", 0); got["og:title"] != "A" {
				t.Errorf("%v %s", got, code)
			}
		})
	}
	cancel()
	close(hold)
	wg.Wait()
	if n := s.hit("/a"); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestRefusedAddresses(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) {
		c.Deny = []string{"*.evil.example", "example.org/private/*"}
		c.Dial = func(context.Context, string, string) (net.Conn, error) {
			t.Error("a connection was made")
			return nil, io.EOF
		}
	})
	for address, code := range map[string]string{
		"": "M_INVALID_PARAM", "example.org": "M_INVALID_PARAM", "ftp://example.org/": "M_INVALID_PARAM", "file:///etc/passwd": "M_INVALID_PARAM",
		"http://": "M_INVALID_PARAM", "http:///path": "M_INVALID_PARAM", "http://a:b@example.org/": "M_INVALID_PARAM", "gopher://x/_": "M_INVALID_PARAM",
		"http://example.org:25/": "M_INVALID_PARAM", "http://example.org:22": "M_INVALID_PARAM", "http://example.org:99999/": "M_INVALID_PARAM",
		"http://[::1": "M_INVALID_PARAM", "http://exa mple.org/": "M_INVALID_PARAM", "http://x/" + strings.Repeat("a", 2048): "M_INVALID_PARAM", "javascript:alert(1)": "M_INVALID_PARAM",
		"http://a.evil.example/": "M_FORBIDDEN", "http://A.EVIL.example./": "M_FORBIDDEN", "https://example.org/private/x": "M_FORBIDDEN",
		"https://example.org/%70rivate/x": "M_FORBIDDEN", "https://example.org/y/../private/x": "M_FORBIDDEN",
	} {
		if _, got := s.ask(address, 0); got != code {
			t.Errorf("%q: %s, want %s", address, got, code)
		}
	}
	only := newSite(t, func(c *Config) { c.Allow = []string{"127.0.0.1/ok*"} })
	only.page("/ok", "text/html", "<title>A</title>")
	only.mux.HandleFunc("/okay", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) })
	only.page("/elsewhere", "text/html", "<title>B</title>")
	for path, code := range map[string]string{"/ok": "", "/elsewhere": "M_FORBIDDEN", "/okay": "M_FORBIDDEN"} {
		if _, got := only.ask(only.url+path, 0); got != code {
			t.Errorf("%s: %q, want %q", path, got, code)
		}
	}
	if only.hit("/elsewhere") != 0 {
		t.Error("a redirect to what is not allowed was followed")
	}
	off := newSite(t, func(c *Config) { c.Enabled = false })
	if _, got := off.ask(off.url, 0); got != "M_FORBIDDEN" {
		t.Errorf("switched off: %s", got)
	}
	for _, bad := range []string{"", "/x", "http://x", "a b", "[x]"} {
		if CheckPattern(bad) == nil {
			t.Errorf("the pattern %q is accepted", bad)
		}
	}
}
