package migration

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/slack/slacktest"
	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// patience bounds a whole test's waiting.
const patience = 3 * time.Minute

// exportOf writes what a workspace would export.
func exportOf(t *testing.T, s *slacktest.Server, channels map[string]string, users map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	var people, list []map[string]any
	var members []string
	for id, name := range users {
		people = append(people, map[string]any{"id": id, "name": name, "real_name": name, "profile": map[string]any{"real_name": name}})
		members = append(members, id)
	}
	for id, name := range channels {
		list = append(list, map[string]any{"id": id, "name": name, "created": 1600000000, "members": members})
		put(t, filepath.Join(dir, name, time.Now().UTC().Format(time.DateOnly)+".json"), s.Messages(id))
	}
	put(t, filepath.Join(dir, "users.json"), people)
	put(t, filepath.Join(dir, "channels.json"), list)
	return dir
}

func put(t *testing.T, name string, v any) {
	t.Helper()
	raw, err := json.Marshal(v)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(name), 0o700)
	}
	if err == nil {
		err = os.WriteFile(name, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// replace changes a text in a file.
func replace(t *testing.T, name, old, new string) {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(raw), old) {
		t.Fatalf("no %q in %s", old, raw)
	}
	if err := os.WriteFile(name, []byte(strings.ReplaceAll(string(raw), old, new)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// watcher follows a room as somebody in it.
type watcher struct {
	t    *testing.T
	ctx  context.Context
	m    *bridgetest.Matrix
	room string
	at   int
}

func (w *watcher) await(what string, match func(bridgetest.Event) bool) bridgetest.Event {
	w.t.Helper()
	e, next, err := w.m.Await(w.ctx, w.at, w.room, what, match)
	if err != nil {
		w.t.Fatal(err)
	}
	w.at = next
	return e
}

func said(body string) func(bridgetest.Event) bool {
	return func(e bridgetest.Event) bool { return e.Type == "m.room.message" && e.Body() == body }
}

// relation is what an event relates to.
func relation(e bridgetest.Event) (kind, to, key string) {
	var c struct {
		Rel struct {
			Kind string `json:"rel_type"`
			To   string `json:"event_id"`
			Key  string `json:"key"`
		} `json:"m.relates_to"`
	}
	if json.Unmarshal(e.Content, &c) != nil {
		return "", "", ""
	}
	return c.Rel.Kind, c.Rel.To, c.Rel.Key
}

func redactedBy(e bridgetest.Event) string {
	if e.Redacts != "" {
		return e.Redacts
	}
	return e.Field("redacts")
}

// TestTakeover imports an export, starts the live bridge, and has people on both sides go on with what was
// imported.
func TestTakeover(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	slack := slacktest.New(t)
	bob, carol := slack.AddUser("bob", "Bob"), slack.AddUser("carol", "Carol")
	channel := slack.AddChannel("general", false, bob, carol, slacktest.BotUser)
	first := slack.Say(bob, channel, "first", nil)
	second := slack.Say(carol, channel, "second", nil)
	third := slack.Say(bob, channel, "third", nil)
	slack.Say(carol, channel, "in the thread", slacktest.Object{"thread_ts": first})
	slack.React(carol, channel, first, "+1", true)
	dir := exportOf(t, slack, map[string]string{channel: "general"}, map[string]string{bob: "Bob", carol: "Carol"})

	s := testserver.New(t, testserver.Options{Extra: fmt.Sprintf(`bridges:
  - id: slack
    module: slack
    enabled: false
    config:
      workspaces: [{id: acme, app_token: %s, bot_token: %s, api_url: %s}]
`, slacktest.AppToken, slacktest.BotToken, slack.URL)})
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(s.Log())
		}
	})
	mapping := filepath.Join(t.TempDir(), "mapping.yaml")
	must(t, s, "plan", dir, "-o", mapping)
	replace(t, mapping, "audience: space", "audience: anyone")
	replace(t, mapping, "space_audience: invited", "space_audience: anyone")
	must(t, s, "run", dir, "-mapping", mapping)
	must(t, s, "verify", dir, "-mapping", mapping)
	slack.Say(bob, channel, "said after the export", nil)

	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	replace(t, s.Config(), "enabled: false", "enabled: true")
	if err := s.Start(ctx); err != nil {
		t.Fatal(err)
	}
	anna, err := bridgetest.Register(ctx, s.URL(), "anna", "")
	if err != nil {
		t.Fatal(err)
	}
	room, err := anna.Join(ctx, "#slack_acme_general:"+s.Name())
	if err != nil {
		t.Fatal(err)
	}
	if err := anna.Follow(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(anna.Close)
	slack.AwaitConnected(t, 1)
	w := &watcher{t: t, ctx: ctx, m: anna, room: room}
	slack.Say(carol, channel, "live again", nil)
	w.await("a live message", said("live again"))

	past := map[string]bridgetest.Event{}
	count := map[string]int{}
	history := func() {
		t.Helper()
		all, err := anna.History(ctx, room)
		if err != nil {
			t.Fatal(err)
		}
		clear(count)
		for _, e := range all {
			if e.Type == "m.room.message" {
				past[e.Body()] = e
				count[e.Body()]++
			}
			if e.Type == "m.reaction" {
				past["reaction"] = e
			}
		}
	}
	history()
	for _, text := range []string{"first", "second", "third", "in the thread", "said after the export", "live again"} {
		if count[text] != 1 {
			t.Errorf("%q is there %d times", text, count[text])
		}
	}

	// From Slack to what was imported.
	slack.Edit(channel, second, slacktest.Object{"text": "second, better"})
	edit := w.await("an edit", said("* second, better"))
	if kind, to, _ := relation(edit); kind != "m.replace" || to != past["second"].ID {
		t.Errorf("the edit is %s", edit)
	}
	slack.React(bob, channel, first, "tada", true)
	r := w.await("a reaction", func(e bridgetest.Event) bool { return e.Type == "m.reaction" })
	if _, to, key := relation(r); to != past["first"].ID || key != "🎉" {
		t.Errorf("the reaction is %s", r)
	}
	slack.React(carol, channel, first, "+1", false)
	if e := w.await("the end of a reaction", func(e bridgetest.Event) bool { return e.Type == "m.room.redaction" }); redactedBy(e) != past["reaction"].ID {
		t.Errorf("redacted %s", e)
	}
	slack.Say(bob, channel, "more in the thread", slacktest.Object{"thread_ts": first})
	reply := w.await("a reply", said("more in the thread"))
	if kind, to, _ := relation(reply); kind != "m.thread" || to != past["first"].ID {
		t.Errorf("the reply is %s", reply)
	}
	slack.Delete(channel, third)
	if e := w.await("a deletion", func(e bridgetest.Event) bool { return e.Type == "m.room.redaction" }); redactedBy(e) != past["third"].ID {
		t.Errorf("redacted %s", e)
	}

	// From Matrix to what was imported.
	if _, err := anna.Send(ctx, room, "m.reaction", map[string]any{"m.relates_to": map[string]any{"rel_type": "m.annotation", "event_id": past["second"].ID, "key": "👍"}}); err != nil {
		t.Fatal(err)
	}
	slack.AwaitMessage(t, channel, "a reaction from Matrix", func(m slacktest.Object) bool {
		raw, _ := json.Marshal(m["reactions"])
		return m["ts"] == second && strings.Contains(string(raw), `"+1"`)
	})
	if _, err := anna.Send(ctx, room, "m.room.message", map[string]any{"msgtype": "m.text", "body": "a reply from Matrix",
		"m.relates_to": map[string]any{"rel_type": "m.thread", "event_id": past["second"].ID}}); err != nil {
		t.Fatal(err)
	}
	slack.AwaitMessage(t, channel, "a reply from Matrix", func(m slacktest.Object) bool {
		return m["text"] == "a reply from Matrix" && m["thread_ts"] == second
	})
	history()
	if count["said after the export"] != 1 || count["first"] != 1 {
		t.Errorf("messages are doubled: %v", count)
	}
	// What the plan says of who may come in stays.
	var rule map[string]string
	if err := anna.State(ctx, room, "m.room.join_rules", "", &rule); err != nil || rule["join_rule"] != "public" {
		t.Errorf("the join rule is %v, %v", rule, err)
	}
}
