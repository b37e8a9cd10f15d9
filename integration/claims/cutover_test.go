package claims_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/app/apptest"
)

// TestCutover: a community is told, the old side is closed, the bridge goes, comes back, goes again, and ends; the rooms
// stay with all that is in them, and are owned by an administrator.
func TestCutover(t *testing.T) {
	t.Parallel()
	s, n, mod := start(t, "[town, cellar]")
	alice, bob := s.Person("alice"), s.Person("robert")
	town, cellar := alice.Enter("#lines_town:"+apptest.Domain), bob.Enter("#lines_cellar:"+apptest.Domain)
	n.Say("town", "carl", "in the old days")
	alice.Hears(town, "@lines_carl:"+apptest.Domain, "in the old days")
	closeRoom(t, mod, cellar)

	if out := s.Run("migrate", "announce", "-bridge", "lines", "-text", "We move on Sunday."); !strings.Contains(out, "has been announced") {
		t.Error(out)
	}
	alice.Hears(town, bot, "We move on Sunday.")
	n.Hears("town bridge We move on Sunday.")
	if out := s.Run("migrate", "freeze", "-bridge", "lines", "-notice", "Closed."); !strings.Contains(out, "closed. Next") || !strings.Contains(out, "can't keep people from writing") {
		t.Error(out)
	}
	n.Hears("town bridge Closed.")
	n.Say("town", "carl", "one last word")
	alice.Hears(town, "@lines_carl:"+apptest.Domain, "one last word") // still read until the end

	level := func(room string, who *apptest.Person, user string) int {
		t.Helper()
		var l event.PowerLevelsEventContent
		if err := who.State(t.Context(), room, "m.room.power_levels", "", &l); err != nil {
			t.Fatal(err)
		}
		return l.GetUserLevel(id.UserID(user))
	}
	bridged := func() string {
		t.Helper()
		var raw json.RawMessage
		if err := alice.State(t.Context(), town, "m.bridge", apptest.Domain+"/lines", &raw); err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	before := bridged()
	finish := func() {
		t.Helper()
		out := s.Run("migrate", "finish", "-bridge", "lines", "-admin", "alice")
		if !strings.Contains(out, "2 rooms, owned by "+alice.UserID) {
			t.Error(out)
		}
		if level(town, alice, alice.UserID) != 100 || level(cellar, bob, bob.UserID) != 100 {
			t.Error("nobody owns the rooms")
		}
		if members, err := bob.Members(t.Context(), cellar); err != nil || len(members) != 2 {
			t.Errorf("who is in the private room: %v, %v", members, err)
		}
		if bridged() != "{}" {
			t.Errorf("the room says that it is bridged: %s", bridged())
		}
	}
	finish()
	n.Drop()
	s.Restart() // the bridge does not come back by itself
	alice.Tell(town, "while it is out")
	if out := s.Run("migrate", "undo", "-bridge", "lines"); !strings.Contains(out, "as it was") {
		t.Error(out)
	}
	n.Hears("town bridge This channel is open again.")
	n.Hears("town alice while it is out") // nothing is lost
	if level(town, alice, alice.UserID) != 0 || bridged() != before {
		t.Errorf("undone, but power %d and %s", level(town, alice, alice.UserID), bridged())
	}
	n.Say("town", "carl", "back again")
	alice.Hears(town, "@lines_carl:"+apptest.Domain, "back again")

	finish()
	if out := s.Run("migrate", "confirm", "-bridge", "lines"); !strings.Contains(out, "its bot has left") {
		t.Error(out)
	}
	for _, room := range []string{town, cellar} {
		who := map[string]*apptest.Person{town: alice, cellar: bob}[room]
		members, err := who.Members(t.Context(), room)
		if _, there := members[bot]; there || err != nil {
			t.Errorf("the bot is still in %s: %v, %v", room, members, err)
		}
	}
	members, err := alice.Members(t.Context(), town)
	if _, there := members["@lines_carl:"+apptest.Domain]; !there || err != nil {
		t.Errorf("the ghost has gone: %v, %v", members, err)
	}
	s.Restart()
	if found, err := alice.Resolve(t.Context(), "#lines_town:"+apptest.Domain); err != nil || found != town {
		t.Errorf("the alias leads to %s: %v", found, err)
	}
	history, err := alice.History(t.Context(), town)
	if err != nil {
		t.Fatal(err)
	}
	all := ""
	for _, e := range history {
		all += e.Sender + ": " + e.Body() + "\n"
	}
	for _, want := range []string{"@lines_carl:test: in the old days", "@lines_carl:test: one last word", "@alice:test: while it is out", "@lines_carl:test: back again"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is missing in the history:\n%s", want, all)
		}
	}
	if err := alice.SetState(t.Context(), town, "m.room.name", "", map[string]string{"name": "Our own"}); err != nil {
		t.Errorf("the owner can't name the room: %v", err)
	}
	alice.Tell(town, "life goes on")
	if out := s.Run("migrate", "report", "-bridge", "lines", "-json"); !strings.Contains(out, `"state":"confirmed"`) {
		t.Error(out)
	}
}

// TestHalfClosed: what could not be closed wholly is opened again by undoing, and what is closed can be closed once more.
func TestHalfClosed(t *testing.T) {
	t.Parallel()
	s, n, mod := start(t, "[town]")
	s.Person("alice").Enter("#lines_town:" + apptest.Domain) // the bridge runs
	mod.mu.Lock()
	mod.fails = errors.New("the network is away")
	mod.mu.Unlock()
	if out, code := s.Try("migrate", "freeze", "-bridge", "lines", "-notice", "Closed."); code == 0 || !strings.Contains(out, "the network is away") {
		t.Errorf("code %d: %s", code, out)
	}
	n.Hears("town bridge Closed.")
	s.Run("migrate", "undo", "-bridge", "lines")
	n.Hears("town bridge This channel is open again.")

	mod.mu.Lock()
	mod.fails = nil
	mod.mu.Unlock()
	for _, notice := range []string{"Closed.", "Closed for good."} {
		s.Run("migrate", "freeze", "-bridge", "lines", "-notice", notice)
		n.Hears("town bridge " + notice)
	}
}
