package homeserver

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

const slidingPath = "/unstable/org.matrix.simplified_msc3575/sync"

// slide makes a sliding sync request at the unstable endpoint.
func (h *hs) slide(token, pos string, timeout int, body obj) gjson.Result {
	h.Helper()
	var raw json.RawMessage
	h.must(token, "POST", fmt.Sprintf("%s?pos=%s&timeout=%d", slidingPath, pos, timeout), body, &raw)
	return gjson.ParseBytes(raw)
}

func slid(r gjson.Result, room string) gjson.Result { return r.Get(path("rooms", room)) }

func window(limit, last int, state ...[2]string) obj {
	if state == nil {
		state = [][2]string{}
	}
	return obj{"ranges": [][2]int{{0, last}}, "timeline_limit": limit, "required_state": state}
}

func TestSlidingSync(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.equal("advertised", h.get("", "/versions").Get(path("unstable_features", "org.matrix.simplified_msc3575")).Bool(), true)
	alice, bob := h.user("alice"), h.user("bob")
	var rooms []string
	for i := range 4 {
		rooms = append(rooms, h.room(alice, obj{"preset": "public_chat", "name": fmt.Sprint("room ", i)}))
	}
	h.join(bob, rooms[0])
	first := h.text(alice, rooms[0], "1", "one")
	h.text(bob, rooms[0], "2", "two")
	lists := func(l obj) obj { return obj{"lists": obj{"all": l}} }
	q := lists(window(1, 1, [2]string{"m.room.create", ""}, [2]string{"m.room.member", "$ME"}))
	s := h.slide(alice, "", 30000, q)
	h.equal("count", s.Get("lists.all.count").Int(), 4)
	h.equal("window", s.Get("lists.all.ops.0.room_ids").Raw, fmt.Sprintf("[%q,%q]", rooms[0], rooms[3]))
	r := slid(s, rooms[0])
	h.equal("initial", r.Get("initial").Bool(), true)
	h.equal("timeline", list(r.Get("timeline"), "content.body"), "[two]")
	h.equal("limited", r.Get("limited").Bool(), true)
	h.equal("name", r.Get("name").Str, "room 0")
	h.equal("counts", r.Get("joined_count").Raw+r.Get("invited_count").Raw+r.Get("notification_count").Raw+r.Get("highlight_count").Raw, "2010")
	h.equal("state", list(r.Get("required_state"), "type"), "[m.room.create m.room.member]")
	h.equal("me", r.Get("required_state.1.state_key").Str, "@alice:test")
	h.equal("num_live", r.Get("num_live").Raw, "0")
	h.equal("lists", r.Get("lists").Raw, `["all"]`)
	h.equal("membership", r.Get("membership").Str, "join")
	page := h.get(alice, "/v3/rooms/"+rooms[0]+"/messages?dir=b&limit=1&from="+r.Get("prev_batch").Str)
	h.equal("prev_batch", page.Get("chunk.0.event_id").Str, first)
	pos := s.Get("pos").Str
	h.equal("pos as a token of /messages", h.call(alice, "GET", "/v3/rooms/"+rooms[0]+"/messages?dir=b&from="+pos, nil, nil), 200)

	// Nothing new: the time passes, and the answer has no rooms.
	s = h.slide(alice, pos, 50, q)
	h.equal("nothing new", s.Get("rooms").Raw, "{}")
	pos = s.Get("pos").Str

	// A larger window brings the rest, each once.
	q = lists(window(1, 10, [2]string{"m.room.create", ""}, [2]string{"m.room.member", "$ME"}))
	s = h.slide(alice, pos, 30000, q)
	h.equal("the rest", len(s.Get("rooms").Map()), 2)
	h.equal("initial, too", slid(s, rooms[1]).Get("initial").Bool(), true)
	pos = s.Get("pos").Str

	// A waiting client is woken, and a repeated request is answered again.
	got := make(chan gjson.Result, 1)
	go func() { got <- h.slide(alice, pos, 20000, q) }()
	h.text(bob, rooms[0], "3", "three")
	select {
	case s = <-got:
	case <-time.After(30 * time.Second):
		t.Fatal("not woken")
	}
	for what, s := range map[string]gjson.Result{"woken": s, "again": h.slide(alice, pos, 0, q)} {
		r = slid(s, rooms[0])
		h.equal(what, list(r.Get("timeline"), "content.body"), "[three]")
		h.equal(what, r.Get("num_live").Raw+r.Get("initial").Raw+r.Get("limited").Raw+r.Get("name").Raw, "1")
		h.equal(what+" alone", len(s.Get("rooms").Map()), 1)
		if !r.Get("bump_stamp").Exists() {
			t.Errorf("no bump_stamp in %s", r)
		}
	}
	s = h.slide(alice, pos, 0, q)
	older := pos
	pos = s.Get("pos").Str
	h.slide(alice, pos, 0, q)
	h.equal("too old", h.call(alice, "POST", slidingPath+"?pos="+older, q, nil), 400)
	h.equal("the one before the last", h.call(alice, "POST", slidingPath+"?pos="+pos, q, nil), 200)
	s = h.slide(alice, pos2(h, alice, q), 0, q)
	h.equal("a position of an old connection", h.call(alice, "POST", slidingPath+"?pos="+older, q, nil), 400)
	h.equal("somebody else's", h.call(bob, "POST", slidingPath+"?pos="+s.Get("pos").Str, q, nil), 400)
	h.equal("another connection's", h.call(alice, "POST", slidingPath+"?pos="+s.Get("pos").Str, obj{"conn_id": "x"}, nil), 400)
	h.equal("nonsense", h.call(alice, "POST", slidingPath+"?pos=nonsense", q, nil), 400)
	pos = s.Get("pos").Str

	// More of the timeline, and more state, when asked for.
	q = lists(window(3, 10, [2]string{"m.room.create", ""}, [2]string{"m.room.name", ""}))
	s = h.slide(alice, pos, 0, q)
	r = slid(s, rooms[0])
	h.equal("expanded", r.Get("unstable_expanded_timeline").Bool(), true)
	h.equal("expanded", list(r.Get("timeline"), "content.body"), "[one two three]")
	h.equal("more state", list(r.Get("required_state"), "type"), "[m.room.name]")
	pos = s.Get("pos").Str

	// A gap.
	for i := range 5 {
		h.text(alice, rooms[1], fmt.Sprint("g", i), fmt.Sprint("g", i))
	}
	h.state(alice, rooms[1], "m.room.name", "", obj{})
	s = h.slide(alice, pos, 0, q)
	r = slid(s, rooms[1])
	h.equal("gap", r.Get("limited").Bool(), true)
	h.equal("gap", list(r.Get("timeline"), "type"), "[m.room.message m.room.message m.room.name]")
	h.equal("name removed", r.Get("name").Raw, "null")
	h.equal("num_live", r.Get("num_live").Int(), 3)
	pos = s.Get("pos").Str

	// One that is left is told of once, and then no more.
	h.must(alice, "POST", "/v3/rooms/"+rooms[2]+"/leave", nil, nil)
	s = h.slide(alice, pos, 0, q)
	h.equal("left", slid(s, rooms[2]).Get("membership").Str, "leave")
	s = h.slide(alice, "", 0, q)
	h.equal("a new connection", s.Get("lists.all.count").Int(), 3)
}

