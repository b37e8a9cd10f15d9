package run

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/importer/wire"
	"github.com/landbridge-im/landbridge/internal/lottie/lottietest"
	"github.com/landbridge-im/landbridge/migration/model"
	"github.com/landbridge-im/landbridge/migration/plan"
)

// memory is a Target that keeps files.
type memory struct {
	Target
	mu    sync.Mutex
	files map[string]string
	puts  int
}

func (m *memory) HaveMedia(_ context.Context, q wire.HaveMedia) (out wire.MediaHad, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range q.IDs {
		if _, ok := m.files[id]; ok {
			out.Have = append(out.Have, id)
		}
	}
	return out, nil
}

func (m *memory) PutMedia(_ context.Context, id, _, _, _ string, body io.Reader) (wire.MediaMade, error) {
	raw, err := io.ReadAll(body)
	if err != nil {
		return wire.MediaMade{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files[id] = string(raw)
	m.puts++
	return wire.MediaMade{Fresh: true}, nil
}

// TestFetch fetches files as well and as badly as they can be; nothing that is told of it holds the
// token.
func TestFetch(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	asked := map[string]int{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked[r.URL.Path]++
		switch r.URL.Path {
		case "/good":
			if r.URL.Query().Get("t") != "xoxe-token" {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			w.Header().Set("Content-Type", "image/png")
			_, _ = io.WriteString(w, "picture") // to a test that reads it
		case "/expired":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
		case "/shaky":
			if asked[r.URL.Path] == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer srv.Close()
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	target := &memory{files: map[string]string{}}
	r := &Runner{o: Options{Target: target, HTTP: srv.Client(), FileHosts: []string{u.Hostname()}, Mapping: &plan.Mapping{Files: true}}, server: "x", limit: 100,
		source: model.Source{Network: "slack", ID: "acme"}}
	r.media = newUploads(r)
	for _, tc := range []struct{ name, url, problem string }{
		{"good", srv.URL + "/good?t=xoxe-token", ""},
		{"good", srv.URL + "/good?t=xoxe-token", ""}, // is asked for once
		{"expired", srv.URL + "/expired?t=xoxe-token", "expired"},
		{"shaky", srv.URL + "/shaky?t=xoxe-token", ""},
		{"gone", srv.URL + "/gone?t=xoxe-token", "404"},
		{"elsewhere", "http://other.example/x?t=xoxe-token", "not fetched from there"},
		{"no address", "://xoxe-token", "not valid"},
		{"nowhere", "", "neither in the export"},
		{"nobody answers", "http://" + u.Hostname() + ":1/x?t=xoxe-token", "could not be fetched"},
	} {
		before := len(r.problems)
		f := &model.File{ID: tc.name, Name: tc.name, Type: "image/png", URL: model.Secret(tc.url)}
		uri := r.media.bring(t.Context(), f, "here")
		switch {
		case tc.problem == "" && (!strings.HasPrefix(uri, "mxc://x/slack_") || len(r.problems) > before):
			t.Errorf("%s: %q, %v", tc.name, uri, r.problems)
		case tc.problem != "" && (uri != "" || len(r.problems) != before+1 || !strings.Contains(r.problems[before].What, tc.problem)):
			t.Errorf("%s: %q, %v", tc.name, uri, r.problems[before:])
		}
	}
	if target.puts != 2 || asked["/good"] != 1 {
		t.Errorf("%d files were stored, and one was asked for %d times", target.puts, asked["/good"])
	}
	for _, p := range r.problems {
		if strings.Contains(p.What, "xoxe") {
			t.Errorf("the token is told: %s", p.What)
		}
	}
}

// TestDrawn: an animation that Matrix clients do not show is brought in as a picture, once.
func TestDrawn(t *testing.T) {
	t.Parallel()
	target := &memory{files: map[string]string{}}
	r := &Runner{o: Options{Target: target, Mapping: &plan.Mapping{}}, server: "x", limit: 1 << 20, source: model.Source{Network: "discord", ID: "1"}}
	r.media = newUploads(r)
	sticker := func(name string, raw []byte) *model.File {
		return &model.File{ID: name, Name: name, Type: "image/png", Lottie: true, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil }}
	}
	square := lottietest.Animation(nil, lottietest.Shapes(nil, lottietest.Rect(50, 50, 80, 80), lottietest.Fill(1, 0, 0)))
	for range 2 {
		if uri := r.media.bring(t.Context(), sticker("Wumpus", square), "here"); uri == "" || len(r.problems) != 0 {
			t.Errorf("%q, %v", uri, r.problems)
		}
	}
	for _, raw := range target.files {
		if !strings.HasPrefix(raw, "\x89PNG") {
			t.Errorf("the file is %.20q", raw)
		}
	}
	if target.puts != 1 {
		t.Errorf("%d files", target.puts)
	}
	if uri := r.media.bring(t.Context(), sticker("broken", []byte(`{"v":1}`)), "here"); uri != "" || len(r.problems) != 1 || !strings.Contains(r.problems[0].What, "the animation cannot be drawn") {
		t.Errorf("%q, %v", uri, r.problems)
	}
}
