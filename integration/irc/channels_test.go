package irc_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/ircd"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// administered is the configuration of a bridge to one network, of which anna is an administrator.
func administered(addr string, channels []string, extra ...string) string {
	conf := bridgetest.IRCBridge("irc", "none", bridgetest.IRCNetwork{ID: "net", Addr: addr, Channels: channels, Extra: extra})
	return "bridges:\n" + strings.Replace(conf, "    config:\n", "    admins: [\"@anna:test\"]\n    config:\n", 1)
}

// eachServer runs a test with the servers that Debian has.
func eachServer(t *testing.T, f func(t *testing.T, srv *ircd.Server)) {
	for name, start := range map[string]func(testing.TB) *ircd.Server{
		"ngircd":   func(t testing.TB) *ircd.Server { return ircd.NgIRCd(t, "") },
		"inspircd": ircd.InspIRCd,
		"hybrid":   ircd.Hybrid,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, start(t))
		})
	}
}

// named waits until a nick is in a channel, or is not.
func named(ctx context.Context, t testing.TB, p *bridgetest.Person, channel, nick string, want bool) {
	t.Helper()
	waitFor(ctx, t, fmt.Sprintf("%s in %s: %v", nick, channel, want), func() bool {
		list, err := p.Names(ctx, channel)
		return err == nil && slices.Contains(list, nick) == want
	})
}

// member waits for a membership in a room.
func member(ctx context.Context, t testing.TB, m *bridgetest.Matrix, room, user, want string) {
	t.Helper()
	waitFor(ctx, t, user+": "+want, func() bool {
		var now struct{ Membership string }
		err := m.State(ctx, room, "m.room.member", user, &now)
		return err == nil && now.Membership == want
	})
}

// TestChannels has channels come and go by command and by alias, and people look around, invite, kick and ban.
func TestChannels(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, srv *ircd.Server) {
		ctx := withTimeout(t, 2*patience)
		bob := person(ctx, t, srv.Addr, "bob", "#chan", "#more", "#open", "#tied")
		s := testserver.New(t, testserver.Options{Extra: administered(srv.Addr, []string{"#chan"}, "dynamic: true", `puppets: {nick: "{localpart}", spread: 0s}`)})
		anna := user(ctx, t, s, "anna", "")
		room := joinSoon(ctx, t, anna, "#irc_net_#chan:test")
		named(ctx, t, bob, "#chan", "lbridge", true)
		named(ctx, t, bob, "#chan", "anna", true)
		k := &channels{t: t, ctx: ctx, s: s, anna: anna, bob: bob, room: room}
		k.commands()
		k.byAlias()
		k.plumbing()
		k.invitations()
		k.private()
		k.bans()
	})
}

type channels struct {
	t    *testing.T
	ctx  context.Context
	s    *testserver.Server
	anna *bridgetest.Matrix
	bob  *bridgetest.Person
	room string
}

func (k *channels) commands() {
	c := &chat{t: k.t, ctx: k.ctx, m: k.anna, room: k.room}
	c.ask("!irc names", "bob")
	c.ask("!irc whois bob", "bob!")
	c.ask("!irc whois nobody", "Nobody is called")
	c.ask("!irc list", "#more")
	if answer := c.ask("!irc join #more", "#more is"); !strings.Contains(answer, "here") {
		k.t.Errorf("the answer is %q", answer)
	}
	more := joinSoon(k.ctx, k.t, k.anna, "#irc_net_#more:test")
	member(k.ctx, k.t, k.anna, more, "@irc_net.bob:test", "join")
	k.bob.Say("#more", "in more")
	if _, _, err := k.anna.Await(k.ctx, 0, more, "a message", message("in more")); err != nil {
		k.t.Fatal(err)
	}
	c.ask("!irc unplumb #more", "not bridged any more")
	member(k.ctx, k.t, k.anna, more, "@irc_net.bob:test", "leave")
	c.ask("!irc nick annie", "")
	named(k.ctx, k.t, k.bob, "#chan", "annie", true)
	named(k.ctx, k.t, k.bob, "#chan", "anna", false)
	c.ask("!irc nick anna", "")
	named(k.ctx, k.t, k.bob, "#chan", "anna", true)
}

// byAlias: who joins an alias finds the channel.
func (k *channels) byAlias() {
	open := joinSoon(k.ctx, k.t, k.anna, "#irc_net_#open:test")
	k.bob.Say("#open", "who is there?")
	if _, _, err := k.anna.Await(k.ctx, 0, open, "a message", message("who is there?")); err != nil {
		k.t.Fatal(err)
	}
	named(k.ctx, k.t, k.bob, "#open", "anna", true)
	if _, err := k.anna.Say(k.ctx, open, "me"); err != nil {
		k.t.Fatal(err)
	}
	if _, _, err := k.bob.Await(k.ctx, 0, "anna", "PRIVMSG", "me"); err != nil {
		k.t.Error(err)
	}
	// It is there after a restart.
	if err := k.s.Restart(k.ctx); err != nil {
		k.t.Fatal(err)
	}
	named(k.ctx, k.t, k.bob, "#open", "anna", true)
	k.bob.Say("#open", "still there?")
	if _, _, err := k.anna.Await(k.ctx, 0, open, "a message", message("still there?")); err != nil {
		k.t.Fatal(err)
	}
}

