package slack_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/slack/slacktest"
)

// workspace is the configuration of one more workspace.
func workspaceConfig(id string, s *slacktest.Server, extra string) string {
	return fmt.Sprintf("        - id: %s\n          app_token: %s\n          bot_token: %s\n          api_url: %s\n%s", id, slacktest.AppToken, slacktest.BotToken, s.URL, extra)
}

// TestTwoWorkspaces bridges two workspaces at once; with one app for both, the events of either come over any of its connections.
func TestTwoWorkspaces(t *testing.T) {
	t.Parallel()
	for _, oneApp := range []bool{false, true} {
		t.Run(fmt.Sprint("one app: ", oneApp), func(t *testing.T) {
			t.Parallel()
			second := slacktest.New(t)
			second.SetTeam("T0000TWO2", 500_000)
			dora := second.AddUser("dora", "Dora")
			channel := second.AddChannel("second", false, dora, slacktest.BotUser)
			k := newTalkBy(t, workspaceConfig("beta", second, ""), func(k *talk) {
				k.slack.AwaitConnected(t, 1)
				second.AwaitConnected(t, 1)
				if oneApp {
					second.Through(k.slack)
				}
			})
			k.slack.Say(k.bob, k.channel, "in the first", nil)
			k.await("a message", message("in the first"))
			room := ""
			k.until("the other workspace's room", func() (ok bool) {
				var err error
				room, err = k.anna.Join(k.ctx, "#slack_beta_second:test")
				return err == nil
			})
			second.Say(dora, channel, "in the second", nil)
			first := k.room
			k.room = room
			k.until("a message of the second", func() bool { return k.count("in the second") == 1 })
			k.say("to the second")
			second.AwaitMessage(t, channel, "an answer", withText("to the second"))
			k.room = first
			k.say("to the first")
			k.inSlack("an answer", withText("to the first"))
			for _, m := range second.Messages(channel) {
				if m["text"] == "to the first" {
					t.Error("it is in the other workspace")
				}
			}
			if n := k.count("in the second"); n != 0 {
				t.Errorf("what is said in the second is %d times in the first", n)
			}
		})
	}
}

// TestGrid has the app installed in a whole organisation of Enterprise Grid, of which one workspace is bridged: people have ids of the
// organisation, the token says no workspace, and several apps may be in a channel.
func TestGrid(t *testing.T) {
	t.Parallel()
	var wanda string
	k := newTalkAfter(t, "          team_id: "+slacktest.Team+"\n", func(k *talk) {
		k.slack.SetOrg("E0000ORG1")
		wanda = k.slack.AddUserID("W0000WANDA", "wanda", "Wanda")
		k.slack.ChangeUser(wanda, slacktest.Object{"team_id": "T0000ELSE"})
		k.slack.Join(wanda, k.channel)
	})
	k.until("somebody of the organisation", func() bool { return k.member(k.ghost(wanda)).Name == "Wanda" })
	k.slack.Say(wanda, k.channel, "from the organisation", nil)
	if e := k.await("a message", message("from the organisation")); e.Sender != k.ghost(wanda) {
		t.Errorf("it is said by %s", e.Sender)
	}
	k.send("m.room.message", obj{"msgtype": "m.text", "body": "Wanda: hi", "format": "org.matrix.custom.html",
		"formatted_body": `<a href="https://matrix.to/#/` + k.ghost(wanda) + `">Wanda</a>: hi`})
	k.inSlack("a mention", withText("<@"+wanda+">: hi"))
	// Another app of the organisation is in the channel, too: what it says is its own.
	k.slack.AddBot("B0SIBLING", "Sibling")
	k.slack.Say("", k.channel, "beep", slacktest.Object{"subtype": "bot_message", "bot_id": "B0SIBLING", "app_id": "A0SIBLING"})
	if e := k.await("another app", message("beep")); !strings.HasPrefix(e.Sender, "@slack_b0sibling") {
		t.Errorf("it is said by %s", e.Sender)
	}
}

// token waits until a method is called with another token than one.
func (k *talk) token(method, than string, again func()) string {
	k.t.Helper()
	got := ""
	k.until("another token", func() bool {
		again()
		got = k.slack.Token(method)
		return got != than && got != ""
	})
	return got
}

