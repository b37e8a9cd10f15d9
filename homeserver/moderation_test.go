package homeserver

import (
	"encoding/json/jsontext"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/client"
)

func TestGuests(t *testing.T) {
	t.Parallel()
	closed := startWith(t, nil)
	closed.want(403, "M_GUEST_ACCESS_FORBIDDEN", "", "POST", "/v3/register?kind=guest", nil)
	closed.want(400, "M_INVALID_PARAM", "", "POST", "/v3/register?kind=alien", nil)

	h := startWith(t, func(o *Options) { o.Settings.Guests = true })
	alice := h.user("alice")
	r := h.want(200, "", "", "POST", "/r0/register?kind=guest", obj{"username": "x", "password": "y", "device_id": "MINE", "initial_device_display_name": "kiosk"})
	guest, id := r.str("access_token"), r.str("user_id")
	if guest == "" || r.str("device_id") == "MINE" || strings.HasPrefix(id, "@x:") {
		t.Errorf("guest: %s", r.raw)
	}
	if r := h.want(200, "", guest, "GET", "/v3/account/whoami", nil); r.json["is_guest"] != true {
		t.Errorf("whoami: %s", r.raw)
	}
	room := h.room(alice, obj{"preset": "public_chat", "room_alias_name": "lobby"})
	h.want(403, "M_GUEST_ACCESS_FORBIDDEN", guest, "POST", "/v3/rooms/"+room+"/join", nil)
	guests := func(access string) {
		h.want(200, "", alice, "PUT", "/v3/rooms/"+room+"/state/m.room.guest_access/", obj{"guest_access": access})
	}
	guests("can_join")
	h.want(200, "", guest, "POST", "/v3/join/%23lobby:test", nil)
	h.want(200, "", guest, "POST", "/v3/rooms/"+room+"/join", nil)
	h.want(200, "", guest, "PUT", "/v3/rooms/"+room+"/send/m.room.message/1", obj{"msgtype": "m.text", "body": "hi"})
	h.want(200, "", guest, "GET", "/v3/rooms/"+room+"/messages?dir=b", nil)
	h.want(200, "", guest, "GET", "/v3/sync", nil)
	h.want(200, "", guest, "PUT", "/v3/profile/"+id+"/displayname", obj{"displayname": "Visitor"})
	h.want(200, "", guest, "POST", "/v3/keys/query", obj{"device_keys": obj{}})
	h.want(200, "", guest, "GET", "/v3/devices", nil)
	for _, tc := range []struct{ method, path string }{
		{"PUT", "/v3/profile/" + id + "/avatar_url"}, {"POST", "/v3/createRoom"}, {"POST", "/v3/rooms/" + room + "/invite"},
		{"PUT", "/v3/rooms/" + room + "/state/m.room.member/" + id}, {"PUT", "/v3/user/" + id + "/account_data/x.y"},
		{"POST", "/v3/user/" + id + "/openid/request_token"}, {"POST", "/v1/login/get_token"}, {"POST", "/v3/account/password"},
		{"DELETE", "/v3/devices/X"}, {"PUT", "/v3/directory/room/%23x:test"}, {"POST", "/v3/rooms/" + room + "/kick"},
		{"POST", "/_matrix/media/v3/upload"}, {"POST", "/v3/keys/device_signing/upload"},
	} {
		if r := h.ask(guest, tc.method, tc.path, nil); r.status != 403 || r.code() != "M_GUEST_ACCESS_FORBIDDEN" {
			t.Errorf("%s %s: %d %s", tc.method, tc.path, r.status, r.raw)
		}
	}
	// Those who are in must leave when guests are no longer welcome; others stay.
	bob := h.user("bob")
	h.want(200, "", bob, "POST", "/v3/rooms/"+room+"/join", nil)
	guests("forbidden")
	if r := h.want(200, "", alice, "GET", "/v3/rooms/"+room+"/state/m.room.member/"+id, nil); r.str("membership") != "leave" {
		t.Errorf("the guest: %s", r.raw)
	}
	if r := h.want(200, "", alice, "GET", "/v3/rooms/"+room+"/state/m.room.member/@bob:test", nil); r.str("membership") != "join" {
		t.Errorf("bob: %s", r.raw)
	}
	// A guest becomes a user.
	localpart, _, _ := strings.Cut(id[1:], ":")
	upgrade := obj{"username": localpart, "password": "long enough", "guest_access_token": guest, "auth": obj{"type": "m.login.dummy"}}
	h.want(403, "M_FORBIDDEN", "", "POST", "/v3/register", obj{"username": "alice", "password": "long enough", "guest_access_token": guest})
	h.want(403, "M_FORBIDDEN", "", "POST", "/v3/register", obj{"username": "alice", "password": "long enough", "guest_access_token": alice})
	up := h.want(200, "", "", "POST", "/v3/register", upgrade)
	if up.str("user_id") != id {
		t.Errorf("upgrade: %s", up.raw)
	}
	if r := h.want(200, "", up.str("access_token"), "GET", "/v3/account/whoami", nil); r.json["is_guest"] != false {
		t.Errorf("whoami: %s", r.raw)
	}
	h.want(200, "", up.str("access_token"), "POST", "/v3/createRoom", nil)
	h.want(200, "", "", "POST", "/v3/login", passwordAuth(localpart))
}

