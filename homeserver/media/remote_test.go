package media

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// others are other servers.
type others struct {
	files map[string]string // by origin/id
	errs  map[string]error
	calls atomic.Int64
	// hold, when set, keeps answers back.
	hold chan struct{}
}

func (o *others) Fetch(ctx context.Context, origin, id string, w io.Writer) (Meta, error) {
	o.calls.Add(1)
	if o.hold != nil {
		<-o.hold
	}
	if err := o.errs[id]; err != nil {
		return Meta{}, err
	}
	body, ok := o.files[origin+"/"+id]
	if !ok {
		return Meta{}, mxerror.NotFound("There is no such media.")
	}
	if id == "endless" {
		_, err := io.Copy(w, zeros{})
		return Meta{}, err
	}
	_, err := io.WriteString(w, body)
	return Meta{Type: "text/plain", Name: "theirs.txt"}, err
}

func TestRemote(t *testing.T) {
	t.Parallel()
	o := &others{files: map[string]string{"y.org/a": "hello", "y.org/endless": "", "y.org:8448/a": "other", "y.org/bad": "bad"},
		errs: map[string]error{"down": errors.New("connection refused"), "soon": mxerror.New(http.StatusGatewayTimeout, "M_NOT_YET_UPLOADED", "Not yet.")}}
	f := newFixture(t, func(c *Config) { c.Remote = o })
	serve := func(a Access, origin, id, query string) (*httptest.ResponseRecorder, error) {
		rec := httptest.NewRecorder()
		return rec, f.ServeDownload(rec, httptest.NewRequestWithContext(t.Context(), "GET", "/?"+query, nil), a, origin, id, "")
	}
	_, err := serve(Access{Old: true}, "y.org", "a", "allow_remote=false")
	wantCode(t, "not allowed to ask", err, "M_NOT_FOUND")
	_, err = serve(Access{Old: true, Before: time.UnixMilli(f.nowMS())}, "y.org", "a", "")
	wantCode(t, "frozen", err, "M_NOT_FOUND")
	if n := o.calls.Load(); n != 0 {
		t.Errorf("%d requests", n)
	}
	for range 2 {
		rec, err := serve(Access{Old: true}, "y.org", "a", "allow_remote=true&allow_redirect=true")
		if err != nil || rec.Body.String() != "hello" || rec.Header().Get("Content-Disposition") != "inline; filename=theirs.txt" || rec.Header().Get("Content-Type") != "text/plain" {
			t.Errorf("%v, %v %s", err, rec.Header(), rec.Body)
		}
	}
	if n := o.calls.Load(); n != 1 {
		t.Errorf("%d requests for one file", n)
	}
	if rec, err := serve(Access{}, "y.org:8448", "a", ""); err != nil || rec.Body.String() != "other" {
		t.Errorf("a server with a port: %v, %s", err, rec.Body)
	}
	for _, test := range []struct {
		origin, id, code string
		status           int
	}{
		{"y.org", "none", "M_NOT_FOUND", 404}, {"y.org", "down", "M_UNKNOWN", 502}, {"y.org", "soon", "M_NOT_YET_UPLOADED", 504},
		{"y.org", "endless", "M_TOO_LARGE", 502},
	} {
		before := o.calls.Load()
		for range 2 {
			_, err := serve(Access{}, test.origin, test.id, "")
			wantCode(t, test.id, err, test.code)
			if e, ok := mxerror.As(err); !ok || e.Status != test.status {
				t.Errorf("%s: %v", test.id, err)
			}
		}
		if n := o.calls.Load() - before; n != 1 {
			t.Errorf("%s: %d requests in a moment", test.id, n)
		}
	}
	f.ahead = time.Minute
	before := o.calls.Load()
	_, err = serve(Access{}, "y.org", "none", "")
	wantCode(t, "later", err, "M_NOT_FOUND")
	if o.calls.Load() != before+1 {
		t.Error("a failure is remembered for ever")
	}
	// Path tricks don't reach other servers.
	before = o.calls.Load()
	for _, name := range [][2]string{{"y.org", "../a"}, {"y.org", "a/b"}, {"y.org", ""}, {"y.org", "a%2f"}, {"y.org/x", "a"}, {"y.org@z", "a"}, {"", "a"},
		{"y.org?", "a"}, {"y.org", "é"}, {"y.org", strings.Repeat("a", 256)}, {"127.0.0.1/../..", "x"}} {
		_, err := serve(Access{}, name[0], name[1], "")
		wantCode(t, name[0]+" "+name[1], err, "M_NOT_FOUND")
	}
	if o.calls.Load() != before {
		t.Error("a path trick was asked for")
	}
	// What is blocked here is not fetched.
	bad := f.upload(Meta{}, "bad")
	f.check(f.Quarantine(t.Context(), local(bad), true))
	_, err = serve(Access{}, "y.org", "bad", "")
	wantCode(t, "blocked", err, "M_NOT_FOUND")
	for _, query := range []string{"allow_remote=x", "allow_redirect=1", "timeout_ms=x"} {
		_, err = serve(Access{Old: true}, "y.org", "a", query)
		wantCode(t, query, err, "M_INVALID_PARAM")
	}
	for _, file := range f.files() {
		if strings.HasPrefix(file, tempName) {
			t.Errorf("left behind: %s", file)
		}
	}
}

