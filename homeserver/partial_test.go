package homeserver

import (
	"context"
	"encoding/json/jsontext"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/event"
)

// TestPartialRoom uses a room before its members are known, and then with them.
func TestPartialRoom(t *testing.T) {
	t.Parallel()
	h, name, far := resident(t)
	d := distantRoom(t, far)
	alice := h.user("alice")
	eager := h.ok(alice, "GET", "/v3/sync", nil).Get("next_batch").Str
	d.enter(h, alice)
	if got := d.shown(h, alice, lazily); !got.Exists() {
		t.Error("a client that loads members lazily does not see the room")
	}
	if d.shown(h, alice, "since="+eager).Exists() || d.shown(h, alice, "").Exists() {
		t.Error("a client that counts on all members sees the room")
	}
	room := "/v3/rooms/" + url.PathEscape(d.id)
	sent := h.ok(alice, "PUT", room+"/send/m.room.message/1", obj{"msgtype": "m.text", "body": "hello"}).Get("event_id").Str
	h.eventually("a message to arrive", func() bool { return d.has(sent) })

	// Carol, of whom nothing is known here, says something: her membership comes along.
	hello := d.message(d.at("carol"), "hello")
	d.sends("1", hello)
	h.eventually("carol's message", func() bool { return d.sees(h, alice, hello.ID) })
	lazy := d.shown(h, alice, lazily)
	if got := all(lazy.Get("state.events"), "state_key"); !strings.Contains(got, d.at("carol")) || strings.Contains(got, d.at("dave")) {
		t.Errorf("state %s", got)
	}
	if got := h.ok(alice, "GET", room+`/messages?dir=b&filter=%7B%22lazy_load_members%22:true%7D`, nil).Get("state"); !strings.Contains(got.Raw, d.at("carol")) {
		t.Errorf("/messages: %s", got)
	}
	// Somebody unknown types, in whose name the server speaks that is in the room.
	d.put("t", []jsontext.Value{jsontext.Value(`{"edu_type":"m.typing","content":{"room_id":"` + d.id + `","user_id":"` + d.at("dave") + `","typing":true}}`)})
	h.eventually("dave typing", func() bool {
		return strings.Contains(d.shown(h, alice, lazily).Get("ephemeral").Raw, d.at("dave"))
	})

	// Others can't come in by way of this server, nor ask it for the state.
	for _, do := range []func() error{
		func() error {
			_, err := far.MakeJoin(t.Context(), name, d.id, d.at("frank"), []string{"11"})
			return err
		},
		func() error {
			_, err := far.MakeKnock(t.Context(), name, d.id, d.at("frank"), []string{"11"})
			return err
		},
	} {
		far.refused(do(), 404, "M_NOT_FOUND")
	}
	waiting := make(chan []string, 2)
	go func() {
		ids, _, err := far.StateIDs(t.Context(), name, d.id, hello.ID)
		if err != nil {
			t.Error(err)
		}
		waiting <- ids
	}()
	go func() { waiting <- d.members(h, alice) }()
	woken := make(chan gjson.Result, 1)
	go func() {
		woken <- d.shown(h, alice, "timeout=30000&since="+h.ok(alice, "GET", "/v3/sync", nil).Get("next_batch").Str)
	}()
	h.eventually("the state to be asked for", func() bool { return d.count("state_ids") > 0 })
	select {
	case got := <-waiting:
		t.Errorf("what needs all of the state did not wait: %v", got)
	case <-time.After(300 * time.Millisecond):
	}
	d.release()
	for range 2 {
		select {
		case got := <-waiting:
			// The state before the message has alice's membership, and her message is none.
			if want := []string{"@alice:" + name, d.at("bob"), d.at("carol"), d.at("dave")}; strings.HasPrefix(got[0], "@") && !slices.Equal(got, want) {
				t.Errorf("members %v, want %v", got, want)
			} else if !strings.HasPrefix(got[0], "@") && len(got) != 7 {
				t.Errorf("the state has %d events", len(got))
			}
		case <-time.After(20 * time.Second):
			t.Fatal("the room is never complete")
		}
	}
	select {
	case got := <-woken:
		if state := all(got.Get("state.events"), "state_key"); !strings.Contains(state, d.at("dave")) {
			t.Errorf("an eager client is told %s", state)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("an eager client was not woken")
	}
	if !d.shown(h, alice, "since="+eager).Exists() {
		t.Error("an eager client with an old token does not see the room")
	}
	if s, err := h.store.PartialRooms(t.Context()); err != nil || len(s) != 0 {
		t.Errorf("incomplete: %v, %v", s, err)
	}
	if _, err := far.MakeJoin(t.Context(), name, d.id, d.at("frank"), []string{"11"}); err != nil {
		t.Errorf("joining a complete room: %v", err)
	}
}

// TestPartialCorrected takes events in over incomplete state that turn out to be forbidden, and refuses
// some that turn out to be allowed.
func TestPartialCorrected(t *testing.T) {
	t.Parallel()
	h, _, far := resident(t)
	d := distantRoom(t, far)
	// Erin was in the room, with power, and has left.
	joined := d.state("m.room.member", d.at("erin"), d.at("erin"), `{"membership":"join"}`)
	d.state("m.room.member", d.at("erin"), d.at("erin"), `{"membership":"leave"}`)
	alice := h.user("alice")
	d.enter(h, alice)
	lazy := h.ok(alice, "GET", "/v3/sync?"+url.PathEscape(lazily), nil).Get("next_batch").Str
	create, levels, dave := d.current("m.room.create", ""), d.current("m.room.power_levels", ""), d.at("dave")
	none := ""
	name := d.make("m.room.name", &none, d.at("erin"), `{"name":"Erin's"}`, create, levels, joined)
	ban := d.make("m.room.member", &dave, d.at("erin"), `{"membership":"ban"}`, create, levels, joined)
	topic := d.make("m.room.topic", &none, dave, `{"topic":"Dave's"}`)
	d.holds(topic)
	// Of two messages, she redacts one alone, and one that its sender redacts too.
	kept, gone := d.message(d.bob(), "kept"), d.message(d.bob(), "gone")
	redacts := func(by, id string, auth ...*event.Event) *event.Event {
		return d.make("m.room.redaction", nil, by, `{"redacts":"`+id+`"}`, auth...)
	}
	one, two := redacts(d.at("erin"), kept.ID, create, levels, joined), redacts(d.at("erin"), gone.ID, create, levels, joined)
	three := redacts(d.bob(), gone.ID)
	last := d.message(d.bob(), "last")
	d.sends("1", name, ban, topic, kept, gone, one, two, three, last)
	says := func(id string) string {
		return h.ok(alice, "GET", "/v3/rooms/"+url.PathEscape(d.id)+"/event/"+id, nil).Get("content.body").Str
	}
	h.eventually("the last event", func() bool { return d.sees(h, alice, last.ID) })
	if !d.sees(h, alice, name.ID) || !d.sees(h, alice, ban.ID) || d.sees(h, alice, topic.ID) {
		t.Error("erin's events are not taken in, or dave's is")
	}
	room := "/v3/rooms/" + url.PathEscape(d.id)
	if got := h.ok(alice, "GET", room+"/state/m.room.name", nil).Get("name").Str; got != "Erin's" {
		t.Errorf("the name is %q", got)
	}
	if says(kept.ID) != "" || says(gone.ID) != "" {
		t.Error("the redactions were not applied")
	}
	d.release()
	d.members(h, alice)
	if says(kept.ID) != "kept" || says(gone.ID) != "" || d.sees(h, alice, one.ID) {
		t.Errorf("what erin redacted says %q, and what its sender redacted too %q", says(kept.ID), says(gone.ID))
	}
	if d.sees(h, alice, name.ID) || d.sees(h, alice, ban.ID) || !d.sees(h, alice, topic.ID) || !d.sees(h, alice, last.ID) {
		t.Error("erin's events are still there, or dave's is not")
	}
	if status, _ := h.do(alice, "GET", room+"/state/m.room.name", nil); status != 404 {
		t.Errorf("the name: %d", status)
	}
	if got := h.ok(alice, "GET", room+"/state/m.room.member/"+dave, nil).Get("membership").Str; got != "join" {
		t.Errorf("dave: %s", got)
	}
	// A client that was told otherwise is told now.
	got := d.shown(h, alice, "since="+lazy+"&"+lazily)
	if raw := got.Get("state.events").Raw + got.Get("timeline.events").Raw; !strings.Contains(raw, topic.ID) || strings.Contains(raw, name.ID) {
		t.Errorf("the next sync: %s", raw)
	}
	// What is said on top of it goes on.
	more := d.message(dave, "more")
	d.sends("2", more)
	h.eventually("what comes next", func() bool { return d.sees(h, alice, more.ID) })
}

// TestPartialLeaving leaves and comes back, and brings others in, before the room is complete.
func TestPartialLeaving(t *testing.T) {
	t.Parallel()
	h, name, far := resident(t)
	d := distantRoom(t, far)
	alice, bea := h.user("alice"), h.user("bea")
	d.enter(h, alice)
	room := "/v3/rooms/" + url.PathEscape(d.id)
	h.eventually("the state to be asked for", func() bool { return d.count("state_ids") > 0 })
	h.ok(alice, "POST", room+"/leave", nil)
	h.eventually("the leave to arrive", func() bool { return d.current("m.room.member", "@alice:"+name).Membership() == "leave" })
	d.enter(h, bea)
	// Nothing is missing between alice's leave and bea's join.
	var seen []string
	for _, e := range d.shown(h, bea, lazily).Get("timeline.events").Array() {
		seen = append(seen, e.Get("state_key").Str+" "+e.Get("content.membership").Str)
	}
	if want := []string{"@alice:" + name + " join", "@alice:" + name + " leave", "@bea:" + name + " join"}; !slices.Equal(seen, want) {
		t.Errorf("bea is shown %q, not %q", seen, want)
	}
	d.enter(h, alice) // by way of the other server, which knows who is banned
	if n := d.count("send_join"); n != 3 {
		t.Errorf("%d joins were sent", n)
	}
	kick := d.state("m.room.member", "@bea:"+name, d.bob(), `{"membership":"ban"}`)
	d.sends("1", kick)
	h.eventually("the ban", func() bool {
		return strings.Contains(h.ok(bea, "GET", "/v3/sync?"+url.PathEscape(lazily), nil).Get("rooms.join").Raw, "{}") ||
			!d.shown(h, bea, lazily).Exists()
	})
	if status, _ := h.do(bea, "POST", "/v3/join/"+url.PathEscape(d.id), nil); status != 403 {
		t.Errorf("somebody who is banned joins: %d", status)
	}
	d.release()
	if got, want := d.members(h, alice), []string{"@alice:" + name, d.bob(), d.at("carol"), d.at("dave")}; !slices.Equal(got, want) {
		t.Errorf("members %v, want %v", got, want)
	}
	sent := h.ok(alice, "PUT", room+"/send/m.room.message/1", obj{"msgtype": "m.text", "body": "hello"}).Get("event_id").Str
	h.eventually("a message to arrive", func() bool { return d.has(sent) })
}

// TestPartialOther completes a room by another server than the one that it was joined by.
func TestPartialOther(t *testing.T) {
	t.Parallel()
	p := sites(t, 2)
	a, b := p[0], p[1]
	alice, bob := a.user("alice"), b.user("bob")
	room := a.room(alice, obj{"preset": "public_chat"})
	for _, name := range []string{"u1", "u2", "u3"} {
		a.ok(a.user(name), "POST", "/v3/join/"+room, nil)
	}
	b.joinVia(bob, room, a)
	// It is complete sooner or later without anybody asking, and then has them all.
	eventually(t, "all members", func() bool {
		return len(b.ok(bob, "GET", "/v3/rooms/"+url.PathEscape(room)+"/joined_members", nil).Get("joined").Map()) == 5
	})
	eventually(t, "an eager sync", func() bool {
		return b.ok(bob, "GET", "/v3/sync", nil).Get("rooms.join").Get(gjsonKey(room)).Exists()
	})
	for _, site := range p {
		for _, user := range []string{a.id("u3"), b.id("bob")} {
			token := alice
			if site == b {
				token = bob
			}
			site.member(t, token, room, user, "join")
		}
	}
}

// TestPartialFailover asks other servers in the room when the one that it was joined by is of no use.
func TestPartialFailover(t *testing.T) {
	t.Parallel()
	p := peers(t, 3)
	h, _, far := residentOf(t, p)
	d := distantRoom(t, far)
	second := d.twin(p[2])
	d.others, d.spoilt = []string{second.peer.name}, true
	d.release()
	alice := h.user("alice")
	d.enter(h, alice)
	if got := d.members(h, alice); len(got) != 4 {
		t.Errorf("members %v", got)
	}
	if second.count("state_ids") == 0 {
		t.Error("the second server was not asked")
	}
}

// TestPartialDevices follows changes of devices while it isn't known who is in the room.
func TestPartialDevices(t *testing.T) {
	t.Parallel()
	h, _, far := resident(t)
	d := distantRoom(t, far)
	alice := h.user("alice")
	d.enter(h, alice)
	since := h.ok(alice, "GET", "/v3/sync?"+url.PathEscape(lazily), nil).Get("next_batch").Str
	d.put("d", []jsontext.Value{jsontext.Value(`{"edu_type":"m.device_list_update","content":{"user_id":"` + d.at("dave") + `","device_id":"D","stream_id":7}}`)})
	next := h.ok(alice, "GET", "/v3/sync?since="+since+"&"+url.PathEscape(lazily), nil)
	if strings.Contains(next.Get("device_lists").Raw, d.at("dave")) {
		t.Error("the devices of somebody are told of who may not be in the room")
	}
	d.release()
	d.members(h, alice)
	after := h.ok(alice, "GET", "/v3/sync?since="+next.Get("next_batch").Str+"&"+url.PathEscape(lazily), nil)
	if got := after.Get("device_lists.changed").Raw; got != `["`+d.at("dave")+`"]` {
		t.Errorf("device_lists.changed: %s", got)
	}
}

// TestPartialSliding leaves an incomplete room out of sliding sync only where all members are asked for.
func TestPartialSliding(t *testing.T) {
	t.Parallel()
	h, _, far := resident(t)
	d := distantRoom(t, far)
	alice := h.user("alice")
	d.enter(h, alice)
	shows := func(required string) bool {
		body := obj{"lists": obj{"a": obj{"ranges": [][]int{{0, 9}}, "timeline_limit": 5, "required_state": []any{[]string{"m.room.create", ""}, []string{"m.room.member", required}}}}}
		return h.ok(alice, "POST", "/unstable/org.matrix.simplified_msc3575/sync", body).Get("rooms").Get(gjsonKey(d.id)).Exists()
	}
	if !shows("$LAZY") || !shows("$ME") || shows("*") || shows(d.at("dave")) {
		t.Error("before it is complete the room is shown wrongly")
	}
	d.release()
	d.members(h, alice)
	if !shows("$LAZY") || !shows("*") {
		t.Error("the complete room is not shown")
	}
}

// TestPartialRestart goes on with a room that was not complete when the server stopped.
func TestPartialRestart(t *testing.T) {
	t.Parallel()
	p := peers(t, 2)
	far := &afar{T: t, peer: p[1], to: p[0].name, Client: p[1].outside.client}
	d := distantRoom(t, far)
	// begin starts the server, until stop is called.
	begin := func() (h *hs, stop func()) {
		p[0].Configure(client.Settings{OpenRegistration: true, MaxBody: 1 << 20, SyncTimeout: time.Minute})
		srv := httptest.NewServer(p[0].Client())
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- p[0].Run(ctx) }()
		return &hs{TB: t, Server: p[0].Server, url: srv.URL, http: http.DefaultClient}, func() {
			srv.Close()
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	h, stop := begin()
	alice := h.user("alice")
	d.enter(h, alice)
	since := h.ok(alice, "GET", "/v3/sync", nil).Get("next_batch").Str
	hello := d.message(d.at("carol"), "hello")
	d.sends("1", hello)
	h.eventually("a message", func() bool { return d.sees(h, alice, hello.ID) })
	h.eventually("the state to be asked for", func() bool { return d.count("state_ids") > 0 })
	stop()
	again := p[0].o
	if err := p[0].Close(); err != nil {
		t.Fatal(err)
	}
	var err error
	if p[0].Server, err = Open(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	h, stop = begin()
	defer stop()
	if d.shown(h, alice, "since="+since).Exists() || !d.shown(h, alice, lazily).Exists() {
		t.Error("after a restart the room is shown to the wrong clients")
	}
	d.release()
	if got := d.members(h, alice); len(got) != 4 {
		t.Errorf("members %v", got)
	}
	if got := d.shown(h, alice, "since="+since); !strings.Contains(all(got.Get("state.events"), "state_key"), d.at("dave")) {
		t.Errorf("an eager client is told %s", got)
	}
}
