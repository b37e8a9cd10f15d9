package irc_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/ircd"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// TestRightsToIRC: power levels and join rules that are changed in Matrix are ranks and modes on IRC, where the bridge may set
// them; where it may not, who changed them is told, and the room is put back.
func TestRightsToIRC(t *testing.T) {
	t.Parallel()
	ctx := withTimeout(t, 2*patience)
	insp := ircd.InspIRCd(t)
	bob := person(ctx, t, insp.Addr, "bob", "#chan")
	carl := person(ctx, t, insp.Addr, "carl", "#chan")
	s := testserver.New(t, testserver.Options{Extra: administered(insp.Addr, []string{"#chan"}, `puppets: {nick: "{localpart}[m]", spread: 0s}`)})
	anna := user(ctx, t, s, "anna", "")
	room := joinSoon(ctx, t, anna, "#irc_net_#chan:test")
	for _, name := range []string{"anna[m]", "lbridge"} {
		named(ctx, t, bob, "#chan", name, true)
	}
	member(ctx, t, anna, room, "@irc_net.carl:test", "join")
	path := "/v3/rooms/" + url.PathEscape(room) + "/state/"
	levels := func(change func(map[string]any)) {
		t.Helper()
		var now map[string]any
		if err := anna.State(ctx, room, "m.room.power_levels", "", &now); err != nil {
			t.Fatal(err)
		}
		change(now)
		if err := anna.Do(ctx, "PUT", path+"m.room.power_levels/", now, nil); err != nil {
			t.Fatal(err)
		}
	}
	level := func(user string, to int) func(map[string]any) {
		return func(now map[string]any) { now["users"].(map[string]any)[user] = to }
	}
	ranked := func(nick, prefix string) {
		t.Helper()
		waitFor(ctx, t, nick+" to be "+prefix+nick, func() bool {
			from := bob.Lines.Len()
			bob.Send("NAMES #chan")
			if _, _, err := bob.Lines.Wait(ctx, from, func(l bridgetest.Line) bool { return l.Command == "366" }); err != nil {
				t.Fatal(err)
			}
			for _, l := range bob.Lines.All(from) {
				if l.Command == "353" {
					for _, name := range strings.Fields(l.Text()) {
						if strings.TrimLeft(name, "~&@%+") == nick {
							return name == prefix+nick
						}
					}
				}
			}
			return false
		})
	}
	set := func(letter string, on bool) {
		t.Helper()
		waitFor(ctx, t, "the mode "+letter, func() bool {
			from := bob.Lines.Len()
			bob.Send("MODE #chan")
			l, _, err := bob.Lines.Wait(ctx, from, func(l bridgetest.Line) bool { return l.Command == "324" })
			if err != nil {
				t.Fatal(err)
			}
			return strings.Contains(l.Params[2], letter) == on
		})
	}
	rule := func(to string) error {
		return anna.Do(ctx, "PUT", path+"m.room.join_rules/", map[string]string{"join_rule": to}, nil)
	}

	// anna has rights in the room by her rank; the bridge has none on IRC yet.
	bob.Send("MODE #chan +o anna[m]")
	waitFor(ctx, t, "anna's power", func() bool {
		var now struct {
			Users map[string]int `json:"users"`
		}
		return anna.State(ctx, room, "m.room.power_levels", "", &now) == nil && now.Users[anna.UserID] >= 50
	})
	from := anna.Events.Len()
	levels(level("@irc_net.carl:test", 1))
	if _, _, err := anna.Await(ctx, from, room, "word of the refusal", notice("not bridged")); err != nil {
		t.Fatal(err)
	}
	waitFor(ctx, t, "carl's level to be put back", func() bool {
		var now struct {
			Users map[string]int `json:"users"`
		}
		return anna.State(ctx, room, "m.room.power_levels", "", &now) == nil && now.Users["@irc_net.carl:test"] == 0
	})

	bob.Send("MODE #chan +o lbridge")
	ranked("lbridge", "@")
	levels(level("@irc_net.carl:test", 1))
	ranked("carl", "+")
	levels(level("@irc_net.carl:test", 0))
	ranked("carl", "")
	levels(func(now map[string]any) { now["events_default"] = 1 })
	set("m", true)
	levels(func(now map[string]any) { now["events_default"] = 0 })
	set("m", false)
	carl.Say("#chan", "may I?")
	if _, _, err := anna.Await(ctx, 0, room, "carl's words", message("may I?")); err != nil {
		t.Fatal(err)
	}
	if err := rule("invite"); err != nil {
		t.Fatal(err)
	}
	set("i", true)
	if err := rule("public"); err != nil {
		t.Fatal(err)
	}
	set("i", false)
}
