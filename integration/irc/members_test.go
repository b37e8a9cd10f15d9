package irc_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/ircd"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// TestMembersMax: of a channel with more people than are wanted only those who speak are in its room, and who changes their nick
// or goes is followed; of a smaller one all are.
func TestMembersMax(t *testing.T) {
	t.Parallel()
	ctx := withTimeout(t, 2*patience)
	insp := ircd.InspIRCd(t)
	person(ctx, t, insp.Addr, "bob", "#many", "#few")
	var crowd []*bridgetest.Person
	for i := range 12 {
		crowd = append(crowd, person(ctx, t, insp.Addr, fmt.Sprintf("p%d", i), "#many"))
	}
	s := testserver.New(t, testserver.Options{Extra: "bridges:\n" + bridgetest.IRCBridge("irc", "none",
		bridgetest.IRCNetwork{ID: "net", Addr: insp.Addr, Channels: []string{"#many", "#few"}, Extra: []string{"members_max: 10"}})})
	anna := user(ctx, t, s, "anna", "")
	many, few := joinSoon(ctx, t, anna, "#irc_net_#many:test"), joinSoon(ctx, t, anna, "#irc_net_#few:test")
	member(ctx, t, anna, few, "@irc_net.bob:test", "join")
	crowd[3].Say("#many", "I am here")
	if _, _, err := anna.Await(ctx, 0, many, "what was said", message("I am here")); err != nil {
		t.Fatal(err)
	}
	members, err := anna.Members(ctx, many)
	if err != nil {
		t.Fatal(err)
	}
	var ghosts []string
	for who := range members {
		if strings.HasPrefix(who, "@irc_net.") {
			ghosts = append(ghosts, who)
		}
	}
	if len(ghosts) != 1 || ghosts[0] != "@irc_net.p3:test" {
		t.Errorf("in the room are %v", ghosts)
	}
	crowd[3].Send("NICK renamed")
	waitFor(ctx, t, "the new name", func() bool {
		var now struct {
			Name string `json:"displayname"`
		}
		return anna.State(ctx, many, "m.room.member", "@irc_net.p3:test", &now) == nil && now.Name == "renamed"
	})
	crowd[3].Send("PART #many")
	member(ctx, t, anna, many, "@irc_net.p3:test", "leave")
}
