package edge

import (
	"bytes"
	"compress/gzip"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// buffer is a log that may be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func serve(t *testing.T, h http.HandlerFunc) (url string, e *Edge, log *buffer) {
	t.Helper()
	log = &buffer{}
	e = New(Options{Log: slog.New(slog.NewTextHandler(log, nil)), Now: time.Now})
	srv := httptest.NewServer(e.Wrap(h))
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	t.Cleanup(srv.Close)
	return srv.URL, e, log
}

// do makes a request without the client's own compression.
func do(t *testing.T, method, url string, header ...string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", "identity")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, raw
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	url, _, _ := serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, RequestID(r.Context())) })
	for _, tc := range []struct {
		name, given string
		kept        bool
	}{
		{"none", "", false},
		{"good", "abc-123_X.y:z/+=", true},
		{"with a space", "a b", false},
		{"with a quote", `a"b`, false},
		{"too long", strings.Repeat("x", idMax+1), false},
		{"longest", strings.Repeat("x", idMax), true},
	} {
		res, body := do(t, "GET", url, Header, tc.given)
		id := res.Header.Get(Header)
		if id == "" || id != string(body) || (id == tc.given) != tc.kept {
			t.Errorf("%s: the answer has %q, the handler %q", tc.name, id, body)
		}
	}
	first, _ := do(t, "GET", url)
	second, _ := do(t, "GET", url)
	if first.Header.Get(Header) == second.Header.Get(Header) {
		t.Error("two requests have the same id")
	}
}

func TestCORS(t *testing.T) {
	t.Parallel()
	called := false
	url, _, _ := serve(t, func(w http.ResponseWriter, r *http.Request) { called = true; w.WriteHeader(404) })
	res, body := do(t, "OPTIONS", url+"/any/path")
	if called || res.StatusCode != 204 || len(body) != 0 || !strings.Contains(res.Header.Get("Access-Control-Allow-Methods"), "PUT") ||
		!strings.Contains(res.Header.Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("OPTIONS: %d %v, handler called: %v", res.StatusCode, res.Header, called)
	}
	for _, r := range []*http.Response{res, first(do(t, "GET", url+"/x"))} {
		if r.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%d without CORS", r.StatusCode)
		}
	}
}

func first(r *http.Response, _ []byte) *http.Response { return r }

func TestCompression(t *testing.T) {
	t.Parallel()
	long, short := `"`+strings.Repeat("abc ", 1000)+`"`, `"abc"`
	url, _, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		w.Header().Set("Content-Type", q.Get("type"))
		if e := q.Get("encoding"); e != "" {
			w.Header().Set("Content-Encoding", e)
		}
		body := short
		if q.Get("long") != "" {
			body = long
		}
		if q.Get("length") != "" {
			w.Header().Set("Content-Length", map[bool]string{true: "4002", false: "5"}[body == long])
		}
		if q.Get("status") == "206" {
			w.WriteHeader(206)
		}
		for i := 0; i < len(body); i += 7 {
			io.WriteString(w, body[i:min(i+7, len(body))])
		}
	})
	const json = "type=application/json"
	for _, tc := range []struct {
		name, query, accept string
		zipped              bool
	}{
		{"long", json + "&long=1", "gzip", true},
		{"long, length known", json + "&long=1&length=1", "gzip, deflate", true},
		{"with charset", json + ";charset=utf-8&long=1", "gzip", true},
		{"short", json, "gzip", false},
		{"short, length known", json + "&length=1", "gzip", false},
		{"not wanted", json + "&long=1", "identity", false},
		{"refused", json + "&long=1", "gzip;q=0, identity", false},
		{"liked little", json + "&long=1", "br, gzip;q=0.1", true},
		{"anything", json + "&long=1", "*", true},
		{"a picture", "type=image/png&long=1", "gzip", false},
		{"encoded already", json + "&long=1&encoding=br", "gzip", false},
		{"a part", json + "&long=1&status=206", "gzip", false},
	} {
		query := strings.ReplaceAll(tc.query, ";", "%3B")
		res, raw := do(t, "GET", url+"?"+query, "Accept-Encoding", tc.accept)
		if zipped := res.Header.Get("Content-Encoding") == "gzip"; zipped != tc.zipped {
			t.Errorf("%s: compressed: %v", tc.name, zipped)
			continue
		}
		if tc.zipped {
			if len(raw) > 1000 {
				t.Errorf("%s: %d bytes are not compressed", tc.name, len(raw))
			}
			z, err := gzip.NewReader(bytes.NewReader(raw))
			if err != nil {
				t.Fatal(err)
			}
			if raw, err = io.ReadAll(z); err != nil {
				t.Fatal(err)
			}
		}
		if want := map[bool]string{true: long, false: short}[strings.Contains(tc.query, "long")]; string(raw) != want {
			t.Errorf("%s: got %d bytes, want %d", tc.name, len(raw), len(want))
		}
		if strings.Contains(tc.query, "json") && tc.query != json+"&long=1&encoding=br" && !strings.Contains(tc.query, "206") && res.Header.Get("Vary") == "" {
			t.Errorf("%s: a cache would not know", tc.name)
		}
	}
	res, raw := do(t, "HEAD", url+"?"+json+"&long=1", "Accept-Encoding", "gzip")
	if res.StatusCode != 200 || len(raw) != 0 {
		t.Errorf("HEAD: %d with %d bytes", res.StatusCode, len(raw))
	}
}

