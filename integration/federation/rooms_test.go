package federation

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/landbridge-im/landbridge/integration/client"
)

// TestSynapse runs all scenarios on one Landbridge and one Synapse, in both directions.
func TestSynapse(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	syn := newSynapse(t, a)
	own := landbridge(t, a)
	ours := &server{make: "landbridge", name: own.Name(), url: own.URL()}
	theirs := &server{make: "synapse", name: syn.name, url: "http://" + syn.client}
	// What depends on the version of the room.
	for _, version := range []string{"10", "11", "12"} {
		for name, scenario := range map[string]func(t *testing.T, version string, host, guest *server){
			"talk":       talk,
			"invite":     invitations,
			"knock":      knocks,
			"restricted": restricted,
			"moderation": moderation,
		} {
			both(t, fmt.Sprintf("%s in version %s", name, version), ours, theirs, func(t *testing.T, host, guest *server) {
				scenario(t, version, host, guest)
			})
		}
	}
	for name, scenario := range map[string]func(t *testing.T, host, guest *server){
		"directory":   directory,
		"spaces":      spaces,
		"ephemera":    ephemera,
		"presence":    presences,
		"profiles":    profiles,
		"devices":     devices,
		"media":       files,
		"fork":        forks,
		"server acls": acls,
		"past":        past,
	} {
		both(t, name, ours, theirs, scenario)
	}
	t.Run("secrets", func(t *testing.T) {
		t.Parallel()
		secrets(t, ours, theirs)
	})
}

// both runs a scenario with either server as the host.
func both(t *testing.T, name string, ours, theirs *server, scenario func(t *testing.T, host, guest *server)) {
	for _, d := range [][2]*server{{ours, theirs}, {theirs, ours}} {
		t.Run(name+" at "+d[0].make, func(t *testing.T) {
			t.Parallel()
			scenario(t, d[0], d[1])
		})
	}
}

// talk: joining, speaking, state, redactions, leaving and coming back, what was said before.
func talk(t *testing.T, version string, host, guest *server) {
	alice, bob, carl := host.user(t), guest.user(t), guest.user(t)
	room := alice.room(t, version, m{"name": "Talk"})
	bob.joins(t, room, host)
	alice.finds(t, room, bob, "join")
	bob.has(t, room, "m.room.name", "", "name", "Talk")
	var last string
	for i := range 5 {
		bob.sees(t, room, alice.say(t, room, fmt.Sprint("host ", i)))
		last = bob.say(t, room, fmt.Sprint("guest ", i))
		alice.sees(t, room, last)
	}
	if a, b := alice.bodies(t, room), bob.bodies(t, room); !slices.Equal(a, b) || len(a) != 10 {
		t.Errorf("they read different things:\n%q\n%q", a, b)
	}
	// A second user of a server that is in the room joins without asking anybody.
	carl.joins(t, room)
	alice.finds(t, room, carl, "join")

	alice.set(t, room, "m.room.topic", "", m{"topic": "weather"})
	bob.has(t, room, "m.room.topic", "", "topic", "weather")
	_, err := bob.SetState(t.Context(), room, "m.room.topic", "", m{"topic": "mine"})
	refused(t, err, "M_FORBIDDEN")

	// Redactions, of one's own and by a moderator.
	own := alice.say(t, room, "oops")
	bob.sees(t, room, own)
	for target, by := range map[string]*someone{own: alice, last: alice, bob.say(t, room, "bob's oops"): bob} {
		alice.sees(t, room, target)
		_, err := by.Redact(t.Context(), room, target, fmt.Sprint("r", txns.Add(1)))
		ok(t, err)
		for _, p := range []*someone{alice, bob} {
			eventually(t, p.UserID+" to see the redaction", func() error {
				e, err := p.Event(t.Context(), room, target)
				if err == nil && e.Body() != "" {
					err = fmt.Errorf("it says %q", e.Body())
				}
				return err
			})
		}
	}

	ok(t, bob.Leave(t.Context(), room))
	alice.finds(t, room, bob, "leave")
	ok(t, carl.Leave(t.Context(), room))
	alice.finds(t, room, carl, "leave")
	alice.say(t, room, "while they are away")
	bob.joins(t, room, host)
	alice.finds(t, room, bob, "join")
	bob.sees(t, room, alice.say(t, room, "again"))
}