// TestRotation has tokens that end: the bot's and that of who is signed in are renewed before they do, and survive a crash.
func TestRotation(t *testing.T) {
	t.Parallel()
	var me string
	k := newTalkAfter(t, oauthConfig, func(k *talk) {
		me = k.slack.AddUser("anna", "Anna of Slack")
		k.slack.Join(me, k.channel)
		k.slack.TokenLife = 4 // seconds
	})
	bot := k.withBot()
	k.consent(address.FindString(k.ask(bot, "install", func(s string) bool { return strings.Contains(s, "/slack/install/") })), k.bob)
	renewals := func() (n int) {
		for _, c := range k.slack.Calls("oauth.v2.access") {
			if c.Form["grant_type"] == "refresh_token" {
				n++
			}
		}
		return n
	}
	n := 0
	say := func() {
		n++
		k.say(fmt.Sprint("by the bot ", n))
		k.inSlack("a message", withText(fmt.Sprint("by the bot ", n)))
	}
	first := k.token("chat.postMessage", slacktest.BotToken, say)
	k.slack.Expire(slacktest.BotToken)
	k.token("chat.postMessage", first, say)
	k.slack.Expire(first)
	say()

	if err := k.server.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := k.server.Start(k.ctx); err != nil {
		t.Fatal(err)
	}
	k.slack.AwaitConnected(t, 1)
	say()
	k.slack.Say(k.bob, k.channel, "still here", nil)
	k.until("what is said after that", func() bool { return k.count("still here") == 1 })

	k.consent(address.FindString(k.ask(bot, "login", func(s string) bool { return strings.Contains(s, "/slack/login/") })), me)
	k.until("the sign-in", func() bool { return len(k.slack.Calls("users.conversations")) > 0 })
	mine := func() {
		n++
		k.say(fmt.Sprint("by myself ", n))
		if m := k.inSlack("a message", withText(fmt.Sprint("by myself ", n))); m["user"] != me {
			t.Errorf("it is said by %v", m["user"])
		}
	}
	k.ownVoice(me)
	before := renewals()
	old := k.slack.Token("chat.postMessage")
	k.token("chat.postMessage", old, mine)
	k.slack.Expire(old)
	mine()
	if renewals() == before {
		t.Error("no token was renewed")
	}

	// Who logs out is relayed from then on, and Slack knows of it.
	k.ask(bot, "logout acme."+strings.ToLower(me), func(s string) bool { return strings.Contains(strings.ToLower(s), "logged out") })
	if len(k.slack.Calls("auth.revoke")) != 1 {
		t.Error("the token was not revoked")
	}
	k.say("relayed again")
	if m := k.inSlack("a relayed message", withText("relayed again")); m["username"] != "Anna" {
		t.Errorf("the message is %v", m)
	}
}

// TestRevokedRotation has the bot's token refused for good: the administrators are told at once.
func TestRevokedRotation(t *testing.T) {
	t.Parallel()
	k := newTalkAfter(t, oauthConfig, func(k *talk) { k.slack.TokenLife = 3 })
	bot := k.withBot()
	k.consent(address.FindString(k.ask(bot, "install", func(s string) bool { return strings.Contains(s, "/slack/install/") })), k.bob)
	k.slack.ForgetRefresh()
	k.await2(bot, "the news", "does not let the bridge into the workspace")
}

// await2 waits for something that the bridge's bot says in a room.
func (k *talk) await2(room, what, text string) {
	k.t.Helper()
	k.until(what, func() bool {
		all, err := k.anna.History(k.ctx, room)
		if err != nil {
			k.t.Fatal(err)
		}
		for _, e := range all {
			if strings.Contains(e.Body(), text) {
				return true
			}
		}
		return false
	})
}

// TestMoves has somebody who is signed in join and leave a channel on either side.
func TestMoves(t *testing.T) {
	t.Parallel()
	k, me := signedIn(t)
	in := func(want bool) {
		t.Helper()
		k.until(fmt.Sprint("anna in the channel: ", want), func() bool { return slices.Contains(k.slack.Members(k.channel), me) == want })
	}
	in(true)
	if err := k.anna.Do(k.ctx, "POST", "/v3/rooms/"+k.room+"/leave", obj{}, nil); err != nil {
		t.Fatal(err)
	}
	in(false)
	if _, err := k.anna.Join(k.ctx, k.room); err != nil {
		t.Fatal(err)
	}
	in(true)
	k.until("her ghost", func() bool { return k.member(k.ghost(me)).Membership == "join" })
	k.say("back again")
	if m := k.inSlack("a message", withText("back again")); m["user"] != me {
		t.Errorf("it is said by %v", m["user"])
	}
	// A private channel's room is for those who are in the channel.
	k.slack.Convert(k.bob, k.channel, true)
	k.await("the room to be private", state("m.room.join_rules", "join_rule", "invite"))
	k.slack.Leave(me, k.channel)
	bot := k.bot()
	k.until("anna to be out of the room", func() bool {
		var m struct {
			Membership string `json:"membership"`
		}
		return bot.State(k.ctx, k.room, "m.room.member", k.anna.UserID, &m) == nil && m.Membership == "leave"
	})
}

// TestDirectHistory has the direct messages of who signs in begin with their past, also over a crash.
func TestDirectHistory(t *testing.T) {
	t.Parallel()
	var me, dm string
	var want []string
	k := newTalkAfter(t, "          history: all\n"+oauthConfig, func(k *talk) {
		me = k.slack.AddUser("anna", "Anna of Slack")
		k.slack.Join(me, k.channel)
		dm = k.slack.Direct(k.bob, me)
		for i := range 30 {
			want = append(want, fmt.Sprint("private ", i))
			k.slack.Say([]string{k.bob, me}[i%2], dm, want[i], slacktest.Object{"ts": past(time.Now().Add(-time.Hour), i)})
		}
	})
	bot := k.withBot()
	k.consent(address.FindString(k.ask(bot, "login", func(s string) bool { return strings.Contains(s, "/slack/login/") })), me)
	k.room = k.direct(k.bob)
	if err := k.server.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := k.server.Start(k.ctx); err != nil {
		t.Fatal(err)
	}
	k.until("the past", func() bool { return slices.Equal(k.bodies(), want) })
	k.slack.AwaitConnected(t, 1)
	k.slack.Say(k.bob, dm, "now", nil)
	k.until("what is new", func() bool { return slices.Equal(k.bodies(), append(slices.Clone(want), "now")) })
}
