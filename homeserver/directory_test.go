package homeserver

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/internal/inproc"
	"github.com/landbridge-im/landbridge/registration"
)

func TestPublicRooms(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob := h.user("alice"), h.user("bob")
	big := h.room(alice, obj{"visibility": "public", "name": "Big", "topic": "About fish"})
	h.join(bob, big)
	var names []string
	for _, name := range []string{"a", "b", "c"} {
		names = append(names, h.room(alice, obj{"visibility": "public", "name": name, "room_alias_name": "alias-" + name}))
	}
	space := h.room(alice, obj{"visibility": "public", "name": "Space", "creation_content": obj{"type": "m.space"}})
	h.room(alice, obj{"name": "private"})
	query := func(body obj) string {
		t.Helper()
		return all(h.ok(alice, "POST", "/v3/publicRooms", body).Get("chunk"), "name")
	}
	for _, tc := range []struct {
		filter obj
		want   string
	}{
		{obj{"generic_search_term": "FISH"}, "Big"},
		{obj{"generic_search_term": "alias-b"}, "b"},
		{obj{"generic_search_term": "nothing"}, ""},
		{obj{"room_types": []any{"m.space"}}, "Space"},
		{obj{"generic_search_term": "a", "room_types": []any{"m.space"}}, "Space"},
		{obj{"room_types": []any{}}, ""},
	} {
		if got := query(obj{"filter": tc.filter}); got != tc.want {
			t.Errorf("%v: %s, want %s", tc.filter, got, tc.want)
		}
	}
	if got := len(h.ok(alice, "POST", "/v3/publicRooms", obj{"filter": obj{"room_types": []any{nil}}}).Get("chunk").Array()); got != 4 {
		t.Errorf("%d rooms without a type", got)
	}
	// There and back.
	one := h.ok("", "GET", "/v3/publicRooms?limit=2", nil)
	if one.Get("chunk.0.room_id").Str != big || one.Get("chunk.0.num_joined_members").Int() != 2 || one.Get("total_room_count_estimate").Int() != 5 || one.Get("prev_batch").Exists() {
		t.Errorf("first page %s", one.Raw)
	}
	two := h.ok("", "GET", "/v3/publicRooms?limit=2&since="+one.Get("next_batch").Str, nil)
	three := h.ok("", "GET", "/v3/publicRooms?limit=2&since="+two.Get("next_batch").Str, nil)
	if len(three.Get("chunk").Array()) != 1 || three.Get("next_batch").Exists() {
		t.Errorf("last page %s", three.Raw)
	}
	if back := h.ok("", "GET", "/v3/publicRooms?limit=2&since="+three.Get("prev_batch").Str, nil); back.Get("chunk").Raw != two.Get("chunk").Raw {
		t.Errorf("back %s", back.Raw)
	}
	if back := h.ok("", "GET", "/v3/publicRooms?limit=2&since="+two.Get("prev_batch").Str, nil); back.Get("chunk").Raw != one.Get("chunk").Raw || back.Get("prev_batch").Exists() {
		t.Errorf("back at the start %s", back.Raw)
	}
	h.refused(400, "M_INVALID_PARAM", "", "GET", "/v3/publicRooms?since=x", nil)
	h.refused(400, "M_INVALID_PARAM", "", "GET", "/v3/publicRooms?limit=x", nil)
	h.refused(401, "M_MISSING_TOKEN", "", "POST", "/v3/publicRooms", obj{})
	h.ok(alice, "PUT", "/v3/directory/list/room/"+names[0], obj{"visibility": "private"})
	h.refused(403, "M_FORBIDDEN", bob, "PUT", "/v3/directory/list/room/"+big, obj{"visibility": "private"})
	if got := h.ok("", "GET", "/v3/publicRooms", nil).Get("total_room_count_estimate").Int(); got != 4 {
		t.Errorf("%d rooms after one was taken out", got)
	}
	_ = space
}