func TestLock(t *testing.T) {
	t.Parallel()
	h := startWith(t, nil)
	admin, alice := h.newAdmin("admin"), h.user("alice")
	other := h.login("alice", obj{"refresh_token": true})
	if r := h.want(200, "", admin, "GET", "/v1/admin/lock/@alice:test", nil); r.raw != `{"locked":false}` {
		t.Errorf("%s", r.raw)
	}
	if r := h.want(200, "", admin, "PUT", "/v1/admin/lock/@alice:test", obj{"locked": true}); r.raw != `{"locked":true}` {
		t.Errorf("%s", r.raw)
	}
	for _, path := range []string{"/v3/account/whoami", "/v3/sync", "/_matrix/client/versions"} {
		if r := h.want(401, "M_USER_LOCKED", alice, "GET", path, nil); r.json["soft_logout"] != true {
			t.Errorf("%s: %s", path, r.raw)
		}
	}
	h.want(401, "M_USER_LOCKED", "", "POST", "/v3/login", passwordAuth("alice"))
	h.want(401, "M_USER_LOCKED", "", "POST", "/v3/refresh", obj{"refresh_token": other.str("refresh_token")})
	h.want(200, "", other.str("access_token"), "POST", "/v3/logout", nil)
	h.want(200, "", admin, "PUT", "/v1/admin/lock/@alice:test", obj{"locked": false})
	h.want(200, "", alice, "GET", "/v3/account/whoami", nil)
	h.want(401, "M_UNKNOWN_TOKEN", other.str("access_token"), "GET", "/v3/account/whoami", nil)
}

