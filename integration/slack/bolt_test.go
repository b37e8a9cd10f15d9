package slack_test

import (
	"context"
	"encoding/json"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/slack/slacktest"
	"github.com/landbridge-im/landbridge/integration/tools"
	"github.com/landbridge-im/landbridge/internal/ports"
)

// The stand-in of Slack serves apps that are made with Slack's own framework, by Socket Mode and by the Events API: its envelopes,
// signatures and answers are what that expects.
func TestStandInWithBolt(t *testing.T) {
	t.Parallel()
	node := tools.NewNode(t, "sdk")
	t.Run("socket", func(t *testing.T) { t.Parallel(); withBolt(t, node, false) })
	t.Run("http", func(t *testing.T) { t.Parallel(); withBolt(t, node, true) })
}

func withBolt(t *testing.T, node *tools.Node, byHTTP bool) {
	s := slacktest.New(t)
	s.Watch = compare(t)
	bob, carol := s.AddUser("bob", "Bob Builder"), s.AddUser("carol", "Carol")
	channel := s.AddChannel("general", false, bob, slacktest.BotUser)
	args := []string{node.Script(t, filepath.Join("sdk", "bolt.mjs")), s.URL, slacktest.BotToken, channel}
	if byHTTP {
		addr := ports.Addr(t)
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, "-", slacktest.SigningSecret, port)
		s.SendTo("http://" + addr + "/slack/events")
	} else {
		args = append(args, slacktest.AppToken)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	script := tools.Start(ctx, t, node.Program, args...)
	done := false
	for script.Lines.Scan() {
		var x struct{ Kind string }
		if json.Unmarshal(script.Lines.Bytes(), &x) != nil {
			continue // the framework says something
		}
		switch x.Kind {
		case "ready":
			if !byHTTP {
				s.AwaitConnected(t, 1)
			}
			ts := s.Say(bob, channel, "good morning", nil)
			s.Edit(channel, ts, slacktest.Object{"text": "good evening"})
			s.React(bob, channel, ts, "wave", true)
			s.Delete(channel, s.Say(bob, channel, "a mistake", nil))
			s.Join(carol, channel)
			s.Upload(bob, channel, "a.txt", "text/plain", []byte("text"), nil)
			s.Say("", channel, "by a bot", slacktest.Object{"subtype": "bot_message", "bot_id": "B0OTHER01", "username": "Other"})
		case "done":
			done = true
			if !byHTTP {
				if got := s.Command(bob, "hello"); got != "you said hello" {
					t.Errorf("the command is answered with %q", got)
				}
			}
			script.In.Close()
		}
	}
	if err := script.Wait(); err != nil || !done {
		t.Fatalf("Slack's framework: %v", err)
	}
	s.AwaitMessage(t, channel, "the answer", withText("good morning to you"))
	s.Await(t, "the acknowledgements", func() bool { return s.Waiting() == 0 })
}
