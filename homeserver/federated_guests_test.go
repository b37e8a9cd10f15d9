package homeserver

import (
	"context"
	"log/slog"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/guests"
	roompkg "github.com/landbridge-im/landbridge/homeserver/room"
)

// TestFederatedGuests: guests join rooms of other servers that want guests, and leave when another server's
// room does not want them any more.
func TestFederatedGuests(t *testing.T) {
	t.Parallel()
	p := sites(t, 2)
	a, b := p[0], p[1]
	alice, bob, guest := a.user("alice"), b.user("bob"), b.guest("guest")
	room := a.room(alice, obj{"preset": "public_chat"})
	a.ok(alice, "POST", "/v3/rooms/"+room+"/invite", obj{"user_id": b.id("guest")})
	join := "/v3/join/" + esc(room) + "?via=" + a.o.Name
	b.refused(403, "M_GUEST_ACCESS_FORBIDDEN", guest, "POST", join, obj{})
	a.state(alice, room, "m.room.guest_access", "", obj{"guest_access": "can_join"})
	b.ok(guest, "POST", join, obj{})
	b.joinVia(bob, room, a)
	a.member(t, alice, room, b.id("guest"), "join")
	a.state(alice, room, "m.room.guest_access", "", obj{"guest_access": "forbidden"})
	a.member(t, alice, room, b.id("guest"), "leave")
	a.member(t, alice, room, b.id("bob"), "join")
}

// TestGuestsAfterCrash: what a crash has hidden is done at the next start.
func TestGuestsAfterCrash(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, guest := h.user("alice"), h.guest("guest")
	room := h.room(alice, obj{"preset": "private_chat"})
	h.ok(alice, "POST", "/v3/rooms/"+room+"/invite", obj{"user_id": "@guest:test"})
	h.join(guest, room)
	name, err := h.store.RoomByID(t.Context(), room)
	if err != nil {
		t.Fatal(err)
	}
	// The change itself, of which nobody saw to the rest.
	key := ""
	if _, err := h.rooms.Send(t.Context(), name.NID, roompkg.Proposal{Sender: "@alice:test", Type: "m.room.guest_access", StateKey: &key, Content: []byte(`{"guest_access":"forbidden"}`)}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	again := guests.New(guests.Options{Store: h.store, Rooms: h.rooms, Log: slog.New(slog.DiscardHandler)})
	go func() { done <- again.Run(ctx) }()
	h.eventually("the guest has left", func() bool {
		return h.ok(alice, "GET", "/v3/rooms/"+room+"/state/m.room.member/@guest:test", nil).Get("membership").Str == "leave"
	})
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