func TestSuspend(t *testing.T) {
	t.Parallel()
	h := startWith(t, nil)
	admin, alice := h.newAdmin("admin"), h.user("alice")
	bob := h.user("bob")
	room := h.room(bob, obj{"preset": "public_chat"})
	elsewhere := h.room(bob, obj{"preset": "public_chat"})
	h.want(200, "", alice, "POST", "/v3/rooms/"+room+"/join", nil)
	mine := h.want(200, "", alice, "PUT", "/v3/rooms/"+room+"/send/m.room.message/1", obj{"msgtype": "m.text", "body": "mine"}).str("event_id")
	mine2 := h.want(200, "", alice, "PUT", "/v3/rooms/"+room+"/send/m.room.message/2", obj{"msgtype": "m.text", "body": "mine"}).str("event_id")
	his := h.want(200, "", bob, "PUT", "/v3/rooms/"+room+"/send/m.room.message/1", obj{"msgtype": "m.text", "body": "his"}).str("event_id")
	h.want(200, "", admin, "PUT", "/v1/admin/suspend/@alice:test", obj{"suspended": true})
	if r := h.want(200, "", admin, "GET", "/v1/admin/suspend/@alice:test", nil); r.raw != `{"suspended":true}` {
		t.Errorf("%s", r.raw)
	}
	room2 := "/v3/rooms/" + elsewhere
	for _, tc := range []struct {
		method, path string
		body         obj
	}{
		{"POST", room2 + "/join", nil}, {"POST", "/v3/join/" + elsewhere, nil}, {"POST", "/v3/knock/" + elsewhere, nil},
		{"POST", "/v3/rooms/" + room + "/invite", obj{"user_id": "@admin:test"}},
		{"PUT", "/v3/rooms/" + room + "/send/m.room.message/3", obj{"msgtype": "m.text", "body": "no"}},
		{"PUT", "/v3/rooms/" + room + "/send/m.room.redaction/4", obj{"redacts": his}},
		{"PUT", "/v3/rooms/" + room + "/redact/" + his + "/5", nil},
		{"PUT", "/v3/rooms/" + room + "/state/m.room.topic/", obj{"topic": "no"}},
		{"PUT", "/v3/rooms/" + room + "/state/m.room.member/@alice:test", obj{"membership": "join", "displayname": "no"}},
		{"PUT", "/v3/profile/@alice:test/displayname", obj{"displayname": "no"}}, {"POST", "/v3/createRoom", nil},
		{"POST", "/v3/account/3pid/delete", obj{"medium": "email", "address": "a@b.c"}},
	} {
		h.want(403, "M_USER_SUSPENDED", alice, tc.method, tc.path, tc.body)
	}
	h.want(200, "", alice, "GET", "/v3/sync", nil)
	h.want(200, "", alice, "GET", "/v3/rooms/"+room+"/messages?dir=b", nil)
	h.want(200, "", alice, "PUT", "/v3/rooms/"+room+"/redact/"+mine+"/6", nil)
	h.want(200, "", alice, "PUT", "/v3/rooms/"+room+"/send/m.room.redaction/7", obj{"redacts": mine2})
	h.want(200, "", alice, "PUT", "/v3/sendToDevice/m.x/1", obj{"messages": obj{}})
	h.want(200, "", alice, "POST", "/v3/rooms/"+room+"/leave", nil)
	token := h.login("alice", nil).str("access_token")
	h.want(403, "M_USER_SUSPENDED", token, "POST", "/v3/createRoom", nil)
	h.want(200, "", token, "POST", "/v3/logout", nil)
	h.want(200, "", admin, "PUT", "/v1/admin/suspend/@alice:test", obj{"suspended": false})
	h.want(200, "", alice, "POST", room2+"/join", nil)
}

func TestModerationRules(t *testing.T) {
	t.Parallel()
	h := startWith(t, nil)
	admin, alice := h.newAdmin("admin"), h.user("alice")
	h.newAdmin("second")
	h.user("gone")
	if err := h.Deactivate(t.Context(), "@gone:test", false); err != nil {
		t.Fatal(err)
	}
	for what, field := range map[string]string{"suspend": "suspended", "lock": "locked"} {
		path := "/v1/admin/" + what + "/"
		set := obj{field: true}
		for _, tc := range []struct {
			token, user string
			body        obj
			status      int
			code        string
		}{
			{alice, "@admin:test", set, 403, "M_FORBIDDEN"}, {alice, "@nobody:test", set, 403, "M_FORBIDDEN"}, {alice, "@x:else", set, 403, "M_FORBIDDEN"},
			{admin, "@x:else", set, 400, "M_INVALID_PARAM"}, {admin, "nonsense", set, 400, "M_INVALID_PARAM"}, {admin, "@nobody:test", set, 404, "M_NOT_FOUND"},
			{admin, "@gone:test", set, 404, "M_NOT_FOUND"}, {admin, "@admin:test", set, 403, "M_FORBIDDEN"}, {admin, "@second:test", set, 403, "M_FORBIDDEN"},
			{admin, "@alice:test", obj{}, 400, "M_MISSING_PARAM"}, {admin, "@alice:test", obj{field: "yes"}, 400, "M_BAD_JSON"}, {"", "@alice:test", set, 401, "M_MISSING_TOKEN"},
		} {
			h.want(tc.status, tc.code, tc.token, "PUT", path+tc.user, tc.body)
			if len(tc.body) > 0 && tc.user != "@admin:test" && tc.status != 400 || tc.code == "M_INVALID_PARAM" {
				h.want(tc.status, tc.code, tc.token, "GET", path+tc.user, nil)
			}
		}
	}
	h.want(403, "M_FORBIDDEN", alice, "GET", "/v3/admin/whois/@admin:test", nil)
	h.want(404, "M_NOT_FOUND", admin, "GET", "/v3/admin/whois/@nobody:test", nil)
	for _, token := range []string{admin, alice} {
		r := h.want(200, "", token, "GET", "/v3/admin/whois/@alice:test", nil)
		if r.str("user_id") != "@alice:test" || !strings.Contains(r.raw, `"sessions":[{"connections":[{"ip":"127.0.0.1","last_seen":18`) {
			t.Errorf("whois: %s", r.raw)
		}
	}
	if r := h.want(200, "", admin, "GET", "/v3/capabilities", nil); !strings.Contains(r.raw, `"m.account_moderation":{"lock":true,"suspend":true}`) {
		t.Errorf("capabilities of an administrator: %s", r.raw)
	}
	r := h.want(200, "", alice, "GET", "/v3/capabilities", nil)
	for _, c := range []string{"m.change_password", "m.room_versions", "m.set_displayname", "m.set_avatar_url", "m.3pid_changes", "m.get_login_token", "m.profile_fields", "m.forget_forced_upon_leave"} {
		if !strings.Contains(r.raw, `"`+c+`":`) {
			t.Errorf("no %s in %s", c, r.raw)
		}
	}
	if strings.Contains(r.raw, "m.account_moderation") {
		t.Errorf("capabilities of a user: %s", r.raw)
	}
}

