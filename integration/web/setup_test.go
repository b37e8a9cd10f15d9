package web

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
	"github.com/landbridge-im/landbridge/bridges/slack/slacktest"
	"github.com/landbridge-im/landbridge/integration/client"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// TestSetupWithTokens sets Slack and Discord up by pages, against stand-ins: the bridges run then, and
// their tokens are in files that only the server can read, and nowhere else.
func TestSetupWithTokens(t *testing.T) {
	t.Parallel()
	slack := slacktest.New(t)
	bob := slack.AddUser("bob", "Bob Builder")
	slack.AddChannel("general", false, bob, slacktest.BotUser)
	slack.AddChannel("random", false, bob)
	discord, err := discordtest.New("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(discord.Close)
	guild := discord.AddGuild("Guild", discord.AddUser("carol"))
	discord.AddChannel(guild, 0, "talk", "")

	s := testserver.New(t, testserver.Options{Dir: shortDir(t)})
	_, err = (&client.Client{URL: s.URL()}).RegisterAdmin(t.Context(), "anna", testserver.SharedSecret)
	if err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t, s.URL())
	b.goTo("/console/setup")
	b.fill("#user", "anna")
	b.fill("#password", client.Password)
	b.click("main button")
	b.click("main >> text=Slack")
	b.see("What to do at Slack")
	b.look("setup-slack")
	fill := func(bot string) {
		b.fill("#app_token", slacktest.AppToken)
		b.fill("#bot_token", bot)
		b.fill("#id", "acme")
		b.click("summary")
		b.fill("#api", slack.URL)
		b.click("button[value=channels]")
	}
	fill("xoxb-wrong")
	b.see("the token is wrong")
	fill(slacktest.BotToken)
	b.see("The tokens are good")
	b.see("the app is not in it yet")
	b.look("setup-slack-channels")
	b.click("button[value=review]")
	b.see("Pick a channel")
	b.do(step{Do: "check", At: "input[name=all]"})
	b.click("button[value=review]")
	b.see("The module has checked it")
	if text := b.do(step{Do: "text"}); strings.Contains(text, slacktest.BotToken) || !strings.Contains(text, "bot_token_file: ") {
		t.Errorf("the page shows %s", text)
	}
	b.see("The configuration is good.")
	b.see("Looked at everything.")
	b.look("setup-slack-review")
	b.click("button[value=done]")
	b.see("has been started")
	slack.AwaitConnected(t, 1)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		b.goTo("/console/bridges/show?id=slack-acme")
		if strings.Contains(b.do(step{Do: "text"}), "general") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the bridge makes no portal")
		}
	}

	b.goTo("/console/setup/with/discord")
	b.fill("#token", discord.Token)
	b.fill("#id", "guild")
	b.click("summary")
	b.fill("#api", discord.URL())
	b.click("button[value=channels]")
	b.see("The tokens are good")
	b.do(step{Do: "check", At: "input[name=all]"})
	b.click("button[value=review]")
	b.see("The module has checked it")
	b.see("Looked at everything.")
	b.look("setup-discord-review")
	b.click("button[value=done]")
	b.see("has been started")
	b.see("running")

	conf, err := os.ReadFile(filepath.Join(filepath.Dir(s.DataDir()), "landbridge.yaml"))
	if err != nil || strings.Contains(string(conf), slacktest.BotToken) || strings.Contains(string(conf), discord.Token) {
		t.Errorf("%v %s", err, conf)
	}
	info, err := os.Stat(filepath.Join(s.DataDir(), "secrets", "slack-acme-bot_token"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	if strings.Contains(s.Log(), slacktest.BotToken) || strings.Contains(s.Log(), discord.Token) {
		t.Error("the log has a token")
	}
	b.visit("/console/audit", "set up")
	if text := b.do(step{Do: "text"}); strings.Contains(text, slacktest.BotToken) || strings.Contains(text, discord.Token) {
		t.Error("the audit log has a token")
	}
}
