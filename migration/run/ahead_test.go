package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/importer/wire"
	"github.com/landbridge-im/landbridge/migration/model"
	"github.com/landbridge-im/landbridge/migration/plan"
)

// runnerFor makes a runner that brings files from a server into a target.
func runnerFor(t *testing.T, target Target, srv *httptest.Server) *Runner {
	t.Helper()
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	r := &Runner{o: Options{Target: target, HTTP: srv.Client(), FileHosts: []string{u.Hostname()}, Mapping: &plan.Mapping{Files: true, People: []plan.Person{{ID: "left out", Without: true}}}},
		server: "x", source: model.Source{Network: "slack", ID: "acme"}}
	r.media, r.people = newUploads(r), newPeople(r)
	return r
}

// TestAhead: files of many messages are fetched side by side, each once, and the messages stay as they are.
func TestAhead(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	asked, together := map[string]int{}, 0
	all := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked[r.URL.Path]++
		if together++; together == fetchers {
			close(all)
		}
		mu.Unlock()
		select {
		case <-all: // only once so many wait
			fmt.Fprint(w, "data")
		case <-r.Context().Done():
		}
	}))
	defer srv.Close()
	r := runnerFor(t, &memory{files: map[string]string{}}, srv)
	var list []*model.Message
	const n = 2*aheadMessages + 7
	for i := range n {
		m := &model.Message{Name: fmt.Sprint(i), Sender: "u1", Files: []model.File{{ID: fmt.Sprint("f", i%30), Name: "f", URL: model.Secret(fmt.Sprint(srv.URL, "/", i%30))}}}
		if i%50 == 3 {
			m.Alias = &model.Person{ID: "left out"}
			m.Files[0].URL = model.Secret(srv.URL + "/left-out")
			m.Files[0].ID = "left out"
		}
		list = append(list, m)
	}
	broken := errors.New("broken")
	var got []*model.Message
	var failed error
	for m, err := range r.ahead(t.Context(), func(yield func(*model.Message, error) bool) {
		for _, m := range list {
			if !yield(m, nil) {
				return
			}
		}
		yield(nil, broken)
	}) {
		if err != nil {
			failed = err
			continue
		}
		got = append(got, m)
		if m.Alias == nil && r.media.bring(t.Context(), &m.Files[0], "here") == "" {
			t.Errorf("message %s has no file: %v", m.Name, r.problems)
		}
	}
	if !slices.Equal(got, list) || !errors.Is(failed, broken) {
		t.Errorf("%d messages of %d, %v", len(got), n, failed)
	}
	for path, times := range asked {
		if times != 1 || path == "/left-out" {
			t.Errorf("%s was asked for %d times", path, times)
		}
	}
	if len(asked) != 30 {
		t.Errorf("%d files", len(asked))
	}
}

// away is a target that does not answer for a while, or ever.
type away struct {
	memory
	left int
}

func (a *away) PutMedia(ctx context.Context, id, owner, name, mime string, body io.Reader) (wire.MediaMade, error) {
	if a.left != 0 {
		a.left--
		return wire.MediaMade{}, fmt.Errorf("%w: connection refused", ErrUnreachable)
	}
	return a.memory.PutMedia(ctx, id, owner, name, mime, body)
}

// TestUnreachable: a server that is gone for a moment costs no file; one that stays away ends the run, so that no message is
// told without its file.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "data") }))
	defer srv.Close()
	f := &model.File{ID: "f", Name: "f", URL: model.Secret(srv.URL + "/f")}
	r := runnerFor(t, &away{memory: memory{files: map[string]string{}}, left: 1}, srv)
	if uri := r.media.bring(t.Context(), f, "here"); uri == "" || r.media.lost != nil {
		t.Errorf("%q, %v", uri, r.media.lost)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r = runnerFor(t, &stopping{away: away{memory: memory{files: map[string]string{}}, left: -1}, stop: cancel}, srv)
	if uri := r.media.bring(ctx, f, "here"); uri != "" || !errors.Is(r.media.lost, ErrUnreachable) || len(r.media.failed) > 0 {
		t.Errorf("%q, %v, %v", uri, r.media.lost, r.media.failed)
	}
}

// stopping is away, and has the run end the first time that it is asked.
type stopping struct {
	away
	stop func()
}

func (s *stopping) PutMedia(ctx context.Context, id, owner, name, mime string, body io.Reader) (wire.MediaMade, error) {
	defer s.stop()
	return s.away.PutMedia(ctx, id, owner, name, mime, body)
}