// TestFlush makes sure that what is flushed arrives while the handler still runs.
func TestFlush(t *testing.T) {
	t.Parallel()
	goOn := make(chan struct{})
	url, _, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"a":`)
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		<-goOn
		io.WriteString(w, `1}`)
	})
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req) // which asks for gzip and undoes it
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if !res.Uncompressed {
		t.Error("a stream was not compressed")
	}
	part := make([]byte, 5)
	if _, err := io.ReadFull(res.Body, part); err != nil || string(part) != `{"a":` {
		t.Fatalf("%q %v", part, err)
	}
	close(goOn)
	if rest, err := io.ReadAll(res.Body); err != nil || string(rest) != "1}" {
		t.Fatalf("%q %v", rest, err)
	}
}

func TestPanic(t *testing.T) {
	t.Parallel()
	url, _, log := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/late":
			w.WriteHeader(200)
			io.WriteString(w, strings.Repeat("x", 100_000))
		case "/abort":
			panic(http.ErrAbortHandler)
		}
		panic("the reason")
	})
	res, body := do(t, "GET", url+"/early?access_token=secret", Header, "my-id")
	if res.StatusCode != 500 || !bytes.Contains(body, []byte("my-id")) || !bytes.Contains(body, []byte("M_UNKNOWN")) || bytes.Contains(body, []byte("reason")) {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	if l := log.String(); !strings.Contains(l, "the reason") || !strings.Contains(l, "my-id") || strings.Contains(l, "secret") {
		t.Errorf("the log: %s", l)
	}
	for _, path := range []string{"/late", "/abort"} {
		res, err := http.Get(url + path)
		if err == nil {
			_, err = io.ReadAll(res.Body)
			res.Body.Close()
		}
		if err == nil {
			t.Errorf("%s: half an answer looks like a whole one", path)
		}
	}
}

func TestAccessLog(t *testing.T) {
	t.Parallel()
	url, e, log := serve(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(404); io.WriteString(w, "four") })
	do(t, "GET", url+"/off")
	e.LogAccess(true)
	do(t, "PUT", url+"/on?access_token=secret")
	deadline := time.Now().Add(20 * time.Second)
	for !strings.Contains(log.String(), "path=/on") {
		if time.Now().After(deadline) {
			t.Fatalf("the log: %s", log)
		}
		time.Sleep(time.Millisecond)
	}
	if l := log.String(); strings.Contains(l, "/off") || strings.Contains(l, "secret") || !strings.Contains(l, "status=404") || !strings.Contains(l, "bytes=4") || !strings.Contains(l, "method=PUT") {
		t.Errorf("the log: %s", l)
	}
}

// deadlines notes what a handler's connection was told.
type deadlines struct {
	http.ResponseWriter
	read []time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error { d.read = append(d.read, t); return nil }

// TestSlowBody makes sure that the time a body may take grows with what has come, and no faster.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	d := &deadlines{ResponseWriter: httptest.NewRecorder()}
	b := limitBody(d, io.NopCloser(strings.NewReader(strings.Repeat("x", 10*bodyRate))))
	began := time.Now()
	if _, err := io.ReadFull(b, make([]byte, 4*bodyRate)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(b); err != nil {
		t.Fatal(err)
	}
	near := func(got, want time.Time) bool { return got.Sub(want).Abs() < 10*time.Second }
	if len(d.read) < 3 || !near(d.read[0], began.Add(bodyGrace)) || !near(d.read[1], began.Add(bodyGrace+4*time.Second)) || !d.read[len(d.read)-1].IsZero() {
		t.Errorf("%v", d.read)
	}
}