// past: what was said before the guest's server joined, and while it was away.
func past(t *testing.T, host, guest *server) {
	alice, bob := host.user(t), guest.user(t)
	room := alice.room(t, "11", m{"name": "Old"})
	for i := range 130 {
		alice.say(t, room, fmt.Sprint("before ", i))
	}
	bob.joins(t, room, host)
	eventually(t, "what was said before", func() error {
		b := bob.bodies(t, room)
		if len(b) != 130 || b[0] != "before 0" || b[129] != "before 129" {
			return fmt.Errorf("there is %q", b)
		}
		return nil
	})
	ok(t, bob.Leave(t.Context(), room))
	alice.finds(t, room, bob, "leave")
	alice.say(t, room, "while they are away")
	bob.joins(t, room, host)
	eventually(t, "what was said in between", func() error {
		if b := bob.bodies(t, room); !slices.Contains(b, "while they are away") {
			return fmt.Errorf("there is %q", b)
		}
		return nil
	})
}

// invitations: accepted, declined, taken back, and accepted by somebody whose server is in the room.
func invitations(t *testing.T, version string, host, guest *server) {
	alice, bob, carl := host.user(t), guest.user(t), guest.user(t)
	room := alice.room(t, version, m{"preset": "private_chat", "name": "Secret", "invite": []string{bob.UserID}})
	s := bob.invited(t, room)
	if !anyOf(s.State, func(e client.Event) bool { return e.Type == "m.room.name" && contains(e.Content, "Secret") }) {
		t.Errorf("the invitation does not tell the name: %+v", s)
	}
	ok(t, bob.Join(t.Context(), room))
	alice.finds(t, room, bob, "join")
	alice.sees(t, room, bob.say(t, room, "hello"))
	refused(t, carl.join(t.Context(), room, host.name), "M_FORBIDDEN")
	// By the guest, who may since the preset lets everybody invite.
	dora := host.user(t)
	bob.change(t, room, "invite", dora)
	dora.invited(t, room)
	ok(t, dora.Join(t.Context(), room))
	bob.finds(t, room, dora, "join")

	other := alice.room(t, version, m{"preset": "private_chat"})
	alice.change(t, other, "invite", carl)
	carl.invited(t, other)
	ok(t, carl.Leave(t.Context(), other))
	alice.finds(t, other, carl, "leave")
	refused(t, carl.join(t.Context(), other, host.name), "M_FORBIDDEN")
	alice.change(t, other, "invite", carl)
	carl.invited(t, other)
	alice.change(t, other, "kick", carl)
	carl.syncs(t, "the end of the invitation", func(s *client.Sync) bool { _, there := s.Rooms.Invite[other]; return !there })
	refused(t, carl.join(t.Context(), other, host.name), "M_FORBIDDEN")
}

// knocks: answered with an invitation, refused, taken back.
func knocks(t *testing.T, version string, host, guest *server) {
	alice, bob, carl := host.user(t), guest.user(t), guest.user(t)
	room := alice.room(t, version, m{"name": "Door", "initial_state": []m{{"type": "m.room.join_rules", "content": m{"join_rule": "knock"}}}})
	knock := func(p *someone) {
		t.Helper()
		ok(t, p.Do(t.Context(), "POST", client.Path("knock", room), viaQuery([]string{host.name}), m{"reason": "let me in"}, nil))
		alice.finds(t, room, p, "knock")
	}
	knock(bob)
	bob.syncs(t, "the knock", func(s *client.Sync) bool {
		return anyOf(s.Rooms.Knock[room].State, func(e client.Event) bool { return e.Type == "m.room.name" && contains(e.Content, "Door") })
	})
	alice.change(t, room, "invite", bob)
	bob.invited(t, room)
	ok(t, bob.Join(t.Context(), room))
	alice.finds(t, room, bob, "join")
	alice.sees(t, room, bob.say(t, room, "thanks"))

	knock(carl)
	bob.finds(t, room, carl, "knock")
	alice.change(t, room, "kick", carl)
	bob.finds(t, room, carl, "leave")
	knock(carl)
	ok(t, carl.Leave(t.Context(), room))
	alice.finds(t, room, carl, "leave")
}

