package homeserver

import (
	"fmt"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/client"
)

func TestAdminOnly(t *testing.T) {
	t.Parallel()
	h, root := startAdmin(t)
	alice := h.user("alice")
	for _, c := range []struct{ method, path string }{
		{"GET", "/v1/server_version"}, {"GET", "/v2/users"}, {"PUT", "/v2/users/@alice:test"}, {"GET", "/v1/rooms"}, {"DELETE", "/v2/rooms/!x:test"},
		{"GET", "/v1/rooms/!x:test/messages"}, {"GET", "/v1/whois/@alice:test"}, {"POST", "/v1/join/!x:test"}, {"GET", "/v1/fetch_event/$x"},
		{"POST", "/v1/users/@root:test/login"}, {"POST", "/v1/purge_media_cache"}, {"GET", "/v1/registration_tokens"}, {"GET", "/v1/event_reports"},
	} {
		h.admNo(403, "M_FORBIDDEN", alice, c.method, c.path, nil)
		h.admNo(401, "M_MISSING_TOKEN", "", c.method, c.path, nil)
	}
	h.admNo(404, "M_UNRECOGNIZED", root, "GET", "/v1/nothing", nil)
	h.admNo(405, "M_UNRECOGNIZED", root, "POST", "/v1/server_version", nil)
	if out := h.admOK(root, "GET", "/v1/server_version", nil); out.Get("server_version").Str == "" {
		t.Error(out.Raw)
	}
}

func TestAdminUsers(t *testing.T) {
	t.Parallel()
	h, root := startAdmin(t)
	status, out := h.adm(root, "PUT", "/v2/users/@bob:test", obj{"password": "long enough", "displayname": "Bob B.", "avatar_url": "mxc://test/abc", "admin": true,
		"threepids": []obj{{"medium": "email", "address": "Bob@example.org"}}, "external_ids": []obj{{"auth_provider": "oidc-x", "external_id": "17"}}, "user_type": "bot"})
	if status != 201 {
		t.Fatal(status, out.Raw)
	}
	want(t, out, map[string]string{"name": "@bob:test", "displayname": "Bob B.", "avatar_url": "mxc://test/abc", "admin": "true", "deactivated": "false", "is_guest": "false",
		"threepids.0.address": "bob@example.org", "external_ids.0.external_id": "17", "user_type": "bot", "locked": "false", "erased": "false", "shadow_banned": "false", "appservice_id": ""})
	bob := h.again("bob")
	want(t, h.admOK(root, "GET", "/v1/auth_providers/oidc-x/users/17", nil), map[string]string{"user_id": "@bob:test"})
	want(t, h.admOK(root, "GET", "/v1/threepid/email/users/bob@example.org", nil), map[string]string{"user_id": "@bob:test"})
	h.admNo(404, "M_NOT_FOUND", root, "GET", "/v1/auth_providers/oidc-x/users/18", nil)
	h.admNo(404, "M_NOT_FOUND", root, "GET", "/v1/threepid/email/users/x@example.org", nil)
	h.admNo(404, "M_NOT_FOUND", root, "GET", "/v2/users/@nobody:test", nil)
	h.admNo(400, "M_INVALID_PARAM", root, "GET", "/v2/users/@bob:elsewhere", nil)
	for _, bad := range []obj{{"user_type": ""}, {"user_type": 4}, {"password": "x"}, {"avatar_url": "http://x"}, {"threepids": []obj{{"medium": "x", "address": "y"}}},
		{"external_ids": []obj{{"auth_provider": "x"}}}, {"displayname": 7}} {
		if status, out := h.adm(root, "PUT", "/v2/users/@bob:test", bad); status != 400 {
			t.Errorf("%v: %d %s", bad, status, out.Raw)
		}
	}
	h.admNo(403, "M_FORBIDDEN", root, "PUT", "/v2/users/@root:test", obj{"admin": false})
	// Locked, and the password changed without an end to the sessions.
	if status, out := h.adm(root, "PUT", "/v2/users/@bob:test", obj{"locked": true, "admin": false, "user_type": nil, "threepids": []obj{}, "displayname": ""}); status != 200 || out.Get("user_type").Str != "" || out.Get("threepids.#").Int() != 0 || out.Get("displayname").Exists() && out.Get("displayname").Str != "" {
		t.Error(status, out.Raw)
	}
	h.refused(401, "M_USER_LOCKED", bob, "GET", "/v3/account/whoami", nil)
	h.admOK(root, "PUT", "/v2/users/@bob:test", obj{"locked": false, "password": "another password", "logout_devices": false})
	h.ok(bob, "GET", "/v3/account/whoami", nil)
	h.admOK(root, "POST", "/v1/reset_password/@bob:test", obj{"new_password": "a third password"})
	h.refused(401, "M_UNKNOWN_TOKEN", bob, "GET", "/v3/account/whoami", nil)
	h.admNo(400, "M_MISSING_PARAM", root, "POST", "/v1/reset_password/@bob:test", obj{})
	// Closed and opened again.
	h.admOK(root, "POST", "/v1/deactivate/@bob:test", obj{"erase": true})
	want(t, h.admOK(root, "GET", "/v2/users/@bob:test", nil), map[string]string{"deactivated": "true", "erased": "true"})
	h.admOK(root, "PUT", "/v2/users/@bob:test", obj{"deactivated": false, "password": "long enough"})
	want(t, h.admOK(root, "GET", "/v2/users/@bob:test", nil), map[string]string{"deactivated": "false", "erased": "false"})
	bob = h.again("bob")
	h.admOK(root, "PUT", "/v1/suspend/@bob:test", obj{"suspend": true})
	h.refused(403, "M_USER_SUSPENDED", bob, "POST", "/v3/createRoom", nil)
	want(t, h.admOK(root, "GET", "/v2/users/@bob:test", nil), map[string]string{"suspended": "true"})
	want(t, h.admOK(root, "GET", "/v1/username_available?username=carol", nil), map[string]string{"available": "true"})
	h.admNo(400, "M_USER_IN_USE", root, "GET", "/v1/username_available?username=bob", nil)
}

