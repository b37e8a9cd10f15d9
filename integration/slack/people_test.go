package slack_test

import (
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/bridges/slack/slacktest"
	"github.com/landbridge-im/landbridge/integration/bridgetest"
)

// member returns what somebody's membership in the room says.
func (k *talk) member(user string) (m struct {
	Membership string `json:"membership"`
	Name       string `json:"displayname"`
	Avatar     string `json:"avatar_url"`
}) {
	k.t.Helper()
	if err := k.anna.State(k.ctx, k.room, "m.room.member", user, &m); err != nil && !bridgetest.IsStatus(err, 404) {
		k.t.Fatal(err)
	}
	return m
}

// picture waits until somebody's picture in the room is one of the stand-in.
func (k *talk) picture(user, name string) {
	k.t.Helper()
	k.until("the picture "+name, func() bool {
		avatar := k.member(user).Avatar
		return avatar != "" && strings.HasSuffix(string(k.media(avatar)), "/emoji/"+name+".png")
	})
}

// TestPeople has people and bots look as they do in Slack, from the beginning and when they change.
func TestPeople(t *testing.T) {
	t.Parallel()
	var owner string
	k := newTalkAfter(t, "          status: true\n", func(k *talk) {
		owner = k.slack.AddUser("olga", "Olga")
		k.slack.ChangeUser(owner, slacktest.Object{"is_owner": true, "is_admin": true})
		k.slack.Join(owner, k.channel)
		k.slack.ChangeUser(k.bob, slacktest.Object{"profile": slacktest.Object{
			"display_name": "bobby", "image_192": k.slack.Picture("bob"), "status_text": "in a meeting", "status_emoji": ":calendar:"}})
	})
	k.until("bob's name, which is the one that is displayed", func() bool { return k.member(k.ghost(k.bob)).Name == "bobby" })
	k.picture(k.ghost(k.bob), "bob")
	k.until("a status from before", func() bool {
		var p struct {
			Status string `json:"status_msg"`
		}
		err := k.anna.Do(k.ctx, "GET", "/v3/presence/"+k.ghost(k.bob)+"/status", nil, &p)
		return err == nil && strings.HasSuffix(p.Status, " in a meeting")
	})
	var levels struct {
		Users map[string]int `json:"users"`
	}
	k.until("the owner's power", func() bool {
		return k.anna.State(k.ctx, k.room, "m.room.power_levels", "", &levels) == nil && levels.Users[k.ghost(owner)] == 75
	})
	k.slack.ChangeUser(k.bob, slacktest.Object{"profile": slacktest.Object{"image_192": k.slack.Picture("bob-2")}})
	k.picture(k.ghost(k.bob), "bob-2")
	k.slack.ChangeUser(k.carol, slacktest.Object{"deleted": true})
	k.until("carol's deactivation", func() bool { return k.member(k.ghost(k.carol)).Name == "Carol (deactivated)" })

	// Bots: one that says what it is called, in two guises, and one whose name is asked for.
	bot := func(body string) string {
		t.Helper()
		return k.await(body, message(body)).Sender
	}
	k.slack.Say("", k.channel, "build failed", slacktest.Object{"subtype": "bot_message", "bot_id": "B0CI00001", "username": "CI", "icons": obj{"image_48": k.slack.Picture("ci")}})
	ci := bot("build failed")
	k.picture(ci, "ci")
	k.slack.Say("", k.channel, "deployed", slacktest.Object{"subtype": "bot_message", "bot_id": "B0CI00001", "username": "Deploy", "icons": obj{"emoji": ":ship:", "image_64": k.slack.Picture("ship")}})
	deploy := bot("deployed")
	k.picture(deploy, "ship")
	if ci == deploy || k.member(ci).Name != "CI" || k.member(deploy).Name != "Deploy" {
		t.Errorf("the guises are %s, %+v, and %s, %+v", ci, k.member(ci), deploy, k.member(deploy))
	}
	k.slack.AddBot("B0QUIET01", "quiet")
	k.slack.Say("", k.channel, "hm", slacktest.Object{"subtype": "bot_message", "bot_id": "B0QUIET01"})
	quiet := bot("hm")
	k.picture(quiet, "bot-quiet")
	if got := k.member(quiet).Name; got != "quiet" {
		t.Errorf("a bot without a name in its message is called %q", got)
	}
}