// restricted: a room for the members of another one; either server lets people in.
func restricted(t *testing.T, version string, host, guest *server) {
	alice, bob, carl := host.user(t), guest.user(t), guest.user(t)
	club := alice.room(t, version, m{"name": "Club"})
	room := alice.room(t, version, m{"name": "Back room", "initial_state": []m{{"type": "m.room.join_rules", "content": m{
		"join_rule": "restricted", "allow": []m{{"type": "m.room_membership", "room_id": club}}}}}})
	refused(t, bob.join(t.Context(), room, host.name), "M_FORBIDDEN")
	bob.joins(t, club, host)
	alice.finds(t, club, bob, "join")
	bob.joins(t, room, host)
	alice.finds(t, room, bob, "join")
	alice.sees(t, room, bob.say(t, room, "inside"))
	// The guest's server is in both rooms now, but has nobody who may invite: it asks the host's.
	refused(t, carl.join(t.Context(), room), "M_FORBIDDEN")
	carl.joins(t, club)
	alice.finds(t, club, carl, "join")
	carl.joins(t, room, host)
	alice.finds(t, room, carl, "join")
	for _, p := range []*someone{alice, bob} {
		c, err := p.StateContent(t.Context(), room, "m.room.member", carl.UserID)
		ok(t, err)
		if c["join_authorised_via_users_server"] != alice.UserID {
			t.Errorf("%s was let in by %v", carl.UserID, c["join_authorised_via_users_server"])
		}
	}
	// Somebody of the guest's server may invite, and lets in whom the host's server sends.
	levels, err := alice.StateContent(t.Context(), room, "m.room.power_levels", "")
	ok(t, err)
	users, _ := levels["users"].(m)
	if users == nil {
		users = m{}
	}
	users[bob.UserID] = 60
	levels["users"], levels["invite"] = users, 50
	alice.set(t, room, "m.room.power_levels", "", levels)
	bob.has(t, room, "m.room.power_levels", "", "invite", 50)
	dora := guest.user(t)
	dora.joins(t, club)
	dora.joins(t, room)
	alice.finds(t, room, dora, "join")
	c, err := alice.StateContent(t.Context(), room, "m.room.member", dora.UserID)
	ok(t, err)
	if c["join_authorised_via_users_server"] != bob.UserID {
		t.Errorf("%s was let in by %v, not by %s", dora.UserID, c["join_authorised_via_users_server"], bob.UserID)
	}
	// The host has nobody in the room any more: the guest's server lets in who comes back.
	if version != "12" {
		erik := host.user(t)
		erik.joins(t, club)
		bob.finds(t, club, erik, "join")
		ok(t, alice.Leave(t.Context(), room))
		bob.finds(t, room, alice, "leave")
		erik.joins(t, room, guest)
		bob.finds(t, room, erik, "join")
	}
}

// moderation: power, kicks, bans, upgrades.
func moderation(t *testing.T, version string, host, guest *server) {
	alice, bob, carl := host.user(t), guest.user(t), host.user(t)
	room := alice.room(t, version, m{"name": "Order"})
	bob.joins(t, room, host)
	carl.joins(t, room)
	bob.finds(t, room, carl, "join")
	refused(t, bob.Change(t.Context(), room, "kick", carl.UserID), "M_FORBIDDEN")
	levels, err := alice.StateContent(t.Context(), room, "m.room.power_levels", "")
	ok(t, err)
	users, _ := levels["users"].(m)
	if users == nil {
		users = m{}
	}
	users[bob.UserID] = 50
	levels["users"] = users
	alice.set(t, room, "m.room.power_levels", "", levels)
	eventually(t, "the power to arrive", func() error { return bob.Change(t.Context(), room, "kick", carl.UserID) })
	alice.finds(t, room, carl, "leave")
	bob.change(t, room, "ban", carl)
	alice.finds(t, room, carl, "ban")
	refused(t, carl.Join(t.Context(), room), "M_FORBIDDEN", "M_BAD_STATE")
	bob.change(t, room, "unban", carl)
	alice.finds(t, room, carl, "leave")

	// The guest is banned: their server learns of it, and they can't come back.
	alice.change(t, room, "ban", bob)
	eventually(t, "the ban to arrive", func() error {
		var rooms struct {
			Joined []string `json:"joined_rooms"`
		}
		err := bob.Do(t.Context(), "GET", client.Path("joined_rooms"), nil, nil, &rooms)
		if err == nil && slices.Contains(rooms.Joined, room) {
			err = errors.New("they are in the room")
		}
		return err
	})
	refused(t, bob.join(t.Context(), room, host.name), "M_FORBIDDEN")
	alice.change(t, room, "unban", bob)
	eventually(t, "the way back", func() error { return bob.join(t.Context(), room, host.name) })
	alice.finds(t, room, bob, "join")
	bob.sees(t, room, alice.say(t, room, "welcome back"))

	// Upgraded, and followed.
	var next struct {
		Room string `json:"replacement_room"`
	}
	ok(t, alice.Do(t.Context(), "POST", client.Path("rooms", room, "upgrade"), nil, m{"new_version": "12"}, &next))
	bob.has(t, room, "m.room.tombstone", "", "replacement_room", next.Room)
	bob.joins(t, next.Room, host)
	alice.finds(t, next.Room, bob, "join")
	bob.has(t, next.Room, "m.room.name", "", "name", "Order")
	alice.sees(t, next.Room, bob.say(t, next.Room, "here"))
}
