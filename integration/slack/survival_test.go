package slack_test

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
	"github.com/landbridge-im/landbridge/internal/ports"
)

// inRoom returns the bodies of messages by somebody that begin with prefix.
func (k *talk) inRoom(sender, prefix string) []string {
	k.t.Helper()
	all, err := k.anna.History(k.ctx, k.room)
	if err != nil {
		k.t.Fatal(err)
	}
	var out []string
	for _, e := range all {
		if e.Type == "m.room.message" && e.Sender == sender && strings.HasPrefix(e.Body(), prefix) {
			out = append(out, e.Body())
		}
	}
	return out
}

func (k *talk) inChannel(prefix string) []string {
	var out []string
	for _, m := range k.slack.Messages(k.channel) {
		if s, _ := m["text"].(string); strings.HasPrefix(s, prefix) {
			out = append(out, s)
		}
	}
	return out
}

// TestCrash kills the bridge, with its homeserver, again and again while both sides
// talk. Everything arrives, once and in order; also what is said in Slack while nobody
// listens, in the channel and in a thread.
func TestCrash(t *testing.T) {
	t.Parallel()
	k := newTalk(t, "")
	root := k.slack.Say(k.bob, k.channel, "root", nil)
	k.await("the root", message("root"))
	var fromSlack, inThread, fromMatrix []string
	for round := range 20 {
		for i := range 10 {
			text := fmt.Sprintf("s %d %d", round, i)
			k.slack.Say(k.bob, k.channel, text, nil)
			fromSlack = append(fromSlack, text)
			text = fmt.Sprintf("m %d %d", round, i)
			k.say(text)
			fromMatrix = append(fromMatrix, text)
		}
		if err := k.server.Kill(); err != nil {
			t.Fatal(err)
		}
		k.slack.HangUp()
		for i := range 5 {
			text := fmt.Sprintf("s %d away %d", round, i)
			k.slack.Say(k.bob, k.channel, text, nil)
			fromSlack = append(fromSlack, text)
			text = fmt.Sprintf("t %d %d", round, i)
			k.slack.Say(k.carol, k.channel, text, slacktest.Object{"thread_ts": root})
			inThread = append(inThread, text)
		}
		if err := k.server.Start(k.ctx); err != nil {
			t.Fatal(err)
		}
		k.slack.AwaitConnected(t, 1)
	}
	k.slack.Say(k.bob, k.channel, "the end", nil)
	k.await("the end", message("the end"))
	k.say("m end")
	fromMatrix = append(fromMatrix, "m end")
	k.inSlack("the end", withText("m end"))
	if got := k.inRoom(k.ghost(k.bob), "s "); !slices.Equal(got, fromSlack) {
		t.Errorf("from Slack came\n%q\nwant\n%q", got, fromSlack)
	}
	if got := k.inRoom(k.ghost(k.carol), "t "); !slices.Equal(got, inThread) {
		t.Errorf("from the thread came\n%q\nwant\n%q", got, inThread)
	}
	if got := k.inChannel("m "); !slices.Equal(got, fromMatrix) {
		t.Errorf("from Matrix came\n%q\nwant\n%q", got, fromMatrix)
	}
}

// TestSlackFails has Slack refuse, forget and interrupt calls.
func TestSlackFails(t *testing.T) {
	t.Parallel()
	k := newTalk(t, "")
	other := k.slack.AddChannel("busy", false, k.bob)
	k.slack.Join(slacktest.BotUser, other)
	k.join("busy")

	k.slack.Limit("chat.postMessage", 2, time.Second)
	k.say("limited")
	k.say("and this after it")
	k.inSlack("what was limited", withText("and this after it"))
	if got := k.inChannel(""); slices.Index(got, "limited") != slices.Index(got, "and this after it")-1 {
		t.Errorf("the order is %q", got)
	}

	// The answer is lost, after Slack has posted the message.
	k.slack.Fail("chat.postMessage", "hang up", true)
	k.say("answer lost")
	k.say("next")
	k.inSlack("what comes next", withText("next"))
	// The question is lost.
	k.slack.Fail("chat.postMessage", "hang up", false)
	k.say("question lost")
	k.inSlack("what was lost", withText("question lost"))
	k.slack.Fail("chat.postMessage", "internal_error", false)
	k.say("internal")
	k.inSlack("what failed inside", withText("internal"))
	for _, text := range []string{"limited", "answer lost", "question lost", "internal"} {
		if got := k.inChannel(text); len(got) != 1 {
			t.Errorf("%q is there %d times", text, len(got))
		}
	}

	// A refusal is told.
	k.slack.Fail("chat.postMessage", "restricted_action", false)
	k.say("forbidden")
	k.await("a notice", func(e bridgetest.Event) bool {
		return e.Type == "m.room.message" && e.Field("msgtype") == "m.notice" && strings.Contains(e.Body(), "Slack refused it")
	})
}

