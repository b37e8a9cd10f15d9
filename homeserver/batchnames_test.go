package homeserver

import (
	"encoding/json/v2"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/registration"
)

// listening is a service that remembers the events and receipts that it is told of.
type listening struct {
	mu   sync.Mutex
	seen []obj
}

func (l *listening) RoundTrip(r *http.Request) (*http.Response, error) {
	var txn struct{ Events, Ephemeral []obj }
	if err := json.UnmarshalRead(r.Body, &txn, json.MatchCaseInsensitiveNames(true)); err != nil {
		return nil, err
	}
	l.mu.Lock()
	l.seen = append(append(l.seen, txn.Events...), txn.Ephemeral...)
	l.mu.Unlock()
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}"))}, nil
}

// await gives the first event that fits.
func (l *listening) await(t *testing.T, what string, fits func(obj) bool) obj {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		l.mu.Lock()
		for _, e := range l.seen {
			if fits(e) {
				l.mu.Unlock()
				return e
			}
		}
		l.mu.Unlock()
	}
	t.Fatalf("the service is not told of %s", what)
	return nil
}

// TestBatchNames: a bridge that made up the ids of history goes on to use them, and is told of what people do with that
// history under the same ids; everybody else has the real ones. A batch that is sent twice is there once.
func TestBatchNames(t *testing.T) {
	t.Parallel()
	reg, err := registration.Parse("b.yaml", []byte(`{id: b, url: "http://b", as_token: secret-token-of-the-bridge, hs_token: other-token-of-the-bridge, sender_localpart: bot,
  receive_ephemeral: true, namespaces: {users: [{exclusive: true, regex: '@b_.*:test'}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	puppets, err := registration.Parse("p.yaml", []byte(`{id: puppets, url: null, as_token: token-for-double-puppets, hs_token: other-token-for-puppets, sender_localpart: puppets,
  namespaces: {users: [{exclusive: false, regex: '@alice:test'}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	set, err := registration.NewSet("test", reg, puppets)
	if err != nil {
		t.Fatal(err)
	}
	bridge := &listening{}
	h, _ := startRunning(t, t.TempDir(), func(o *Options) {
		o.Registrations = set
		o.Transport = func(r *registration.Registration) http.RoundTripper { return bridge }
	})
	const bot = "secret-token-of-the-bridge"
	alice := h.user("alice")
	h.user("bob")
	for _, name := range []string{"b_eve", "b_fay"} {
		h.must(bot, "POST", "/v3/register", obj{"type": "m.login.application_service", "username": name, "inhibit_login": true}, nil)
	}
	room := h.room(bot, obj{"preset": "public_chat", "power_level_content_override": obj{"users": obj{"@bot:test": 100, "@alice:test": 50}}})
	h.must(alice, "POST", "/v3/rooms/"+room+"/join", nil, nil)
	h.must(bot, "POST", "/v3/rooms/"+room+"/join?user_id=@b_eve:test", nil, nil)
	url := "/unstable/com.beeper.backfill/rooms/" + room + "/batch_send"
	batch := func(more obj, events ...obj) (ids []string) {
		t.Helper()
		body := obj{"events": events}
		for k, v := range more {
			body[k] = v
		}
		var out struct {
			IDs []string `json:"event_ids"`
		}
		h.must(bot, "POST", url, body, &out)
		return out.IDs
	}
	says := func(id, sender, body string) obj {
		return obj{"event_id": id, "sender": sender, "type": "m.room.message", "origin_server_ts": 1000, "content": obj{"msgtype": "m.text", "body": body}}
	}
	first := batch(nil, says("$one:b", "@b_eve:test", "one"), says("$two:b", "@b_eve:test", "two"), says("$mine:b", "@alice:test", "mine"))
	if again := batch(nil, says("$one:b", "@b_eve:test", "one"), says("$two:b", "@b_eve:test", "two"), says("$mine:b", "@alice:test", "mine")); strings.Join(again, " ") != strings.Join(first, " ") {
		t.Errorf("the same batch again is %v, not %v", again, first)
	}
	if status, code, _ := h.answer(bot, "POST", url, obj{"events": []obj{says("$x", "@bob:test", "x")}}); status != 403 {
		t.Errorf("history of somebody who is not shared: %d %s", status, code)
	}
	older := batch(nil, obj{"event_id": "$re:b", "sender": "@b_fay:test", "type": "m.reaction", "origin_server_ts": 1001,
		"content": obj{"m.relates_to": obj{"rel_type": "m.annotation", "event_id": "$one:b", "key": "👍"}}})
	event := func(token, id string) map[string]any {
		t.Helper()
		_, _, out := h.answer(token, "GET", "/v3/rooms/"+room+"/event/"+id, nil)
		return out
	}
	if got := dig(event(alice, older[0]), "content", "m.relates_to", "event_id"); got != first[0] {
		t.Errorf("a later batch reacts to %v, not %s", got, first[0])
	}
	if got := dig(event(bot, "$two:b"), "event_id"); got != first[1] {
		t.Errorf("by the bridge's id it finds %v, not %s", got, first[1])
	}
	if status, _, _ := h.answer(alice, "GET", "/v3/rooms/"+room+"/event/$two:b", nil); status != 404 {
		t.Errorf("somebody else finds an event by the bridge's id: %d", status)
	}

	// From the bridge: a reply, an edit, a redaction, pins, a receipt.
	as := "?user_id=@b_eve:test"
	var sent struct {
		ID string `json:"event_id"`
	}
	h.must(bot, "PUT", "/v3/rooms/"+room+"/send/m.room.message/t1"+as, obj{"msgtype": "m.text", "body": "* eins", "m.new_content": obj{"msgtype": "m.text", "body": "eins"},
		"m.relates_to": obj{"rel_type": "m.replace", "event_id": "$one:b"}}, &sent)
	if got := dig(event(alice, first[0]), "unsigned", "m.relations", "m.replace", "event_id"); got != sent.ID {
		t.Errorf("what the bridge edited is bundled with %v, not %s", got, sent.ID)
	}
	h.must(bot, "PUT", "/v3/rooms/"+room+"/send/m.room.message/t2"+as, obj{"msgtype": "m.text", "body": "re", "m.relates_to": obj{"m.in_reply_to": obj{"event_id": "$two:b"}}}, &sent)
	if got := dig(event(alice, sent.ID), "content", "m.relates_to", "m.in_reply_to", "event_id"); got != first[1] {
		t.Errorf("the bridge replies to %v, not %s", got, first[1])
	}
	h.must(bot, "PUT", "/v3/rooms/"+room+"/redact/$one:b/t3"+as, obj{}, nil)
	if dig(event(alice, first[0]), "unsigned", "redacted_because") == nil {
		t.Error("what the bridge removes by its own id is there")
	}
	h.must(bot, "PUT", "/v3/rooms/"+room+"/send/m.room.redaction/t4?user_id=@bot:test", obj{"redacts": "$re:b"}, nil)
	if dig(event(alice, older[0]), "unsigned", "redacted_because") == nil {
		t.Error("what the bridge removes by an event is there")
	}
	h.must(bot, "PUT", "/v3/rooms/"+room+"/state/m.room.pinned_events", obj{"pinned": []string{"$two:b", "$else"}}, nil)
	_, _, pins := h.answer(alice, "GET", "/v3/rooms/"+room+"/state/m.room.pinned_events", nil)
	if got, _ := dig(pins, "pinned").([]any); len(got) != 2 || got[0] != first[1] || got[1] != "$else" {
		t.Errorf("pinned: %v", pins)
	}
	h.must(bot, "POST", "/v3/rooms/"+room+"/receipt/m.read/$two:b"+as, obj{}, nil)

	// To the bridge: a reply, a reaction, a redaction, a receipt of alice's.
	h.must(alice, "PUT", "/v3/rooms/"+room+"/send/m.room.message/a1", obj{"msgtype": "m.text", "body": "answer", "m.relates_to": obj{"m.in_reply_to": obj{"event_id": first[1]}}}, nil)
	h.must(alice, "PUT", "/v3/rooms/"+room+"/send/m.reaction/a2", obj{"m.relates_to": obj{"rel_type": "m.annotation", "event_id": first[1], "key": "🎉"}}, nil)
	h.must(alice, "PUT", "/v3/rooms/"+room+"/redact/"+first[2]+"/a3", obj{}, nil)
	h.must(alice, "POST", "/v3/rooms/"+room+"/receipt/m.read/"+first[1], obj{}, nil)
	bridge.await(t, "the answer", func(e obj) bool {
		return dig(e, "content", "body") == "answer" && dig(e, "content", "m.relates_to", "m.in_reply_to", "event_id") == "$two:b"
	})
	bridge.await(t, "the reaction", func(e obj) bool {
		return dig(e, "content", "m.relates_to", "event_id") == "$two:b" && e["type"] == "m.reaction"
	})
	bridge.await(t, "the redaction", func(e obj) bool {
		return e["type"] == "m.room.redaction" && e["sender"] == "@alice:test" && e["redacts"] == "$mine:b" && dig(e, "content", "redacts") == "$mine:b"
	})
	bridge.await(t, "the receipt", func(e obj) bool { return dig(e, "content", "$two:b", "m.read", "@alice:test") != nil })

	// What a bridge missed is news if it says so, and else is not.
	unread := func() any {
		t.Helper()
		_, _, out := h.answer(alice, "GET", "/v3/sync?filter="+`{"room":{"timeline":{"limit":1}}}`, nil)
		return dig(out, "rooms", "join", room, "unread_notifications", "notification_count")
	}
	batch(obj{"forward": true}, says("$four:b", "@b_eve:test", "four"))
	if n := unread(); n != float64(0) {
		t.Errorf("history makes %v unread", n)
	}
	batch(obj{"forward": true, "send_notification": true}, says("$five:b", "@b_eve:test", "five"))
	if n := unread(); n != float64(1) {
		t.Errorf("what was missed makes %v unread", n)
	}
	batch(obj{"forward": true, "send_notification": true, "mark_read_by": "@alice:test"}, says("$six:b", "@b_eve:test", "six"))
	if n := unread(); n != float64(0) {
		t.Errorf("what was read elsewhere makes %v unread", n)
	}
}
