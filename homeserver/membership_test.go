package homeserver

import (
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
)

func TestInviteBlocking(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob, carol := h.user("alice"), h.user("bob"), h.user("carol")
	room, second := h.room(alice, obj{}), h.room(alice, obj{})
	config := func(typ string, content obj) {
		t.Helper()
		h.ok(bob, "PUT", "/v3/user/@bob:test/account_data/"+typ, content)
	}
	invites := func() int { return len(h.ok(bob, "GET", "/v3/sync", nil).Get("rooms.invite").Map()) }
	h.ok(alice, "POST", "/v3/rooms/"+second+"/invite", obj{"user_id": "@bob:test"})
	config("m.invite_permission_config", obj{"default_action": "block"})
	h.refused(403, "M_INVITE_BLOCKED", alice, "POST", "/v3/rooms/"+room+"/invite", obj{"user_id": "@bob:test"})
	h.refused(403, "M_INVITE_BLOCKED", alice, "PUT", "/v3/rooms/"+room+"/state/m.room.member/@bob:test", obj{"membership": "invite"})
	h.refused(403, "M_INVITE_BLOCKED", alice, "POST", "/v3/createRoom", obj{"invite": []string{"@bob:test"}})
	if invites() != 0 {
		t.Error("a blocked invitation is shown")
	}
	h.refused(403, "M_INVITE_BLOCKED", alice, "POST", "/v3/rooms/"+second+"/invite", obj{"user_id": "@bob:test"})
	config("m.invite_permission_config", obj{})
	if invites() != 1 {
		t.Error("the invitation is not shown again")
	}
	config("org.matrix.msc4155.invite_permission_config", obj{"ignored_users": []string{"@alice:*"}, "blocked_servers": []string{"te?t"}})
	h.ok(alice, "POST", "/v3/rooms/"+room+"/invite", obj{"user_id": "@bob:test"})
	if invites() != 0 {
		t.Error("an ignored invitation is shown")
	}
	h.refused(403, "M_INVITE_BLOCKED", carol, "POST", "/v3/createRoom", obj{"invite": []string{"@bob:test"}})
	config("org.matrix.msc4155.invite_permission_config", obj{})
	h.ok(bob, "PUT", "/v3/user/@bob:test/account_data/m.ignored_user_list", obj{"ignored_users": obj{"@alice:test": obj{}}})
	if invites() != 0 {
		t.Error("an invitation by somebody ignored is shown")
	}
}

func TestMembershipEdges(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob, carol := h.user("alice"), h.user("bob"), h.user("carol")
	room := h.room(alice, obj{"preset": "public_chat"})
	h.join(bob, room)
	path := "/v3/rooms/" + room
	member := func(user, field string) string {
		return h.ok(alice, "GET", path+"/state/m.room.member/"+user, nil).Get(field).Str
	}
	h.refused(403, "M_FORBIDDEN", alice, "POST", path+"/invite", obj{"user_id": "@bob:test"})
	h.refused(403, "M_FORBIDDEN", carol, "POST", path+"/invite", obj{"user_id": "@dave:test"})
	h.refused(400, "M_MISSING_PARAM", alice, "POST", path+"/invite", obj{})
	h.refused(400, "M_INVALID_PARAM", alice, "POST", path+"/invite", obj{"user_id": "dave"})
	h.refused(403, "M_SERVER_NOT_TRUSTED", alice, "POST", path+"/invite", obj{"id_server": "x", "id_access_token": "x", "medium": "email", "address": "a@b"})
	h.refused(403, "M_FORBIDDEN", alice, "POST", path+"/unban", obj{"user_id": "@bob:test"})
	h.refused(403, "M_FORBIDDEN", alice, "POST", path+"/kick", obj{"user_id": "@carol:test"})
	h.refused(403, "M_FORBIDDEN", bob, "POST", path+"/kick", obj{"user_id": "@alice:test"})
	h.refused(403, "M_FORBIDDEN", carol, "POST", path+"/leave", nil)
	h.refused(400, "M_UNKNOWN", bob, "POST", path+"/forget", nil)
	h.ok(alice, "POST", path+"/invite", obj{"user_id": "@carol:test", "reason": "come"})
	if member("@carol:test", "reason") != "come" {
		t.Error("the reason is lost")
	}
	h.ok(alice, "POST", path+"/invite", obj{"user_id": "@carol:test"}) // "or was already invited"
	h.ok(carol, "POST", path+"/leave", obj{"reason": "no"})
	h.ok(carol, "POST", path+"/leave", nil)
	if member("@carol:test", "reason") != "no" {
		t.Error("the reason is lost")
	}
	h.ok(alice, "POST", path+"/kick", obj{"user_id": "@bob:test", "reason": "out"})
	h.refused(403, "M_FORBIDDEN", alice, "POST", path+"/kick", obj{"user_id": "@bob:test"})
	h.ok(alice, "POST", path+"/ban", obj{"user_id": "@bob:test"})
	h.ok(alice, "POST", path+"/ban", obj{"user_id": "@bob:test"})
	h.refused(403, "M_FORBIDDEN", bob, "POST", "/v3/join/"+esc(room), nil)
	h.refused(403, "M_FORBIDDEN", alice, "POST", path+"/invite", obj{"user_id": "@bob:test"})
	h.ok(alice, "POST", path+"/unban", obj{"user_id": "@bob:test"})
	h.refused(403, "M_FORBIDDEN", alice, "POST", path+"/unban", obj{"user_id": "@bob:test"})
	h.join(bob, room)
	h.ok(bob, "POST", path+"/leave", nil)
	h.ok(bob, "POST", path+"/forget", nil)
	h.refused(403, "M_FORBIDDEN", bob, "GET", path+"/messages?dir=b", nil)
	h.refused(404, "M_NOT_FOUND", bob, "POST", "/v3/join/!nowhere:test?via=elsewhere", nil)
	h.refused(404, "M_NOT_FOUND", bob, "POST", "/v3/join/%23nowhere:test", nil)
	h.refused(400, "M_INVALID_PARAM", bob, "POST", "/v3/join/nowhere", nil)
}