// TestConnections has Slack refresh and lose connections, and repeat events.
func TestConnections(t *testing.T) {
	t.Parallel()
	k := newTalk(t, "")
	k.slack.Refresh()
	k.slack.AwaitConnected(t, 2)
	var want []string
	say := func(text string) {
		k.slack.Say(k.bob, k.channel, text, nil)
		want = append(want, text)
	}
	for i := range 20 {
		say(fmt.Sprintf("x over either connection %d", i))
	}
	k.await("the last", message("x over either connection 19"))
	k.slack.HangUp()
	say("x while nobody listens")
	k.slack.AwaitConnected(t, 1)
	say("x again")
	k.await("the next", message("x again"))
	for _, m := range k.slack.Messages(k.channel) { // all of them once more
		if s, _ := m["text"].(string); strings.HasPrefix(s, "x ") {
			m["channel"] = k.channel
			k.slack.Again(m)
		}
	}
	say("x end")
	k.await("the end", message("x end"))
	if n := k.slack.Unacknowledged(); n > 1 {
		t.Errorf("%d events are not acknowledged", n)
	}
	if got := k.inRoom(k.ghost(k.bob), "x "); !slices.Equal(got, want) {
		t.Errorf("came %q\nwant %q", got, want)
	}
}

// TestSamples sends all samples of events that Slack publishes, as they are and as if they were
// of the channel. testdata/events has them: every field is there, with made-up values.
func TestSamples(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "events", "*.json"))
	if err != nil || len(files) < 50 {
		t.Fatal(len(files), err)
	}
	if dir := vendors(); dir != "" {
		more, err := filepath.Glob(filepath.Join(dir, "events", "*.json"))
		if err != nil || len(more) < len(files) {
			t.Fatal(len(more), err)
		}
		files = append(files, more...)
	}
	k := newTalk(t, "")
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var sample struct {
			Event obj `json:"event"`
		}
		if err := json.Unmarshal(raw, &sample); err != nil || sample.Event == nil {
			continue // not of the Events API
		}
		k.slack.Again(sample.Event)
		if _, ok := sample.Event["channel"].(string); ok {
			sample.Event["channel"] = k.channel
			if _, ok := sample.Event["user"].(string); ok {
				sample.Event["user"] = k.bob
			}
			if _, ok := sample.Event["ts"]; ok {
				sample.Event["ts"] = fmt.Sprintf("%d.000000", time.Now().Unix()+100)
			}
			k.slack.Again(sample.Event)
		}
	}
	k.slack.Say(k.bob, k.channel, "the end", nil)
	k.await("the end", message("the end"))
	for _, bad := range []string{"panic", "cannot be handled", "is no JSON"} {
		if strings.Contains(k.server.Log(), bad) {
			t.Errorf("the log has %q", bad)
		}
	}
}

// TestEventsAPI has events come over HTTP.
func TestEventsAPI(t *testing.T) {
	t.Parallel()
	addr := ports.Addr(t)
	k := newTalkBy(t, fmt.Sprintf("          events: http\n          signing_secret: %s\n          listen: %q\n", slacktest.SigningSecret, addr), func(k *talk) {
		k.slack.SendTo("http://" + addr + "/slack/events")
	})
	k.slack.Say(k.bob, k.channel, "over HTTP", nil)
	k.await("a message", message("over HTTP"))
}
