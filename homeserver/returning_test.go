package homeserver

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// TestReturning: a server that was away for long, and whose keys are known no more, is heard as soon as it calls, and
// is no longer left alone then.
func TestReturning(t *testing.T) {
	t.Parallel()
	h, _, far := resident(t)
	alice := h.user("alice")
	room := h.room(alice, obj{"preset": "public_chat", "room_version": "12"})
	var fetched, ill atomic.Int64
	far.peer.answer = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/key/v2/server") {
			return false
		}
		if fetched.Add(1) == 1 {
			ill.Add(1)
			w.WriteHeader(http.StatusBadGateway)
			return true
		}
		return false
	}
	// It did not answer for days, and nobody is to try it before tomorrow.
	now := time.Now()
	away := store.Backoff{Failures: 20, SinceTS: now.Add(-72 * time.Hour).UnixMilli(), RetryTS: now.Add(20 * time.Hour).UnixMilli()}
	if err := h.store.Write(t.Context(), func(tx *store.Tx) error { return tx.SetBackoff(far.peer.name, away) }); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the server to be heard", func() bool {
		_, err := far.MakeJoin(t.Context(), far.to, room, far.bob(), []string{"12"})
		return err == nil
	})
	if ill.Load() != 1 {
		t.Errorf("its keys were asked for %d times", fetched.Load())
	}
	if b, err := h.outside.backoff.State(t.Context(), far.peer.name); err != nil || b != (store.Backoff{}) {
		t.Errorf("it is still left alone: %+v %v", b, err)
	}
}
