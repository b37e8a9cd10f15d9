package homeserver

import "testing"

// TestRestrictedFromSpace has somebody come into a space and go on at once into a room for its members, where another
// server has to vouch for them, which has not heard yet that they are in the space.
func TestRestrictedFromSpace(t *testing.T) {
	t.Parallel()
	p := sites(t, 2)
	a, b := p[0], p[1]
	alice, bob, carl := a.user("alice"), b.user("bob"), b.user("carl")
	space := a.room(alice, obj{"preset": "public_chat"})
	room := a.room(alice, obj{"power_level_content_override": obj{"invite": 50}, "initial_state": []obj{{"type": "m.room.join_rules", "state_key": "", "content": obj{"join_rule": "restricted",
		"allow": []obj{{"type": "m.room_membership", "room_id": space}}}}}})
	b.joinVia(bob, space, a)
	a.member(t, alice, space, b.id("bob"), "join")
	b.joinVia(bob, room, a)
	a.member(t, alice, room, b.id("bob"), "join")
	a.deaf.Store(true)
	b.joinVia(carl, space, a)
	b.joinVia(carl, room, a)
	a.member(t, alice, room, b.id("carl"), "join")
	if a.deaf.Load() {
		t.Error("nobody was asked to vouch")
	}
	by := b.ok(carl, "GET", "/v3/rooms/"+esc(room)+"/state/m.room.member/"+esc(b.id("carl")), nil).Get("join_authorised_via_users_server").Str
	if by != a.id("alice") {
		t.Errorf("%q has vouched", by)
	}
	// Somebody who is not in the space is not let in.
	dora := b.user("dora")
	b.refused(403, "M_FORBIDDEN", dora, "POST", "/v3/join/"+esc(room)+"?via="+esc(a.o.Name), nil)
}