func TestAdminUserList(t *testing.T) {
	t.Parallel()
	h, root := startAdmin(t, func(o *Options) { o.Settings.Guests = true })
	for i := range 5 {
		h.admOK(root, "PUT", fmt.Sprintf("/v2/users/@z_u%d:test", i), obj{"displayname": fmt.Sprintf("Name %d", 9-i), "deactivated": i == 4})
	}
	h.admOK(root, "PUT", "/v2/users/@z_u3:test", obj{"locked": true, "user_type": "bot"})
	h.ok("", "POST", "/v3/register?kind=guest", obj{})
	for query, names := range map[string]string{
		"name=Z_U&order_by=name":                 "@z_u0:test @z_u1:test @z_u2:test",
		"name=Z_U&order_by=displayname":          "@z_u2:test @z_u1:test @z_u0:test",
		"name=z_u&dir=b":                         "@z_u2:test @z_u1:test @z_u0:test",
		"name=name%208":                          "@z_u1:test",
		"user_id=z_u1":                           "@z_u1:test",
		"user_id=%25":                            "",
		"name=z_u&locked=true":                   "@z_u0:test @z_u1:test @z_u2:test @z_u3:test",
		"name=z_u&locked=true&not_user_type=bot": "@z_u0:test @z_u1:test @z_u2:test",
		"name=z_u&locked=true&not_user_type=":    "@z_u3:test",
		"name=z_u&deactivated=true":              "@z_u0:test @z_u1:test @z_u2:test @z_u4:test",
		"admins=true":                            "@root:test",
		"admins=false&guests=false":              "@z_u0:test @z_u1:test @z_u2:test",
		"name=z_u&limit=2&from=1":                "@z_u1:test @z_u2:test",
	} {
		if out := h.admOK(root, "GET", "/v2/users?"+query, nil); all(out.Get("users"), "name") != names {
			t.Errorf("%s: %s", query, out.Raw)
		}
	}
	if out := h.admOK(root, "GET", "/v3/users?deactivated=true", nil); all(out.Get("users"), "name") != "@z_u4:test" {
		t.Error(out.Raw)
	}
	want(t, h.admOK(root, "GET", "/v2/users?name=z_u&limit=2", nil), map[string]string{"next_token": "2", "total": "3"})
	for _, bad := range []string{"order_by=nothing", "dir=x", "limit=-1", "from=x", "guests=maybe"} {
		h.admNo(400, "M_INVALID_PARAM", root, "GET", "/v2/users?"+bad, nil)
	}
	for _, order := range []string{"is_guest", "admin", "user_type", "deactivated", "shadow_banned", "avatar_url", "last_seen_ts"} {
		h.admOK(root, "GET", "/v2/users?order_by="+order, nil)
	}
}

