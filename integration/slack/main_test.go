package slack_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/landbridge-im/landbridge/bridges/slack/slacktest"
	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

func TestMain(m *testing.M) { os.Exit(testserver.Main(m)) }

// long says that the load is as in docs/slack.md: SLACK_LONG=1 go test ./integration/slack -run Load -timeout 30m.
func long() bool { return os.Getenv("SLACK_LONG") != "" }

// patience bounds a whole test's waiting.
func patience() time.Duration {
	if long() {
		return 20 * time.Minute
	}
	return 2 * time.Minute
}

// talk is a workspace with a channel, bridged, and anna on the Matrix side.
type talk struct {
	t       *testing.T
	ctx     context.Context
	slack   *slacktest.Server
	server  *testserver.Server
	anna    *bridgetest.Matrix
	bob     string // somebody in Slack
	carol   string
	channel string
	room    string
	at      int // how far anna's events were looked at
}

// bridgeConfig makes the configuration of a Slack bridge.
func bridgeConfig(s *slacktest.Server, extra string) string {
	return fmt.Sprintf(`bridges:
  - id: slack
    module: slack
    config:
      workspaces:
        - id: acme
          app_token: %s
          bot_token: %s
          api_url: %s
%s`, slacktest.AppToken, slacktest.BotToken, s.URL, extra)
}

func newTalk(t *testing.T, extra string) *talk {
	t.Helper()
	return newTalkBy(t, extra, func(k *talk) { k.slack.AwaitConnected(t, 1) })
}

// newTalkAfter is newTalk in a workspace where something was said before.
func newTalkAfter(t *testing.T, extra string, before func(*talk)) *talk {
	t.Helper()
	return newTalkWith(t, extra, before, func(k *talk) { k.slack.AwaitConnected(t, 1) })
}

// newTalkBy is newTalk with another way to connect.
func newTalkBy(t *testing.T, extra string, connect func(*talk)) *talk {
	t.Helper()
	return newTalkWith(t, extra, func(*talk) {}, connect)
}

func newTalkWith(t *testing.T, extra string, before, connect func(*talk)) *talk {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience())
	t.Cleanup(cancel)
	k := &talk{t: t, ctx: ctx, slack: slacktest.New(t)}
	if !long() {
		k.slack.Watch = compare(t)
	}
	k.bob, k.carol = k.slack.AddUser("bob", "Bob Builder"), k.slack.AddUser("carol", "Carol")
	k.channel = k.slack.AddChannel("general", false, k.bob, k.carol, slacktest.BotUser)
	before(k)
	k.serve(bridgeConfig(k.slack, extra))
	connect(k)
	k.room = k.join("general")
	return k
}

// serve starts the server with a bridge, and signs anna up.
func (k *talk) serve(config string) {
	t, ctx := k.t, k.ctx
	t.Helper()
	k.server = testserver.New(t, testserver.Options{Extra: config})
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(k.server.Log())
		}
	})
	anna, err := bridgetest.Register(ctx, k.server.URL(), "anna", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := anna.Do(ctx, "PUT", "/v3/profile/"+anna.UserID+"/displayname", map[string]string{"displayname": "Anna"}, nil); err != nil {
		t.Fatal(err)
	}
	if err := anna.Follow(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(anna.Close)
	k.anna = anna
}

// join joins the room of a channel by way of the space.
func (k *talk) join(name string) string {
	k.t.Helper()
	for k.ctx.Err() == nil {
		if room := k.lookup(name); room != "" {
			if _, err := k.anna.Join(k.ctx, room); err != nil {
				k.t.Fatal(err)
			}
			return room
		}
		time.Sleep(10 * time.Millisecond)
	}
	k.t.Fatalf("there is no room of %s in the space", name)
	return ""
}

// lookup returns the room of a channel, or "".
func (k *talk) lookup(name string) string {
	space, err := k.anna.Join(k.ctx, "#slack_acme:test")
	if err != nil {
		return ""
	}
	var out struct {
		Rooms []struct {
			ID   string `json:"room_id"`
			Name string `json:"name"`
		} `json:"rooms"`
	}
	if err := k.anna.Do(k.ctx, "GET", "/v1/rooms/"+space+"/hierarchy", nil, &out); err != nil {
		k.t.Fatal(err)
	}
	for _, r := range out.Rooms {
		if r.Name == name {
			return r.ID
		}
	}
	return ""
}

func (k *talk) ghost(user string) string { return "@slack_" + strings.ToLower(user) + ":test" }

// await waits for an event in the room, after those that were awaited before.
func (k *talk) await(what string, match func(bridgetest.Event) bool) bridgetest.Event {
	k.t.Helper()
	e, next, err := k.anna.Await(k.ctx, k.at, k.room, what, match)
	if err != nil {
		k.t.Fatal(err)
	}
	k.at = next
	return e
}

func message(body string) func(bridgetest.Event) bool {
	return func(e bridgetest.Event) bool { return e.Type == "m.room.message" && e.Body() == body }
}

func ofType(kind string) func(bridgetest.Event) bool {
	return func(e bridgetest.Event) bool { return e.Type == kind }
}

// count tells how often a message is in the room's history.
func (k *talk) count(body string) int {
	k.t.Helper()
	all, err := k.anna.History(k.ctx, k.room)
	if err != nil {
		k.t.Fatal(err)
	}
	n := 0
	for _, e := range all {
		if message(body)(e) {
			n++
		}
	}
	return n
}

// inSlack waits for a message in the channel.
func (k *talk) inSlack(what string, f func(slacktest.Object) bool) slacktest.Object {
	k.t.Helper()
	return k.slack.AwaitMessage(k.t, k.channel, what, f)
}

func withText(text string) func(slacktest.Object) bool {
	return func(m slacktest.Object) bool { return m["text"] == text }
}

func (k *talk) say(text string) string {
	k.t.Helper()
	id, err := k.anna.Say(k.ctx, k.room, text)
	if err != nil {
		k.t.Fatal(err)
	}
	return id
}

func (k *talk) send(kind string, content any) string {
	k.t.Helper()
	id, err := k.anna.Send(k.ctx, k.room, kind, content)
	if err != nil {
		k.t.Fatal(err)
	}
	return id
}

// bot is the bridge's own bot.
func (k *talk) bot() *bridgetest.Matrix {
	k.t.Helper()
	raw, err := os.ReadFile(filepath.Join(k.server.DataDir(), "bridges", "slack", "registration.yaml"))
	if err != nil {
		k.t.Fatal(err)
	}
	var reg struct {
		Token string `yaml:"as_token"`
	}
	if err := yaml.Unmarshal(raw, &reg); err != nil {
		k.t.Fatal(err)
	}
	m := bridgetest.NewMatrix(k.server.URL())
	m.Token, m.UserID = reg.Token, "@slackbot:test"
	return m
}