func TestErase(t *testing.T) {
	t.Parallel()
	h := startWith(t, nil)
	alice, bob := h.user("alice"), h.user("bob")
	room := h.room(alice, obj{"preset": "public_chat", "name": "Hall"})
	h.want(200, "", bob, "POST", "/v3/rooms/"+room+"/join", nil)
	h.want(200, "", alice, "PUT", "/v3/user/@alice:test/account_data/x.y", obj{"a": 1})
	event := h.want(200, "", alice, "PUT", "/v3/rooms/"+room+"/send/m.room.message/1", obj{"msgtype": "m.text", "body": "words of mine"}).str("event_id")
	h.want(401, "", alice, "POST", "/v3/account/deactivate", obj{"erase": true})
	if r := h.want(200, "", alice, "POST", "/v3/account/deactivate", obj{"erase": true, "auth": passwordAuth("alice")}); r.str("id_server_unbind_result") != "success" {
		t.Errorf("%s", r.raw)
	}
	h.want(403, "M_USER_DEACTIVATED", "", "POST", "/v3/login", passwordAuth("alice"))
	h.want(400, "M_USER_IN_USE", "", "GET", "/v3/register/available?username=alice", nil)
	carol := h.user("carol")
	h.want(200, "", carol, "POST", "/v3/rooms/"+room+"/join", nil)
	for who, sees := range map[string]bool{bob: true, carol: false} {
		r := h.want(200, "", who, "GET", "/v3/rooms/"+room+"/event/"+event, nil)
		if strings.Contains(r.raw, "words of mine") != sees || !strings.Contains(r.raw, `"sender":"@alice:test"`) {
			t.Errorf("sees %t: %s", sees, r.raw)
		}
		r = h.want(200, "", who, "GET", "/v3/rooms/"+room+"/messages?dir=b&limit=50", nil)
		if strings.Contains(r.raw, "words of mine") != sees {
			t.Errorf("messages, sees %t: %s", sees, r.raw)
		}
		if r := h.want(200, "", who, "GET", "/v3/rooms/"+room+"/state/m.room.name/", nil); r.str("name") != "Hall" {
			t.Errorf("the room's name: %s", r.raw)
		}
		if r := h.want(200, "", who, "GET", "/v3/rooms/"+room+"/state/m.room.member/@alice:test", nil); r.str("membership") != "leave" {
			t.Errorf("the membership: %s", r.raw)
		}
	}
	nid, err := h.store.UserNID(t.Context(), "@alice:test")
	if err != nil {
		t.Fatal(err)
	}
	if p, err := h.store.Profile(t.Context(), nid); err != nil || len(p) != 0 {
		t.Errorf("profile %v, %v", p, err)
	}
	if _, err := h.store.AccountData(t.Context(), nid, 0, "x.y"); err == nil {
		t.Error("the account data is there")
	}
}