// pos2 begins a new connection.
func pos2(h *hs, token string, q obj) string { return h.slide(token, "", 0, q).Get("pos").Str }

func TestSlidingSyncOutside(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob := h.user("alice"), h.user("bob")
	room := h.room(alice, obj{"preset": "private_chat", "name": "in here", "invite": []string{"@bob:test"}})
	q := obj{"lists": obj{"all": window(5, 10, [2]string{"*", "*"})}}
	s := h.slide(bob, "", 0, q)
	r := slid(s, room)
	h.equal("invited", r.Get("membership").Str, "invite")
	h.equal("no timeline", r.Get("timeline").Exists() || r.Get("required_state").Exists(), false)
	h.equal("stripped", r.Get(`invite_state.#(type=="m.room.name").content.name`).Str, "in here")
	var stable json.RawMessage
	h.must(bob, "POST", "/v4/sync", obj{"lists": obj{"all": obj{"range": [2]int{0, 5}, "timeline_limit": 1, "required_state": obj{"include": []obj{{}}}}}}, &stable)
	r = slid(gjson.ParseBytes(stable), room)
	h.equal("stable", r.Get("stripped_state").IsArray() && !r.Get("invite_state").Exists(), true)
	s = h.slide(bob, "", 0, q)
	h.join(bob, room)
	s = h.slide(bob, s.Get("pos").Str, 0, q)
	r = slid(s, room)
	h.equal("joined", r.Get("initial").Raw+r.Get("membership").Str, "truejoin")
	if n := len(r.Get("required_state").Array()); n < 6 {
		t.Errorf("all state is asked for, and there are %d events", n)
	}
	h.must(alice, "POST", "/v3/rooms/"+room+"/kick", obj{"user_id": "@bob:test"}, nil)
	h.event(alice, room, "m.room.message", "secret", obj{"body": "secret"})
	s = h.slide(bob, s.Get("pos").Str, 0, q)
	h.equal("kicked", slid(s, room).Get("membership").Str, "leave")
	h.equal("nothing after", strings.Contains(s.Raw, "secret"), false)
	h.equal("kicked, a new connection", slid(h.slide(bob, "", 0, q), room).Get("membership").Str, "leave")
	// A rejected invitation.
	other := h.room(alice, obj{"invite": []string{"@bob:test"}})
	s = h.slide(bob, "", 0, q)
	h.must(bob, "POST", "/v3/rooms/"+other+"/leave", nil, nil)
	s = h.slide(bob, s.Get("pos").Str, 0, q)
	h.equal("rejected", slid(s, other).Get("membership").Str, "leave")
	// A ban from where one never was, and rooms that are none of one's business.
	h.must(alice, "POST", "/v3/rooms/"+other+"/ban", obj{"user_id": "@bob:test"}, nil)
	s = h.slide(bob, "", 0, obj{"lists": q["lists"], "room_subscriptions": obj{other: obj{"timeline_limit": 1, "required_state": []any{}}, h.room(alice, obj{}): obj{"timeline_limit": 1, "required_state": []any{}}, "!none:test": obj{"timeline_limit": 1, "required_state": []any{}}}})
	h.equal("nothing else", len(s.Get("rooms").Map()), 1)
	// Ignored users' invitations.
	h.must(bob, "PUT", "/v3/user/@bob:test/account_data/m.ignored_user_list", obj{"ignored_users": obj{"@alice:test": obj{}}}, nil)
	third := h.room(alice, obj{"invite": []string{"@bob:test"}})
	h.equal("ignored", slid(h.slide(bob, "", 0, q), third).Exists(), false)
}