// plumbing: a room that is there becomes a channel's.
func (k *channels) plumbing() {
	var made struct {
		ID string `json:"room_id"`
	}
	if err := k.anna.Do(k.ctx, "POST", "/v3/createRoom", map[string]any{"preset": "public_chat", "name": "Mine", "invite": []string{"@ircbot:test"},
		"power_level_content_override": map[string]any{"users": map[string]int{"@ircbot:test": 100}}}, &made); err != nil {
		k.t.Fatal(err)
	}
	member(k.ctx, k.t, k.anna, made.ID, "@ircbot:test", "join")
	c := &chat{t: k.t, ctx: k.ctx, m: k.anna, room: made.ID}
	c.ask("!irc plumb #tied", "#tied")
	k.bob.Say("#tied", "a tied message")
	if _, _, err := k.anna.Await(k.ctx, 0, made.ID, "a message", message("a tied message")); err != nil {
		k.t.Fatal(err)
	}
	if _, err := k.anna.Say(k.ctx, made.ID, "tied as well"); err != nil {
		k.t.Fatal(err)
	}
	if _, _, err := k.bob.Await(k.ctx, 0, "", "PRIVMSG", "tied as well"); err != nil {
		k.t.Error(err)
	}
}

// invitations to a channel are some to its room, and the other way.
func (k *channels) invitations() {
	carl := user(k.ctx, k.t, k.s, "carl", "")
	joinSoon(k.ctx, k.t, carl, "#irc_net_#open:test")
	named(k.ctx, k.t, k.bob, "#open", "carl", true)
	k.bob.Send("INVITE carl #chan")
	member(k.ctx, k.t, k.anna, k.room, "@carl:test", "invite")

	// anna's own rank on IRC is hers in the room; the bridge needs one to ban, and in places to invite.
	k.bob.Send("MODE #chan +oo anna lbridge")
	waitFor(k.ctx, k.t, "anna's power", func() bool {
		var levels struct {
			Users map[string]int `json:"users"`
		}
		err := k.anna.State(k.ctx, k.room, "m.room.power_levels", "", &levels)
		return err == nil && levels.Users["@anna:test"] >= 50
	})
	dora := person(k.ctx, k.t, k.bob.Addr(), "dora", "#open")
	open := joinSoon(k.ctx, k.t, k.anna, "#irc_net_#open:test")
	member(k.ctx, k.t, k.anna, open, "@irc_net.dora:test", "join")
	if err := k.anna.Do(k.ctx, "POST", "/v3/rooms/"+url.PathEscape(k.room)+"/invite", map[string]string{"user_id": "@irc_net.dora:test"}, nil); err != nil {
		k.t.Fatal(err)
	}
	if _, _, err := dora.Lines.Wait(k.ctx, 0, func(l bridgetest.Line) bool { return l.Command == "INVITE" && l.Text() == "#chan" }); err != nil {
		k.t.Fatalf("no invitation on IRC: %v", err)
	}
}

// private messages go both ways, in one room.
func (k *channels) private() {
	k.bob.Say("anna", "psst")
	room := joinInvited(k.ctx, k.t, k.anna)
	if _, _, err := k.anna.Await(k.ctx, 0, room, "what was said", message("psst")); err != nil {
		k.t.Fatal(err)
	}
	if _, err := k.anna.Say(k.ctx, room, "yes?"); err != nil {
		k.t.Fatal(err)
	}
	if l, _, err := k.bob.Await(k.ctx, 0, "anna", "PRIVMSG", "yes?"); err != nil || l.Params[0] != "bob" {
		k.t.Errorf("%v %v", l, err)
	}
	k.bob.Send("PRIVMSG anna :\x01ACTION nods\x01")
	if e, _, err := k.anna.Await(k.ctx, 0, room, "an action", message("nods")); err != nil || e.Field("msgtype") != "m.emote" {
		k.t.Errorf("%v %v", e, err)
	}
}

// bans in Matrix are bans on IRC, where the bridge may, and the other way; a kick is a kick.
func (k *channels) bans() {
	eve := person(k.ctx, k.t, k.bob.Addr(), "eve", "#chan")
	ghost := "@irc_net.eve:test"
	member(k.ctx, k.t, k.anna, k.room, ghost, "join")
	k.bob.Send("MODE #chan +b eve!*@*")
	k.bob.Send("KICK #chan eve :out")
	member(k.ctx, k.t, k.anna, k.room, ghost, "ban")
	k.bob.Send("MODE #chan -b eve!*@*")
	member(k.ctx, k.t, k.anna, k.room, ghost, "leave")
	if err := eve.Join(k.ctx, "#chan"); err != nil {
		k.t.Fatal(err)
	}
	member(k.ctx, k.t, k.anna, k.room, ghost, "join")
	from := eve.Lines.Len()
	if err := k.anna.Do(k.ctx, "POST", "/v3/rooms/"+url.PathEscape(k.room)+"/ban", map[string]string{"user_id": ghost, "reason": "enough"}, nil); err != nil {
		k.t.Fatal(err)
	}
	if _, _, err := eve.Await(k.ctx, from, "", "KICK", ""); err != nil {
		k.t.Error(err)
	}
	eve.Send("JOIN #chan")
	if _, _, err := eve.Lines.Wait(k.ctx, from, func(l bridgetest.Line) bool { return l.Command == "474" }); err != nil {
		k.t.Errorf("eve can join: %v", err)
	}
	if err := k.anna.Do(k.ctx, "POST", "/v3/rooms/"+url.PathEscape(k.room)+"/unban", map[string]string{"user_id": ghost}, nil); err != nil {
		k.t.Fatal(err)
	}
	waitFor(k.ctx, k.t, "eve back", func() bool {
		eve.Send("JOIN #chan")
		list, err := k.bob.Names(k.ctx, "#chan")
		return err == nil && slices.Contains(list, "eve")
	})
}