func TestOpenID(t *testing.T) {
	t.Parallel()
	h := startWith(t, nil)
	alice := h.user("alice")
	h.want(403, "M_FORBIDDEN", alice, "POST", "/v3/user/@bob:test/openid/request_token", nil)
	r := h.want(200, "", alice, "POST", "/v3/user/@alice:test/openid/request_token", obj{})
	if r.str("token_type") != "Bearer" || r.str("matrix_server_name") != "test" || r.json["expires_in"] != 3600.0 {
		t.Errorf("%s", r.raw)
	}
	const info = "/_matrix/federation/v1/openid/userinfo"
	path := info + "?access_token=" + url.QueryEscape(r.str("access_token"))
	if r := h.want(200, "", "", "GET", path, nil); r.raw != `{"sub":"@alice:test"}` {
		t.Errorf("%s", r.raw)
	}
	h.want(401, "M_UNKNOWN_TOKEN", r.str("access_token"), "GET", "/v3/account/whoami", nil)
	h.want(401, "M_UNKNOWN_TOKEN", "", "GET", info+"?access_token="+url.QueryEscape(alice), nil)
	h.want(401, "M_MISSING_TOKEN", "", "GET", info, nil)
	h.clock.advance(time.Hour)
	h.want(401, "M_UNKNOWN_TOKEN", "", "GET", path, nil)
}

func TestWellKnown(t *testing.T) {
	t.Parallel()
	bare := startWith(t, nil)
	bare.want(404, "M_NOT_FOUND", "", "GET", "/.well-known/matrix/support", nil)
	bare.want(404, "M_NOT_FOUND", "", "GET", "/.well-known/matrix/server", nil)
	h := startWith(t, func(o *Options) {
		o.PublicURL = "https://m.test"
		o.WellKnown = client.WellKnown{IdentityServer: "https://id.test", Extra: map[string]jsontext.Value{"org.example": jsontext.Value(`{"a":[1]}`), "m.homeserver": jsontext.Value(`1`)},
			Server: "m.test:443", SupportPage: "https://help.test", Contacts: []client.Contact{{MatrixID: "@a:test", Role: "m.role.admin"}}}
	})
	for path, want := range map[string]string{
		"client":  `{"m.homeserver":{"base_url":"https://m.test"},"m.identity_server":{"base_url":"https://id.test"},"org.example":{"a":[1]}}`,
		"server":  `{"m.server":"m.test:443"}`,
		"support": `{"contacts":[{"matrix_id":"@a:test","role":"m.role.admin"}],"support_page":"https://help.test"}`,
	} {
		if r := h.ask("", "GET", "/.well-known/matrix/"+path, nil); r.status != 200 || r.raw != want || r.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %d %s", path, r.status, r.raw)
		}
	}
	h.user("alice")
	if r := h.login("alice", nil); !strings.Contains(r.raw, `"well_known":{"m.homeserver":{"base_url":"https://m.test"},"m.identity_server"`) {
		t.Errorf("log-in: %s", r.raw)
	}
}

func TestManagedAccountData(t *testing.T) {
	t.Parallel()
	h := startWith(t, nil)
	alice := h.user("alice")
	room := h.room(alice, obj{})
	for _, prefix := range []string{"/v3/user/@alice:test/account_data/", "/v3/user/@alice:test/rooms/" + room + "/account_data/"} {
		for _, typ := range []string{"m.fully_read", "m.push_rules"} {
			h.want(405, "M_BAD_JSON", alice, "PUT", prefix+typ, obj{"event_id": "$x"})
		}
		h.want(404, "M_NOT_FOUND", alice, "GET", prefix+"x.y", nil)
		h.want(400, "M_NOT_JSON", alice, "PUT", prefix+"x.y", "{")
		h.want(400, "M_BAD_JSON", alice, "PUT", prefix+"x.y", "[]")
		h.want(413, "M_TOO_LARGE", alice, "PUT", prefix+"x.y", `{"a":"`+strings.Repeat("x", 300_000)+`"}`)
		h.want(413, "M_TOO_LARGE", alice, "PUT", prefix+strings.Repeat("x", 300), obj{})
		h.want(200, "", alice, "PUT", prefix+"x.y", obj{"a": 1})
		if r := h.want(200, "", alice, "GET", prefix+"x.y", nil); r.raw != `{"a":1}` {
			t.Errorf("%s", r.raw)
		}
	}
	h.want(403, "M_FORBIDDEN", alice, "PUT", "/v3/user/@bob:test/account_data/x.y", obj{})
	h.want(403, "M_FORBIDDEN", alice, "GET", "/v3/user/@bob:test/account_data/x.y", nil)
}
