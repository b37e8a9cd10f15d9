package claims_test

import (
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/app/apptest"
)

const (
	ghost = "@lines_bob:" + apptest.Domain
	bot   = "@linesbot:" + apptest.Domain
)

// TestCodeForTheBot: somebody who is in Matrix already says a code to the bot. From then on what they say on the
// network is said by themselves, once, in rooms that are private too, and with the power that they had there.
func TestCodeForTheBot(t *testing.T) {
	t.Parallel()
	s, n, mod := start(t, "[town, cellar]")
	alice, bob := s.Person("alice"), s.Person("robert")
	town, cellar := alice.Enter("#lines_town:"+apptest.Domain), alice.Enter("#lines_cellar:"+apptest.Domain)
	n.Say("town", "bob", "hello from the ghost")
	n.Say("cellar", "bob", "it is dark")
	alice.Hears(town, ghost, "hello from the ghost")
	alice.Hears(cellar, ghost, "it is dark")
	closeRoom(t, mod, cellar)
	givePower(t, mod, town, ghost, 50)

	links := mod.links
	if _, err := links.Confirm(t.Context(), person("bob"), "AAAAA-AAAAA"); err == nil {
		t.Fatal("a code that nobody was given is taken")
	}
	code, err := links.Ask(t.Context(), id.UserID(bob.UserID))
	if err != nil {
		t.Fatal(err)
	}
	n.Say("@bridge", "bob", "link "+strings.ToLower(strings.ReplaceAll(code, "-", " ")))
	n.Hears("@bob bridge I know link and unlink.") // a code with a space in it is two words
	n.Say("@bridge", "bob", "link "+strings.ToLower(strings.ReplaceAll(code, "-", "")))
	n.Hears("@bob bridge You are " + bob.UserID + " now.")

	for _, room := range []string{town, cellar} {
		eventually(t, "in the room", func() bool {
			members, err := alice.Members(t.Context(), room)
			_, there := members[bob.UserID]
			_, still := members[ghost]
			return err == nil && there && !still
		})
	}
	var levels event.PowerLevelsEventContent
	if err := alice.State(t.Context(), town, "m.room.power_levels", "", &levels); err != nil || levels.GetUserLevel(id.UserID(bob.UserID)) != 50 || levels.GetUserLevel(ghost) != 0 {
		t.Errorf("power levels: %v, %v", levels.Users, err)
	}
	var profile map[string]any
	if err := alice.Do(t.Context(), "GET", "/v3/profile/"+ghost, nil, &profile); err != nil || profile["im.landbridge.account"] != bob.UserID {
		t.Errorf("the ghost's profile: %v, %v", profile, err)
	}

	n.Forget()
	n.Say("town", "bob", "hello from myself")
	e := alice.Hears(town, bob.UserID, "hello from myself")
	if e.Field("fi.mau.double_puppet_source") != "lines" {
		t.Errorf("without the mark: %s", e.Content)
	}
	n.Say("cellar", "bob", "a candle")
	alice.Hears(cellar, bob.UserID, "a candle")
	// What they write in Matrix goes to the network, and nothing comes back to it.
	bob.Tell(town, "written in Matrix")
	n.Hears("town robert written in Matrix")
	alice.Tell(town, "the last word")
	n.Hears("town alice the last word")
	if n.Heard("hello from myself")+n.Heard("a candle") > 0 {
		t.Error("an echo has gone to the network")
	}
	// A restart forgets nothing.
	n.Drop()
	s.Restart()
	n.Say("town", "bob", "and after a restart")
	alice.Hears(town, bob.UserID, "and after a restart")
	// Linked once, linked for good.
	if _, err := mod.links.Offer(t.Context(), person("bob")); err == nil {
		t.Error("there is a second offer")
	}

	n.Say("@bridge", "bob", "unlink")
	n.Hears("@bob bridge You have no account")
	n.Say("town", "bob", "a ghost again")
	alice.Hears(town, ghost, "a ghost again")
}