// TestMentions has user groups, channels, everybody and custom emoji mentioned on both sides.
func TestMentions(t *testing.T) {
	t.Parallel()
	var group, other string
	k := newTalkAfter(t, "", func(k *talk) {
		group = k.slack.AddGroup("admins", k.carol)
		other = k.slack.AddChannel("random", false, k.bob, slacktest.BotUser)
		k.slack.AddEmoji("blob_party", "")
	})
	k.slack.Say(k.bob, k.channel, "<!subteam^"+group+"> see <#"+other+"|random>, <!here> :blob_party: <!date^1700000000^{date}|then> <https://x.example/?a=1&amp;b|there>", nil)
	e := k.await("the mentions", func(e bridgetest.Event) bool { return strings.HasPrefix(e.Body(), "@admins see #random, @here") })
	if users, _ := get(e.Content, "m.mentions", "user_ids").([]any); len(users) != 1 || users[0] != k.ghost(k.carol) || get(e.Content, "m.mentions", "room") != true {
		t.Errorf("mentioned are %v", get(e.Content, "m.mentions"))
	}
	room := k.join("random")
	html := e.Field("formatted_body")
	for _, part := range []string{`>#random</a>`, strings.TrimPrefix(room, "!")[:8], `<img data-mx-emoticon src="mxc://`, `then <a href="https://x.example/?a=1&amp;b">there</a>`} {
		if !strings.Contains(html, part) {
			t.Errorf("%s has no %s", html, part)
		}
	}
	k.promote(k.room, 60)
	k.send("m.room.message", obj{"msgtype": "m.text", "body": "@admins @room :blob_party: #random", "format": "org.matrix.custom.html", "m.mentions": obj{"room": true},
		"formatted_body": `@admins @room :blob_party: <a href="https://matrix.to/#/` + room + `">#random</a>`})
	k.inSlack("the mentions", withText("<!subteam^"+group+"> <!channel> :blob_party: <#"+other+">"))
	// Who may not alert everybody does not.
	k.promote(k.room, 0)
	k.send("m.room.message", obj{"msgtype": "m.text", "body": "@room hi", "m.mentions": obj{"room": true}})
	k.inSlack("no mention", withText("@room hi"))
}

// TestPrivacy has private channels bridged when the bot is invited, and rooms follow who may see them.
func TestPrivacy(t *testing.T) {
	t.Parallel()
	k := newTalk(t, "")
	rule := func() string {
		var rule struct {
			Rule string `json:"join_rule"`
		}
		bot := k.bot()
		if err := bot.State(k.ctx, k.room, "m.room.join_rules", "", &rule); err != nil {
			t.Fatal(err)
		}
		return rule.Rule
	}
	if got := rule(); got != "public" {
		t.Errorf("a public channel's room is %s", got)
	}
	k.slack.Convert(k.bob, k.channel, true)
	k.until("the room to be private", func() bool { return rule() == "invite" })
	k.slack.Convert(k.bob, k.channel, false)
	k.until("the room to be public", func() bool { return rule() == "public" })
	k.slack.Share(k.channel, true)
	k.await("a shared channel", state("m.room.name", "name", "general (Slack Connect)"))
	k.slack.Share(k.channel, false)
	k.await("a channel of one's own", state("m.room.name", "name", "general"))

	secret := k.slack.AddChannel("secret", true, k.bob)
	k.slack.Join(slacktest.BotUser, secret)
	bot := k.bot()
	public := k.room
	k.until("the room of a private channel", func() bool {
		var joined struct {
			Rooms []string `json:"joined_rooms"`
		}
		if err := bot.Do(k.ctx, "GET", "/v3/joined_rooms", nil, &joined); err != nil {
			t.Fatal(err)
		}
		for _, room := range joined.Rooms {
			var name struct {
				Name string `json:"name"`
			}
			if bot.State(k.ctx, room, "m.room.name", "", &name) == nil && name.Name == "secret" {
				k.room = room
				return true
			}
		}
		return false
	})
	if got := rule(); got != "invite" {
		t.Errorf("a private channel's room is %s", got)
	}
	if _, err := k.anna.Join(k.ctx, k.room); !bridgetest.IsStatus(err, 403) {
		t.Errorf("somebody comes into it: %v", err)
	}
	if k.lookup("secret") != "" {
		t.Error("the space shows it to everybody")
	}
	k.room = public

	// The workspace's own name and picture.
	k.slack.SetTeamIcon()
	k.slack.RenameTeam("Acme & Sons")
	space, err := k.anna.Resolve(k.ctx, "#slack_acme:test")
	if err != nil {
		t.Fatal(err)
	}
	k.until("the space's name", func() bool {
		var name struct {
			Name string `json:"name"`
		}
		return k.anna.State(k.ctx, space, "m.room.name", "", &name) == nil && name.Name == "Acme & Sons"
	})
	if err := k.server.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := k.server.Start(k.ctx); err != nil {
		t.Fatal(err)
	}
	k.until("the space's picture", func() bool {
		var avatar struct {
			URL string `json:"url"`
		}
		return k.anna.State(k.ctx, space, "m.room.avatar", "", &avatar) == nil && strings.HasSuffix(string(k.media(avatar.URL)), "/emoji/team.png")
	})
}
