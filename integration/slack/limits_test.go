package slack_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/slack/slacktest"
)

// TestEveryMethodLimited has Slack ask for patience at the first call of each method that there is. All is done none the less.
func TestEveryMethodLimited(t *testing.T) {
	t.Parallel()
	var me, old, hidden string
	var methods []string
	k := newTalkAfter(t, "          sign_in: true\n"+oauthConfig, func(k *talk) {
		me, hidden = k.slack.AddUser("anna", "Anna of Slack"), k.slack.AddUser("hidden", "Hidden")
		k.slack.Hide(hidden)
		k.slack.Join(me, k.channel)
		old = k.slack.Say(k.carol, k.channel, "long ago", slacktest.Object{"ts": past(time.Now().Add(-time.Hour), 1)})
		methods = k.slack.LimitAll(1, 0)
	})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	// From Slack: what has to be asked for.
	k.slack.AddBot("B0QUIET01", "quiet")
	k.slack.Say("", k.channel, "by a bot", slacktest.Object{"subtype": "bot_message", "bot_id": "B0QUIET01"})
	k.await("a bot", message("by a bot"))
	k.slack.Say(hidden, k.channel, "by somebody unknown", nil)
	k.await("somebody unknown", message("by somebody unknown"))
	k.slack.Say(k.bob, k.channel, "an answer", slacktest.Object{"thread_ts": old})
	k.await("the root", message("long ago"))
	pinned := k.slack.Say(k.bob, k.channel, "pinned", nil)
	k.slack.Pin(k.bob, k.channel, pinned, true)
	k.await("a pin", ofType("m.room.pinned_events"))

	// From Matrix, by the bot.
	k.promote(k.room, 100)
	first := k.say("one")
	ts := k.inSlack("one", withText("one"))["ts"].(string)
	k.send("m.room.message", obj{"msgtype": "m.text", "body": "* two", "m.new_content": obj{"msgtype": "m.text", "body": "two"},
		"m.relates_to": obj{"rel_type": "m.replace", "event_id": first}})
	k.inSlack("two", func(m slacktest.Object) bool { return m["ts"] == ts && m["text"] == "two" })
	reaction := k.send("m.reaction", obj{"m.relates_to": obj{"rel_type": "m.annotation", "event_id": first, "key": "\U0001f44d"}})
	reacted := func(on bool) func(slacktest.Object) bool {
		return func(m slacktest.Object) bool {
			list, _ := m["reactions"].([]any)
			return m["ts"] == ts && (len(list) > 0) == on
		}
	}
	k.inSlack("a reaction", reacted(true))
	k.redact(reaction)
	k.inSlack("no reaction", reacted(false))
	k.send("m.room.message", obj{"msgtype": "m.file", "body": "a.txt", "url": k.uploadMedia("text/plain", []byte("a"))})
	k.inSlack("a file", func(m slacktest.Object) bool { return m["files"] != nil })
	for _, pins := range [][]string{{first}, {}} {
		must(k.anna.SetState(k.ctx, k.room, "m.room.pinned_events", "", obj{"pinned": pins}))
		k.until("the pins", func() bool { return slices.Contains(k.slack.Pins(k.channel), ts) == (len(pins) > 0) })
	}
	must(k.anna.SetState(k.ctx, k.room, "m.room.topic", "", obj{"topic": "all of it"}))
	k.until("the topic", func() bool { return get(k.slack.Info(k.channel), "topic", "value") == "all of it" })
	must(k.anna.SetState(k.ctx, k.room, "m.room.name", "", obj{"name": "everything"}))
	k.until("the name", func() bool { return k.slack.Info(k.channel)["name"] == "everything" })
	dave := k.slack.AddUser("dave", "Dave")
	for _, what := range []string{"invite", "kick"} {
		must(k.anna.Do(k.ctx, "POST", "/v3/rooms/"+k.room+"/"+what, obj{"user_id": k.ghost(dave)}, nil))
		k.until("dave's "+what, func() bool { return slices.Contains(k.slack.Members(k.channel), dave) == (what == "invite") })
	}
	k.redact(first)
	k.until("the deletion", func() bool {
		return !slices.ContainsFunc(k.slack.Messages(k.channel), func(m slacktest.Object) bool { return m["ts"] == ts })
	})

	// By anna herself.
	bot := k.withBot()
	k.consent(address.FindString(k.ask(bot, "login", func(s string) bool { return strings.Contains(s, "/slack/login/") })), me)
	k.until("the sign-in", func() bool { return len(k.slack.Calls("users.conversations")) > 1 })
	k.say("as myself")
	k.inSlack("a message as herself", func(m slacktest.Object) bool { return m["text"] == "as myself" && m["user"] == me })
	k.ask(bot, "start-chat bob", func(s string) bool { return strings.Contains(s, "chat") })
	for _, what := range []string{"leave", "join"} {
		must(k.anna.Do(k.ctx, "POST", "/v3/rooms/"+k.room+"/"+what, obj{}, nil))
		k.until("anna's "+what, func() bool { return slices.Contains(k.slack.Members(k.channel), me) == (what == "join") })
	}
	// A gap.
	k.slack.HangUp()
	k.slack.Say(k.bob, k.channel, "in a gap", nil)
	k.until("what was said in a gap", func() bool { return k.count("in a gap") == 1 })
	k.ask(bot, "logout acme."+strings.ToLower(me), func(s string) bool { return strings.Contains(strings.ToLower(s), "logged out") })
	// Who shows who he is, to have an account.
	if page := k.signIn(k.bob); !strings.Contains(page, "You are invited as") {
		t.Errorf("signing in leads to %s", page)
	}
	for _, name := range methods {
		if name == "apps.manifest.export" {
			continue // of an examination (bridges/slack, TestExamine)
		}
		if k.slack.Limited(name) > 0 {
			t.Errorf("%s was not used", name)
		}
		if n := len(k.slack.Calls(name)); n < 2 && k.slack.Limited(name) == 0 {
			t.Errorf("%s was not called again", name)
		}
	}
}

