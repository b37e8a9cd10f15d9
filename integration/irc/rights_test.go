package irc_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/ircd"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// TestDoors: who may enter a channel may enter its room, by its key, invitations and bans; and a secret channel is not shown.
func TestDoors(t *testing.T) {
	t.Parallel()
	ctx := withTimeout(t, 2*patience)
	insp := ircd.InspIRCd(t)
	bob := person(ctx, t, insp.Addr, "bob", "#chan")
	s := testserver.New(t, testserver.Options{Extra: administered(insp.Addr, []string{"#chan"}, `puppets: {nick: "{localpart}[m]", spread: 0s}`)})
	anna, carl := user(ctx, t, s, "anna", ""), user(ctx, t, s, "carl", "")
	room := joinSoon(ctx, t, anna, "#irc_net_#chan:test")
	space := joinSoon(ctx, t, anna, "#irc_net:test")
	named(ctx, t, bob, "#chan", "anna[m]", true)
	rule := func(want string) {
		t.Helper()
		waitFor(ctx, t, "the join rule "+want, func() bool {
			var got struct {
				JoinRule string `json:"join_rule"`
			}
			return anna.State(ctx, room, "m.room.join_rules", "", &got) == nil && got.JoinRule == want
		})
	}
	join := func() error {
		return carl.Do(ctx, "POST", "/v3/join/"+url.PathEscape(room), map[string]any{}, nil)
	}
	shown := func(want bool) {
		t.Helper()
		waitFor(ctx, t, "the space to follow", func() bool {
			var child struct {
				Via []string `json:"via"`
			}
			return anna.State(ctx, space, "m.space.child", room, &child) == nil && len(child.Via) > 0 == want
		})
	}
	shown(true)
	for _, mode := range []string{"k sesame", "i"} {
		bob.Send("MODE #chan +" + mode)
		rule("invite")
		if err := join(); !bridgetest.IsStatus(err, http.StatusForbidden) {
			t.Errorf("+%s: carl's join: %v", mode, err)
		}
		bob.Send("MODE #chan -" + mode)
		rule("public")
	}
	bob.Send("MODE #chan +s")
	shown(false)
	bob.Send("MODE #chan -s")
	shown(true)

	if err := join(); err != nil {
		t.Fatal(err)
	}
	named(ctx, t, bob, "#chan", "carl[m]", true)
	bob.Send("MODE #chan +b carl[m]!*@*")
	bob.Send("KICK #chan carl[m] :enough")
	if _, _, err := anna.Await(ctx, 0, room, "carl to be taken out", membership(carl.UserID, "ban", "")); err != nil {
		t.Fatal(err)
	}
	if err := join(); !bridgetest.IsStatus(err, http.StatusForbidden) {
		t.Errorf("carl is banned, and joins: %v", err)
	}
	bob.Send("MODE #chan -b carl[m]!*@*")
	waitFor(ctx, t, "carl to be let in", func() bool { return join() == nil })
	named(ctx, t, bob, "#chan", "carl[m]", true)
}

// TestBannedFromNetwork: who is banned from a network harms nobody else, is told, and is back when the ban is over; what the network's
// operators say to all is in its room. Nobody is left over when the server stops.
func TestBannedFromNetwork(t *testing.T) {
	t.Parallel()
	ctx := withTimeout(t, 3*patience)
	insp := ircd.InspIRCd(t)
	bob := person(ctx, t, insp.Addr, "bob", "#chan")
	bob.Send("OPER root oper")
	s := testserver.New(t, testserver.Options{Extra: administered(insp.Addr, []string{"#chan"}, `puppets: {nick: "{localpart}[m]", spread: 0s}`)})
	anna, carl := user(ctx, t, s, "anna", ""), user(ctx, t, s, "carl", "")
	room := joinSoon(ctx, t, anna, "#irc_net_#chan:test")
	joinSoon(ctx, t, carl, "#irc_net_#chan:test")
	for _, name := range []string{"anna[m]", "carl[m]", "lbridge"} {
		named(ctx, t, bob, "#chan", name, true)
	}
	bob.Send("NOTICE $* :The network is mended tonight.")
	network := joinInvited(ctx, t, anna)
	if _, _, err := anna.Await(ctx, 0, network, "the operator's words", func(e bridgetest.Event) bool {
		return e.Body() == "The network is mended tonight."
	}); err != nil {
		t.Fatal(err)
	}

	bob.Send("KLINE carl@* 1h :spam")
	if _, _, err := bob.Await(ctx, 0, "carl[m]", "QUIT", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := carl.Say(ctx, room, "where am I?"); err != nil {
		t.Fatal(err)
	}
	if _, err := bridgetest.MatrixToIRC(ctx, anna, room, bob, 3); err != nil {
		t.Errorf("anna is harmed: %v", err)
	}
	waitFor(ctx, t, "carl to be told", func() bool {
		history, err := anna.History(ctx, room)
		if err != nil {
			t.Fatal(err)
		}
		return warnings(history)["where am I?"] != ""
	})
	bob.Send("KLINE carl@*")
	named(ctx, t, bob, "#chan", "carl[m]", true)
	if _, err := bridgetest.MatrixToIRC(ctx, carl, room, bob, 1); err != nil {
		t.Error(err)
	}

	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"anna[m]", "carl[m]", "lbridge"} {
		named(ctx, t, bob, "#chan", name, false)
	}
}