// TestPublicRoomChanges: what the directory says of a room is as the room is now, also after a redaction, which
// changes no state but what it says.
func TestPublicRoomChanges(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice := h.user("alice")
	bob := h.user("bob")
	room := h.room(alice, obj{"visibility": "public", "preset": "public_chat"})
	now := func() gjson.Result { t.Helper(); return h.ok(bob, "GET", "/v3/publicRooms", nil).Get("chunk.0") }
	if r := now(); r.Get("name").Exists() || r.Get("num_joined_members").Int() != 1 {
		t.Error(r.Raw)
	}
	named := h.ok(alice, "PUT", "/v3/rooms/"+room+"/state/m.room.name/", obj{"name": "One"}).Get("event_id").Str
	if r := now(); r.Get("name").Str != "One" {
		t.Error(r.Raw)
	}
	h.ok(bob, "POST", "/v3/join/"+room, obj{})
	if r := now(); r.Get("name").Str != "One" || r.Get("num_joined_members").Int() != 2 {
		t.Error(r.Raw)
	}
	h.ok(alice, "PUT", "/v3/rooms/"+room+"/redact/"+named+"/1", obj{})
	if r := now(); r.Get("name").Exists() {
		t.Error(r.Raw)
	}
}

func TestHierarchy(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob := h.user("alice"), h.user("bob")
	space := func(name string) string {
		return h.room(alice, obj{"preset": "public_chat", "name": name, "creation_content": obj{"type": "m.space"}})
	}
	root, sub := space("root"), space("sub")
	public := h.room(alice, obj{"preset": "public_chat", "name": "public"})
	private := h.room(alice, obj{"name": "private"})
	knock := h.room(alice, obj{"name": "knock", "initial_state": []obj{{"type": "m.room.join_rules", "content": obj{"join_rule": "knock"}}}})
	members := h.room(alice, obj{"name": "members", "initial_state": []obj{
		{"type": "m.room.join_rules", "content": obj{"join_rule": "restricted", "allow": []obj{{"type": "m.room_membership", "room_id": root}}}},
		{"type": "m.room.encryption", "content": obj{"algorithm": "m.megolm.v1.aes-sha2"}}}})
	banned := h.room(alice, obj{"preset": "public_chat", "name": "banned"})
	h.ok(alice, "POST", "/v3/rooms/"+banned+"/ban", obj{"user_id": "@bob:test"})
	child := func(parent, room string, content obj) {
		t.Helper()
		content["via"] = []string{"test"}
		h.state(alice, parent, "m.space.child", room, content)
		h.tick()
	}
	child(root, public, obj{})
	child(root, private, obj{})
	child(root, sub, obj{"order": "b", "suggested": true})
	child(root, knock, obj{"order": "a"})
	child(root, members, obj{"order": "\u0001"}) // not a valid order
	child(root, banned, obj{})
	child(root, "!gone:test", obj{})
	child(sub, root, obj{}) // a circle
	child(sub, public, obj{})
	h.state(alice, root, "m.space.child", "!removed:test", obj{})
	path := "/v1/rooms/" + root + "/hierarchy"
	for _, tc := range []struct{ who, token, query, want string }{
		{"bob", bob, "", "root knock sub public"},
		{"bob", bob, "?max_depth=0", "root"},
		{"bob", bob, "?suggested_only=true", "root sub"},
		{"alice", alice, "", "root knock sub public private members banned"},
	} {
		if got := all(h.ok(tc.token, "GET", path+tc.query, nil).Get("rooms"), "name"); got != tc.want {
			t.Errorf("%s %s: %s, want %s", tc.who, tc.query, got, tc.want)
		}
	}
	h.join(bob, root)
	out := h.ok(bob, "GET", path, nil)
	if got := all(out.Get("rooms"), "name"); got != "root knock sub public members" {
		t.Errorf("with bob in it: %s", got)
	}
	m := out.Get(`rooms.#(name=="members")`)
	if m.Get("allowed_room_ids").Raw != `["`+root+`"]` || m.Get("encryption").Str != "m.megolm.v1.aes-sha2" || m.Get("room_version").Str != "12" || m.Get("join_rule").Str != "restricted" || m.Get("children_state").Raw != "[]" {
		t.Errorf("members: %s", m.Raw)
	}
	if got := all(out.Get("rooms.0.children_state"), "state_key"); got != strings.Join([]string{knock, sub, public, private, members, banned, "!gone:test"}, " ") {
		t.Errorf("children %s", got)
	}
	if e := out.Get("rooms.0.children_state.0"); !e.Get("origin_server_ts").Exists() || e.Get("event_id").Exists() || e.Get("sender").Str != "@alice:test" {
		t.Errorf("child %s", e.Raw)
	}
	var got []string
	from, pages := "", 0
	for {
		page := h.ok(bob, "GET", path+"?limit=2"+from, nil)
		got = append(got, all(page.Get("rooms"), "name"))
		if pages++; !page.Get("next_batch").Exists() {
			break
		}
		from = "&from=" + page.Get("next_batch").Str
	}
	if strings.Join(got, " ") != "root knock sub public members" || pages != 3 {
		t.Errorf("in %d pages: %v", pages, got)
	}
	for _, q := range []string{"?limit=0", "?max_depth=-1", "?from=x", from + "&limit=2&max_depth=1", from + "&suggested_only=true", "?suggested_only=maybe"} {
		h.refused(400, "M_INVALID_PARAM", bob, "GET", path+"?"+strings.TrimLeft(q, "?&"), nil)
	}
	h.refused(403, "M_FORBIDDEN", bob, "GET", "/v1/rooms/"+private+"/hierarchy", nil)
	h.refused(403, "M_FORBIDDEN", bob, "GET", "/v1/rooms/!nowhere:test/hierarchy", nil)
	h.refused(403, "M_FORBIDDEN", bob, "GET", "/v1/rooms/"+banned+"/hierarchy", nil)

	// Summaries follow the same rules.
	if s := h.ok(bob, "GET", "/v1/room_summary/"+members, nil); s.Get("membership").Str != "leave" || s.Get("room_version").Str != "12" {
		t.Errorf("summary %s", s.Raw)
	}
	if s := h.ok("", "GET", "/v1/room_summary/"+public+"?via=test", nil); s.Get("membership").Exists() || s.Get("name").Str != "public" {
		t.Errorf("summary %s", s.Raw)
	}
	h.refused(404, "M_NOT_FOUND", "", "GET", "/v1/room_summary/"+members, nil)
	h.refused(404, "M_NOT_FOUND", bob, "GET", "/v1/room_summary/"+private, nil)
	h.refused(404, "M_NOT_FOUND", bob, "GET", "/v1/room_summary/!nowhere:test", nil)
}

