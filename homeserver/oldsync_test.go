package homeserver

import (
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

func TestOldSync(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob := h.user("alice"), h.user("bob")
	room := h.room(alice, obj{"preset": "public_chat", "name": "Old"})
	h.join(bob, room)
	invited := h.room(bob, obj{"invite": []string{"@alice:test"}})
	left := h.room(alice, obj{"preset": "public_chat"})
	h.must(alice, "POST", "/v3/rooms/"+left+"/leave", nil, nil)
	id := h.text(bob, room, "1", "hello")
	h.must(bob, "POST", "/v3/rooms/"+room+"/receipt/m.read/"+id, nil, nil)
	h.must(alice, "PUT", "/v3/user/@alice:test/account_data/org.x", obj{"x": 1}, nil)

	s := h.get(alice, "/v3/initialSync?limit=1")
	of := func(s gjson.Result, room string) gjson.Result { return s.Get(`rooms.#(room_id=="` + room + `")`) }
	h.equal("last message", of(s, room).Get("messages.chunk.0.content.body").Str, "hello")
	h.equal("messages", of(s, room).Get("messages.chunk.#").Int(), 1)
	h.equal("membership", of(s, room).Get("membership").Str, "join")
	h.equal("state", of(s, room).Get(`state.#(type=="m.room.name").content.name`).Str, "Old")
	h.equal("invitation", of(s, invited).Get("invite.type").Str+of(s, invited).Get("inviter").Str, "m.room.member@bob:test")
	h.equal("left", of(s, left).Exists(), false)
	h.equal("archived", of(h.get(alice, "/v3/initialSync?archived=true"), left).Get("membership").Str, "leave")
	h.equal("account data", s.Get(`account_data.#(type=="org.x").content.x`).Int(), 1)
	h.equal("receipts", s.Get("receipts.0.room_id").Str, room)
	page := h.get(alice, "/v3/rooms/"+room+"/messages?dir=b&limit=1&from="+of(s, room).Get("messages.start").Str)
	h.equal("pages on", page.Get("chunk.0.type").Str, "m.room.member")
	h.equal("one event", h.get(alice, "/v3/events/"+id).Get("content.body").Str, "hello")

	end := s.Get("end").Str
	got := make(chan gjson.Result, 1)
	go func() { got <- h.get(alice, "/v3/events?timeout=20000&from="+end) }()
	next := h.text(bob, room, "2", "news")
	var e gjson.Result
	for since := end; ; {
		select {
		case e = <-got:
		case <-time.After(30 * time.Second):
			t.Fatal("no answer")
		}
		if since = e.Get("end").Str; e.Get(`chunk.#(event_id=="`+next+`").room_id`).Str == room {
			break
		}
		go func() { got <- h.get(alice, "/v3/events?timeout=20000&from="+since) }()
	}
	h.must(bob, "PUT", "/v3/rooms/"+room+"/typing/@bob:test", obj{"typing": true}, nil)
	h.must(bob, "POST", "/v3/rooms/"+room+"/receipt/m.read/"+next, nil, nil)
	since := e.Get("end").Str
	e = h.get(alice, "/v3/events?from="+since)
	h.equal("typing", e.Get(`chunk.#(type=="m.typing").content.user_ids.0`).Str, "@bob:test")
	h.equal("receipt", e.Get(`chunk.#(type=="m.receipt").room_id`).Str, room)
	h.equal("start", e.Get("start").Str, since)

	// Rooms that may be looked into from outside.
	eve := h.user("eve")
	h.equal("closed", h.call(eve, "GET", "/v3/rooms/"+room+"/initialSync", nil, nil), 403)
	h.equal("closed", h.call(eve, "GET", "/v3/events?room_id="+room, nil, nil), 403)
	h.equal("none", h.call(eve, "GET", "/v3/rooms/!none:test/initialSync", nil, nil), 403)
	h.state(alice, room, "m.room.history_visibility", "", obj{"history_visibility": "world_readable"})
	info := h.get(eve, "/v3/rooms/"+room+"/initialSync")
	h.equal("peeking", info.Get("room_id").Str+info.Get(`state.#(type=="m.room.name").content.name`).Str, room+"Old")
	from := info.Get("messages.end").Str
	go func() { got <- h.get(eve, "/v3/events?timeout=20000&room_id="+room+"&from="+from) }()
	peeked := h.text(bob, room, "3", "to the world")
	h.equal("peeked", (<-got).Get("chunk.0.event_id").Str, peeked)
	h.equal("not of the others", h.get(eve, "/v3/events?from="+from).Get(`chunk.#(type=="m.room.message")`).Exists(), false)
	h.equal("a member", h.get(alice, "/v3/rooms/"+room+"/initialSync").Get("membership").Str, "join")

	for _, q := range []string{"/v3/events?from=nonsense", "/v3/events?timeout=x", "/v3/events?limit=-1", "/v3/events?limit=x", "/v3/initialSync?limit=-1", "/v3/initialSync?limit=x", "/v3/rooms/" + room + "/initialSync?limit=x"} {
		h.equal(q, h.call(alice, "GET", q, nil, nil), 400)
	}
	h.equal("no such event", h.call(alice, "GET", "/v3/events/$none", nil, nil), 404)
}
