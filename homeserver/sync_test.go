package homeserver

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// sync makes a /sync request; params are pairs.
func (h *hs) sync(token, since string, params ...string) gjson.Result {
	h.Helper()
	q := url.Values{}
	if since != "" {
		q.Set("since", since)
	}
	for i := 0; i+1 < len(params); i += 2 {
		q.Set(params[i], params[i+1])
	}
	return h.get(token, "/v3/sync?"+q.Encode())
}

// path is a gjson path of parts that may have dots in them.
func path(parts ...string) string {
	for i, p := range parts {
		parts[i] = gjson.Escape(p)
	}
	return strings.Join(parts, ".")
}

// joined is what an answer says of a room that the user is in.
func joined(s gjson.Result, room string) gjson.Result { return s.Get(path("rooms", "join", room)) }

func filter(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

func TestSyncLazyMembers(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob, carol := h.user("alice"), h.user("bob"), h.user("carol")
	room := h.room(alice, map[string]any{"preset": "public_chat"})
	named := h.room(alice, map[string]any{"preset": "public_chat", "name": "n"})
	h.join(bob, named)
	h.text(alice, named, "1", "hi")
	h.join(bob, room)
	h.join(carol, room)
	h.text(bob, room, "1", "hi")
	lazy := filter(map[string]any{"room": map[string]any{"state": map[string]any{"lazy_load_members": true}, "timeline": map[string]any{"limit": 1}}})
	members := func(s gjson.Result) []string {
		var out []string
		for _, e := range joined(s, room).Get("state.events").Array() {
			if e.Get("type").Str == "m.room.member" {
				out = append(out, e.Get("state_key").Str)
			}
		}
		slices.Sort(out)
		return out
	}
	s := h.sync(alice, "", "filter", lazy)
	// The sender, the reader, and the heroes.
	h.equal("first sync", members(s), []string{"@alice:test", "@bob:test", "@carol:test"})
	h.equal("nobody who does not speak", list(joined(s, named).Get(`state.events.#(type=="m.room.member")#`), "state_key"), "[@alice:test]")
	first := s.Get("next_batch").Str
	h.text(bob, room, "2", "again")
	s = h.sync(alice, first, "filter", lazy)
	h.equal("bob is known", members(s), []string{})
	retried := h.sync(alice, first, "filter", lazy)
	h.equal("the same on a retry", members(retried), []string{})
	redundant := filter(map[string]any{"room": map[string]any{"state": map[string]any{"lazy_load_members": true, "include_redundant_members": true}}})
	h.equal("redundant", members(h.sync(alice, first, "filter", redundant)), []string{"@bob:test"})
	// What changes in a gap is told, whether anybody speaks or not.
	h.must(carol, "PUT", "/v3/profile/@carol:test/displayname", map[string]string{"displayname": "Carol"}, nil)
	h.text(bob, room, "3", "x")
	h.text(bob, room, "4", "y")
	s = h.sync(alice, s.Get("next_batch").Str, "filter", lazy)
	h.equal("limited", joined(s, room).Get("timeline.limited").Bool(), true)
	h.equal("in the gap", members(s), []string{"@carol:test"})

	// A client whose answer was lost gets the member again.
	h.user("dave")
	dave := h.user("dave2")
	before := s.Get("next_batch").Str
	h.join(dave, room)
	s = h.sync(alice, before, "filter", lazy)
	after := s.Get("next_batch").Str
	h.text(dave, room, "5", "z")
	lost := h.sync(alice, after, "filter", lazy)
	again := h.sync(alice, after, "filter", lazy)
	h.equal("lost and again", members(again), members(lost))
}

func TestSyncFilters(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob := h.user("alice"), h.user("bob")
	room := h.room(alice, map[string]any{"preset": "public_chat", "topic": "t"})
	other := h.room(alice, map[string]any{"preset": "public_chat"})
	h.join(bob, room)
	h.text(alice, room, "1", "text")
	h.text(bob, room, "2", "of bob")
	h.event(alice, room, "m.room.message", "3", map[string]any{"msgtype": "m.image", "body": "pic", "url": "mxc://test/x"})
	h.event(alice, room, "org.example.thing", "4", map[string]any{"a": map[string]any{"b.c": 1, "d": 2}})
	get := func(part string, f map[string]any) gjson.Result {
		return joined(h.sync(alice, "", "filter", filter(map[string]any{"room": map[string]any{part: f}})), room)
	}
	bodies := func(r gjson.Result) string {
		var out []string
		for _, e := range r.Get("timeline.events").Array() {
			if b := e.Get("content.body").Str; b != "" {
				out = append(out, b)
			} else {
				out = append(out, e.Get("type").Str)
			}
		}
		return strings.Join(out, ",")
	}
	for _, tc := range []struct {
		f    map[string]any
		want string
	}{
		{map[string]any{"types": []string{"m.room.message"}}, "text,of bob,pic"},
		{map[string]any{"types": []string{"m.room.mess*"}, "not_senders": []string{"@bob:test"}}, "text,pic"},
		{map[string]any{"types": []string{"*"}, "not_types": []string{"m.*"}}, "org.example.thing"},
		{map[string]any{"senders": []string{"@bob:test"}}, "m.room.member,of bob"},
		{map[string]any{"contains_url": true}, "pic"},
		{map[string]any{"contains_url": false, "types": []string{"m.room.message"}}, "text,of bob"},
		{map[string]any{"rooms": []string{other}}, ""},
		{map[string]any{"not_rooms": []string{room}}, ""},
		{map[string]any{"types": []string{}}, ""},
		{map[string]any{"types": []string{"m.room.message"}, "limit": 2}, "of bob,pic"},
	} {
		h.equal(filter(tc.f), bodies(get("timeline", tc.f)), tc.want)
	}
	r := get("timeline", map[string]any{"types": []string{"m.room.message"}, "limit": 2})
	h.equal("limited", r.Get("timeline.limited").Bool(), true)
	page := h.get(alice, "/v3/rooms/"+room+"/messages?dir=b&limit=1&filter="+url.QueryEscape(filter(map[string]any{"types": []string{"m.room.message"}}))+"&from="+r.Get("timeline.prev_batch").Str)
	h.equal("paging on from prev_batch", page.Get("chunk.0.content.body").Str, "text")

	h.equal("state types", list(get("state", map[string]any{"types": []string{"m.room.create"}}).Get("state.events"), "type"), "[m.room.create]")
	h.equal("state of no room", list(get("state", map[string]any{"not_rooms": []string{room}}).Get("state.events"), "type"), "[]")
	s := h.sync(alice, "", "filter", filter(map[string]any{"room": map[string]any{"rooms": []string{other}}}))
	h.equal("rooms", s.Get("rooms.join|@keys").String(), `["`+other+`"]`)
	s = h.sync(alice, "", "filter", filter(map[string]any{"room": map[string]any{"not_rooms": []string{other}}}))
	h.equal("not_rooms", s.Get("rooms.join|@keys").String(), `["`+room+`"]`)

	s = h.sync(alice, "", "filter", filter(map[string]any{"event_format": "federation", "room": map[string]any{"timeline": map[string]any{"limit": 1}}}))
	e := joined(s, room).Get("timeline.events.0")
	for _, k := range []string{"auth_events", "prev_events", "depth", "hashes", "signatures", "event_id", "room_id", "sender"} {
		if !e.Get(k).Exists() {
			t.Errorf("an event in the federation's format has no %s: %s", k, e)
		}
	}
	s = h.sync(alice, "", "filter", filter(map[string]any{"event_fields": []string{"type", `content.a.b\.c`, "content.body"}, "room": map[string]any{"timeline": map[string]any{"limit": 2}}}))
	h.equal("fields", joined(s, room).Get("timeline.events").Raw, `[{"content":{"body":"pic"},"type":"m.room.message"},{"content":{"a":{"b.c":1}},"type":"org.example.thing"}]`)

	h.must(alice, "PUT", "/v3/user/@alice:test/account_data/org.a", map[string]int{"a": 1}, nil)
	h.must(alice, "PUT", "/v3/user/@alice:test/account_data/org.b", map[string]int{"a": 1}, nil)
	h.must(alice, "PUT", "/v3/user/@alice:test/rooms/"+room+"/account_data/org.c", map[string]int{"a": 1}, nil)
	s = h.sync(alice, "", "filter", filter(map[string]any{"account_data": map[string]any{"types": []string{"org.*"}, "not_types": []string{"org.b"}},
		"room": map[string]any{"account_data": map[string]any{"not_rooms": []string{room}}}}))
	h.equal("account data", list(s.Get("account_data.events"), "type"), "[org.a]")
	h.equal("room account data", joined(s, room).Get("account_data").Raw, `{"events":[]}`)
	h.must(alice, "PUT", "/v3/rooms/"+room+"/typing/@alice:test", map[string]any{"typing": true, "timeout": 10000}, nil)
	h.must(alice, "POST", "/v3/rooms/"+room+"/receipt/m.read/"+e.Get("event_id").Str, nil, nil)
	s = h.sync(alice, "", "filter", filter(map[string]any{"room": map[string]any{"ephemeral": map[string]any{"types": []string{"m.typing"}}}}))
	h.equal("ephemeral", list(joined(s, room).Get("ephemeral.events"), "type"), "[m.typing]")
	s = h.sync(alice, "", "filter", filter(map[string]any{"room": map[string]any{"ephemeral": map[string]any{"not_rooms": []string{room}}}}))
	h.equal("ephemeral of no room", joined(s, room).Get("ephemeral").Raw, `{"events":[]}`)
}

func TestSyncWrong(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice := h.user("alice")
	h.room(alice, map[string]any{})
	for _, q := range []string{"since=", "since=s", "since=s999999999_1_999999999_1", "since=s1_2", "since=" + strings.Repeat("9", 5000), "since=s-1_0_0_0",
		"timeout=x", "set_presence=dancing", "filter={", "filter={%22room%22:1}", "filter=12", "filter=abc"} {
		want := 400
		if q == "since=" {
			want = 200
		}
		h.equal(q, h.call(alice, "GET", "/v3/sync?"+q, nil, nil), want)
	}
	h.equal("negative timeout", h.call(alice, "GET", "/v3/sync?timeout=-5", nil, nil), 200)
}

func TestSyncStateAfter(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice := h.user("alice")
	room := h.room(alice, map[string]any{"preset": "public_chat"})
	since := h.sync(alice, "").Get("next_batch").Str
	h.state(alice, room, "m.room.topic", "", map[string]string{"topic": "t"})
	for param, section := range map[string]string{"use_state_after": "state_after", "org.matrix.msc4222.use_state_after": "org.matrix.msc4222.state_after"} {
		r := joined(h.sync(alice, since, param, "true"), room)
		h.equal(param, list(r.Get(gjson.Escape(section)+".events"), "type"), "[m.room.topic]")
		h.equal("state", r.Get("state").Exists(), false)
		h.equal("timeline", list(r.Get("timeline.events"), "type"), "[m.room.topic]")
	}
	r := joined(h.sync(alice, since), room)
	h.equal("without", r.Get("state.events").Raw, "[]")
	h.equal("without", r.Get("state_after").Exists(), false)
	h.must(alice, "POST", "/v3/rooms/"+room+"/leave", nil, nil)
	left := h.sync(alice, since, "use_state_after", "true").Get(path("rooms", "leave", room))
	h.equal("left", list(left.Get("state_after.events"), "type"), "[m.room.topic m.room.member]")
}

func TestSyncLeaving(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob := h.user("alice"), h.user("bob")
	room := h.room(alice, map[string]any{"preset": "public_chat", "topic": "t"})
	leave := func(s gjson.Result) gjson.Result { return s.Get(path("rooms", "leave", room)) }
	archived := filter(map[string]any{"room": map[string]any{"include_leave": true}})

	// A rejected invitation shows as nothing but its end.
	h.must(alice, "POST", "/v3/rooms/"+room+"/invite", map[string]string{"user_id": "@bob:test"}, nil)
	s := h.sync(bob, "")
	if !s.Get(path("rooms", "invite", room)).Exists() {
		t.Error("the invitation is missing")
	}
	h.must(bob, "POST", "/v3/rooms/"+room+"/leave", nil, nil)
	s = h.sync(bob, s.Get("next_batch").Str)
	h.equal("rejected", list(leave(s).Get("timeline.events"), "type"), "[m.room.member]")
	h.equal("rejected, state", leave(s).Get("state.events").Raw, "[]")
	h.equal("rejected, archived", list(leave(h.sync(bob, "", "filter", archived)).Get("state.events"), "type"), "[]")

	// In, out and what came after.
	h.join(bob, room)
	s = h.sync(bob, s.Get("next_batch").Str)
	r := joined(s, room)
	h.equal("joined anew", r.Get("timeline.limited").Bool(), true)
	h.equal("whole", slices.Contains(append(list(r.Get("state.events"), "type"), list(r.Get("timeline.events"), "type")...), "m.room.create"), true)
	h.text(alice, room, "1", "seen")
	h.must(bob, "PUT", "/v3/user/@bob:test/rooms/"+room+"/account_data/org.x", map[string]int{"x": 1}, nil)
	h.must(bob, "POST", "/v3/rooms/"+room+"/leave", nil, nil)
	h.text(alice, room, "2", "not seen")
	s = h.sync(bob, s.Get("next_batch").Str)
	h.equal("left", list(leave(s).Get("timeline.events"), "content.body"), "[seen ]")
	h.equal("left, account data", list(leave(s).Get("account_data.events"), "type"), "[org.x]")
	h.equal("only once", leave(h.sync(bob, s.Get("next_batch").Str)).Exists(), false)
	h.equal("not at first", leave(h.sync(bob, "")).Exists(), false)
	old := leave(h.sync(bob, "", "filter", archived))
	last := old.Get("timeline.events.@reverse.0")
	h.equal("archived", last.Get("content.membership").Str, "leave")
	page := h.get(bob, "/v3/rooms/"+room+"/messages?dir=b&from="+old.Get("timeline.prev_batch").Str)
	h.equal("pages on", len(page.Get("chunk").Array()) > 0, true)
	h.equal("history before it is seen after leaving", slices.Contains(list(old.Get("timeline.events"), "type"), "m.room.history_visibility"), true)

	// Forgotten rooms stay away at first, and are told of to those who knew them.
	since := s.Get("next_batch").Str
	h.must(bob, "POST", "/v3/rooms/"+room+"/forget", nil, nil)
	h.equal("forgotten", leave(h.sync(bob, "", "filter", archived)).Exists(), false)
	h.join(bob, room)
	h.text(alice, room, "3", "back")
	r = joined(h.sync(bob, since), room)
	h.equal("rejoined", r.Get("timeline.limited").Bool(), true)
	if b := list(r.Get("timeline.events"), "content.body"); b[len(b)-1] != "back" {
		t.Errorf("rejoined: %v", b)
	}

	// A ban shows to those who were in, and to those who never were.
	h.must(alice, "POST", "/v3/rooms/"+room+"/ban", map[string]string{"user_id": "@bob:test"}, nil)
	s = h.sync(bob, since)
	h.equal("banned", leave(s).Get("timeline.events.@reverse.0.content.membership").Str, "ban")
	carol := h.user("carol")
	c := h.sync(carol, "")
	h.must(alice, "POST", "/v3/rooms/"+room+"/ban", map[string]string{"user_id": "@carol:test"}, nil)
	c = h.sync(carol, c.Get("next_batch").Str)
	h.equal("banned without having been in", list(leave(c).Get("timeline.events"), "content.membership"), "[ban]")
	h.equal("and no state", leave(c).Get("state.events").Raw, "[]")
}

func TestSyncSummary(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob := h.user("alice"), h.user("bob")
	room := h.room(alice, map[string]any{"preset": "public_chat"})
	summary := func(s gjson.Result) string { return joined(s, room).Get("summary").Raw }
	s := h.sync(alice, "")
	h.equal("alone", summary(s), `{"m.joined_member_count":1,"m.invited_member_count":0,"m.heroes":[]}`)
	h.must(alice, "POST", "/v3/rooms/"+room+"/invite", map[string]string{"user_id": "@bob:test"}, nil)
	s = h.sync(alice, s.Get("next_batch").Str)
	h.equal("invited", summary(s), `{"m.joined_member_count":1,"m.invited_member_count":1,"m.heroes":["@bob:test"]}`)
	h.join(bob, room)
	s = h.sync(alice, s.Get("next_batch").Str)
	h.equal("joined", summary(s), `{"m.joined_member_count":2,"m.invited_member_count":0,"m.heroes":["@bob:test"]}`)
	h.text(alice, room, "1", "x")
	s = h.sync(alice, s.Get("next_batch").Str)
	h.equal("nothing new", summary(s), "")
	h.must(bob, "POST", "/v3/rooms/"+room+"/leave", nil, nil)
	s = h.sync(alice, s.Get("next_batch").Str)
	h.equal("gone", summary(s), `{"m.joined_member_count":1,"m.invited_member_count":0,"m.heroes":["@bob:test"]}`)
	// In a gap, too.
	h.join(bob, room)
	for i := range 12 {
		h.text(bob, room, fmt.Sprint("g", i), "x")
	}
	s = h.sync(alice, s.Get("next_batch").Str)
	h.equal("in a gap", summary(s), `{"m.joined_member_count":2,"m.invited_member_count":0,"m.heroes":["@bob:test"]}`)
}

func TestSyncIgnoring(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob := h.user("alice"), h.user("bob")
	room := h.room(alice, map[string]any{"preset": "public_chat"})
	h.join(bob, room)
	ignore := func(users ...string) {
		m := map[string]any{}
		for _, u := range users {
			m[u] = map[string]any{}
		}
		h.must(alice, "PUT", "/v3/user/@alice:test/account_data/m.ignored_user_list", map[string]any{"ignored_users": m}, nil)
	}
	since := h.sync(alice, "").Get("next_batch").Str
	ignore("@bob:test")
	h.text(bob, room, "1", "unheard")
	h.must(bob, "PUT", "/v3/profile/@bob:test/displayname", map[string]string{"displayname": "Bob"}, nil)
	h.must(bob, "PUT", "/v3/rooms/"+room+"/typing/@bob:test", map[string]any{"typing": true}, nil)
	invited := h.room(bob, map[string]any{"invite": []string{"@alice:test"}})
	s := h.sync(alice, since)
	h.equal("events", list(joined(s, room).Get("timeline.events"), "type"), "[m.room.member]")
	h.equal("typing", joined(s, room).Get("ephemeral.events.0.content.user_ids").Raw, "[]")
	h.equal("invitation", s.Get(path("rooms", "invite", invited)).Exists(), false)
	ignore()
	s = h.sync(alice, s.Get("next_batch").Str)
	h.equal("invitation, when no longer ignored", s.Get(path("rooms", "invite", invited)).Exists(), true)
	h.text(bob, room, "2", "heard")
	s = h.sync(alice, s.Get("next_batch").Str)
	h.equal("heard", list(joined(s, room).Get("timeline.events"), "content.body"), "[heard]")
}

func TestReceipts(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob := h.user("alice"), h.user("bob")
	room := h.room(alice, map[string]any{"preset": "public_chat"})
	h.join(bob, room)
	root := h.text(alice, room, "1", "root")
	reply := h.event(alice, room, "m.room.message", "2", map[string]any{"msgtype": "m.text", "body": "in thread",
		"m.relates_to": map[string]any{"rel_type": "m.thread", "event_id": root}})
	reaction := h.event(alice, room, "m.reaction", "3", map[string]any{"m.relates_to": map[string]any{"rel_type": "m.annotation", "event_id": reply, "key": "+"}})
	last := h.text(alice, room, "4", "last")
	mark := func(kind, id string, body any) int {
		return h.call(bob, "POST", "/v3/rooms/"+room+"/receipt/"+kind+"/"+id, body, nil)
	}
	thread := func(id string) any { return map[string]any{"thread_id": id} }
	for _, tc := range []struct {
		what, kind, id string
		body           any
		want           int
	}{
		{"empty thread", "m.read", last, thread(""), 400},
		{"a thread that is no string", "m.read", last, map[string]any{"thread_id": 1}, 400},
		{"fully read in a thread", "m.fully_read", last, thread("main"), 400},
		{"another kind", "m.other", last, nil, 400},
		{"in the thread, as main", "m.read", reply, thread("main"), 400},
		{"on main, as thread", "m.read", last, thread(root), 400},
		{"reaction in the thread, as main", "m.read", reaction, thread("main"), 400},
		{"no such event", "m.read", "$nothing", nil, 404},
		{"reaction in the thread", "m.read", reaction, thread(root), 200},
		{"the root, on main", "m.read", root, thread("main"), 200},
	} {
		h.equal(tc.what, mark(tc.kind, tc.id, tc.body), tc.want)
	}
	h.equal("without a room", h.call(h.user("carol"), "POST", "/v3/rooms/"+room+"/receipt/m.read/"+last, nil, nil), 403)
	since := h.sync(alice, "").Get("next_batch").Str
	mine := h.sync(bob, "").Get("next_batch").Str
	h.equal("unthreaded", mark("m.read", last, nil), 200)
	h.equal("back", mark("m.read", root, nil), 200)
	s := h.sync(alice, since)
	h.equal("it stays", joined(s, room).Get("ephemeral.events.0.content|@keys").String(), `["`+last+`"]`)
	h.equal("no thread_id", joined(s, room).Get(path("ephemeral")+".events.0.content."+path(last, "m.read", "@bob:test")+".thread_id").Exists(), false)
	// Private receipts are their user's own.
	h.equal("private", mark("m.read.private", last, nil), 200)
	r := joined(h.sync(bob, mine), room)
	h.equal("own", r.Get("ephemeral.events.#").Int() > 0 && strings.Contains(r.Get("ephemeral").Raw, "m.read.private"), true)
	h.equal("with counts", r.Get("unread_notifications").Raw, `{"highlight_count":0,"notification_count":0}`)
	h.equal("nobody else's", joined(h.sync(alice, s.Get("next_batch").Str), room).Exists(), false)
	all := joined(h.sync(alice, ""), room).Get("ephemeral.events")
	h.equal("one event a thread", all.Get("#").Int(), 3)
	// The marker is account data.
	h.must(bob, "POST", "/v3/rooms/"+room+"/read_markers", map[string]any{"m.fully_read": last, "m.read": last}, nil)
	h.must(bob, "POST", "/v3/rooms/"+room+"/read_markers", map[string]any{"m.fully_read": root}, nil)
	got := h.get(bob, "/v3/user/@bob:test/rooms/"+room+"/account_data/m.fully_read")
	h.equal("fully read", got.Get("event_id").Str, last)
	h.equal("not directly", h.call(bob, "PUT", "/v3/user/@bob:test/rooms/"+room+"/account_data/m.fully_read", map[string]string{"event_id": root}, nil), 405)
}

func TestTyping(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob := h.user("alice"), h.user("bob")
	room := h.room(alice, map[string]any{"preset": "public_chat"})
	h.join(bob, room)
	since := h.sync(alice, "").Get("next_batch").Str
	users := func(s gjson.Result) string { return joined(s, room).Get("ephemeral.events.0.content.user_ids").Raw }
	h.equal("another's", h.call(bob, "PUT", "/v3/rooms/"+room+"/typing/@alice:test", map[string]any{"typing": true}, nil), 403)
	h.equal("nothing said", h.call(bob, "PUT", "/v3/rooms/"+room+"/typing/@bob:test", nil, nil), 400)
	h.must(bob, "PUT", "/v3/rooms/"+room+"/typing/@bob:test", map[string]any{"typing": true, "timeout": 200}, nil)
	s := h.sync(alice, since)
	h.equal("typing", users(s), `["@bob:test"]`)
	s = h.sync(alice, s.Get("next_batch").Str, "timeout", "20000")
	h.equal("time is up", users(s), `[]`)
	h.must(bob, "PUT", "/v3/rooms/"+room+"/typing/@bob:test", map[string]any{"typing": true}, nil)
	s = h.sync(alice, s.Get("next_batch").Str)
	h.must(bob, "POST", "/v3/rooms/"+room+"/leave", nil, nil)
	s = h.sync(alice, s.Get("next_batch").Str)
	h.equal("gone", users(s), `[]`)
}

func TestTransactionIDs(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice := h.user("alice")
	var second struct {
		Token string `json:"access_token"`
	}
	h.must("", "POST", "/v3/login", map[string]any{"type": "m.login.password", "password": "long enough",
		"identifier": map[string]string{"type": "m.id.user", "user": "alice"}}, &second)
	room := h.room(alice, map[string]any{})
	id := h.text(alice, room, "txn", "x")
	h.equal("again", h.text(alice, room, "txn", "x"), id)
	if other := h.text(second.Token, room, "txn", "x"); other == id {
		t.Error("another device's transaction is not told apart")
	}
	find := func(token string) gjson.Result {
		return joined(h.sync(token, ""), room).Get(`timeline.events.#(event_id=="` + id + `")`)
	}
	h.equal("own device", find(alice).Get("unsigned.transaction_id").Str, "txn")
	h.equal("other device", find(second.Token).Get("unsigned.transaction_id").Exists(), false)
	h.equal("by /messages", h.get(alice, "/v3/rooms/"+room+"/messages?dir=b").Get(`chunk.#(event_id=="`+id+`").unsigned.transaction_id`).Str, "txn")
}

func TestPresence(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob, eve := h.user("alice"), h.user("bob"), h.user("eve")
	room := h.room(alice, map[string]any{"preset": "public_chat"})
	h.join(bob, room)
	status := func(token, user string) gjson.Result { return h.get(token, "/v3/presence/"+user+"/status") }
	since := h.sync(alice, "", "set_presence", "offline").Get("next_batch").Str
	h.equal("nobody is there", status(alice, "@bob:test").Get("presence").Str, "offline")
	h.equal("nobody there to know", h.call(alice, "GET", "/v3/presence/@nobody:test/status", nil, nil), 404)
	h.equal("a stranger", h.call(eve, "GET", "/v3/presence/@bob:test/status", nil, nil), 403)
	h.equal("another's", h.call(eve, "PUT", "/v3/presence/@bob:test/status", map[string]any{"presence": "online"}, nil), 403)
	h.equal("nonsense", h.call(bob, "PUT", "/v3/presence/@bob:test/status", map[string]any{"presence": "dancing"}, nil), 400)
	h.equal("nothing", h.call(bob, "PUT", "/v3/presence/@bob:test/status", nil, nil), 400)
	got := make(chan gjson.Result, 1)
	go func() { got <- h.sync(alice, since, "timeout", "20000", "set_presence", "offline") }()
	h.must(bob, "PUT", "/v3/presence/@bob:test/status", map[string]any{"presence": "unavailable", "status_msg": "out"}, nil)
	var s gjson.Result
	select {
	case s = <-got:
	case <-time.After(20 * time.Second):
		t.Fatal("no answer")
	}
	e := s.Get(`presence.events.#(sender=="@bob:test")`)
	h.equal("type", e.Get("type").Str, "m.presence")
	h.equal("content", e.Get("content.presence").Str+" "+e.Get("content.status_msg").Str, "unavailable out")
	if e.Get("content.last_active_ago").Int() > 20000 || !e.Get("content.last_active_ago").Exists() {
		t.Errorf("last_active_ago in %s", e)
	}
	// Doing something makes one online, and keeps the status.
	h.text(bob, room, "1", "back")
	s = h.sync(alice, s.Get("next_batch").Str, "set_presence", "offline")
	e = s.Get(`presence.events.#(sender=="@bob:test").content`)
	h.equal("back", e.Get("presence").Str+" "+e.Get("status_msg").Str+" "+e.Get("currently_active").Raw, "online out true")
	h.equal("asked", status(alice, "@bob:test").Get("presence").Str, "online")
	h.equal("filtered", h.sync(alice, "", "filter", `{"presence":{"types":[]}}`).Get("presence").Exists(), false)
	h.equal("not of somebody", h.sync(alice, "", "filter", `{"presence":{"not_senders":["@bob:test"]}}`).Get(`presence.events.#(sender=="@bob:test")`).Exists(), false)
	h.equal("a stranger's sync", h.sync(eve, "").Get(`presence.events.#(sender=="@bob:test")`).Exists(), false)
	// Who comes into a room gets to know who is there, and is known.
	eves := h.sync(eve, "").Get("next_batch").Str
	alices := s.Get("next_batch").Str
	h.join(eve, room)
	h.equal("newcomer", h.sync(eve, eves).Get(`presence.events.#(sender=="@bob:test").content.presence`).Str, "online")
	h.equal("of the newcomer", h.sync(alice, alices).Get(`presence.events.#(sender=="@eve:test").content.presence`).Str, "online")
	// One's own, too.
	h.sync(alice, "", "set_presence", "unavailable")
	h.equal("own", h.sync(alice, "", "set_presence", "offline").Get(`presence.events.#(sender=="@alice:test")`).Exists(), true)
}
