package registrations

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/client"
)

// receiver is an application service: it takes transactions over real HTTP.
type receiver struct {
	*httptest.Server
	hsToken string

	mu     sync.Mutex
	txns   map[string]bool
	events []client.Event
	wrong  []string // requests that should not have come
	wake   chan struct{}
}

func newReceiver(t *testing.T, hsToken string) *receiver {
	r := &receiver{hsToken: hsToken, txns: map[string]bool{}, wake: make(chan struct{}, 1)}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	raw, err := io.ReadAll(q.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	var body struct{ Events []client.Event }
	switch {
	case err != nil || q.Header.Get("Authorization") != "Bearer "+r.hsToken:
		r.wrong = append(r.wrong, q.Method+" "+q.URL.Path+": without the token")
		w.WriteHeader(http.StatusForbidden)
		return
	case q.Method == http.MethodPut && strings.HasPrefix(q.URL.Path, "/_matrix/app/v1/transactions/"):
		if err := json.Unmarshal(raw, &body); err != nil {
			r.wrong = append(r.wrong, "a transaction that is no JSON: "+err.Error())
		}
		if id := path.Base(q.URL.Path); !r.txns[id] {
			r.txns[id] = true
			r.events = append(r.events, body.Events...)
		}
	case q.Method == http.MethodPost && q.URL.Path == "/_matrix/app/v1/ping":
	default:
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, `{"errcode":"M_NOT_FOUND"}`)
		return
	}
	io.WriteString(w, "{}")
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// bodies are the messages that came, in their order.
func (r *receiver) bodies() (out []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Type == "m.room.message" {
			out = append(out, e.Body())
		}
	}
	return out
}

// await waits until a message has come.
func (r *receiver) await(t *testing.T, body string) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		for _, b := range r.bodies() {
			if b == body {
				return
			}
		}
		select {
		case <-r.wake:
		case <-deadline:
			t.Fatalf("the application service did not get %q; it got %q", body, r.bodies())
		}
	}
}

// check fails the test if there was anything wrong.
func (r *receiver) check(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.wrong {
		t.Error(w)
	}
}
