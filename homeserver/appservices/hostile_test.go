package appservices

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestHostile: a service on the network answers in every way that is none, or not the end of it. It gets everything
// once it behaves, another one notices nothing, and nobody else is asked in its name.
func TestHostile(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	ended := make(chan struct{})
	ways := map[string]func(w http.ResponseWriter, r *http.Request){
		"garbage": func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				io.WriteString(c, "SSH-2.0-OpenSSH\r\n\r\n")
				c.Close()
			}
		},
		"endless": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			for block := strings.Repeat("x", 1<<16); r.Context().Err() == nil; {
				if _, err := io.WriteString(w, block); err != nil {
					return
				}
			}
		},
		"headers": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 12<<20)) },
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		},
		"half": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "{")
		},
		"drip": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
			case <-ended:
			}
		},
		"no json, 404": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", http.StatusNotFound) },
		"forbidden":    func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "{}", http.StatusForbidden) },
		"nothing":      func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) },
	}
	var mu sync.Mutex
	var next func(http.ResponseWriter, *http.Request)
	well, hostile := newBridge(), newBridge()
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		id, ok := strings.CutPrefix(r.URL.Path, "/_matrix/app/v1/transactions/")
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		mu.Lock()
		bad := next
		next = nil
		mu.Unlock()
		if bad != nil {
			bad(w, r)
			return
		}
		hostile.mu.Lock()
		hostile.take(id, raw)
		hostile.mu.Unlock()
		io.WriteString(w, "this is no JSON, and it is taken all the same")
	}))
	defer service.Close()
	defer close(ended)
	network := &http.Transport{}
	defer network.CloseIdleConnections()
	r := newRig(t)
	r.timeout = 2 * time.Second
	address := strings.TrimPrefix(service.URL, "http://")
	stop := r.serve(map[string]http.RoundTripper{"well": well, "hostile": roundTrip(func(req *http.Request) (*http.Response, error) {
		req = req.Clone(req.Context())
		if req.URL.Host == "hostile" {
			req.URL.Host = address
		}
		return network.RoundTrip(req)
	})})
	defer stop()
	name := r.room("@hostile_eve:test", "@well_eve:test")
	r.say(name, "first")
	hostile.wait(t, 1)
	want := []string{"first"}
	for how, bad := range ways {
		mu.Lock()
		next = bad
		mu.Unlock()
		r.say(name, how)
		want = append(want, how)
		well.wait(t, len(want))
		if got := hostile.wait(t, len(want)); !slices.Equal(got, want) {
			t.Fatalf("after %s: %q, not %q", how, got, want)
		}
		mu.Lock()
		if next != nil {
			t.Errorf("%s was not tried", how)
		}
		mu.Unlock()
	}
	if elsewhere.Load() > 0 {
		t.Error("a redirection was followed")
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