func TestSlidingSyncFilters(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob := h.user("alice"), h.user("bob")
	plain := h.room(alice, obj{"name": "Plain"})
	space := h.room(alice, obj{"name": "Space", "creation_content": obj{"type": "m.space"}})
	secret := h.room(alice, obj{"name": "Secret", "initial_state": []obj{{"type": "m.room.encryption", "state_key": "", "content": obj{"algorithm": "m.megolm.v1.aes-sha2"}}}})
	invited := h.room(bob, obj{"name": "Invited", "invite": []string{"@alice:test"}})
	h.state(alice, space, "m.space.child", plain, obj{"via": []string{"test"}})
	h.state(alice, space, "m.space.child", secret, obj{})
	h.must(alice, "PUT", "/v3/user/@alice:test/rooms/"+plain+"/tags/m.favourite", obj{}, nil)
	h.must(alice, "PUT", "/v3/user/@alice:test/account_data/m.direct", obj{"@bob:test": []string{secret}}, nil)
	names := map[string]string{plain: "plain", space: "space", secret: "secret", invited: "invited"}
	for _, tc := range []struct {
		f    obj
		want string
	}{
		{obj{}, "invited plain secret space"},
		{obj{"is_dm": true}, "secret"},
		{obj{"is_dm": false}, "invited plain space"},
		{obj{"is_encrypted": true}, "secret"},
		{obj{"is_invite": true}, "invited"},
		{obj{"is_invited": false}, "plain secret space"},
		{obj{"room_types": []any{nil}}, "invited plain secret"},
		{obj{"room_types": []any{"m.space"}}, "space"},
		{obj{"not_room_types": []any{"m.space"}}, "invited plain secret"},
		{obj{"room_types": []any{"m.space", nil}, "not_room_types": []any{nil}}, "space"},
		{obj{"tags": []string{"m.favourite"}}, "plain"},
		{obj{"not_tags": []string{"m.favourite"}}, "invited secret space"},
		{obj{"spaces": []string{space}}, "plain"},
		{obj{"spaces": []string{"!none:test"}}, ""},
		{obj{"room_name_like": "sEC"}, "secret"},
	} {
		l := window(0, 99)
		l["filters"] = tc.f
		s := h.slide(alice, "", 0, obj{"lists": obj{"l": l}})
		var got []string
		for id := range s.Get("rooms").Map() {
			got = append(got, names[id])
		}
		h.equal(filter(tc.f), sortedStrings(got), tc.want)
		h.equal(filter(tc.f), s.Get("lists.l.count").Int(), len(got))
	}
	h.equal("is_dm", slid(h.slide(alice, "", 0, obj{"lists": obj{"l": window(0, 99)}}), secret).Get("is_dm").Bool(), true)
}