// TestOneChannelWaits has Slack ask for patience in one channel; another does not wait for it, and the order stays.
func TestOneChannelWaits(t *testing.T) {
	t.Parallel()
	var other string
	k := newTalkAfter(t, "", func(k *talk) { other = k.slack.AddChannel("quick", false, k.bob, slacktest.BotUser) })
	quick := k.join("quick")
	k.slack.LimitIn(k.channel, 1000, time.Second)
	for i := range 3 {
		k.say(fmt.Sprint("slow ", i))
	}
	if _, err := k.anna.Say(k.ctx, quick, "quick"); err != nil {
		t.Fatal(err)
	}
	passed := k.slack.AwaitMessage(t, other, "what does not wait", withText("quick"))
	k.slack.LimitIn(k.channel, 0, 0)
	k.inSlack("what has waited", withText("slow 2"))
	var slow []string
	for _, m := range k.slack.Messages(k.channel) {
		if text, _ := m["text"].(string); strings.HasPrefix(text, "slow ") {
			slow = append(slow, text)
			if m["ts"].(string) < passed["ts"].(string) {
				t.Errorf("%q did not wait", text)
			}
		}
	}
	if !slices.Equal(slow, []string{"slow 0", "slow 1", "slow 2"}) {
		t.Errorf("there are %q", slow)
	}
}

// TestSlowHistory has Slack give little at a time, and seldom, as it does to apps that are distributed outside of its marketplace.
func TestSlowHistory(t *testing.T) {
	t.Parallel()
	var want []string
	k := newTalkAfter(t, "          history: all\n    admins: [\"@anna:test\"]\n", func(k *talk) {
		day := time.Date(2023, 5, 1, 12, 0, 0, 0, time.UTC)
		for i := range 50 {
			want = append(want, fmt.Sprint("old ", i))
			k.slack.Say(k.bob, k.channel, want[i], slacktest.Object{"ts": past(day.Add(time.Duration(i)*time.Minute), 1)})
		}
		k.slack.MostHistory = 15
		k.slack.Limit("conversations.history", 1000, 0)
	})
	bot := k.withBot()
	k.ask(bot, "history", func(s string) bool { return strings.Contains(s, "#general") })
	k.slack.Limit("conversations.history", 2, time.Second)
	k.until("the past", func() bool { return slices.Equal(k.bodies(), want) })
	k.slack.Say(k.bob, k.channel, "new", nil)
	k.await("what is new", message("new"))
	k.ask(bot, "history", func(s string) bool { return strings.Contains(s, "is there") })
	if n := len(k.slack.Calls("conversations.history")); n < 6 {
		t.Errorf("the past came with %d calls", n)
	}
}