// lookupService is an application service that answers third-party look-ups.
func lookupService(id string) http.Handler {
	mux := http.NewServeMux()
	answer := func(v any) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			json.NewEncoder(w).Encode(v)
		}
	}
	mux.HandleFunc("GET /_matrix/app/v1/thirdparty/protocol/irc", answer(obj{"user_fields": []string{"network", "nick"}, "location_fields": []string{"channel"},
		"icon": "mxc://test/" + id, "field_types": obj{"nick": obj{"regexp": ".*", "placeholder": "x"}},
		"instances": []obj{{"network_id": id + "-net", "desc": id, "fields": obj{"network": id}}}}))
	mux.HandleFunc("GET /_matrix/app/v1/thirdparty/user/irc", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("nick") != "anna" || r.URL.Query().Has("access_token") {
			answer([]any{})(w, r)
			return
		}
		answer([]any{obj{"userid": "@" + id + "_anna:test", "protocol": "irc", "fields": obj{"nick": "anna"}}, obj{"broken": true}})(w, r)
	})
	mux.HandleFunc("GET /_matrix/app/v1/thirdparty/location", answer([]obj{{"alias": "#" + id + ":test", "protocol": "irc", "fields": obj{}}}))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "PUT" {
			w.Write([]byte("{}"))
			return
		}
		w.WriteHeader(404)
		w.Write([]byte("{}"))
	})
	return mux
}