func TestRemoteThumbnailTooLarge(t *testing.T) {
	t.Parallel()
	o := &others{files: map[string]string{"y.org/bomb": bomb(60000, 60000)}}
	f := newFixture(t, func(c *Config) { c.Remote = o })
	err := f.ServeThumbnail(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/?width=10&height=10", nil), Access{}, "y.org", "bomb")
	if e, ok := mxerror.As(err); !ok || e.Code != "M_TOO_LARGE" || e.Status != http.StatusBadGateway {
		t.Error(err)
	}
}

func TestManyWantOneRemoteFile(t *testing.T) {
	t.Parallel()
	o := &others{files: map[string]string{"y.org/a": "hello"}, hold: make(chan struct{})}
	f := newFixture(t, func(c *Config) { c.Remote = o })
	// One gives up; the others still get it.
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := f.Find(ctx, Query{Origin: "y.org", ID: "a"}); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	for o.calls.Load() == 0 {
		runtime.Gosched()
	}
	for range 10 {
		wg.Go(func() {
			if _, err := f.Find(t.Context(), Query{Origin: "y.org", ID: "a"}); err != nil {
				t.Error(err)
			}
		})
	}
	cancel()
	close(o.hold)
	wg.Wait()
	if n := o.calls.Load(); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestCacheIsTrimmed(t *testing.T) {
	t.Parallel()
	o := &others{files: map[string]string{}}
	for _, id := range []string{"a", "b", "c", "d"} {
		o.files["y.org/"+id] = strings.Repeat(id, 100)
	}
	f, ctx := newFixture(t, func(c *Config) { c.Remote, c.CacheBytes, c.CacheAge = o, 300, 30*24*time.Hour }), t.Context()
	own := f.upload(Meta{}, strings.Repeat("own", 1000))
	at := func(hours int, id string) {
		f.ahead = time.Duration(hours) * time.Hour
		if _, err := f.Find(ctx, Query{Origin: "y.org", ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	at(1, "a")
	at(2, "b")
	at(3, "c")
	at(5, "a") // used again, so that b is the oldest
	f.check(f.Tidy(ctx))
	at(6, "d")
	f.check(f.Tidy(ctx))
	cached := func(id string) bool {
		_, err := f.c.Store.Media(ctx, "y.org", id)
		return err == nil
	}
	if !cached("a") || cached("b") || !cached("c") || !cached("d") || len(f.files()) != 4 {
		t.Errorf("kept: a %v, b %v, c %v, d %v, %v", cached("a"), cached("b"), cached("c"), cached("d"), f.files())
	}
	// What is protected or quarantined stays; the rest is too old a month later.
	f.check(f.Quarantine(ctx, nameOf("y.org", "c"), true))
	f.check(f.Protect(ctx, nameOf("y.org", "d"), true))
	f.ahead = 60 * 24 * time.Hour
	f.check(f.Tidy(ctx))
	if cached("a") || !cached("c") || !cached("d") || !f.found("x.org", own) {
		t.Errorf("a month later: a %v, c %v, d %v", cached("a"), cached("c"), cached("d"))
	}
	// And what was dropped comes again.
	before := o.calls.Load()
	at(60*24, "a")
	if o.calls.Load() != before+1 {
		t.Error("not fetched again")
	}
	if tally, err := f.PurgeCached(ctx, f.c.Now().Add(time.Minute)); err != nil || tally != (Tally{1, 100}) {
		t.Errorf("purged: %+v, %v", tally, err)
	}
}
