package homeserver

import (
	"testing"
)

func TestUpgrade(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob, carol := h.user("alice"), h.user("bob"), h.user("carol")
	for _, tc := range []struct{ from, to string }{{"10", "11"}, {"11", "12"}, {"12", "12"}, {"12", "11"}, {"9", "10"}, {"6", "12"}} {
		t.Run(tc.from+" to "+tc.to, func(t *testing.T) {
			name := "v" + tc.from + "v" + tc.to
			old := h.room(alice, obj{"preset": "public_chat", "room_version": tc.from, "name": name, "topic": "All of it", "room_alias_name": name,
				"visibility": "public", "creation_content": obj{"type": "org.example.type", "m.federate": false},
				"initial_state": []obj{{"type": "m.room.encryption", "content": obj{"algorithm": "m.megolm.v1.aes-sha2"}},
					{"type": "m.room.server_acl", "content": obj{"allow": []string{"*"}}}, {"type": "org.example.own", "content": obj{"x": 1}}, {"type": "m.room.guest_access", "content": obj{"guest_access": "forbidden"}}}})
			h.join(bob, old)
			h.join(carol, old)
			h.ok(alice, "POST", "/v3/rooms/"+old+"/ban", obj{"user_id": "@carol:test"})
			users := obj{"@bob:test": 50}
			if tc.from != "12" {
				users["@alice:test"] = 100
			}
			h.state(alice, old, "m.room.power_levels", "", obj{"users": users, "state_default": 60, "events": obj{"m.room.tombstone": 100}})
			h.state(alice, old, "m.room.guest_access", "", obj{"guest_access": "forbidden"})
			h.ok(bob, "PUT", "/v3/user/@bob:test/rooms/"+old+"/tags/u.work", obj{"order": 0.5})
			h.ok(bob, "PUT", "/v3/user/@bob:test/account_data/m.direct", obj{"@alice:test": []string{"!x:test", old}})
			h.ok(bob, "PUT", "/v3/pushrules/global/room/"+esc(old), obj{"actions": []string{}})
			h.ok(bob, "PUT", "/v3/pushrules/global/override/"+esc(old), obj{"actions": []string{}, "conditions": []obj{{"kind": "event_match", "key": "room_id", "pattern": old}}})
			h.refused(403, "M_FORBIDDEN", bob, "POST", "/v3/rooms/"+old+"/upgrade", obj{"new_version": tc.to})
			fresh := h.ok(alice, "POST", "/v3/rooms/"+old+"/upgrade", obj{"new_version": tc.to, "additional_creators": []string{"@bob:test"}}).Get("replacement_room").Str

			get := func(room, typ string) string {
				t.Helper()
				return h.ok(alice, "GET", "/v3/rooms/"+room+"/state/"+typ+"/", nil).Raw
			}
			create := h.ok(alice, "GET", "/v3/rooms/"+fresh+"/state/m.room.create/", nil)
			tombstone := h.ok(alice, "GET", "/v3/rooms/"+old+"/state/m.room.tombstone/?format=event", nil)
			if create.Get("predecessor.room_id").Str != old || create.Get("type").Str != "org.example.type" || create.Get("room_version").Str != tc.to ||
				create.Get(`m\.federate`).Raw != "false" || create.Get("additional_creators").Exists() != (tc.to == "12") {
				t.Errorf("created as %s", create.Raw)
			}
			if id := create.Get("predecessor.event_id"); id.Exists() == (tc.to == "12") || id.Exists() && id.Str != tombstone.Get("event_id").Str {
				t.Errorf("predecessor's event: %s", id.Raw)
			}
			if tombstone.Get("content.replacement_room").Str != fresh {
				t.Errorf("tombstone: %s", tombstone.Raw)
			}
			for _, typ := range []string{"m.room.name", "m.room.topic", "m.room.join_rules", "m.room.history_visibility", "m.room.guest_access",
				"m.room.encryption", "m.room.server_acl"} {
				if is, was := get(fresh, typ), get(old, typ); is != was {
					t.Errorf("%s is %s, was %s", typ, is, was)
				}
			}
			h.refused(404, "M_NOT_FOUND", alice, "GET", "/v3/rooms/"+fresh+"/state/org.example.own/", nil)
			levels := h.ok(alice, "GET", "/v3/rooms/"+fresh+"/state/m.room.power_levels/", nil)
			want := `{"@alice:test":100,"@bob:test":50}`
			if tc.to == "12" {
				want = `{}`
			}
			if levels.Get("users").Raw != want || levels.Get("state_default").Int() != 60 {
				t.Errorf("new levels: %s", levels.Raw)
			}
			if n := levels.Get(`events.m\.room\.tombstone`).Int(); tc.to == "12" && n <= 60 || tc.from == "11" && tc.to == "12" && n != 150 {
				t.Errorf("a tombstone needs %d", n)
			}
			was := h.ok(alice, "GET", "/v3/rooms/"+old+"/state/m.room.power_levels/", nil)
			if was.Get("events_default").Int() != 50 || was.Get("invite").Int() != 50 {
				t.Errorf("old levels: %s", was.Raw)
			}
			h.join(bob, fresh)
			h.refused(403, "M_FORBIDDEN", carol, "POST", "/v3/join/"+esc(fresh), nil)
			// Aliases and the directory.
			if out := h.ok(alice, "GET", "/v3/directory/room/"+esc("#"+name+":test"), nil); out.Get("room_id").Str != fresh {
				t.Errorf("the alias leads to %s", out.Raw)
			}
			if get(fresh, "m.room.canonical_alias") != `{"alias":"#`+name+`:test"}` || get(old, "m.room.canonical_alias") != "{}" {
				t.Error("the canonical alias did not move")
			}
			if h.ok("", "GET", "/v3/directory/list/room/"+fresh, nil).Get("visibility").Str != "public" || h.ok("", "GET", "/v3/directory/list/room/"+old, nil).Get("visibility").Str != "private" {
				t.Error("the directory did not follow")
			}
			// Bob's settings.
			if out := h.ok(bob, "GET", "/v3/user/@bob:test/rooms/"+fresh+"/tags", nil); out.Raw != `{"tags":{"u.work":{"order":0.5}}}` {
				t.Errorf("tags: %s", out.Raw)
			}
			if out := h.ok(bob, "GET", "/v3/user/@bob:test/account_data/m.direct", nil); out.Get("@alice:test").Raw != `["!x:test","`+old+`","`+fresh+`"]` {
				t.Errorf("m.direct: %s", out.Raw)
			}
			h.ok(bob, "GET", "/v3/pushrules/global/room/"+esc(fresh), nil)
			if out := h.ok(bob, "GET", "/v3/pushrules/global/override/"+esc(fresh), nil); out.Get("conditions.0.pattern").Str != fresh {
				t.Errorf("override rule: %s", out.Raw)
			}
		})
	}
	// A ban of somebody who has power still does not stand in the way.
	strong := h.room(alice, obj{"preset": "public_chat", "room_version": "10"})
	h.ok(alice, "POST", "/v3/rooms/"+strong+"/ban", obj{"user_id": "@carol:test"})
	h.state(alice, strong, "m.room.power_levels", "", obj{"users": obj{"@alice:test": 100, "@carol:test": 100}})
	h.ok(alice, "POST", "/v3/rooms/"+strong+"/upgrade", obj{"new_version": "11"})
	// Somebody with little power can upgrade where a tombstone needs no more.
	old := h.room(alice, obj{"preset": "public_chat", "room_version": "10", "name": "Easy"})
	h.join(bob, old)
	h.state(alice, old, "m.room.power_levels", "", obj{"users": obj{"@alice:test": 100}, "events": obj{"m.room.tombstone": 0}})
	fresh := h.ok(bob, "POST", "/v3/rooms/"+old+"/upgrade", obj{"new_version": "11"}).Get("replacement_room").Str
	if levels := h.ok(bob, "GET", "/v3/rooms/"+fresh+"/state/m.room.power_levels/", nil); levels.Get("users").Raw != `{"@alice:test":100}` {
		t.Errorf("levels: %s", levels.Raw)
	}
	h.refused(400, "M_UNSUPPORTED_ROOM_VERSION", alice, "POST", "/v3/rooms/"+old+"/upgrade", obj{"new_version": "99"})
	h.refused(400, "M_MISSING_PARAM", alice, "POST", "/v3/rooms/"+old+"/upgrade", obj{})
	h.refused(400, "M_INVALID_PARAM", alice, "POST", "/v3/rooms/"+old+"/upgrade", obj{"new_version": "12", "additional_creators": []string{"bob"}})
	h.refused(400, "M_BAD_JSON", alice, "POST", "/v3/rooms/"+old+"/upgrade", obj{"new_version": "12", "additional_creators": "bob"})
	h.refused(403, "M_FORBIDDEN", carol, "POST", "/v3/rooms/"+old+"/upgrade", obj{"new_version": "12"})
}

// TestManualUpgrade: a tombstone set by hand carries push rules over as well.
func TestManualUpgrade(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob := h.user("alice"), h.user("bob")
	old := h.room(alice, obj{"preset": "public_chat"})
	h.join(bob, old)
	for _, token := range []string{alice, bob} {
		h.ok(token, "PUT", "/v3/pushrules/global/room/"+esc(old), obj{"actions": []string{}})
	}
	fresh := h.room(alice, obj{"preset": "public_chat", "creation_content": obj{"predecessor": obj{"room_id": old}}})
	h.ok(alice, "GET", "/v3/pushrules/global/room/"+esc(fresh), nil)
	other := h.room(alice, obj{"preset": "public_chat"})
	h.state(alice, old, "m.room.tombstone", "", obj{"body": "x", "replacement_room": other})
	h.refused(404, "M_NOT_FOUND", bob, "GET", "/v3/pushrules/global/room/"+esc(other), nil)
	h.state(alice, old, "m.room.tombstone", "", obj{"body": "x", "replacement_room": fresh})
	h.ok(bob, "GET", "/v3/pushrules/global/room/"+esc(fresh), nil)
}
