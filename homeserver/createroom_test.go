package homeserver

import (
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/client"
)

func TestCreateRoomRefusals(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice := h.user("alice")
	h.user("bob")
	h.room(alice, obj{"room_alias_name": "taken"})
	for _, tc := range []struct {
		name, code string
		status     int
		body       any
	}{
		{"no JSON", "M_NOT_JSON", 400, []byte("{")},
		{"no object", "M_BAD_JSON", 400, []byte("[]")},
		{"name of another type", "M_BAD_JSON", 400, obj{"name": 5}},
		{"invite of another type", "M_BAD_JSON", 400, obj{"invite": "@bob:test"}},
		{"invite nobody", "M_INVALID_PARAM", 400, obj{"invite": []string{"bob"}}},
		{"visibility", "M_INVALID_PARAM", 400, obj{"visibility": "some"}},
		{"preset", "M_INVALID_PARAM", 400, obj{"preset": "some"}},
		{"version", "M_UNSUPPORTED_ROOM_VERSION", 400, obj{"room_version": "ahem"}},
		{"version of another type", "M_BAD_JSON", 400, obj{"room_version": 11}},
		{"alias taken", "M_ROOM_IN_USE", 400, obj{"room_alias_name": "taken"}},
		{"alias with colon", "M_INVALID_PARAM", 400, obj{"room_alias_name": "a:b"}},
		{"alias with space", "M_INVALID_PARAM", 400, obj{"room_alias_name": "a b"}},
		{"long alias", "M_INVALID_PARAM", 400, obj{"room_alias_name": strings.Repeat("x", 300)}},
		{"creators no list", "M_BAD_JSON", 400, obj{"creation_content": obj{"additional_creators": "x"}}},
		{"creators of another type", "M_BAD_JSON", 400, obj{"creation_content": obj{"additional_creators": []any{"@a:b", 42}}}},
		{"creators no users", "M_INVALID_PARAM", 400, obj{"creation_content": obj{"additional_creators": []string{"@a:b", "x"}}}},
		{"creators of no server", "M_INVALID_PARAM", 400, obj{"creation_content": obj{"additional_creators": []string{"@invalid:dom$ain$.com"}}}},
		{"levels name the creator", "M_INVALID_ROOM_STATE", 400, obj{"power_level_content_override": obj{"users": obj{"@alice:test": 100}}}},
		{"levels forbid the name", "M_INVALID_ROOM_STATE", 400, obj{"room_version": "11", "name": "x", "power_level_content_override": obj{"users": obj{"@alice:test": 0}, "events": obj{}}}},
		{"state that is not allowed", "M_INVALID_ROOM_STATE", 400, obj{"initial_state": []obj{{"type": "m.room.create", "content": obj{}}}}},
		{"state without type", "M_BAD_JSON", 400, obj{"initial_state": []obj{{"content": obj{}}}}},
		{"state without content", "M_BAD_JSON", 400, obj{"initial_state": []obj{{"type": "x"}}}},
		{"float", "M_BAD_JSON", 400, obj{"initial_state": []obj{{"type": "x", "content": obj{"a": 1.5}}}}},
		{"by email", "M_SERVER_NOT_TRUSTED", 403, obj{"invite_3pid": []obj{{"id_server": "x", "id_access_token": "x", "medium": "email", "address": "x@y"}}}},
		{"by half an email", "M_MISSING_PARAM", 400, obj{"invite_3pid": []obj{{"medium": "email"}}}},
	} {
		got, out := h.do(alice, "POST", "/v3/createRoom", tc.body)
		if got != tc.status || out.Get("errcode").Str != tc.code {
			t.Errorf("%s: %d %s, want %d %s", tc.name, got, out.Raw, tc.status, tc.code)
		}
	}
	if rooms := h.ok(alice, "GET", "/v3/joined_rooms", nil).Get("joined_rooms").Array(); len(rooms) != 1 {
		t.Errorf("the refused made %d rooms", len(rooms)-1)
	}
}

