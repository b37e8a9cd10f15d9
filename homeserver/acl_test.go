package homeserver

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// TestShutOut has a server that a room shuts out get nothing more of it than the list that does so, neither at
// once nor when it is caught up with.
func TestShutOut(t *testing.T) {
	t.Parallel()
	h, name, far := resident(t)
	var mu sync.Mutex
	var got strings.Builder
	down := false
	far.peer.answer = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/v1/send/") {
			return false
		}
		raw, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if down {
			panic(http.ErrAbortHandler)
		}
		got.Write(raw)
		_, _ = io.WriteString(w, `{"pdus":{}}`)
		return true
	}
	has := func(s string) bool {
		mu.Lock()
		defer mu.Unlock()
		return strings.Contains(got.String(), s)
	}
	alice := h.user("alice")
	room := h.room(alice, obj{"preset": "public_chat", "room_version": "12"})
	other := h.room(alice, obj{"preset": "public_chat", "room_version": "12"})
	far.join(room, false)
	far.join(other, false)
	h.say(alice, room, "before it")
	h.eventually("what was said before", func() bool { return has("before it") })
	h.state(alice, room, "m.room.server_acl", "", obj{"allow": []string{"*"}, "allow_ip_literals": false})
	h.say(alice, room, "hidden")
	h.say(alice, other, "for all")
	h.eventually("what is for all", func() bool { return has("for all") })
	if !has("allow_ip_literals") {
		t.Error("the list itself was not sent")
	}
	mu.Lock()
	down = true
	mu.Unlock()
	h.say(alice, room, "hidden as well")
	h.say(alice, other, "for all, later")
	mu.Lock()
	down = false
	mu.Unlock()
	// Whoever asks is there again.
	h.eventually("what is for all, later", func() bool {
		if _, err := far.Profile(t.Context(), name, "@alice:"+name, ""); err != nil {
			t.Error(err)
		}
		return has("for all, later")
	})
	if has("hidden") {
		t.Errorf("a server that is shut out was sent %s", got.String())
	}
}