func sortedStrings(l []string) string {
	for i := range l {
		for j := range l[:i] {
			if l[i] < l[j] {
				l[i], l[j] = l[j], l[i]
			}
		}
	}
	return strings.Join(l, " ")
}

func TestSlidingSyncState(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob, carol := h.user("alice"), h.user("bob"), h.user("carol")
	room := h.room(alice, obj{"preset": "public_chat"})
	h.join(bob, room)
	h.join(carol, room)
	h.text(bob, room, "1", "x")
	keys := func(r gjson.Result) string {
		var out []string
		for _, e := range r.Get("required_state").Array() {
			if e.Get("type").Str == "m.room.member" {
				out = append(out, e.Get("state_key").Str)
			}
		}
		return sortedStrings(out)
	}
	q := func(state any) obj {
		return obj{"room_subscriptions": obj{room: obj{"timeline_limit": 1, "required_state": state}}}
	}
	for _, tc := range []struct {
		what  string
		state any
		want  string
	}{
		{"none", []any{}, ""},
		{"lazy", [][2]string{{"m.room.member", "$LAZY"}}, "@bob:test"},
		{"lazy and me", [][2]string{{"*", "*"}, {"m.room.member", "$LAZY"}, {"m.room.member", "$ME"}}, "@alice:test @bob:test"},
		{"all", [][2]string{{"m.room.member", "*"}}, "@alice:test @bob:test @carol:test"},
		{"by key", [][2]string{{"*", "@carol:test"}}, "@carol:test"},
		{"final form", obj{"include": []obj{{}}, "exclude": []obj{{"type": "m.room.member", "state_key": "@bob:test"}}}, "@alice:test @carol:test"},
		{"final form, lazy", obj{"include": []obj{{}}, "lazy_members": true}, "@bob:test"},
	} {
		h.equal(tc.what, keys(slid(h.slide(alice, "", 0, q(tc.state)), room)), tc.want)
	}
	lazy := q([][2]string{{"m.room.member", "$LAZY"}})
	s := h.slide(alice, "", 0, lazy)
	r := slid(s, room)
	h.equal("heroes", list(r.Get("heroes"), "user_id"), "[@bob:test @carol:test]")
	pos := s.Get("pos").Str
	h.text(bob, room, "2", "y")
	s = h.slide(alice, pos, 0, lazy)
	h.equal("bob is known", keys(slid(s, room)), "")
	h.text(carol, room, "3", "z")
	next := s.Get("pos").Str
	h.equal("carol is not", keys(slid(h.slide(alice, next, 0, lazy), room)), "@carol:test")
	h.equal("and still not, if the answer was lost", keys(slid(h.slide(alice, next, 0, lazy), room)), "@carol:test")
	s = h.slide(alice, next, 0, lazy)
	h.must(bob, "PUT", "/v3/profile/@bob:test/displayname", obj{"displayname": "Bob"}, nil)
	s = h.slide(alice, s.Get("pos").Str, 0, lazy)
	h.equal("a change", keys(slid(s, room)), "@bob:test")
	h.equal("heroes anew", slid(s, room).Get(`heroes.#(user_id=="@bob:test").displayname`).Str, "Bob")
	h.equal("deltas have no state", slid(h.slide(alice, s.Get("pos").Str, 0, lazy), room).Exists(), false)
}