func TestCreateRoomPresets(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice := h.user("alice")
	bob := h.user("bob")
	for _, tc := range []struct {
		opts         obj
		join, guests string
		public       bool
	}{
		{obj{}, "invite", "can_join", false},
		{obj{"visibility": "public"}, "public", "forbidden", true},
		{obj{"preset": "public_chat"}, "public", "forbidden", false},
		{obj{"preset": "private_chat", "visibility": "public"}, "invite", "can_join", true},
		{obj{"preset": "trusted_private_chat"}, "invite", "can_join", false},
		{obj{"preset": "public_chat", "initial_state": []obj{{"type": "m.room.join_rules", "content": obj{"join_rule": "knock"}}}}, "knock", "forbidden", false},
	} {
		room := h.room(alice, tc.opts)
		state := func(typ, field string) string {
			status, out := h.do(alice, "GET", "/v3/rooms/"+room+"/state/"+typ, nil)
			if status == 404 && typ == "m.room.guest_access" {
				return "forbidden" // "If this event is absent"
			}
			return out.Get(field).Str
		}
		if j, v, g := state("m.room.join_rules", "join_rule"), state("m.room.history_visibility", "history_visibility"), state("m.room.guest_access", "guest_access"); j != tc.join || v != "shared" || g != tc.guests {
			t.Errorf("%v: %s, %s, %s", tc.opts, j, v, g)
		}
		if got := h.ok("", "GET", "/v3/directory/list/room/"+room, nil).Get("visibility").Str == "public"; got != tc.public {
			t.Errorf("%v: listed %v", tc.opts, got)
		}
	}
	// "All invitees are given the same power level as the room creator."
	room := h.room(alice, obj{"preset": "trusted_private_chat", "room_version": "11", "invite": []string{"@bob:test"}, "is_direct": true})
	if got := h.ok(alice, "GET", "/v3/rooms/"+room+"/state/m.room.power_levels", nil).Get("users").Raw; got != `{"@alice:test":100,"@bob:test":100}` {
		t.Errorf("levels %s", got)
	}
	if !h.ok(alice, "GET", "/v3/rooms/"+room+"/state/m.room.member/@bob:test", nil).Get("is_direct").Bool() {
		t.Error("not direct")
	}
	room = h.room(alice, obj{"preset": "trusted_private_chat", "invite": []string{"@bob:test"}, "creation_content": obj{"additional_creators": []string{"@carol:test", "@bob:test"}}})
	if got := h.ok(alice, "GET", "/v3/rooms/"+room+"/state/m.room.create", nil).Get("additional_creators").Raw; got != `["@carol:test","@bob:test"]` {
		t.Errorf("creators %s", got)
	}
	h.refused(400, "M_INVALID_PARAM", alice, "PUT", "/v3/rooms/"+room+"/state/m.room.power_levels", obj{"users": obj{"@bob:test": 100}})
	h.refused(403, "M_FORBIDDEN", h.user("erin"), "PUT", "/v3/rooms/"+room+"/state/m.room.power_levels", obj{"users": obj{"@bob:test": 100}})
	h.refused(400, "M_INVALID_PARAM", alice, "PUT", "/v3/rooms/"+room+"/state/m.room.create", obj{"room_version": "12"})
	// The invitation shows who made the room.
	s := h.ok(bob, "GET", "/v3/sync", nil)
	create := s.Get("rooms.invite." + room + ".invite_state.events").Get(`#(type=="m.room.create")`)
	if create.Get("sender").Str != "@alice:test" || !create.Get("origin_server_ts").Exists() {
		t.Errorf("invite_state has %s", create.Raw)
	}
}

// TestMalformedState: what nobody could set is a bad request, whoever asks.
func TestMalformedState(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice := h.user("alice")
	room := h.room(alice, obj{"room_version": "11"})
	for _, levels := range []obj{{"users": []string{}}, {"users": obj{"@alice:test": "100"}}, {"users": obj{"alice": 100}}, {"ban": "50"}, {"events": obj{"x": "y"}}, {"events": 5},
		{"users": obj{"@alice:test": 1 << 60}}} {
		h.refused(400, "M_BAD_JSON", alice, "PUT", "/v3/rooms/"+room+"/state/m.room.power_levels", levels)
	}
	h.refused(400, "M_BAD_JSON", alice, "PUT", "/v3/rooms/"+room+"/state/m.room.member/@alice:test", obj{"membership": "lurk"})
	h.refused(400, "M_BAD_JSON", alice, "PUT", "/v3/rooms/"+room+"/state/m.room.member/@alice:test", obj{})
	h.refused(400, "M_INVALID_PARAM", alice, "PUT", "/v3/rooms/"+room+"/state/m.room.member/alice", obj{"membership": "join"})
	h.refused(400, "M_BAD_ALIAS", alice, "PUT", "/v3/rooms/"+room+"/state/m.room.canonical_alias", obj{"alias": "#none:test"})
	h.refused(400, "M_INVALID_PARAM", alice, "PUT", "/v3/rooms/"+room+"/state/m.room.canonical_alias", obj{"alt_aliases": []string{"none"}})
	h.refused(403, "M_FORBIDDEN", alice, "PUT", "/v3/rooms/"+room+"/state/x/@bob:test", obj{})
}

func TestDefaultVersion(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice := h.user("alice")
	is := func(want string) {
		t.Helper()
		room := h.room(alice, obj{})
		got := h.ok(alice, "GET", "/v3/rooms/"+room+"/state/m.room.create", nil).Get("room_version").Str
		told := h.ok(alice, "GET", "/v3/capabilities", nil).Get(`capabilities.m\.room_versions.default`).Str
		if got != want || told != want {
			t.Errorf("version %s, told %s, want %s", got, told, want)
		}
	}
	is("12")
	h.Configure(client.Settings{RoomVersion: "11", MaxBody: 1 << 20})
	is("11")
}