func TestKnock(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob := h.user("alice"), h.user("bob")
	closed := h.room(alice, obj{})
	h.refused(403, "M_FORBIDDEN", bob, "POST", "/v3/knock/"+esc(closed), nil)
	h.refused(404, "M_NOT_FOUND", bob, "POST", "/v3/knock/!nowhere:test", nil)
	room := h.room(alice, obj{"room_alias_name": "door", "initial_state": []obj{{"type": "m.room.join_rules", "content": obj{"join_rule": "knock"}}}})
	out := h.ok(bob, "POST", "/v3/knock/%23door:test?via=test", obj{"reason": "please"})
	if out.Get("room_id").Str != room {
		t.Errorf("knocked on %s", out.Raw)
	}
	if got := h.ok(alice, "GET", "/v3/rooms/"+room+"/state/m.room.member/@bob:test", nil); got.Get("membership").Str != "knock" || got.Get("reason").Str != "please" {
		t.Errorf("knock %s", got.Raw)
	}
	state := h.ok(bob, "GET", "/v3/sync", nil).Get("rooms.knock." + room + ".knock_state.events")
	if !state.Get(`#(type=="m.room.create").origin_server_ts`).Exists() {
		t.Errorf("knock_state is %s", state.Raw)
	}
	h.refused(403, "M_FORBIDDEN", bob, "POST", "/v3/join/"+esc(room), nil)
	h.ok(alice, "POST", "/v3/rooms/"+room+"/invite", obj{"user_id": "@bob:test"})
	h.refused(403, "M_FORBIDDEN", bob, "POST", "/v3/knock/"+esc(room), nil)
	h.join(bob, room)
	h.refused(403, "M_FORBIDDEN", bob, "POST", "/v3/knock/"+esc(room), nil)
}

func TestKnockRestricted(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob, carol := h.user("alice"), h.user("bob"), h.user("carol")
	club := h.room(alice, obj{"preset": "public_chat"})
	h.join(carol, club)
	for _, rule := range []string{"restricted", "knock_restricted"} {
		room := h.room(alice, obj{"initial_state": []obj{{"type": "m.room.join_rules", "content": obj{"join_rule": rule,
			"allow": []obj{{"type": "m.room_membership", "room_id": club}, {"type": "org.example.other"}}}}}})
		h.refused(403, "M_FORBIDDEN", bob, "POST", "/v3/join/"+esc(room), nil)
		if rule == "restricted" {
			h.refused(403, "M_FORBIDDEN", bob, "POST", "/v3/knock/"+esc(room), nil)
		} else {
			h.ok(bob, "POST", "/v3/knock/"+esc(room), nil)
		}
		h.join(carol, room)
		h.ok(alice, "POST", "/v3/rooms/"+room+"/invite", obj{"user_id": "@bob:test"})
		h.join(bob, room)
	}
}

// guest makes a guest's account; how guests sign up is not of interest here.
func (h *hs) guest(name string) (token string) {
	h.Helper()
	l, err := h.Accounts().Register(h.Context(), accounts.Registration{Localpart: name, Kind: "guest", Login: true})
	if err != nil {
		h.Fatal(err)
	}
	return l.AccessToken
}

func TestGuestsLeave(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, guest := h.user("alice"), h.guest("guest")
	room := h.room(alice, obj{"preset": "public_chat"})
	h.refused(403, "M_GUEST_ACCESS_FORBIDDEN", guest, "POST", "/v3/join/"+esc(room), nil)
	h.refused(403, "M_GUEST_ACCESS_FORBIDDEN", guest, "PUT", "/v3/rooms/"+room+"/state/m.room.member/@guest:test", obj{"membership": "join"})
	h.state(alice, room, "m.room.guest_access", "", obj{"guest_access": "can_join"})
	h.join(guest, room)
	h.state(alice, room, "m.room.guest_access", "", obj{"guest_access": "forbidden"})
	if m := h.ok(alice, "GET", "/v3/rooms/"+room+"/state/m.room.member/@guest:test", nil).Get("membership").Str; m != "leave" {
		t.Errorf("the guest is %s", m)
	}
}
