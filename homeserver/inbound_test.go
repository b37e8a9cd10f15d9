package homeserver

import (
	"context"
	"encoding/json/jsontext"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/federation/fclient"
)

// resident is a server that works, with clients, and far another one that is played by the test: only
// its keys and its way of asking others are real.
func resident(t *testing.T) (h *hs, name string, far *afar) {
	t.Helper()
	return residentOf(t, peers(t, 2))
}

// residentOf is resident with servers that are there already.
func residentOf(t *testing.T, p []*peer) (h *hs, name string, far *afar) {
	t.Helper()
	p[0].Configure(client.Settings{OpenRegistration: true, MaxBody: 1 << 20, SyncTimeout: time.Minute})
	srv := httptest.NewServer(p[0].Client())
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p[0].Run(ctx) }()
	t.Cleanup(func() {
		srv.Close()
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &hs{TB: t, Server: p[0].Server, url: srv.URL, http: http.DefaultClient}, p[0].name, &afar{T: t, peer: p[1], to: p[0].name, Client: p[1].outside.client}
}

type afar struct {
	*testing.T
	*fclient.Client
	peer *peer
	to   string
	// state are the events of the room when bob joined, by type and state key.
	state map[string]*event.Event
	room  string
	tip   *event.Event
	depth int64
}

func (f *afar) bob() string { return "@bob:" + f.peer.name }

// join joins a room of version 12 as bob.
func (f *afar) join(room string, omit bool) fclient.Joined {
	f.Helper()
	tmpl, err := f.MakeJoin(f.Context(), f.to, room, f.bob(), []string{"11", "12"})
	if err != nil {
		f.Fatal(err)
	}
	e := f.sign(tmpl.Event)
	f.state, f.room = map[string]*event.Event{}, room
	joined, err := f.SendJoin(f.Context(), f.to, room, e.ID, f.raw(e), omit, func(s fclient.Section, raw jsontext.Value) error {
		if s == fclient.SectionState {
			x := f.parse(raw)
			f.state[x.Type+"|"+*x.StateKey] = x
		}
		return nil
	})
	if err != nil {
		f.Fatal(err)
	}
	f.tip, f.depth = e, e.PDU.Depth
	f.state["m.room.member|"+f.bob()] = e
	return joined
}

func (f *afar) parse(raw jsontext.Value) *event.Event {
	f.Helper()
	e, err := event.Parse(raw, "", f.room, "12")
	if err != nil {
		f.Fatal(err)
	}
	id, err := e.GetEventID("12")
	if err != nil {
		f.Fatal(err)
	}
	e.ID = string(id)
	return e
}

func (f *afar) raw(e *event.Event) jsontext.Value {
	f.Helper()
	raw, err := e.JSON()
	if err != nil {
		f.Fatal(err)
	}
	return raw
}

// sign makes an event of a template.
func (f *afar) sign(tmpl jsontext.Value) *event.Event {
	f.Helper()
	g := gjson.ParseBytes(tmpl)
	p := event.Proto{Version: "12", RoomID: g.Get("room_id").Str, Type: g.Get("type").Str, Sender: g.Get("sender").Str,
		Content: []byte(g.Get("content").Raw), TS: g.Get("origin_server_ts").Int(), Depth: g.Get("depth").Int()}
	if k := g.Get("state_key"); k.Exists() {
		p.StateKey = &k.Str
	}
	for _, x := range g.Get("prev_events").Array() {
		p.Prev = append(p.Prev, x.Str)
	}
	for _, x := range g.Get("auth_events").Array() {
		p.Auth = append(p.Auth, x.Str)
	}
	return f.build(p)
}

func (f *afar) build(p event.Proto) *event.Event {
	f.Helper()
	e, err := event.Build(p, f.peer.signer)
	if err != nil {
		f.Fatal(err)
	}
	return e
}

// next makes the next message of a sender.
func (f *afar) next(sender, body string, prev ...string) *event.Event {
	f.Helper()
	f.depth++
	if prev == nil {
		prev = []string{f.tip.ID}
	}
	p := event.Proto{Version: "12", RoomID: f.room, Type: "m.room.message", Sender: sender, Content: []byte(`{"msgtype":"m.text","body":"` + body + `"}`),
		TS: time.Now().UnixMilli(), Depth: f.depth, Prev: prev}
	for _, k := range []string{"m.room.power_levels|", "m.room.member|" + sender} {
		if e := f.state[k]; e != nil {
			p.Auth = append(p.Auth, e.ID)
		}
	}
	return f.build(p)
}

func (f *afar) put(txn string, edus []jsontext.Value, pdus ...jsontext.Value) map[string]string {
	f.Helper()
	if pdus == nil {
		pdus = []jsontext.Value{}
	}
	out, err := f.Send(f.Context(), f.to, txn, fclient.Transaction{Origin: f.peer.name, TS: 1, PDUs: pdus, EDUs: edus})
	if err != nil {
		f.Fatal(err)
	}
	return out
}

func (f *afar) refused(err error, status int, code string) {
	f.Helper()
	var e *fclient.Error
	if !errors.As(err, &e) || e.Status != status || e.Code != code {
		f.Errorf("%v, want %d %s", err, status, code)
	}
}

// TestInbound joins from another server, and speaks, well and badly.
func TestInbound(t *testing.T) {
	t.Parallel()
	h, name, far := resident(t)
	alice := h.user("alice")
	room := h.room(alice, obj{"preset": "public_chat", "visibility": "public", "name": "Hall", "room_version": "12"})

	_, err := far.MakeJoin(t.Context(), name, room, far.bob(), []string{"1", "11"})
	far.refused(err, 400, "M_INCOMPATIBLE_ROOM_VERSION")
	_, err = far.MakeJoin(t.Context(), name, room, "@alice:"+name, []string{"12"})
	far.refused(err, 403, "M_FORBIDDEN")
	_, err = far.MakeJoin(t.Context(), name, "!none:"+name, far.bob(), []string{"12"})
	far.refused(err, 404, "M_NOT_FOUND")
	_, _, err = far.StateIDs(t.Context(), name, room, "$x")
	far.refused(err, 403, "M_FORBIDDEN")

	joined := far.join(room, false)
	if joined.MembersOmitted || far.state["m.room.create|"] == nil || far.state["m.room.member|@alice:"+name] == nil {
		t.Fatalf("the state of the join: %v", far.state)
	}
	h.eventually("bob's join", func() bool {
		return h.ok(alice, "GET", "/v3/rooms/"+room+"/state/m.room.member/"+far.bob(), nil).Get("membership").Str == "join"
	})

	hello := far.next(far.bob(), "hello")
	if out := far.put("t1", nil, far.raw(hello)); out[hello.ID] != "" {
		t.Errorf("hello: %v", out)
	}
	seen := func(e *event.Event) bool {
		return h.has(alice, room, e.ID)
	}
	h.eventually("hello", func() bool { return seen(hello) })
	far.tip = hello

	// The same transaction again has no effect, whatever is in it now.
	other := far.next(far.bob(), "other")
	far.put("t1", nil, far.raw(other))

	// Words put into others' mouths, a changed content, and one who isn't there.
	forged := far.next("@alice:"+name, "I am alice")
	stranger := far.next("@carol:"+far.peer.name, "I am not here")
	changed := far.next(far.bob(), "original")
	raw, err := sjson.SetBytes(far.raw(changed), "content.body", "changed")
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, err := sjson.SetBytes(far.raw(changed), "room_id", "!elsewhere:"+name)
	if err != nil {
		t.Fatal(err)
	}
	last := far.next(far.bob(), "last")
	out := far.put("t2", nil, far.raw(forged), far.raw(stranger), raw, elsewhere, far.raw(last), jsontext.Value(`{"room_id":1}`), jsontext.Value(`[]`))
	if out[forged.ID] == "" || out[last.ID] != "" {
		t.Errorf("the answer: %v", out)
	}
	h.eventually("last", func() bool { return seen(last) })
	h.eventually("the changed one, pruned", func() bool { return seen(changed) })
	if got := h.ok(alice, "GET", "/v3/rooms/"+room+"/event/"+changed.ID, nil).Get("content").Raw; got != "{}" {
		t.Errorf("the content of the changed one is %s", got)
	}
	for _, e := range []*event.Event{forged, stranger, other} {
		if seen(e) {
			t.Errorf("%s was taken in: %s", e.ID, e.Content)
		}
	}

	// EDUs: bob types, alice does not.
	nid, err := h.store.RoomByID(t.Context(), room)
	if err != nil {
		t.Fatal(err)
	}
	typing := func(user string) jsontext.Value {
		return jsontext.Value(`{"edu_type":"m.typing","content":{"room_id":"` + room + `","user_id":"` + user + `","typing":true}}`)
	}
	far.put("t3", []jsontext.Value{typing("@alice:" + name), typing(far.bob()), typing("@carol:" + far.peer.name), jsontext.Value(`{"edu_type":"m.receipt","content":{"x":1}}`)})
	if in := h.typing.In(nid.NID); len(in) != 1 || in[0] != far.bob() {
		t.Errorf("typing: %v", in)
	}
	if _, err := far.Send(t.Context(), name, "t4", fclient.Transaction{Origin: "elsewhere.example", PDUs: []jsontext.Value{}}); err == nil {
		t.Error("a transaction of another server was taken")
	}

	// Reading.
	state, auth, err := far.StateIDs(t.Context(), name, room, hello.ID)
	if err != nil || len(state) < 5 || len(auth) == 0 {
		t.Errorf("state_ids: %d %d %v", len(state), len(auth), err)
	}
	if x, err := far.Event(t.Context(), name, hello.ID); err != nil || far.parse(x).ID != hello.ID {
		t.Errorf("event: %v", err)
	}
	if list, err := far.Backfill(t.Context(), name, room, []string{hello.ID}, 3); err != nil || len(list) != 3 || far.parse(list[0]).ID != hello.ID {
		t.Errorf("backfill: %d %v", len(list), err)
	}
	list, err := far.MissingEvents(t.Context(), name, room, fclient.Gap{Latest: []string{hello.ID}, Earliest: []string{}, Limit: 2})
	if err != nil || len(list) != 2 || far.parse(list[1]).Membership() != "join" {
		t.Errorf("get_missing_events: %d %v", len(list), err)
	}
	if id, _, err := far.TimestampToEvent(t.Context(), name, room, 0, "f"); err != nil || id != far.state["m.room.create|"].ID {
		t.Errorf("timestamp_to_event: %s %v", id, err)
	}
	n := 0
	if err := far.EventAuth(t.Context(), name, room, hello.ID, func(fclient.Section, jsontext.Value) error { n++; return nil }); err != nil || n < 3 {
		t.Errorf("event_auth: %d %v", n, err)
	}
	if p, err := far.PublicRooms(t.Context(), name, fclient.PublicRoomsQuery{Limit: 5}); err != nil || len(p.Chunk) != 1 {
		t.Errorf("publicRooms: %v %v", p, err)
	}
	if x, err := far.Hierarchy(t.Context(), name, room, false); err != nil || gjson.GetBytes(x.Room, "name").Str != "Hall" {
		t.Errorf("hierarchy: %v", err)
	}
	if d, err := far.UserDevices(t.Context(), name, "@alice:"+name); err != nil || d.User != "@alice:"+name {
		t.Errorf("user/devices: %v", err)
	}
	_, err = far.UserDevices(t.Context(), name, "@nobody:"+name)
	far.refused(err, 404, "M_NOT_FOUND")
	if p, err := far.Profile(t.Context(), name, "@alice:"+name, ""); err != nil || string(p["displayname"]) != `"alice"` {
		t.Errorf("profile: %s %v", p, err)
	}

	// An event behind a gap that is filled by nobody waits; other rooms' events don't.
	lost := far.next(far.bob(), "lost", "$doesnotexist")
	next := far.next(far.bob(), "next", last.ID)
	far.put("t5", nil, far.raw(lost), far.raw(next))
	h.eventually("what doesn't follow a gap", func() bool { return seen(next) })
	if seen(lost) {
		t.Error("an event behind a gap was shown")
	}

	// Kept out.
	h.state(alice, room, "m.room.server_acl", "", obj{"allow": []string{"*"}, "deny": []string{strings.Split(far.peer.name, ":")[0]}})
	late := far.next(far.bob(), "late", next.ID)
	if out := far.put("t6", nil, far.raw(late)); !strings.Contains(out[late.ID], "banned") {
		t.Errorf("a banned server: %v", out)
	}
	_, err = far.MakeLeave(t.Context(), name, room, far.bob())
	far.refused(err, 403, "M_FORBIDDEN")
}

// TestJoinOmittingMembers joins a room without being told of its members.
func TestJoinOmittingMembers(t *testing.T) {
	t.Parallel()
	h, name, far := resident(t)
	alice := h.user("alice")
	room := h.room(alice, obj{"preset": "public_chat", "name": "Hall", "room_version": "12"})
	joined := far.join(room, true)
	if !joined.MembersOmitted || len(joined.ServersInRoom) == 0 || joined.ServersInRoom[0] != name || joined.Event == nil {
		t.Errorf("%+v", joined)
	}
	for k := range far.state {
		if k != "m.room.member|"+far.bob() && strings.HasPrefix(k, "m.room.member") {
			t.Errorf("%s is there", k)
		}
	}
	tmpl, err := far.MakeLeave(t.Context(), name, room, far.bob())
	if err != nil {
		t.Fatal(err)
	}
	leave := far.sign(tmpl.Event)
	if err := far.SendLeave(t.Context(), name, room, leave.ID, far.raw(leave)); err != nil {
		t.Fatal(err)
	}
	if got := h.ok(alice, "GET", "/v3/rooms/"+room+"/state/m.room.member/"+far.bob(), nil).Get("membership").Str; got != "leave" {
		t.Errorf("bob: %s", got)
	}
}

// TestRefusedMembership sends membership events that are not what they should be.
func TestRefusedMembership(t *testing.T) {
	t.Parallel()
	h, name, far := resident(t)
	alice := h.user("alice")
	room := h.room(alice, obj{"preset": "public_chat", "room_version": "12"})
	tmpl, err := far.MakeJoin(t.Context(), name, room, far.bob(), []string{"12"})
	if err != nil {
		t.Fatal(err)
	}
	set := func(path string, v any) *event.Event {
		raw, err := sjson.SetBytes(append([]byte{}, tmpl.Event...), path, v)
		if err != nil {
			t.Fatal(err)
		}
		return far.sign(raw)
	}
	nobody := func(fclient.Section, jsontext.Value) error { return nil }
	for what, e := range map[string]*event.Event{
		"a message":           set("type", "m.room.message"),
		"a leave":             set("content.membership", "leave"),
		"for somebody else":   set("state_key", "@carol:"+far.peer.name),
		"of another room":     set("room_id", "!other"),
		"behind what is not":  set("prev_events", []string{"$none"}),
		"resting on what not": set("auth_events", []string{"$none"}),
	} {
		_, err := far.SendJoin(t.Context(), name, room, e.ID, far.raw(e), false, nobody)
		var refused *fclient.Error
		if !errors.As(err, &refused) || refused.Status != 400 || refused.Code != "M_INVALID_PARAM" {
			t.Errorf("%s: %v", what, err)
		}
	}
	stolen := set("sender", "@alice:"+name)
	_, err = far.SendJoin(t.Context(), name, room, stolen.ID, far.raw(stolen), false, nobody)
	far.refused(err, 403, "M_FORBIDDEN")
	e := set("type", "m.room.member")
	_, err = far.SendJoin(t.Context(), name, room, "$other", far.raw(e), false, nobody)
	far.refused(err, 400, "M_INVALID_PARAM")

	private := h.room(alice, obj{"preset": "private_chat", "room_version": "12"})
	_, err = far.MakeJoin(t.Context(), name, private, far.bob(), []string{"12"})
	far.refused(err, 403, "M_FORBIDDEN")
	_, err = far.MakeKnock(t.Context(), name, private, far.bob(), []string{"12"})
	far.refused(err, 403, "M_FORBIDDEN")
}
