package web

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/slack/slacktest"
	"github.com/landbridge-im/landbridge/integration/bridgetest"
)

// TestMoveFromSlack moves a workspace: its export comes in, the bridge goes on, people edit and react on both sides, one of them
// claims their account in a browser and is in their private channel and direct messages, and the bridge ends.
func TestMoveFromSlack(t *testing.T) {
	t.Parallel()
	slack := slacktest.New(t)
	bob, carol := slack.AddUser("bob", "Bob"), slack.AddUser("carol", "Carol")
	general := slack.AddChannel("general", false, bob, carol, slacktest.BotUser)
	secret := slack.AddChannel("secret", true, bob, carol, slacktest.BotUser)
	direct := slack.Direct(bob, carol)
	first := slack.Say(bob, general, "first", nil)
	second := slack.Say(carol, general, "second", nil)
	slack.Say(carol, general, "in the thread", slacktest.Object{"thread_ts": first})
	slack.React(carol, general, first, "+1", true)
	slack.Say(bob, secret, "between us", nil)
	dir := t.TempDir()
	put := func(name string, v any) {
		t.Helper()
		raw, err := json.Marshal(v)
		name = filepath.Join(dir, name)
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
	day := "/" + time.Now().UTC().Format(time.DateOnly) + ".json"
	channel := func(id, name string, members ...string) []slacktest.Object {
		return []slacktest.Object{{"id": id, "name": name, "created": 1600000000, "members": members}}
	}
	put("users.json", []slacktest.Object{{"id": bob, "name": "bob", "profile": slacktest.Object{"real_name": "Bob"}}, {"id": carol, "name": "carol", "profile": slacktest.Object{"real_name": "Carol"}}})
	put("channels.json", channel(general, "general", bob, carol))
	put("groups.json", channel(secret, "secret", bob, carol))
	put("dms.json", channel(direct, "", bob, carol))
	messages := slack.Messages(general)
	messages = append(messages, slacktest.Object{"type": "message", "user": carol, "ts": "1600000100.000100", "text": "a picture",
		"files": []slacktest.Object{{"id": "F0000000A", "name": "cat.png", "mimetype": "image/png", "url_private": "https://files.slack.com/cat.png"}}})
	put("general"+day, messages)
	put("__uploads/F0000000A/cat.png", "not quite a picture")
	put("__avatars/"+bob+"/bob.png", "not quite bob")
	put("secret"+day, slack.Messages(secret))
	put(direct+day, []slacktest.Object{{"type": "message", "user": carol, "ts": "1600000100.000100", "text": "psst"}})

	m := newMover(t, "slack", fmt.Sprintf("  - id: slack\n    module: slack\n    enabled: false\n    config:\n      workspaces: [{id: acme, app_token: %s, bot_token: %s, api_url: %s}]\n",
		slacktest.AppToken, slacktest.BotToken, slack.URL), dir)
	m.bringIn("#slack_acme_general:"+m.s.Name(), "audience: space", "audience: anyone", "space_audience: invited", "space_audience: anyone")
	slack.AwaitConnected(t, 1)
	ghost := func(id string) string { return "@slack_" + strings.ToLower(id) + ":" + m.s.Name() }
	slack.Say(carol, general, "live", nil)
	m.anna.hears(ghost(carol), "live")
	shows(t, m.anna.history(m.anna.room), "12:28:20 Carol: a picture (file)", "Bob: first", "Carol:  m.annotation 👍 of \"first\"", "Carol: second", "Carol: in the thread m.thread  of \"first\"", "Carol: live")

	if all, err := m.anna.History(m.ctx, m.anna.room); err != nil || !slices.ContainsFunc(all, func(e bridgetest.Event) bool {
		return e.Type == "m.room.member" && *e.StateKey == ghost(bob) && strings.HasPrefix(e.Field("avatar_url"), "mxc://")
	}) {
		t.Errorf("Bob has no picture, %v", err)
	}

	slack.Edit(general, second, slacktest.Object{"text": "second, better"})
	edit := m.anna.hears(ghost(carol), "* second, better")
	var c struct {
		Rel struct {
			To string `json:"event_id"`
		} `json:"m.relates_to"`
	}
	if err := json.Unmarshal(edit.Content, &c); err != nil {
		t.Fatal(err)
	}
	if _, err := m.anna.Send(m.ctx, m.anna.room, "m.reaction", map[string]any{"m.relates_to": map[string]any{"rel_type": "m.annotation", "event_id": c.Rel.To, "key": "🎉"}}); err != nil {
		t.Fatal(err)
	}
	slack.AwaitMessage(t, general, "a reaction from Matrix", func(o slacktest.Object) bool {
		raw, err := json.Marshal(o["reactions"])
		return err == nil && o["ts"] == second && strings.Contains(string(raw), `"tada"`)
	})

	if out := m.run("invite", "-bridge", "slack"); !strings.Contains(out, "2 people are written to now") {
		t.Errorf("inviting: %s", out)
	}
	text := slack.AwaitMessage(t, slack.Direct(bob, slacktest.BotUser), "an invitation", func(o slacktest.Object) bool {
		s, _ := o["text"].(string)
		return strings.Contains(s, "/claim/")
	})["text"].(string)
	his := m.claim(text, "robert")
	his.room = m.anna.room
	slack.Say(bob, general, "from my own account", nil)
	m.anna.hears(his.UserID, "from my own account")
	his.hears(his.UserID, "from my own account")
	m.sees(his, "Bob: between us", "Carol: psst", "Bob: first")
	if out := m.run("status", "-people"); !strings.Contains(out, his.UserID) || !strings.Contains(out, "1 of 2 have moved") {
		t.Errorf("status: %s", out)
	}
	if _, err := his.Say(m.ctx, m.anna.room, "said in Matrix"); err != nil {
		t.Fatal(err)
	}
	slack.AwaitMessage(t, general, "what bob says in Matrix", func(o slacktest.Object) bool { return o["text"] == "said in Matrix" })
	m.cutOver(func(text string) {
		t.Helper()
		slack.AwaitMessage(t, general, text, func(o slacktest.Object) bool {
			s, _ := o["text"].(string)
			return strings.Contains(s, text)
		})
	})
}
