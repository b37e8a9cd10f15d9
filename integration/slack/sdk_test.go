package slack_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/slack/slacktest"
	"github.com/landbridge-im/landbridge/integration/tools"
)

// The stand-in of Slack serves Slack's own SDKs, which nobody here has written, and its answers and events are of the types
// that they have for them.
func TestStandInWithSlackSDKs(t *testing.T) {
	t.Parallel()
	node := tools.NewNode(t, "sdk")
	s := slacktest.New(t)
	bob, carol := s.AddUser("bob", "Bob Builder"), s.AddUser("carol", "Carol")
	channel := s.AddChannel("general", false, bob, slacktest.BotUser)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	script := tools.Start(ctx, t, node.Program, node.Script(t, filepath.Join("sdk", "day.mjs")), s.URL, slacktest.BotToken, slacktest.AppToken, channel, bob)
	script.In.Close()
	checked, done := map[string]bool{}, false
	for script.Lines.Scan() {
		var x struct{ Kind, What, Text string }
		if err := json.Unmarshal(script.Lines.Bytes(), &x); err != nil {
			t.Errorf("the script says %q", script.Lines.Bytes())
			continue
		}
		switch x.Kind {
		case "ready":
			ts := s.Say(bob, channel, "good *morning*", nil)
			s.Edit(channel, ts, slacktest.Object{"text": "good evening"})
			s.React(bob, channel, ts, "wave", true)
			s.Pin(bob, channel, ts, true)
			s.Delete(channel, s.Say(bob, channel, "a mistake", nil))
			s.SetTopic(bob, channel, "the topic")
			s.Join(carol, channel)
			s.ChangeUser(carol, slacktest.Object{"real_name": "Carola"})
			s.Upload(bob, channel, "a.txt", "text/plain", []byte("text"), nil)
		case "limit":
			s.Limit("auth.test", 1, 7*time.Second)
			s.Say(bob, channel, "limited now", nil)
		case "refresh":
			s.Refresh()
		case "again":
			s.Say(bob, channel, "over the next connection", nil)
		case "checked":
			checked[x.What] = true
		case "mismatch":
			t.Errorf("%s is not of Slack's type: %s", x.What, x.Text)
		case "unchecked":
			t.Errorf("%s is held against no type", x.What)
		case "done":
			done = true
		}
	}
	if err := script.Wait(); err != nil || !done {
		t.Fatalf("Slack's SDKs: %v", err)
	}
	if len(checked) < 35 {
		t.Errorf("only %d kinds of answers and events were looked at: %v", len(checked), checked)
	}
}
