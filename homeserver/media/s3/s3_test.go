package s3

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/media"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

func open(t *testing.T, s *standIn) *Bucket {
	t.Helper()
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	b, err := Open(t.Context(), Config{Endpoint: srv.URL, Region: "test-1", Bucket: s.bucket, Prefix: "lb/", AccessKey: s.access, SecretKey: s.secret, PathStyle: true})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func put(t *testing.T, b *Bucket, content []byte) (key string) {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "x")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(content); err != nil {
		t.Fatal(err)
	}
	key = sum(content)
	if err := b.Put(t.Context(), key, f, int64(len(content))); err != nil {
		t.Fatal(err)
	}
	return key
}

func TestBucket(t *testing.T) {
	t.Parallel()
	s := newStandIn(t)
	b, ctx := open(t, s), t.Context()
	large := bytes.Repeat([]byte("0123456789abcdef"), 2*partSize/16+1000)
	for what, content := range map[string][]byte{"empty": nil, "small": []byte("hello, world"), "large": large} {
		key := put(t, b, content)
		f, err := b.Open(ctx, key)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if end, err := f.Seek(0, io.SeekEnd); err != nil || end != int64(len(content)) {
			t.Errorf("%s: %d bytes, %v", what, end, err)
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			t.Error(err)
		}
		got, err := io.ReadAll(f)
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s: %d bytes, %v", what, len(got), err)
		}
		if len(content) > 10 {
			if _, err := f.Seek(7, io.SeekStart); err != nil {
				t.Error(err)
			}
			part := make([]byte, 3)
			if _, err := io.ReadFull(f, part); err != nil || !bytes.Equal(part, content[7:10]) {
				t.Errorf("%s: %q, %v", what, part, err)
			}
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	s.mu.Lock()
	if s.requests["PUT part"] != 3 || s.requests["POST part"] != 1 || len(s.objects) != 3 {
		t.Errorf("%v", s.requests)
	}
	s.objects["lb/README"], s.objects["other/"+strings.Repeat("a", 64)] = []byte("x"), []byte("x")
	s.mu.Unlock()
	n := 0
	if err := b.List(ctx, func(key string, size int64) error { n++; return nil }); err != nil || n != 3 {
		t.Errorf("listed %d, %v", n, err)
	}
	stop := errors.New("stop")
	if err := b.List(ctx, func(string, int64) error { return stop }); err != stop {
		t.Errorf("a listing that was stopped: %v", err)
	}
	key := sum([]byte("hello, world"))
	for range 2 { // also what is not there
		if err := b.Delete(ctx, key); err != nil {
			t.Error(err)
		}
	}
	if _, err := b.Open(ctx, key); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not there: %v", err)
	}
	// A store that is overloaded for a moment is asked again.
	s.mu.Lock()
	s.fail = 2
	s.mu.Unlock()
	put(t, b, []byte("again"))
}

func TestOpenFailures(t *testing.T) {
	t.Parallel()
	s := newStandIn(t)
	srv := httptest.NewServer(s)
	defer srv.Close()
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.refuse(w, http.StatusForbidden, "SignatureDoesNotMatch")
	}))
	defer refusing.Close()
	for what, c := range map[string]Config{
		"another bucket": {Endpoint: srv.URL, Region: "test-1", Bucket: "none", AccessKey: s.access, SecretKey: s.secret, PathStyle: true},
		"wrong keys":     {Endpoint: refusing.URL, Region: "test-1", Bucket: s.bucket, AccessKey: s.access, SecretKey: "wrong", PathStyle: true},
		"no address":     {Endpoint: "::", Bucket: s.bucket},
		"no host":        {Endpoint: "https://", Bucket: s.bucket},
	} {
		if _, err := Open(t.Context(), c); err == nil || strings.Contains(err.Error(), "wrong") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestRepo runs a repository over a bucket.
func TestRepo(t *testing.T) {
	t.Parallel()
	s := newStandIn(t)
	log, dir, ctx := slog.New(slog.DiscardHandler), t.TempDir(), t.Context()
	st, err := store.Open(ctx, store.Options{URI: filepath.Join(dir, "test.db"), Log: log, Relaxed: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	repo, err := media.New(media.Config{Dir: filepath.Join(dir, "media"), Blobs: open(t, s), Server: "x.org", Store: st, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	id, err := repo.Upload(ctx, media.Uploader{User: 1}, media.Meta{Type: "text/plain", Name: "a.txt"}, strings.NewReader("hello, world"))
	if err != nil {
		t.Fatal(err)
	}
	get := func(header ...string) *httptest.ResponseRecorder {
		req, rec := httptest.NewRequestWithContext(ctx, "GET", "/", nil), httptest.NewRecorder()
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		if err := repo.ServeDownload(rec, req, media.Access{}, "x.org", id, ""); err != nil {
			t.Fatal(err)
		}
		return rec
	}
	if rec := get(); rec.Body.String() != "hello, world" || rec.Header().Get("Content-Disposition") != "inline; filename=a.txt" {
		t.Errorf("%s %v", rec.Body, rec.Header())
	}
	if rec := get("Range", "bytes=7-"); rec.Code != http.StatusPartialContent || rec.Body.String() != "world" {
		t.Errorf("a range: %d %s", rec.Code, rec.Body)
	}
	faults := 0
	if n, err := repo.Verify(ctx, true, func(string, media.Fault) { faults++ }); err != nil || n != 1 || faults != 0 {
		t.Errorf("%d files, %d faults, %v", n, faults, err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "media", "tmp")); err != nil || len(left) != 0 {
		t.Errorf("left on the disk: %v, %v", left, err)
	}
	if err := repo.Delete(ctx, store.MediaName{Origin: "x.org", ID: id}); err != nil {
		t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.objects) != 0 {
		t.Errorf("%d objects are left", len(s.objects))
	}
}
