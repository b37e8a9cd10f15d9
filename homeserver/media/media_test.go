package media

import (
	"bytes"
	"context"
	"encoding/json/v2"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

type fixture struct {
	*Repo
	t testing.TB
	// ahead moves the clock.
	ahead time.Duration
}

func newFixture(t testing.TB, change ...func(*Config)) *fixture {
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
	f := &fixture{t: t}
	c := Config{Dir: filepath.Join(dir, "media"), Server: "x.org", Store: s, Log: log, MaxUpload: 1 << 20,
		Now: func() time.Time { return time.UnixMilli(1_700_000_000_000).Add(f.ahead) }}
	for _, fn := range change {
		fn(&c)
	}
	if f.Repo, err = New(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

func (f *fixture) upload(m Meta, body string) (id string) {
	f.t.Helper()
	id, err := f.Upload(f.t.Context(), Uploader{User: 1}, m, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	return id
}

// files lists all files, relative to the folder of media.
func (f *fixture) files() (files []string) {
	f.t.Helper()
	err := filepath.WalkDir(f.c.Dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			path, err = filepath.Rel(f.c.Dir, path)
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return files
}

func wantCode(t testing.TB, what string, err error, code string) {
	t.Helper()
	if code == "" && err == nil {
		return
	}
	if e, ok := mxerror.As(err); !ok || e.Code != code {
		t.Errorf("%s: %v, want %q", what, err, code)
	}
}

// get serves a request and returns the answer, whose body is read.
func get(t testing.TB, serve func(http.ResponseWriter, *http.Request) error, target string, header ...string) (*http.Response, string) {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	if err := serve(rec, req); err != nil {
		t.Fatal(err)
	}
	return rec.Result(), rec.Body.String()
}

func (f *fixture) download(id, filename string) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		return f.ServeDownload(w, r, Access{}, "x.org", id, filename)
	}
}

func TestUploadAndDownload(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.upload(Meta{Type: "text/plain; charset=utf-8", Name: "a b.txt"}, "hello, world")
	other := f.upload(Meta{Type: "text/html", Name: "x.html"}, "hello, world")
	if id == other || len(f.files()) != 1 {
		t.Errorf("%s and %s share %v", id, other, f.files())
	}
	res, body := get(t, f.download(id, ""), "/")
	for name, want := range map[string]string{
		"Content-Type": "text/plain; charset=utf-8", "Content-Disposition": `inline; filename="a b.txt"`, "Content-Length": "12",
		"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "cross-origin", "Content-Security-Policy": contentSecurity,
	} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if res.StatusCode != http.StatusOK || body != "hello, world" {
		t.Errorf("%d %q", res.StatusCode, body)
	}
	if res, _ := get(t, f.download(other, ""), "/"); res.Header.Get("Content-Disposition") != `attachment; filename=x.html` {
		t.Errorf("HTML: %v", res.Header)
	}
	if res, _ := get(t, f.download(id, "süß.txt"), "/"); res.Header.Get("Content-Disposition") != `inline; filename*=utf-8''s%C3%BC%C3%9F.txt` {
		t.Errorf("another name: %v", res.Header)
	}
	etag := res.Header.Get("ETag")
	if res, body := get(t, f.download(id, ""), "/", "If-None-Match", etag); res.StatusCode != http.StatusNotModified || body != "" {
		t.Errorf("unchanged: %d %q", res.StatusCode, body)
	}
	if res, body := get(t, f.download(id, ""), "/", "Range", "bytes=7-11"); res.StatusCode != http.StatusPartialContent || body != "world" {
		t.Errorf("a range: %d %q", res.StatusCode, body)
	}
	if res, _ := get(t, f.download(id, ""), "/", "Range", "bytes=99-"); res.StatusCode != http.StatusRequestedRangeNotSatisfiable {
		t.Errorf("a bad range: %d", res.StatusCode)
	}
	if res, body := get(t, f.download(id, ""), "/", "Range", "bytes=0-1", "If-Range", `"other"`); res.StatusCode != http.StatusOK || len(body) != 12 {
		t.Errorf("a range of something else: %d %q", res.StatusCode, body)
	}
	empty := f.upload(Meta{}, "")
	if res, body := get(t, f.download(empty, ""), "/"); res.StatusCode != http.StatusOK || body != "" || res.Header.Get("Content-Disposition") != "attachment" || res.Header.Get("Content-Type") != defaultType {
		t.Errorf("an empty file: %d %q %v", res.StatusCode, body, res.Header)
	}
	for what, test := range map[string]struct{ origin, id, query, code string }{
		"unknown":          {"x.org", "none", "", "M_NOT_FOUND"},
		"a path":           {"x.org", "../../test.db", "", "M_NOT_FOUND"},
		"another server":   {"y.org", id, "", "M_NOT_FOUND"},
		"odd timeout":      {"x.org", id, "?timeout_ms=x", "M_INVALID_PARAM"},
		"negative timeout": {"x.org", id, "?timeout_ms=-1", "M_INVALID_PARAM"},
	} {
		rec := httptest.NewRecorder()
		err := f.ServeDownload(rec, httptest.NewRequestWithContext(t.Context(), "GET", "/"+test.query, nil), Access{}, test.origin, test.id, "")
		wantCode(t, what, err, test.code)
		if len(rec.Header()) != 0 || rec.Body.Len() != 0 {
			t.Errorf("%s: something was written before the error: %v", what, rec.Header())
		}
	}
}

func TestUploadFailures(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	for what, test := range map[string]struct {
		ctx  context.Context
		body io.Reader
		code string
	}{
		"just right":            {ctx, io.LimitReader(zeros{}, f.MaxUpload()), ""},
		"too large":             {ctx, io.LimitReader(zeros{}, f.MaxUpload()+1), "M_TOO_LARGE"},
		"endless":               {ctx, zeros{}, "M_TOO_LARGE"},
		"bounded by the server": {ctx, iotest.ErrReader(&http.MaxBytesError{Limit: 1}), "M_TOO_LARGE"},
		"broken off":            {ctx, io.MultiReader(strings.NewReader("half"), iotest.ErrReader(io.ErrUnexpectedEOF)), "M_UNKNOWN"},
		"given up":              {cancelled, strings.NewReader("x"), "M_UNKNOWN"},
	} {
		_, err := f.Upload(test.ctx, Uploader{User: 1}, Meta{}, test.body)
		wantCode(t, what, err, test.code)
	}
	if files := f.files(); len(files) != 1 {
		t.Errorf("left on disk: %v", files)
	}
	req := httptest.NewRequestWithContext(ctx, "POST", "/", strings.NewReader("x"))
	req.ContentLength = f.MaxUpload() + 1
	wantCode(t, "announced as too large", f.ServeUpload(httptest.NewRecorder(), req, Uploader{User: 1}), "M_TOO_LARGE")
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestLeftoversAreRemoved(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.upload(Meta{}, "stays")
	if err := os.WriteFile(filepath.Join(f.tempDir(), "upload123"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(f.c); err != nil {
		t.Fatal(err)
	}
	if files := f.files(); len(files) != 1 || strings.HasPrefix(files[0], "tmp") {
		t.Errorf("after the start: %v", files)
	}
}

func TestReservations(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t, func(c *Config) { c.MaxReserved = 2 }), t.Context()
	var reply struct {
		URI     string `json:"content_uri"`
		Expires int64  `json:"unused_expires_at"`
	}
	_, body := get(t, func(w http.ResponseWriter, r *http.Request) error { return f.ServeReserve(w, r, Uploader{User: 1}) }, "/")
	if err := json.Unmarshal([]byte(body), &reply); err != nil {
		t.Fatal(err)
	}
	id, ok := strings.CutPrefix(reply.URI, "mxc://x.org/")
	if !ok || reply.Expires != f.nowMS()+24*3600*1000 {
		t.Fatalf("%s", body)
	}
	late, _, err := f.Reserve(ctx, Uploader{User: 1})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = f.Reserve(ctx, Uploader{User: 1})
	wantCode(t, "one too many", err, "M_LIMIT_EXCEEDED")
	if _, _, err := f.Reserve(ctx, Uploader{User: 2}); err != nil {
		t.Errorf("another user: %v", err)
	}
	fill := func(owner int64, origin, id string) error {
		return f.Fill(ctx, Uploader{User: owner}, origin, id, Meta{Type: "image/png", Name: "n"}, strings.NewReader("content"))
	}
	_, err = f.Find(ctx, Query{Origin: "x.org", ID: id, Patience: 0})
	wantCode(t, "too early", err, "M_NOT_YET_UPLOADED")
	wantCode(t, "another user", fill(2, "x.org", id), "M_FORBIDDEN")
	wantCode(t, "another server", fill(1, "y.org", id), "M_NOT_FOUND")
	wantCode(t, "unknown", fill(1, "x.org", "none"), "M_NOT_FOUND")

	// A download that came first gets the file as soon as it is there.
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			file, m, err := f.Open(ctx, Query{Origin: "x.org", ID: id, Patience: time.Minute})
			if err != nil {
				t.Error(err)
				return
			}
			defer file.Close()
			if body, err := io.ReadAll(file); err != nil || string(body) != "content" || m.Type != "image/png" || m.Name != "n" {
				t.Errorf("%q, %v, %+v", body, err, m)
			}
		})
	}
	for waiting := 0; waiting < 3; runtime.Gosched() {
		f.mu.Lock()
		if w := f.filled[id]; w != nil {
			waiting = w.waiters
		}
		f.mu.Unlock()
	}
	if err := fill(1, "x.org", id); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	wantCode(t, "once more", fill(1, "x.org", id), "M_CANNOT_OVERWRITE_MEDIA")
	f.ahead = 24 * time.Hour
	wantCode(t, "too late", fill(1, "x.org", late), "M_NOT_FOUND")
	_, err = f.Find(ctx, Query{Origin: "x.org", ID: late, Patience: time.Minute})
	wantCode(t, "never came", err, "M_NOT_FOUND")
	if len(f.filled) != 0 {
		t.Errorf("waiters are kept: %v", f.filled)
	}
	if _, _, err := f.Reserve(ctx, Uploader{User: 1}); err != nil {
		t.Errorf("after the others have run out: %v", err)
	}
}

func TestWaitingEndsWithItsRequest(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id, _, err := f.Reserve(t.Context(), Uploader{User: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Find(ctx, Query{Origin: "x.org", ID: id, Patience: time.Hour}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestServeUploadAndConfig(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	req := httptest.NewRequestWithContext(t.Context(), "POST", "/?filename=caf%C3%A9.png", strings.NewReader("x"))
	req.Header.Set("Content-Type", "image/png")
	rec := httptest.NewRecorder()
	if err := f.ServeUpload(rec, req, Uploader{User: 7}); err != nil {
		t.Fatal(err)
	}
	id, ok := strings.CutPrefix(strings.TrimSuffix(rec.Body.String(), `"}`), `{"content_uri":"mxc://x.org/`)
	m, err := f.c.Store.Media(t.Context(), "x.org", id)
	if !ok || err != nil || m.Name != "café.png" || m.Type != "image/png" || m.Owner != 7 || m.Size != 1 {
		t.Errorf("%s, %+v, %v", rec.Body, m, err)
	}
	if _, body := get(t, f.ServeConfig, "/"); body != `{"m.upload.size":1048576}` {
		t.Errorf("%s", body)
	}
	reserved, _, err := f.Reserve(t.Context(), Uploader{User: 7})
	if err != nil {
		t.Fatal(err)
	}
	rec = httptest.NewRecorder()
	if err := f.ServeFill(rec, httptest.NewRequestWithContext(t.Context(), "PUT", "/", strings.NewReader("y")), Uploader{User: 7}, "x.org", reserved); err != nil || rec.Body.String() != "{}" {
		t.Errorf("%s, %v", rec.Body, err)
	}
}

func TestCleaning(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a.txt": "a.txt", "a\r\nSet-Cookie: x": "aSet-Cookie: x", "a\x00b": "ab", "photo\u202egpj.exe": "photogpj.exe", "a\xffb": "ab",
		strings.Repeat("é", 200): strings.Repeat("é", 127),
	} {
		if got := cleanName(in); got != want {
			t.Errorf("name %q: %q", in, got)
		}
	}
	for in, want := range map[string]string{
		"image/png": "image/png", "": defaultType, "png": defaultType, "text/html;\r\nx": defaultType, "Text/Plain;Charset=UTF-8": "Text/Plain;Charset=UTF-8", " image/png ": "image/png", "image/png, text/html": defaultType, "/": defaultType, "a/\u00e9": defaultType,
		"a/" + strings.Repeat("b", 300): defaultType,
	} {
		if got := cleanType(in); got != want {
			t.Errorf("type %q: %q", in, got)
		}
	}
	for _, test := range []struct{ contentType, name, want string }{
		{"image/png", "", "inline"}, {"image/svg+xml", "a.svg", "attachment; filename=a.svg"}, {"text/html", "", "attachment"},
		{"application/xhtml+xml", "", "attachment"}, {"bad", "a", "attachment; filename=a"},
		{"text/plain; charset=utf-8", `a"b\c;d`, `inline; filename="a\"b\\c;d"`},
	} {
		if got := Disposition(test.contentType, test.name); got != test.want {
			t.Errorf("%+v: %q", test, got)
		}
	}
}

func FuzzHeaders(f *testing.F) {
	f.Add("text/plain; a=b", "x\r\ny")
	f.Add("image/png; charset=\"\x00\"", "\u202e\"")
	f.Fuzz(func(t *testing.T, contentType, name string) {
		for _, value := range []string{cleanType(contentType), Disposition(cleanType(contentType), cleanName(name))} {
			if strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c > '~' }) {
				t.Errorf("%q can't be sent in a header", value)
			}
		}
	})
}

// TestFlatMemory streams far more than may be held in memory.
func TestFlatMemory(t *testing.T) {
	const size = 256 << 20
	f := newFixture(t, func(c *Config) { c.MaxUpload = size })
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	id, err := f.Upload(t.Context(), Uploader{User: 1}, Meta{}, io.LimitReader(zeros{}, size))
	if err != nil {
		t.Fatal(err)
	}
	file, m, err := f.Open(t.Context(), Query{Origin: "x.org", ID: id, Patience: 0})
	if err != nil || m.Size != size {
		t.Fatalf("%+v, %v", m, err)
	}
	defer file.Close()
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{file}, make([]byte, 1<<16))
	if err != nil || n != size {
		t.Errorf("%d, %v", n, err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20 {
		t.Errorf("%d bytes were allocated for a file of %d", used, size)
	}
}

func BenchmarkUpload(b *testing.B) {
	f := newFixture(b, func(c *Config) { c.MaxUpload = 1 << 30 })
	body := bytes.Repeat([]byte("x"), 1<<20)
	b.SetBytes(int64(len(body)))
	for i := 0; b.Loop(); i++ {
		copy(body, fmt.Sprint(i))
		if _, err := f.Upload(context.Background(), Uploader{User: 1}, Meta{}, bytes.NewReader(body)); err != nil {
			b.Fatal(err)
		}
	}
}