func TestAdminUserDetails(t *testing.T) {
	t.Parallel()
	h, root := startAdmin(t, func(o *Options) { o.Settings.Messages = client.Rate{PerSecond: 0.001, Burst: 2} })
	alice := h.user("alice")
	room := h.room(alice, obj{"name": "One", "preset": "public_chat"})
	h.ok(alice, "PUT", "/v3/user/@alice:test/account_data/x.y", obj{"a": 1})
	h.ok(alice, "PUT", "/v3/user/@alice:test/rooms/"+room+"/account_data/x.z", obj{"b": 2})
	want(t, h.admOK(root, "GET", "/v1/users/@alice:test/joined_rooms", nil), map[string]string{"total": "1", "joined_rooms.0": room})
	if out := h.admOK(root, "GET", "/v1/users/@alice:test/memberships", nil); out.Get("memberships").Map()[room].Str != "join" {
		t.Error(out.Raw)
	}
	if out := h.admOK(root, "GET", "/v1/users/@alice:test/accountdata", nil); out.Get("account_data.global.x\\.y.a").Int() != 1 || out.Get("account_data.rooms").Map()[room].Get("x\\.z.b").Int() != 2 {
		t.Error(out.Raw)
	}
	want(t, h.admOK(root, "GET", "/v1/users/@alice:test/pushers", nil), map[string]string{"total": "0", "pushers.#": "0"})
	want(t, h.admOK(root, "GET", "/v1/users/@alice:test/admin", nil), map[string]string{"admin": "false"})
	h.admOK(root, "PUT", "/v1/users/@alice:test/admin", obj{"admin": true})
	want(t, h.admOK(alice, "GET", "/v1/users/@alice:test/admin", nil), map[string]string{"admin": "true"})
	h.admOK(root, "PUT", "/v1/users/@alice:test/admin", obj{"admin": false})
	h.admNo(403, "M_FORBIDDEN", root, "PUT", "/v1/users/@root:test/admin", obj{"admin": false})
	want(t, h.admOK(root, "GET", "/v1/whois/@alice:test", nil), map[string]string{"user_id": "@alice:test"})

	// Logging in as somebody.
	as := h.admOK(root, "POST", "/v1/users/@alice:test/login", obj{"valid_until_ms": time.Now().Add(time.Hour).UnixMilli()}).Get("access_token").Str
	want(t, h.ok(as, "GET", "/v3/account/whoami", nil), map[string]string{"user_id": "@alice:test"})
	h.admNo(400, "M_INVALID_PARAM", root, "POST", "/v1/users/@alice:test/login", obj{"valid_until_ms": 1})
	h.admNo(400, "M_INVALID_PARAM", root, "POST", "/v1/users/@root:test/login", obj{})

	// Devices.
	h.admOK(root, "POST", "/v2/users/@alice:test/devices", obj{"device_id": "NEW"})
	h.admOK(root, "PUT", "/v2/users/@alice:test/devices/NEW", obj{"display_name": "the new one"})
	want(t, h.admOK(root, "GET", "/v2/users/@alice:test/devices/NEW", nil), map[string]string{"device_id": "NEW", "display_name": "the new one", "user_id": "@alice:test", "dehydrated": "false"})
	want(t, h.admOK(root, "GET", "/v2/users/@alice:test/devices", nil), map[string]string{"total": "3"})
	h.admOK(root, "DELETE", "/v2/users/@alice:test/devices/NEW", nil)
	h.admNo(404, "M_NOT_FOUND", root, "GET", "/v2/users/@alice:test/devices/NEW", nil)
	h.admNo(404, "M_NOT_FOUND", root, "PUT", "/v2/users/@alice:test/devices/NEW", obj{"display_name": "x"})
	dev := h.ok(as, "GET", "/v3/account/whoami", nil).Get("device_id").Str
	h.admOK(root, "POST", "/v2/users/@alice:test/delete_devices", obj{"devices": []string{dev}})
	h.refused(401, "M_UNKNOWN_TOKEN", as, "GET", "/v3/account/whoami", nil)

	// Limits of requests: the usual one is used up, an own one lifts it.
	h.say(alice, room, "1")
	h.say(alice, room, "2")
	h.refused(429, "M_LIMIT_EXCEEDED", alice, "PUT", "/v3/rooms/"+room+"/send/m.room.message/x", obj{"body": "3"})
	if out := h.admOK(root, "GET", "/v1/users/@alice:test/override_ratelimit", nil); out.Raw != "{}" {
		t.Error(out.Raw)
	}
	want(t, h.admOK(root, "POST", "/v1/users/@alice:test/override_ratelimit", obj{"messages_per_second": 0, "burst_count": 0}), map[string]string{"messages_per_second": "0"})
	want(t, h.admOK(root, "GET", "/v1/users/@alice:test/override_ratelimit", nil), map[string]string{"messages_per_second": "0", "burst_count": "0"})
	h.say(alice, room, "3")
	h.admNo(400, "M_INVALID_PARAM", root, "POST", "/v1/users/@alice:test/override_ratelimit", obj{"messages_per_second": -1})

	// A shadow-banned user notices nothing, and nobody notices the user.
	h.admOK(root, "POST", "/v1/users/@alice:test/shadow_ban", nil)
	id := h.say(alice, room, "unheard")
	h.refused(404, "M_NOT_FOUND", alice, "GET", "/v3/rooms/"+room+"/event/"+id, nil)
	h.ok(alice, "POST", "/v3/rooms/"+room+"/invite", obj{"user_id": "@root:test"})
	if out := h.admOK(root, "GET", "/v1/users/@root:test/memberships", nil); out.Get("memberships").Map()[room].Exists() {
		t.Error(out.Raw)
	}
	h.admOK(root, "DELETE", "/v1/users/@alice:test/shadow_ban", nil)
	h.ok(alice, "GET", "/v3/rooms/"+room+"/event/"+h.say(alice, room, "heard"), nil)
	h.admOK(root, "DELETE", "/v1/users/@alice:test/override_ratelimit", nil)
	h.refused(429, "M_LIMIT_EXCEEDED", alice, "PUT", "/v3/rooms/"+room+"/send/m.room.message/y", obj{"body": "4"})
	h.admNo(404, "M_NOT_FOUND", root, "POST", "/v1/users/@alice:test/_allow_cross_signing_replacement_without_uia", nil)
}
