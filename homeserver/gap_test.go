package homeserver

import (
	"encoding/json/jsontext"
	"encoding/json/v2"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/federation/fclient"
)

// TestGap sends an event without those before it, which the other server then gives when asked: first
// those, and, where it doesn't have them, the state at the oldest.
func TestGap(t *testing.T) {
	t.Parallel()
	h, _, far := resident(t)
	alice := h.user("alice")
	room := h.room(alice, obj{"preset": "public_chat", "room_version": "12"})
	// What far answers: events in a gap, single events, and the state before an event.
	gaps, events := []jsontext.Value{}, map[string]jsontext.Value{}
	var state []string
	far.peer.answer = func(w http.ResponseWriter, r *http.Request) bool {
		var out any
		switch at := r.URL.Path; {
		case strings.Contains(at, "/get_missing_events/"):
			out = obj{"events": gaps}
		case strings.Contains(at, "/state_ids/"):
			out = obj{"pdu_ids": state, "auth_chain_ids": []string{}}
		case strings.Contains(at, "/v1/event/"):
			if raw := events[at[strings.LastIndexByte(at, '/')+1:]]; raw != nil {
				out = obj{"origin": far.peer.name, "origin_server_ts": 1, "pdus": []jsontext.Value{raw}}
				break
			}
			w.WriteHeader(http.StatusNotFound)
			out = obj{"errcode": "M_NOT_FOUND", "error": "no"}
		default:
			return false
		}
		raw, err := json.Marshal(out)
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(raw)
		return true
	}
	far.join(room, false)
	ids := map[string]string{}
	for k, e := range far.state {
		ids[k] = e.ID
	}
	state = slices.Collect(maps.Values(ids))
	seen := func(e *event.Event) bool {
		return h.has(alice, room, e.ID)
	}
	one := far.next(far.bob(), "one")
	two := far.next(far.bob(), "two", one.ID)
	three := far.next(far.bob(), "three", two.ID)
	gaps = []jsontext.Value{far.raw(one), far.raw(two), jsontext.Value(`{"nonsense":1}`)}
	far.put("g1", nil, far.raw(three))
	for _, e := range []*event.Event{one, two, three} {
		h.eventually("what was in the gap", func() bool { return seen(e) })
	}
	// Now what is between can't be had, but what the state was there.
	gaps = []jsontext.Value{}
	four := far.next(far.bob(), "four", three.ID)
	five := far.next(far.bob(), "five", four.ID)
	six := far.next(far.bob(), "six", five.ID)
	events[five.ID] = far.raw(five)
	since := h.ok(alice, "GET", "/v3/sync", nil).Get("next_batch").Str
	here := h.ok(alice, "PUT", "/v3/rooms/"+room+"/send/m.room.message/here", obj{"body": "here"}).Get("event_id").Str
	far.put("g2", nil, far.raw(six))
	h.eventually("what follows a gap", func() bool { return seen(six) })
	// The timeline begins anew at the gap, which lies before prev_batch.
	for _, token := range []string{since, ""} {
		timeline := h.ok(alice, "GET", "/v3/sync?since="+token, nil).Get("rooms.join." + gjson.Escape(room) + ".timeline")
		if got := timeline.Get("events.#.event_id").String(); got != `["`+six.ID+`"]` || !timeline.Get("limited").Bool() {
			t.Errorf("since %q, after a gap: %s", token, timeline)
		}
		page := h.ok(alice, "GET", "/v3/rooms/"+room+"/messages?dir=b&from="+timeline.Get("prev_batch").Str, nil)
		if ids := page.Get("chunk.#.event_id").String(); !strings.Contains(ids, here) || !strings.Contains(ids, three.ID) {
			t.Errorf("before the gap: %s", ids)
		}
	}
	if seen(four) || seen(five) {
		t.Error("an event that was not sent is shown")
	}
	if got := h.ok(alice, "GET", "/v3/rooms/"+room+"/state/m.room.member/"+far.bob(), nil).Get("membership").Str; got != "join" {
		t.Errorf("bob: %s", got)
	}
}

// TestInvited is invited by another server, and not by one that says nonsense.
func TestInvited(t *testing.T) {
	t.Parallel()
	h, name, far := resident(t)
	alice := h.user("alice")
	far.room = "!there:" + far.peer.name
	key, none := "@alice:"+name, ""
	create := far.build(event.Proto{Version: "11", RoomID: far.room, Type: "m.room.create", Sender: far.bob(), StateKey: &none, Content: []byte(`{"room_version":"11"}`), TS: 1, Depth: 1})
	make := func(change func(*event.Proto)) *event.Event {
		p := event.Proto{Version: "11", RoomID: far.room, Type: "m.room.member", Sender: far.bob(), StateKey: &key, Content: []byte(`{"membership":"invite"}`),
			TS: 1, Depth: 5, Prev: []string{create.ID}, Auth: []string{create.ID}}
		if change != nil {
			change(&p)
		}
		return far.build(p)
	}
	send := func(e *event.Event, version string) (jsontext.Value, error) {
		return far.SendInvite(t.Context(), name, far.room, e.ID, fclient.Invite{Version: version, Event: far.raw(e), State: []jsontext.Value{far.raw(create)}})
	}
	stranger, nobody := "@carol:elsewhere.example", "@nobody:"+name
	for what, x := range map[string]struct {
		e       *event.Event
		version string
		status  int
		code    string
	}{
		"a join":           {make(func(p *event.Proto) { p.Content = []byte(`{"membership":"join"}`) }), "11", 400, "M_INVALID_PARAM"},
		"a message":        {make(func(p *event.Proto) { p.Type = "m.room.message" }), "11", 400, "M_INVALID_PARAM"},
		"of a stranger":    {make(func(p *event.Proto) { p.StateKey = &stranger }), "11", 400, "M_INVALID_PARAM"},
		"of nobody":        {make(func(p *event.Proto) { p.StateKey = &nobody }), "11", 404, "M_NOT_FOUND"},
		"by alice":         {make(func(p *event.Proto) { p.Sender = key }), "11", 403, "M_FORBIDDEN"},
		"in a new version": {make(nil), "org.example.new", 400, "M_INCOMPATIBLE_ROOM_VERSION"},
	} {
		_, err := send(x.e, x.version)
		t.Log(what)
		far.refused(err, x.status, x.code)
	}
	invite := make(nil)
	raw, err := send(invite, "11")
	if err != nil {
		t.Fatal(err)
	}
	if sigs := gjson.GetBytes(raw, "signatures").Map(); len(sigs) != 2 {
		t.Errorf("signed by %d servers", len(sigs))
	}
	h.eventually("the invitation", func() bool {
		return h.ok(alice, "GET", "/v3/sync", nil).Get("rooms.invite").Get(gjsonKey(far.room)).Exists()
	})
	// It is taken back by who made it.
	leave := make(func(p *event.Proto) {
		p.Content, p.Prev, p.Auth = []byte(`{"membership":"leave"}`), []string{invite.ID}, []string{create.ID, invite.ID}
	})
	if out := far.put("i1", nil, far.raw(leave)); out[leave.ID] != "" {
		t.Errorf("taking it back: %v", out)
	}
	h.eventually("the end of the invitation", func() bool {
		return !h.ok(alice, "GET", "/v3/sync", nil).Get("rooms.invite").Get(gjsonKey(far.room)).Exists()
	})
}

func gjsonKey(s string) string { return strings.ReplaceAll(s, ".", `\.`) }
