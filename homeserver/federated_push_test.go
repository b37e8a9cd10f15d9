package homeserver

import (
	"net/url"
	"testing"
)

// TestPushOfRemoteInvitation: who is invited into a room of another server is told of it, with what the invitation says
// of the room.
func TestPushOfRemoteInvitation(t *testing.T) {
	t.Parallel()
	s := sites(t, 2)
	a, b := s[0], s[1]
	alice, bob := a.user("alice"), b.user("bob")
	g := newGateway(t)
	g.pusher(b.hs, bob, "phone", nil)
	a.ok(alice, "PUT", "/v3/profile/"+url.PathEscape(a.id("alice"))+"/displayname", obj{"displayname": "Alice"})
	room := a.room(alice, obj{"preset": "private_chat", "name": "Far away", "invite": []string{b.id("bob")}})
	n := g.next(t)
	if dig(n, "type") != "m.room.member" || dig(n, "room_id") != room || dig(n, "sender") != a.id("alice") || dig(n, "user_is_target") != true ||
		dig(n, "content", "membership") != "invite" || dig(n, "room_name") != "Far away" || dig(n, "counts", "unread") != 1.0 || dig(n, "devices", 0, "tweaks", "sound") != "default" {
		t.Errorf("the invitation: %v", n)
	}
	// A direct chat has no name.
	a.room(alice, obj{"preset": "trusted_private_chat", "is_direct": true, "invite": []string{b.id("bob")}})
	if n := g.next(t); dig(n, "type") != "m.room.member" || dig(n, "sender_display_name") != "Alice" || dig(n, "counts", "unread") != 2.0 {
		t.Errorf("the direct chat: %v", n)
	}
	// One that is declined counts no more.
	b.ok(bob, "POST", "/v3/rooms/"+url.PathEscape(room)+"/leave", obj{})
	if n := g.next(t); dig(n, "event_id") != nil || dig(n, "counts", "unread") != 1.0 {
		t.Errorf("declined: %v", n)
	}
}