func TestThirdParty(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	no := false
	reg := func(id string, protocols ...string) *registration.Registration {
		return &registration.Registration{ID: id, URL: "http://" + id + ".invalid", ASToken: "as-token-" + id + "-0123456789", HSToken: "hs-token-" + id + "-0123456789",
			SenderLocalpart: id + "bot", RateLimited: &no, Protocols: protocols,
			Namespaces: registration.Namespaces{Users: []registration.Namespace{{Exclusive: true, Regex: "@" + id + "_.*:test"}}}}
	}
	set, err := registration.NewSet("test", reg("one", "irc"), reg("two", "irc"), reg("mute", "xmpp"))
	if err != nil {
		t.Fatal(err)
	}
	services := map[string]http.Handler{"one": lookupService("one"), "two": lookupService("two"), "mute": http.NotFoundHandler()}
	s, err := Open(t.Context(), Options{Name: "test", PublicURL: "http://test", Dir: dir, Database: filepath.Join(dir, "hs.db"), Media: MediaOptions{Dir: filepath.Join(dir, "media")},
		Settings: client.Settings{OpenRegistration: true, MaxBody: 1 << 20, SyncTimeout: time.Minute}, Log: slog.New(slog.DiscardHandler),
		Registrations: set, Transport: func(r *registration.Registration) http.RoundTripper { return inproc.Transport(services[r.ID]) }})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s.Client())
	h := &hs{TB: t, Server: s, url: srv.URL, http: srv.Client()}
	t.Cleanup(func() { srv.Close(); s.Close() })
	h.runs()
	alice := h.user("alice")
	h.eventually("the services", func() bool { return len(s.Services().Status()) == 3 })

	irc := h.ok(alice, "GET", "/v3/thirdparty/protocols", nil)
	if len(irc.Map()) != 1 || all(irc.Get("irc.instances"), "instance_id") != "one|one-net two|two-net" || irc.Get("irc.icon").Str != "mxc://test/one" || irc.Get("irc.user_fields").Raw != `["network","nick"]` {
		t.Errorf("protocols %s", irc.Raw)
	}
	if got := all(h.ok(alice, "GET", "/v3/thirdparty/user/irc?nick=anna", nil), "userid"); got != "@one_anna:test @two_anna:test" {
		t.Errorf("users %s", got)
	}
	if got := all(h.ok(alice, "GET", "/v3/thirdparty/location?alias=%23x:test", nil), "alias"); got != "#one:test #two:test" {
		t.Errorf("locations %s", got)
	}
	h.refused(404, "M_NOT_FOUND", alice, "GET", "/v3/thirdparty/protocol/xmpp", nil)
	h.refused(404, "M_NOT_FOUND", alice, "GET", "/v3/thirdparty/protocol/icq", nil)
	h.refused(404, "M_NOT_FOUND", alice, "GET", "/v3/thirdparty/user/icq?nick=anna", nil)
	h.refused(404, "M_NOT_FOUND", alice, "GET", "/v3/thirdparty/location/xmpp", nil)
	h.refused(400, "M_MISSING_PARAM", alice, "GET", "/v3/thirdparty/user", nil)
	h.refused(400, "M_INVALID_PARAM", alice, "GET", "/v3/thirdparty/user?userid=x", nil)

	// The directories of networks.
	bot := "as-token-one-0123456789"
	own := h.room(alice, obj{"visibility": "public", "name": "own"})
	bridged := h.room(bot, obj{"preset": "public_chat", "name": "bridged"})
	h.ok(bot, "PUT", "/v3/directory/list/appservice/one-net/"+bridged, obj{"visibility": "public"})
	h.refused(403, "M_FORBIDDEN", alice, "PUT", "/v3/directory/list/appservice/one-net/"+own, obj{"visibility": "public"})
	h.refused(400, "M_INVALID_PARAM", bot, "PUT", "/v3/directory/list/appservice/one-net/"+bridged, obj{"visibility": "x"})
	h.refused(400, "M_MISSING_PARAM", bot, "PUT", "/v3/directory/list/appservice/one-net/"+bridged, obj{})
	h.refused(404, "M_NOT_FOUND", bot, "PUT", "/v3/directory/list/appservice/one-net/!nowhere:test", obj{"visibility": "public"})
	gone := h.room(bot, obj{"preset": "public_chat", "name": "gone"})
	h.ok(bot, "PUT", "/v3/directory/list/appservice/one-net/"+gone, obj{"visibility": "public"})
	h.refused(405, "M_UNRECOGNIZED", alice, "DELETE", "/v3/directory/list/appservice/one-net/"+gone, nil)
	h.ok(bot, "DELETE", "/v3/directory/list/appservice/one-net/"+gone, nil)
	for _, tc := range []struct {
		body obj
		want string
	}{
		{obj{}, "own"}, {obj{"third_party_instance_id": "one|one-net"}, "bridged"}, {obj{"third_party_instance_id": "two|two-net"}, ""},
	} {
		if got := all(h.ok(alice, "POST", "/v3/publicRooms", tc.body).Get("chunk"), "name"); got != tc.want {
			t.Errorf("%v: %s", tc.body, got)
		}
	}
	if got := len(h.ok(alice, "POST", "/v3/publicRooms", obj{"include_all_networks": true}).Get("chunk").Array()); got != 2 {
		t.Errorf("%d rooms in all", got)
	}
	h.refused(400, "M_INVALID_PARAM", alice, "POST", "/v3/publicRooms", obj{"include_all_networks": true, "third_party_instance_id": "one|one-net"})
	h.ok(bot, "PUT", "/v3/directory/list/appservice/one-net/"+bridged, obj{"visibility": "private"})
	if got := all(h.ok(alice, "POST", "/v3/publicRooms", obj{"third_party_instance_id": "one|one-net"}).Get("chunk"), "name"); got != "" {
		t.Errorf("still listed: %s", got)
	}
}
