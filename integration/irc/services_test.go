package irc_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/ircd"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// chat is a user's chat with the bridge's bot.
type chat struct {
	t    testing.TB
	ctx  context.Context
	m    *bridgetest.Matrix
	room string
}

func newChat(ctx context.Context, t testing.TB, m *bridgetest.Matrix, bot string) *chat {
	t.Helper()
	var made struct {
		ID string `json:"room_id"`
	}
	if err := m.Do(ctx, "POST", "/v3/createRoom", map[string]any{"preset": "trusted_private_chat", "is_direct": true, "invite": []string{bot}}, &made); err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.Await(ctx, 0, made.ID, "the bot", membership(bot, "join", "")); err != nil {
		t.Fatal(err)
	}
	return &chat{t: t, ctx: ctx, m: m, room: made.ID}
}

// ask gives a command, and returns the first thing that the bot says with a text.
func (c *chat) ask(command, answer string) string {
	c.t.Helper()
	from := c.m.Events.Len()
	if _, err := c.m.Say(c.ctx, c.room, command); err != nil {
		c.t.Fatal(err)
	}
	e, _, err := c.m.Await(c.ctx, from, c.room, fmt.Sprintf("an answer to %q with %q", command, answer), notice(answer))
	if err != nil {
		c.t.Fatal(err)
	}
	return e.Body()
}

// accountOf is the account of somebody, as others see it, or empty.
func accountOf(ctx context.Context, t testing.TB, p *bridgetest.Person, nick string) string {
	t.Helper()
	from := p.Lines.Len()
	p.Send("WHOIS " + nick)
	_, to, err := p.Lines.Wait(ctx, from, func(l bridgetest.Line) bool { return l.Command == "318" })
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range p.Lines.All(from)[:to-from] {
		if l.Command == "330" && len(l.Params) > 2 {
			return l.Params[2]
		}
	}
	return ""
}

// joinInvited joins the room of a conversation, to which the bridge invites a user.
func joinInvited(ctx context.Context, t testing.TB, m *bridgetest.Matrix) (room string) {
	t.Helper()
	waitFor(ctx, t, "an invitation to a conversation", func() bool {
		var out struct {
			Rooms struct {
				Invite map[string]struct {
					State struct {
						Events []bridgetest.Event `json:"events"`
					} `json:"invite_state"`
				} `json:"invite"`
			} `json:"rooms"`
		}
		if err := m.Do(ctx, "GET", "/v3/sync?timeout=0", nil, &out); err != nil {
			t.Fatal(err)
		}
		for id, r := range out.Rooms.Invite {
			for _, e := range r.State.Events {
				if e.Type == "m.room.member" && e.Field("membership") == "invite" && strings.Contains(e.Field("reason"), "talks to you") {
					room = id
					return true
				}
			}
		}
		return false
	})
	return joinSoon(ctx, t, m, room)
}

// TestServices has people and the bridge log in at the services of a network: with passwords and certificates, by SASL,
// and by words to NickServ where there is none.
func TestServices(t *testing.T) {
	t.Parallel()
	ctx := withTimeout(t, patience)
	insp := ircd.Services(t)
	for _, name := range []string{"anna", "lbridge"} {
		p := person(ctx, t, insp.Addr, name)
		p.Send("PRIVMSG NickServ :REGISTER sesame " + name + "@test.example")
		if _, _, err := p.Await(ctx, 0, "NickServ", "NOTICE", "registered"); err != nil {
			t.Fatal(err)
		}
		p.Send("QUIT")
		<-p.Closed()
	}
	bob := person(ctx, t, insp.Addr, "bob", "#chan", "#members")
	bob.Send("MODE #members +R")
	s := testserver.New(t, testserver.Options{Extra: fmt.Sprintf(`bridges:
  - id: irc
    module: irc
    config:
      networks:
        - id: insp
          address: %q
          tls_ca: %q
          tls_server_name: irc.test.example
          nick: lbridge
          sasl: {user: lbridge, password: sesame}
          channels: ["#chan", "#members"]
          puppets: {nick: "{localpart}[m]", spread: 0s}
`, insp.TLSAddr, insp.CA)})
	inChannel(ctx, t, bob, "#chan")
	inChannel(ctx, t, bob, "#members")
	if got := accountOf(ctx, t, bob, "lbridge"); got != "lbridge" {
		t.Errorf("the bridge is logged in as %q", got)
	}

	anna := user(ctx, t, s, "anna", "")
	room := joinSoon(ctx, t, anna, "#irc_insp_#chan:test")
	speaks := func(channel, room, text string) {
		t.Helper()
		if _, err := anna.Say(ctx, room, text); err != nil {
			t.Fatal(err)
		}
		if _, _, err := bob.Await(ctx, 0, "anna[m]", "PRIVMSG", text); err != nil {
			t.Fatal(err)
		}
	}
	is := func(account string) {
		t.Helper()
		waitFor(ctx, t, fmt.Sprintf("anna logged in as %q", account), func() bool { return accountOf(ctx, t, bob, "anna[m]") == account })
	}
	speaks("#chan", room, "nobody yet")
	is("")

	// A channel for those with an account does not let her in, and says why.
	members := joinSoon(ctx, t, anna, "#irc_insp_#members:test")
	waitFor(ctx, t, "anna out of the room", func() bool {
		var now struct{ Membership, Reason string }
		err := anna.State(ctx, members, "m.room.member", anna.UserID, &now)
		return err == nil && now.Membership == "leave" && strings.HasPrefix(now.Reason, "cannot join #members: ")
	})

	bot := newChat(ctx, t, anna, "@ircbot:test")
	bot.ask("storepass anna wrong", "You are not let in")
	bot.ask("storepass anna sesame", "You are logged in to insp as")
	is("anna")
	speaks("#chan", room, "with a password")
	members = joinSoon(ctx, t, anna, "#irc_insp_#members:test")
	speaks("#members", members, "among members")

	// A certificate, of which she tells NickServ in a conversation from Matrix.
	bot.ask("cert", "You are logged in to insp as")
	nickServ := "@irc_insp.nickserv:test"
	if err := anna.Do(ctx, "POST", "/v3/createRoom", map[string]any{"preset": "trusted_private_chat", "is_direct": true, "invite": []string{nickServ}}, nil); err != nil {
		t.Fatal(err)
	}
	talk := joinInvited(ctx, t, anna)
	if _, err := anna.Say(ctx, talk, "CERT ADD"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := anna.Await(ctx, 0, talk, "NickServ's answer", notice("added to anna's certificate list")); err != nil {
		t.Fatal(err)
	}
	bot.ask("removepass password", "You are logged in to insp as")
	is("anna")
	speaks("#chan", room, "with a certificate")
	if err := s.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	is("anna")
	speaks("#chan", room, "after a restart")
	bot.ask("removepass", "forgotten")
	is("")

	// Nothing secret is in the log.
	if log := s.Log(); strings.Contains(log, "sesame") {
		t.Error("a password is in the log")
	}
}
