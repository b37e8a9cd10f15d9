package irc_test

import (
	"testing"

	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/ircd"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// TestIdle: the connection of who is silent for long ends. They stay in the room, read on, are told, and are themselves again as soon
// as they write; and who takes their nick meanwhile is somebody else.
func TestIdle(t *testing.T) {
	t.Parallel()
	ctx := withTimeout(t, 2*patience)
	insp := ircd.InspIRCd(t)
	bob := person(ctx, t, insp.Addr, "bob", "#chan", "#more")
	s := testserver.New(t, testserver.Options{Extra: "bridges:\n" + bridgetest.IRCBridge("irc", "none", bridgetest.IRCNetwork{ID: "net", Addr: insp.Addr,
		Channels: []string{"#chan", "#more"}, Extra: []string{`puppets: {nick: "{localpart}[m]", spread: 0s, idle: 3s}`}})})
	anna := user(ctx, t, s, "anna", "")
	room := joinSoon(ctx, t, anna, "#irc_net_#chan:test")
	joinSoon(ctx, t, anna, "#irc_net_#more:test")
	named(ctx, t, bob, "#more", "anna[m]", true)
	if _, _, err := bob.Await(ctx, 0, "anna[m]", "QUIT", ""); err != nil {
		t.Fatal(err)
	}
	if _, _, err := anna.Events.Wait(ctx, 0, notice("your own connection there has ended")); err != nil {
		t.Fatal(err)
	}
	member(ctx, t, anna, room, anna.UserID, "join")

	bob.Send("NICK anna[m]")
	bob.Say("#chan", "I am another one")
	e, _, err := anna.Await(ctx, 0, room, "what is said meanwhile", message("I am another one"))
	if err != nil || e.Sender == anna.UserID {
		t.Fatalf("%v of %s", err, e.Sender)
	}
	bob.Send("NICK bob")
	if _, err := anna.Say(ctx, room, "here I am"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := bob.Await(ctx, 0, "anna[m]", "PRIVMSG", "here I am"); err != nil {
		t.Fatal(err)
	}
	named(ctx, t, bob, "#more", "anna[m]", true)
}
