package homeserver

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json/v2"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// TestPolicyServer has another server decide what may be said in a room.
func TestPolicyServer(t *testing.T) {
	t.Parallel()
	h, name, far := resident(t)
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, wrong, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int64
	far.peer.answer = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/_matrix/policy/v1/sign" {
			return false
		}
		asked.Add(1)
		raw, _ := io.ReadAll(r.Body)
		if !strings.Contains(r.Header.Get("Authorization"), `origin="`+name) || gjson.GetBytes(raw, "type").Str == "m.room.policy" {
			t.Errorf("asked about %s with %s", raw, r.Header.Get("Authorization"))
		}
		key := private
		switch {
		case bytes.Contains(raw, []byte("spam")):
			w.WriteHeader(400)
			_, _ = io.WriteString(w, `{"errcode":"M_FORBIDDEN","error":"That looks like spam."}`)
			return true
		case bytes.Contains(raw, []byte("forged")):
			key = wrong
		}
		e, err := event.Parse(raw, "", far.room, "12")
		if err != nil {
			t.Error(err)
		}
		message, err := event.ForSignature(e.PDU, "12")
		if err != nil {
			t.Error(err)
		}
		out, err := json.Marshal(obj{far.peer.name: obj{"ed25519:policy_server": base64.RawStdEncoding.EncodeToString(ed25519.Sign(key, message))}})
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(out)
		return true
	}
	alice, carl := h.user("alice"), h.user("carl")
	room := h.room(alice, obj{"preset": "public_chat", "room_version": "12"})
	settings := obj{"via": far.peer.name, "public_keys": obj{"ed25519": base64.RawStdEncoding.EncodeToString(public)}}
	h.state(alice, room, "m.room.policy", "", settings)
	h.say(alice, room, "spam, while the policy server is not in the room")
	if asked.Load() != 0 {
		t.Fatal("a server that is not in the room was asked")
	}
	far.join(room, false)
	signed := func(id string) bool {
		raw, err := far.Event(t.Context(), name, id)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(raw), "ed25519:policy_server")
	}
	good := h.say(alice, room, "good")
	if asked.Load() != 1 || !signed(good) {
		t.Errorf("asked %d times, signed %v", asked.Load(), signed(good))
	}
	out := h.refused(400, "M_FORBIDDEN", alice, "PUT", "/v3/rooms/"+room+"/send/m.room.message/bad1", obj{"msgtype": "m.text", "body": "spam"})
	if out.Get("error").Str != "That looks like spam." {
		t.Errorf("refused with %s", out)
	}
	h.refused(403, "M_FORBIDDEN", alice, "PUT", "/v3/rooms/"+room+"/send/m.room.message/bad2", obj{"msgtype": "m.text", "body": "forged"})
	h.refused(400, "M_FORBIDDEN", alice, "PUT", "/v3/rooms/"+room+"/state/m.room.topic", obj{"topic": "spam"})
	h.ok(carl, "POST", "/v3/join/"+room, nil)
	// One request, twice at once: one event.
	ids := make([]string, 2)
	var both sync.WaitGroup
	for i := range ids {
		both.Go(func() {
			_, out := h.do(alice, "PUT", "/v3/rooms/"+room+"/send/m.room.message/once", obj{"msgtype": "m.text", "body": "once"})
			ids[i] = out.Get("event_id").Str
		})
	}
	both.Wait()
	if ids[0] == "" || ids[0] != ids[1] {
		t.Errorf("one request made %v", ids)
	}

	// What the other server says without a signature.
	seen := func(e *event.Event) bool {
		return h.has(alice, room, e.ID)
	}
	spam, fine := far.next(far.bob(), "spam from afar"), far.next(far.bob(), "fine")
	far.put("p1", nil, far.raw(spam), far.raw(fine))
	h.eventually("what is wanted", func() bool { return seen(fine) })
	if seen(spam) {
		t.Error("what the policy server refused is shown")
	}
	if !signed(fine.ID) {
		t.Error("a signature that was asked for was not kept")
	}

	// Whoever set it can take it away, without asking.
	h.state(alice, room, "m.room.policy", "", obj{})
	before := asked.Load()
	h.say(alice, room, "spam again")
	if asked.Load() != before {
		t.Error("asked although the room uses no policy server")
	}
}
