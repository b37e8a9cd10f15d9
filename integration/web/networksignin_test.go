package web

import (
	"fmt"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/app"
	"github.com/landbridge-im/landbridge/app/apptest"
	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
	"github.com/landbridge-im/landbridge/bridges/slack/slacktest"
)

// TestNetworkSignIn: people of Discord and of Slack show who they are by signing in there, and have accounts, though
// registration is closed; who is of another community gets none.
func TestNetworkSignIn(t *testing.T) {
	t.Parallel()
	dc, err := discordtest.New("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dc.Close)
	anna := dc.AddUser("anna")
	dc.AddUser("stranger")
	guild := dc.AddGuild("Guild", anna)
	general := dc.AddChannel(guild, 0, "general", "")
	slack := slacktest.New(t)
	bob := slack.AddUser("bob", "Bob Builder")
	talk := slack.AddChannel("talk", false, bob, slacktest.BotUser)
	s := apptest.StartWith(t, "registration: {open: false, admin_signup_token: false}", fmt.Sprintf(`  - id: discord
    module: discord
    config: {token: %q, client_secret: %q, api_url: %q, cdn_url: %q}
  - id: slack
    module: slack
    config:
      workspaces:
        - {id: acme, app_token: %q, bot_token: %q, client_id: %q, client_secret: %q, sign_in: true, api_url: %q}
`, dc.Token, discordtest.ClientSecret, dc.URL(), dc.CDN(), slacktest.AppToken, slacktest.BotToken, slacktest.ClientID, slacktest.ClientSecret, slack.URL), app.Modules()...)
	password := func(name string) string { return "a long password of " + name }
	s.RunWith(password("carol"), "user", "create", "carol", "-password-file", "-")
	carol := s.LogIn("carol")
	dcRoom, slackRoom := carol.Enter("#discord_"+general.ID+":"+apptest.Domain), carol.Enter("#slack_acme_talk:"+apptest.Domain)

	b := newBrowserWith(t, s.URL, how{Beyond: []string{"http://" + dc.Addr(), strings.TrimSuffix(slack.URL, "/api/")}})
	b.visit("/claim", "I sign in there")
	b.look("claim-sign-in")
	b.click("text=Sign in with Discord")
	b.click("text=stranger")
	b.see("in nothing there that belongs to this community")
	b.goTo("/claim")
	b.click("text=Sign in with Discord")
	b.click("text=Cancel")
	b.see("has not said who you are")
	b.goTo("/claim")
	b.click("text=Sign in with Discord")
	b.click("text=anna")
	b.see("You are invited as anna of Discord")
	b.click("text=Make an account")
	b.fill("#password", password("anna"))
	b.click("text=Make account")
	b.click("text=Yes, I am anna")
	b.see("You are linked")
	if n := dc.Bearers(); n != 0 {
		t.Errorf("%d tokens of people are left", n)
	}
	dc.Say(general, anna, "from my own account", nil)
	carol.Hears(dcRoom, "@anna:"+apptest.Domain, "from my own account")
	if text := b.do(step{Do: "text"}); strings.Contains(text, "Sign in with Discord") || !strings.Contains(text, "Sign in with Slack") {
		t.Errorf("who is linked to Discord is offered %s", text)
	}

	// The same person on the other network.
	b.click("text=Sign in with Slack")
	b.click("text=somebody of another workspace")
	b.see("in nothing there that belongs to this community")
	b.goTo("/claim")
	b.click("text=Sign in with Slack")
	b.click("text=bob")
	b.see("You are invited as Bob Builder of Slack")
	b.click("text=Yes, I am Bob Builder")
	b.see("You are linked")
	slack.Say(bob, talk, "from the same account", nil)
	carol.Hears(slackRoom, "@anna:"+apptest.Domain, "from the same account")
}
