package homeserver

import (
	"net/url"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// What clients and suites from before the present specification rely on, and the present one allows.
func TestOldClients(t *testing.T) {
	t.Parallel()
	h := start(t, func(o *Options) { o.Settings.Guests = true })
	h.runs()
	alice, bob := h.user("alice"), h.user("bob")
	room := h.room(alice, obj{"preset": "public_chat"})
	h.join(bob, room)

	// A redaction without a transaction id.
	id := h.say(bob, room, "oops")
	h.ok(bob, "POST", "/v3/rooms/"+room+"/redact/"+id, obj{"reason": "typo"})
	h.equal("redacted", h.get(alice, "/v3/rooms/"+room+"/event/"+id).Get("content").Raw, "{}")

	// Account data and tags in /events, and not what is of other rooms when one is asked for.
	since := h.get(alice, "/v3/events").Get("end").Str
	h.ok(alice, "PUT", "/v3/user/@alice:test/account_data/org.x", obj{"x": 1})
	h.ok(alice, "PUT", "/v3/user/@alice:test/rooms/"+room+"/tags/u.work", obj{"order": 0.5})
	e := h.get(alice, "/v3/events?from="+since)
	h.equal("account data", e.Get(`chunk.#(type=="org.x").content.x`).Int(), 1)
	h.equal("tags", e.Get(`chunk.#(type=="m.tag").room_id`).Str+e.Get(`chunk.#(type=="m.tag").content.tags.u\.work.order`).String(), room+"0.5")
	h.equal("of others", h.get(bob, "/v3/events?from="+since).Get(`chunk.#(type=="m.tag")`).Exists(), false)
	h.equal("no rules", h.get(alice, "/v3/initialSync").Get(`account_data.#(type=="m.push_rules")`).Exists(), false)

	// Who looks in from outside sees all of the room, and only that.
	h.state(alice, room, "m.room.history_visibility", "", obj{"history_visibility": "world_readable"})
	guest := h.ok("", "POST", "/v3/register?kind=guest", obj{}).Get("access_token").Str
	h.refused(403, "M_GUEST_ACCESS_FORBIDDEN", guest, "GET", "/v3/events", nil)
	since = h.get(guest, "/v3/events?room_id="+room).Get("end").Str
	h.user("eve")
	h.ok(bob, "PUT", "/v3/presence/@bob:test/status", obj{"presence": "online", "status_msg": "lemurs"})
	h.ok(bob, "PUT", "/v3/rooms/"+room+"/typing/@bob:test", obj{"typing": true})
	h.ok(bob, "POST", "/v3/rooms/"+room+"/receipt/m.read/"+id, nil)
	e = h.get(guest, "/v3/events?timeout=10000&room_id="+room+"&from="+since)
	h.equal("presence", e.Get(`chunk.#(type=="m.presence")#.content.user_id`).Raw, `["@bob:test"]`)
	h.equal("typing", e.Get(`chunk.#(type=="m.typing").content.user_ids.0`).Str, "@bob:test")
	h.equal("receipt", e.Get(`chunk.#(type=="m.receipt").content`).Get(gjson.Escape(id)+`.m\.read.@bob:test.ts`).Int() > 0, true)

	// Presence in both old syncs: one's own, and that of who is not there.
	s := h.get(alice, "/v3/initialSync")
	h.equal("own presence", s.Get(`presence.#(content.user_id=="@alice:test").content.last_active_ago`).Exists(), true)
	in := h.get(alice, "/v3/rooms/"+room+"/initialSync")
	h.equal("members' presence", in.Get(`presence.#`).Int(), 2)

	// No place for a push rule.
	for _, path := range []string{"global", "global/room", "other/", "other/room/x", "global/override/.m.rule.master/x"} {
		h.refused(400, "M_UNRECOGNIZED", alice, "GET", "/v3/pushrules/"+path, nil)
		h.refused(400, "M_UNRECOGNIZED", alice, "PUT", "/v3/pushrules/"+path, nil)
	}
	h.refused(404, "M_UNRECOGNIZED", alice, "GET", "/v3/pushrules", nil)

	// Backups with text in the place of data, and a version that is a number.
	v := h.ok(alice, "POST", "/v3/room_keys/version", obj{"algorithm": "a", "auth_data": obj{}}).Get("version").Str
	h.ok(alice, "PUT", "/v3/room_keys/version/"+v, obj{"algorithm": "a", "auth_data": obj{"x": 1}, "version": gjson.Parse(v).Int()})
	h.refused(400, "M_INVALID_PARAM", alice, "PUT", "/v3/room_keys/version/"+v, obj{"algorithm": "a", "auth_data": obj{}, "version": 999})
	h.refused(400, "M_BAD_JSON", alice, "PUT", "/v3/room_keys/version/"+v, obj{"algorithm": "a", "auth_data": obj{}, "version": true})
	key := obj{"first_message_index": 1, "forwarded_count": 0, "is_verified": false, "session_data": "opaque"}
	h.ok(alice, "PUT", "/v3/room_keys/keys/!r:test/s?version="+v, key)
	h.equal("text", h.get(alice, "/v3/room_keys/keys/!r:test/s?version="+v).Get("session_data").Str, "opaque")
	key["session_data"] = 5
	h.refused(400, "M_INVALID_PARAM", alice, "PUT", "/v3/room_keys/keys/!r:test/s?version="+v, key)
}

// Devices are told of also while they have no keys.
func TestDevicesWithoutKeys(t *testing.T) {
	t.Parallel()
	h := startWith(t, nil)
	alice, bob := h.user("alice"), h.user("bob")
	room := h.room(alice, obj{"preset": "public_chat"})
	h.join(bob, room)
	h.join(bob, room)
	since := h.get(alice, "/v3/sync").Get("next_batch").Str
	changed := func(what string, want bool) {
		h.Helper()
		s := h.get(alice, "/v3/sync?since="+since)
		since = s.Get("next_batch").Str
		h.equal(what, s.Get("device_lists.changed").String() == `["@bob:test"]`, want)
	}
	changed("before", false)
	device := h.login("bob", obj{"device_id": "NEW"}).str("device_id")
	changed("new", true)
	h.must(bob, "PUT", "/v3/devices/"+device, obj{"display_name": "Phone"}, nil)
	h.must(bob, "PUT", "/v3/devices/"+device, obj{}, nil)
	if name := h.get(bob, "/v3/devices/"+device).Get("display_name").Str; name != "Phone" {
		t.Errorf("a device that was given no name is called %q now", name)
	}
	changed("renamed", true)
	h.must(bob, "DELETE", "/v3/devices/"+device, obj{"auth": passwordAuth("bob")}, nil)
	changed("deleted", true)
	changed("after", false)
}

func TestWhoisAgent(t *testing.T) {
	t.Parallel()
	h := startWith(t, nil)
	r := h.ask("", "POST", "/v3/register", obj{"username": "alice", "password": "long enough", "device_id": "D", "auth": obj{"type": "m.login.dummy"}}, "User-Agent", "Client/1.0")
	whois := h.get(r.str("access_token"), "/v3/admin/whois/@alice:test").Get("devices.D.sessions.0.connections.0")
	h.equal("agent", whois.Get("user_agent").Str, "Client/1.0")
	h.equal("address", whois.Get("ip").Str, "127.0.0.1")
}

// The room's state now stands where it was set, also if that could not be seen then.
func TestHiddenStateInTimeline(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob, carol := h.user("alice"), h.user("bob"), h.user("carol")
	room := h.room(alice, obj{"preset": "public_chat"})
	h.join(bob, room)
	h.state(alice, room, "m.room.history_visibility", "", obj{"history_visibility": "joined"})
	since := h.get(bob, "/v3/sync").Get("next_batch").Str
	h.must(bob, "POST", "/v3/rooms/"+room+"/leave", nil, nil)
	h.state(alice, room, "m.room.topic", "", obj{"topic": "past"})
	h.state(alice, room, "m.room.topic", "", obj{"topic": "now"})
	h.say(alice, room, "secret")
	h.join(carol, room)
	h.join(bob, room)
	s := h.get(bob, "/v3/sync?since="+since).Get("rooms.join." + gjson.Escape(room))
	h.equal("member", s.Get(`timeline.events.#(state_key=="@carol:test").content.membership`).Str, "join")
	h.equal("topics", s.Get(`timeline.events.#(type=="m.room.topic")#.content.topic`).Raw, `["now"]`)
	h.equal("messages", s.Get(`timeline.events.#(type=="m.room.message")`).Exists(), false)
}

// MSC3391: deleted account data is gone, and clients that sync are told. MSC3890: so is what was set for
// a device that is logged out.
func TestDeletedAccountData(t *testing.T) {
	t.Parallel()
	h := startWith(t, nil)
	alice := h.user("alice")
	room := h.room(alice, obj{})
	device := h.login("alice", obj{"device_id": "PHONE"})
	path := "/v3/user/@alice:test/account_data/m.local_notification_settings.PHONE"
	h.ok(alice, "PUT", path, obj{"is_silenced": true})
	since := h.get(alice, "/v3/sync").Get("next_batch").Str
	h.ok(device.str("access_token"), "POST", "/v3/logout", nil)
	h.refused(404, "M_NOT_FOUND", alice, "GET", path, nil)
	s := h.get(alice, "/v3/sync?since="+since)
	h.equal("told", s.Get("account_data.events.#(type==\"m.local_notification_settings.PHONE\").content").Raw, "{}")

	for _, where := range []string{"/user/@alice:test/account_data/org.x", "/user/@alice:test/rooms/" + room + "/account_data/org.x"} {
		h.ok(alice, "PUT", "/v3"+where, obj{"x": 1})
		h.ok(alice, "DELETE", "/unstable/org.matrix.msc3391"+where, nil)
		h.refused(404, "M_NOT_FOUND", alice, "GET", "/v3"+where, nil)
		h.ok(alice, "DELETE", "/unstable/org.matrix.msc3391"+where, nil)
	}
	h.refused(405, "M_BAD_JSON", alice, "DELETE", "/unstable/org.matrix.msc3391/user/@alice:test/account_data/m.push_rules", nil)
	h.refused(403, "M_FORBIDDEN", alice, "DELETE", "/unstable/org.matrix.msc3391/user/@bob:test/account_data/org.x", nil)
}

// MSC3874: /messages with events of some relation, or without those.
func TestRelationFilter(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice := h.user("alice")
	room := h.room(alice, obj{})
	root := h.say(alice, room, "root")
	thread := h.send(alice, room, "m.room.message", relates("m.thread", root, nil))
	reference := h.send(alice, room, "m.room.message", relates("m.reference", root, nil))
	for filter, want := range map[string]string{
		`"rel_types":["m.thread"]`:               thread,
		`"rel_types":["m.thread","m.reference"]`: thread + " " + reference,
		`"rel_types":[]`:                         "",
		`"not_rel_types":["m.thread"]`:           root + " " + reference,
		`"not_rel_types":["m.thread"],"rel_types":["m.reference","m.thread"]`: reference,
	} {
		f := `{"types":["m.room.message"],` + strings.ReplaceAll(strings.ReplaceAll(filter, `"rel_`, `"org.matrix.msc3874.rel_`), `"not_`, `"org.matrix.msc3874.not_`) + `}`
		h.equal(filter, all(h.get(alice, "/v3/rooms/"+room+"/messages?dir=f&filter="+url.QueryEscape(f)).Get("chunk"), "event_id"), want)
	}
}