// TestNarrow: what a bridge may do as an account is to say what the person said, where the bridge is.
func TestNarrow(t *testing.T) {
	t.Parallel()
	s, n, mod := start(t, "[town]")
	alice, bob := s.Person("alice"), s.Person("robert")
	town := alice.Enter("#lines_town:" + apptest.Domain)
	var secret struct {
		ID string `json:"room_id"`
	}
	if err := bob.Do(t.Context(), "POST", "/v3/createRoom", map[string]any{"name": "secret"}, &secret); err != nil {
		t.Fatal(err)
	}
	as := func(user string) *asUser { return &asUser{t, s.URL, mod.bridge(), user} }
	if code := as(bob.UserID).do("PUT", "/rooms/"+town+"/send/m.room.message/1", `{"msgtype":"m.text","body":"x"}`); code != 403 {
		t.Fatalf("without a tie: %d", code)
	}
	code, err := mod.links.Ask(t.Context(), id.UserID(bob.UserID))
	if err != nil {
		t.Fatal(err)
	}
	n.Say("@bridge", "bob", "link "+code)
	n.Hears("@bob bridge You are")
	bob.Enter(town)
	for _, c := range []struct {
		user, method, path, body string
		want                     int
	}{
		{bob.UserID, "PUT", "/rooms/" + town + "/send/m.room.message/2", `{"msgtype":"m.text","body":"y"}`, 200},
		{alice.UserID, "PUT", "/rooms/" + town + "/send/m.room.message/3", `{"msgtype":"m.text","body":"z"}`, 403},
		{bob.UserID, "PUT", "/rooms/" + secret.ID + "/send/m.room.message/4", `{"msgtype":"m.text","body":"z"}`, 403},
		{bob.UserID, "GET", "/rooms/" + secret.ID + "/messages?dir=b", "", 403},
		{bob.UserID, "GET", "/rooms/" + town + "/messages?dir=b", "", 403},
		{bob.UserID, "GET", "/sync", "", 403},
		{bob.UserID, "GET", "/account/whoami", "", 403},
		{bob.UserID, "GET", "/devices", "", 403},
		{bob.UserID, "PUT", "/profile/" + bob.UserID + "/displayname", `{"displayname":"Mallory"}`, 403},
		{bob.UserID, "PUT", "/rooms/" + town + "/state/m.room.name", `{"name":"x"}`, 403},
		{bob.UserID, "PUT", "/rooms/" + town + "/state/m.room.name/x", `{"name":"x"}`, 403},
		{bob.UserID, "PUT", "/rooms/" + town + "/state/m.room.member/" + alice.UserID, `{"membership":"leave"}`, 403},
		{bob.UserID, "POST", "/rooms/" + secret.ID + "/leave", `{}`, 403},
		{bob.UserID, "POST", "/account/password", `{}`, 403},
		{bob.UserID, "POST", "/keys/query", `{}`, 403},
		{bob.UserID, "PUT", "/user/" + bob.UserID + "/account_data/m.direct", `{}`, 403},
	} {
		if got := as(c.user).do(c.method, c.path, c.body); got != c.want {
			t.Errorf("%s %s as %s: %d, not %d", c.method, c.path, c.user, got, c.want)
		}
	}
	if err := mod.links.Unlink(t.Context(), "bob"); err != nil {
		t.Fatal(err)
	}
	if code := as(bob.UserID).do("PUT", "/rooms/"+town+"/send/m.room.message/5", `{"msgtype":"m.text","body":"x"}`); code != 403 {
		t.Errorf("after the tie: %d", code)
	}
}

// TestLeaving: who leaves a room in Matrix, or is banned from it, is not brought back by what they say on the network.
func TestLeaving(t *testing.T) {
	t.Parallel()
	s, n, mod := start(t, "[town]")
	alice, bob := s.Person("alice"), s.Person("robert")
	town := alice.Enter("#lines_town:" + apptest.Domain)
	code, err := mod.links.Ask(t.Context(), id.UserID(bob.UserID))
	if err != nil {
		t.Fatal(err)
	}
	n.Say("@bridge", "bob", "link "+code)
	n.Hears("@bob bridge You are")
	n.Say("town", "bob", "first") // joins by speaking
	alice.Hears(town, bob.UserID, "first")
	if err := bob.Do(t.Context(), "POST", "/v3/rooms/"+town+"/leave", map[string]any{}, &struct{}{}); err != nil {
		t.Fatal(err)
	}
	n.Say("town", "bob", "second")
	alice.Hears(town, ghost, "second")
	br := mod.bridge()
	_, err = br.Bot.SendState(t.Context(), id.RoomID(town), event.StateMember, bob.UserID, &event.Content{Parsed: &event.MemberEventContent{Membership: event.MembershipBan}}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	n.Say("town", "bob", "third")
	n.Say("town", "carl", "fourth")
	alice.Hears(town, "@lines_carl:"+apptest.Domain, "fourth")
	history, err := alice.History(t.Context(), town)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range history {
		if e.Body() == "third" {
			t.Errorf("who is banned has spoken: %+v", e)
		}
	}
}