func TestSlidingSyncExtensions(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob := h.user("alice"), h.user("bob")
	room := h.room(alice, obj{"preset": "public_chat"})
	h.join(bob, room)
	id := h.text(alice, room, "1", "x")
	old := h.text(alice, room, "2", "y")
	on := obj{"enabled": true}
	all := obj{"to_device": on, "e2ee": on, "account_data": on, "receipts": on, "typing": on}
	q := func(ext obj) obj { return obj{"lists": obj{"l": window(1, 10)}, "extensions": ext} }
	h.must(alice, "PUT", "/v3/user/@alice:test/account_data/org.g", obj{"a": 1}, nil)
	h.must(alice, "PUT", "/v3/user/@alice:test/rooms/"+room+"/account_data/org.r", obj{"a": 1}, nil)
	h.must(bob, "POST", "/v3/rooms/"+room+"/receipt/m.read/"+old, nil, nil)
	h.must(bob, "PUT", "/v3/rooms/"+room+"/typing/@bob:test", obj{"typing": true}, nil)
	device := h.get(alice, "/v3/account/whoami").Get("device_id").Str
	message := func(n int) {
		h.must(bob, "PUT", fmt.Sprintf("/v3/sendToDevice/org.m/%d", n), obj{"messages": obj{"@alice:test": obj{device: obj{"n": n}}}}, nil)
	}
	message(1)
	message(2)
	s := h.slide(alice, "", 0, q(all))
	e := s.Get("extensions")
	h.equal("to_device", list(e.Get("to_device.events"), "content.n"), "[1 2]")
	h.equal("counts", e.Get("e2ee.device_one_time_keys_count").Raw, `{"signed_curve25519":0}`)
	h.equal("fallback", e.Get("e2ee.device_unused_fallback_key_types").Raw, `[]`)
	h.equal("global", list(e.Get("account_data.global"), "type"), "[org.g m.push_rules]")
	h.equal("room", list(e.Get("account_data."+path("rooms", room)), "type"), "[org.r]")
	h.equal("receipts", e.Get("receipts."+path("rooms", room)+".content|@keys").Raw, `["`+old+`"]`)
	h.equal("typing", e.Get("typing."+path("rooms", room)+".content.user_ids").Raw, `["@bob:test"]`)
	pos, next := s.Get("pos").Str, e.Get("to_device.next_batch").Str

	// Messages are told until they are acknowledged.
	more := obj{"to_device": obj{"enabled": true, "limit": 1}}
	s = h.slide(alice, pos, 0, q(more))
	h.equal("again, one at a time", list(s.Get("extensions.to_device.events"), "content.n"), "[1]")
	more = obj{"to_device": obj{"enabled": true, "since": s.Get("extensions.to_device.next_batch").Str}}
	s = h.slide(alice, s.Get("pos").Str, 0, q(more))
	h.equal("the next", list(s.Get("extensions.to_device.events"), "content.n"), "[2]")
	more = obj{"to_device": obj{"enabled": true, "since": next}}
	s = h.slide(alice, s.Get("pos").Str, 0, q(more))
	h.equal("all acknowledged", s.Get("extensions.to_device.events").Raw, "[]")
	h.equal("nonsense", h.call(alice, "POST", slidingPath, q(obj{"to_device": obj{"enabled": true, "since": "x"}}), nil), 400)

	// Each of them wakes a client that waits.
	all["to_device"] = obj{"enabled": true, "since": next}
	s = h.slide(alice, "", 0, q(all))
	for _, tc := range []struct {
		what string
		do   func()
		seen string
	}{
		{"a message", func() { message(3) }, "to_device.events.0"},
		{"account data", func() { h.must(alice, "PUT", "/v3/user/@alice:test/account_data/org.h", obj{}, nil) }, "account_data.global.0"},
		{"a room's", func() { h.must(alice, "PUT", "/v3/user/@alice:test/rooms/"+room+"/account_data/org.s", obj{}, nil) }, "account_data." + path("rooms", room) + ".0"},
		{"a receipt", func() { h.must(alice, "POST", "/v3/rooms/"+room+"/receipt/m.read.private/"+id, nil, nil) }, "receipts." + path("rooms", room)},
		{"typing", func() { h.must(bob, "PUT", "/v3/rooms/"+room+"/typing/@bob:test", obj{"typing": false}, nil) }, "typing." + path("rooms", room)},
		{"keys", func() {
			h.must(bob, "PUT", "/v3/devices/"+h.get(bob, "/v3/account/whoami").Get("device_id").Str, obj{"display_name": "d"}, nil)
			h.join(h.user("carol"), room)
		}, "e2ee.device_lists.changed.0"},
	} {
		got := make(chan gjson.Result, 1)
		pos := s.Get("pos").Str
		go func() { got <- h.slide(alice, pos, 20000, q(all)) }()
		tc.do()
		s = <-got
		if !s.Get("extensions." + tc.seen).Exists() {
			t.Errorf("%s did not wake the client: %s", tc.what, s)
		}
		if tc.what == "a message" {
			all["to_device"] = obj{"enabled": true, "since": s.Get("extensions.to_device.next_batch").Str}
		}
	}
	none := h.slide(alice, "", 0, obj{"lists": obj{"l": window(1, 10)}, "extensions": obj{"typing": obj{"enabled": true, "lists": []string{}, "rooms": []string{}}, "account_data": on}})
	h.equal("of no room", none.Get("extensions.typing.rooms").Raw, "{}")
}

