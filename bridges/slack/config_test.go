package slack

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

func parse(t *testing.T, source string) (*Config, error) {
	t.Helper()
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(source), &node); err != nil {
		t.Fatal(err)
	}
	return ParseConfig(&node, "slack_")
}

func TestConfig(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("xoxb-from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := parse(t, `
workspaces:
  - id: acme
    app_token: xapp-1
    bot_token_file: `+file+`
    channels: {include: ["#general", "proj-*"], exclude: [proj-secret, C0123]}
  - {id: other, bot_token: xoxb-2, events: http, signing_secret: s, listen: "127.0.0.1:3000", broadcast: "off", sync_members: 10}
`)
	if err != nil {
		t.Fatal(err)
	}
	w := cfg.Workspaces[0]
	if w.BotToken != "xoxb-from-file" || w.APIURL != "https://slack.com/api/" || w.RoomAlias != "slack_acme" || w.Broadcast != "channel" || w.SyncMembers != 500 {
		t.Errorf("the first is %+v", w)
	}
	for name, want := range map[string]bool{"general": true, "proj-x": true, "proj-secret": false, "random": false} {
		if got := w.wants("C9", name); got != want {
			t.Errorf("wants %s: %v", name, got)
		}
	}
	if w.wants("C0123", "general") {
		t.Error("wants a channel that is excluded by its id")
	}
	if w := cfg.Workspaces[1]; w.Events != "http" || w.Path != "/slack/events" || w.Broadcast != "off" || !w.wants("C1", "any") {
		t.Errorf("the second is %+v", w)
	}
}

func TestConfigMistakes(t *testing.T) {
	t.Parallel()
	const good = "id: a\n    app_token: xapp-1\n    bot_token: xoxb-secret\n    "
	for _, c := range []struct{ source, line, want string }{
		{"", "line 0", "workspaces: is missing"},
		{"workspaces: []", "line 1", "workspaces: is missing"},
		{"workspace: 1", "line 1", "is not a known key"},
		{"workspaces: x", "line 1", "must be a list"},
		{"workspaces:\n  - x", "line 2", "must be a mapping"},
		{"workspaces:\n  - " + good + "channels: {only: [x]}", "line 5", "workspaces[0].channels.only: is not a known key"},
		{"workspaces:\n  - " + good + "channels: {include: [\"[\"]}", "line 5", "must be the name or id of a channel"},
		{"workspaces:\n  - " + good + "api_url: http://slack.example/", "line 2", "must be an https address"},
		{"workspaces:\n  - " + good + "queue: 0", "line 5", "whole number from 1"},
		{"workspaces:\n  - " + good + "events: rtm", "line 5", "one of socket, http"},
		{"workspaces:\n  - " + good + "broadcast: all", "line 5", "one of here, channel"},
		{"workspaces:\n  - " + good + "bot_token_file: /x", "line 2", "is given twice"},
		{"workspaces:\n  - " + good + "room_alias: \"#x:y\"", "line 2", "the part between"},
		{"workspaces:\n  - " + good + "queue: 1\n    queue: 2", "line 6", "is given twice"},
		{"workspaces:\n  - {id: a, app_token: xapp-1, bot_token: oops}", "line 2", "beginning with \"xoxb-\""},
		{"workspaces:\n  - {id: a, bot_token: xoxb-1}", "line 2", "app_token: is missing"},
		{"workspaces:\n  - {id: a, bot_token: xoxb-1, events: http}", "line 2", "signing_secret: is missing"},
		{"workspaces:\n  - {id: a, bot_token: xoxb-1, events: http, signing_secret: s, listen: nowhere}", "line 2", "must be host:port"},
		{"workspaces:\n  - {id: A b, app_token: xapp-1, bot_token: xoxb-1}", "line 2", "lower-case letters"},
		{"workspaces:\n  - {id: a, app_token: xapp-1, bot_token: xoxb-1}\n  - {id: a, app_token: xapp-1, bot_token: xoxb-1}", "line 3", "is used twice"},
		{"workspaces:\n  - {id: a, app_token: xapp-1, bot_token_file: /nonexistent}", "line 2", "no such file"},
	} {
		_, err := parse(t, c.source)
		var mistake *ConfigError
		if !errors.As(err, &mistake) || !strings.Contains(err.Error(), c.line) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %s: %s", c.source, err, c.line, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "xoxb-secret") {
			t.Errorf("%q: the token is in the error", c.source)
		}
	}
}
