package slack

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/bridges/slack/slacktest"
)

// An examination of a bridge that does not run says what is wrong and what to click.
func TestExamine(t *testing.T) {
	t.Parallel()
	s := slacktest.New(t)
	bob := s.AddUser("bob", "Bob")
	s.AddChannel("general", false, bob, slacktest.BotUser)
	s.AddChannel("random", false, bob)
	find := func(extra string) map[string]appservice.Finding {
		t.Helper()
		var node yaml.Node
		source := fmt.Sprintf("workspaces: [{id: acme, app_token: %s, bot_token: %s, api_url: %q%s}]", slacktest.AppToken, slacktest.BotToken, s.URL, extra)
		if err := yaml.Unmarshal([]byte(source), &node); err != nil {
			t.Fatal(err)
		}
		b, err := New(t.Context(), &node, Deps{})
		if err != nil {
			t.Fatal(err)
		}
		out := make(map[string]appservice.Finding)
		err = b.Examine(t.Context(), func(f appservice.Finding) {
			if f.Verdict != appservice.Good && f.Remedy == "" {
				t.Errorf("no remedy for %+v", f)
			}
			out[strings.TrimPrefix(f.What, "acme: ")+"/"+string(f.Verdict)] = f
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	got := find("")
	if _, ok := got["the bot's token/good"]; !ok {
		t.Errorf("found %v", got)
	}
	if f := got["channels/doubtful"]; !strings.Contains(f.Detail, "#random") || strings.Contains(f.Detail, "#general") {
		t.Errorf("of channels: %+v", f)
	}
	if _, ok := got["event subscriptions/doubtful"]; !ok {
		t.Errorf("of subscriptions that cannot be read: %v", got)
	}
	const withConfig = ", app_config_token: " + slacktest.ConfigToken
	s.Subscribed = slices.DeleteFunc(slices.Clone(botEvents[:]), func(name string) bool { return name == "message.groups" })
	if f := find(withConfig)["event subscriptions/bad"]; !strings.Contains(f.Detail, "message.groups") || strings.Contains(f.Detail, "pin_added") {
		t.Errorf("of subscriptions: %+v", f)
	}
	s.Subscribed = botEvents[:]
	if got := find(withConfig); got["event subscriptions/good"].What == "" {
		t.Errorf("of all subscriptions: %v", got)
	}
	const signIn = withConfig + ", sign_in: true, client_id: \"" + slacktest.ClientID + "\", client_secret: " + slacktest.ClientSecret
	if f := find(signIn)["signing in with Slack/bad"]; !strings.Contains(f.Remedy, "/claim/ID/back") {
		t.Errorf("of signing in: %+v", f)
	}
	s.Redirects = []string{"https://matrix.example.org/claim/slack/back"}
	if f, ok := find(signIn)["signing in with Slack/bad"]; ok {
		t.Errorf("of signing in: %+v", f)
	}
	s.Scopes = "chat:write"
	if f := find("")["scopes/bad"]; !strings.Contains(f.Detail, "channels:history") || !strings.Contains(f.Remedy, "Reinstall") {
		t.Errorf("of scopes: %+v", f)
	}
	s.Revoke()
	if f := find("")["the bot's token/bad"]; !strings.Contains(f.Detail, "token_revoked") {
		t.Errorf("of a token that was revoked: %+v", f)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := newTokens(dir)
	want := token{Access: "xoxb-1", Refresh: "r", Expires: time.Now().Add(time.Hour).UTC().Truncate(time.Second), User: "U1"}
	if err := a.set(botToken("acme"), want); err != nil {
		t.Fatal(err)
	}
	if err := a.set(userToken("x"), token{Access: "xoxp"}); err != nil {
		t.Fatal(err)
	}
	if err := a.set(userToken("x"), token{}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, tokensFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info.Mode(), err)
	}
	b := newTokens(dir)
	if got, ok, err := b.get(botToken("acme")); err != nil || !ok || got != want {
		t.Errorf("got %+v, %v, %v", got, ok, err)
	}
	if _, ok, _ := b.get(userToken("x")); ok {
		t.Error("what was taken away is there")
	}
	if list, _ := os.ReadDir(dir); len(list) != 1 {
		t.Errorf("%d files", len(list))
	}
}