func TestSlidingSyncWrong(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice := h.user("alice")
	many, subs := obj{}, obj{}
	for i := range 101 {
		many[fmt.Sprint(i)] = window(1, 1)
		subs[fmt.Sprintf("!%d:test", i)] = obj{"timeline_limit": 1, "required_state": obj{}}
	}
	for what, body := range map[string]any{
		"a range": obj{"lists": obj{"l": obj{"ranges": [][2]int{{5, 1}}, "timeline_limit": 1, "required_state": []any{}}}},
		"lists":   obj{"lists": many}, "limit": obj{"lists": obj{"l": window(-1, 1)}}, "conn_id": obj{"conn_id": strings.Repeat("x", 300)},
		"state": obj{"lists": obj{"l": obj{"timeline_limit": 1, "required_state": "all"}}}, "presence": obj{"set_presence": "dancing"}, "subscriptions": obj{"room_subscriptions": subs},
	} {
		h.equal(what, h.call(alice, "POST", "/v4/sync", body, nil), 400)
	}
	h.equal("without a token", h.call("", "POST", slidingPath, obj{}, nil), 401)
	h.equal("a very large range", h.call(alice, "POST", slidingPath, obj{"lists": obj{"l": obj{"ranges": [][2]int{{0, 1<<63 - 1}, {1 << 62, 1<<63 - 1}}, "timeline_limit": 1, "required_state": []any{}}}}, nil), 200)
	h.equal("empty", h.call(alice, "POST", slidingPath, obj{}, nil), 200)
	// More connections than are kept.
	pos := h.slide(alice, "", 0, obj{"conn_id": "first"}).Get("pos").Str
	for i := range 16 {
		h.slide(alice, "", 0, obj{"conn_id": fmt.Sprint(i)})
	}
	h.equal("forgotten", h.call(alice, "POST", slidingPath+"?pos="+pos, obj{"conn_id": "first"}, nil), 400)
}
