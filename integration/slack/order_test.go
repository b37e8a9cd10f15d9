package slack_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/slack/slacktest"
)

// shown is what a room shows: what messages say now, after their edits, and which reactions there are.
func (k *talk) shown() (bodies []string, reactions map[string][]string) {
	k.t.Helper()
	all, err := k.anna.History(k.ctx, k.room)
	if err != nil {
		k.t.Fatal(err)
	}
	at := map[string]int{}
	reactions = map[string][]string{}
	for _, e := range all {
		switch rel := relationOf(e); {
		case e.Type == "m.room.message" && rel.Type == "m.replace":
			if i, ok := at[rel.EventID]; ok {
				bodies[i], _ = get(e.Content, "m.new_content", "body").(string)
			}
		case e.Type == "m.room.message" && e.Body() != "":
			at[e.ID] = len(bodies)
			bodies = append(bodies, e.Body())
		}
	}
	for _, e := range all {
		if rel := relationOf(e); e.Type == "m.reaction" && rel.EventID != "" {
			if i, ok := at[rel.EventID]; ok {
				key, _ := get(e.Content, "m.relates_to", "key").(string)
				reactions[bodies[i]] = append(reactions[bodies[i]], e.Sender+" "+key)
			}
		}
	}
	return bodies, reactions
}

// TestOutOfOrder has events come with the newest first, late, and each of them twice.
func TestOutOfOrder(t *testing.T) {
	t.Parallel()
	k := newTalk(t, "")
	dave := k.slack.AddUser("dave", "Dave")
	say := func(text string, extra slacktest.Object) string { return k.slack.Say(k.bob, k.channel, text, extra) }
	before := say("before", nil)
	k.await("a message", message("before"))
	k.slack.Keep()
	one := say("one", nil)
	k.slack.Edit(k.channel, one, slacktest.Object{"text": "one, edited"})
	k.slack.Edit(k.channel, one, slacktest.Object{"text": "one, edited again"})
	k.slack.React(k.carol, k.channel, one, "tada", true)
	k.slack.Delete(k.channel, say("two", nil))
	three := say("three", nil)
	k.slack.React(k.carol, k.channel, three, "wave", true)
	k.slack.React(k.carol, k.channel, three, "wave", false)
	k.slack.Edit(k.channel, before, slacktest.Object{"text": "before, edited"})
	k.slack.Edit(k.channel, before, slacktest.Object{"text": "before, edited again"})
	root := say("root", nil)
	say("reply", slacktest.Object{"thread_ts": root})
	k.slack.Join(dave, k.channel)
	k.slack.Leave(dave, k.channel)
	k.slack.Release()
	say("after", nil)
	want := []string{"after", "before, edited again", "one, edited again", "reply", "root", "three"}
	k.until("all of it", func() bool {
		bodies, reactions := k.shown()
		slices.Sort(bodies)
		return slices.Equal(bodies, want) && len(reactions["one, edited again"]) == 1
	})
	k.slack.Say(k.bob, k.channel, "the end", nil)
	k.until("the end", func() bool { return k.count("the end") == 1 })
	bodies, reactions := k.shown()
	slices.Sort(bodies)
	if !slices.Equal(bodies, append(want[:5:5], "the end", "three")) || len(reactions) != 1 || len(reactions["one, edited again"]) != 1 {
		t.Errorf("there are %q and %q", bodies, reactions)
	}
	if m := k.member(k.ghost(dave)); m.Membership == "join" {
		t.Error("dave, who has left, is in the room")
	}
	all, err := k.anna.History(k.ctx, k.room)
	if err != nil {
		t.Fatal(err)
	}
	rootEvent := all[slices.IndexFunc(all, message("root"))]
	if reply := all[slices.IndexFunc(all, message("reply"))]; relationOf(reply).Type != "m.thread" || relationOf(reply).EventID != rootEvent.ID {
		t.Errorf("the reply is %s", reply)
	}
}

// TestOlderThread has somebody answer in a thread that began before the bridge.
func TestOlderThread(t *testing.T) {
	t.Parallel()
	var root string
	k := newTalkAfter(t, "", func(k *talk) {
		root = k.slack.Say(k.carol, k.channel, "said long before", slacktest.Object{"ts": past(time.Now().Add(-time.Hour), 1)})
		k.slack.Say(k.bob, k.channel, "an answer of then", slacktest.Object{"thread_ts": root, "ts": past(time.Now().Add(-time.Hour), 2)})
	})
	for i := range 3 {
		k.slack.Say(k.bob, k.channel, fmt.Sprint("answer ", i), slacktest.Object{"thread_ts": root})
	}
	first := k.await("the beginning", message("said long before"))
	if first.Sender != k.ghost(k.carol) {
		t.Errorf("it is said by %s", first.Sender)
	}
	for i := range 3 {
		e := k.await("an answer", message(fmt.Sprint("answer ", i)))
		if relationOf(e).Type != "m.thread" || relationOf(e).EventID != first.ID {
			t.Errorf("the answer is %s", e)
		}
	}
	if n := k.count("said long before"); n != 1 || k.count("an answer of then") != 0 {
		t.Errorf("the beginning is there %d times", n)
	}
}

// TestCrashChanges kills the bridge, with its homeserver, again and again, while both sides say something, change it, react to it,
// delete it and share files. In the end both sides have all of it, once.
func TestCrashChanges(t *testing.T) {
	t.Parallel()
	k := newTalk(t, "")
	mxc := k.uploadMedia("text/plain", []byte("a file"))
	const rounds = 20
	var wantMatrix, wantSlack []string
	fromSlack := func(name string) {
		ts := k.slack.Say(k.bob, k.channel, name, nil)
		k.slack.Edit(k.channel, ts, slacktest.Object{"text": name + " edited"})
		k.slack.React(k.carol, k.channel, ts, "tada", true)
		k.slack.Delete(k.channel, k.slack.Say(k.bob, k.channel, name+" deleted", nil))
		k.slack.Upload(k.bob, k.channel, name+".txt", "text/plain", []byte(name), nil)
		wantMatrix = append(wantMatrix, name+" edited", name+".txt")
	}
	fromMatrix := func(name string) {
		id := k.say(name)
		k.send("m.room.message", obj{"msgtype": "m.text", "body": "* x", "m.new_content": obj{"msgtype": "m.text", "body": name + " edited"},
			"m.relates_to": obj{"rel_type": "m.replace", "event_id": id}})
		k.send("m.reaction", obj{"m.relates_to": obj{"rel_type": "m.annotation", "event_id": id, "key": "\U0001f44d"}})
		k.redact(k.say(name + " deleted"))
		k.send("m.room.message", obj{"msgtype": "m.file", "body": name + ".txt", "url": mxc})
		wantSlack = append(wantSlack, name+" edited", name+".txt")
	}
	for round := range rounds {
		fromSlack(fmt.Sprint("s", round))
		fromMatrix(fmt.Sprint("m", round))
		if err := k.server.Kill(); err != nil {
			t.Fatal(err)
		}
		k.slack.HangUp()
		fromSlack(fmt.Sprint("away", round))
		if err := k.server.Start(k.ctx); err != nil {
			t.Fatal(err)
		}
		k.slack.AwaitConnected(t, 1)
	}
	k.slack.Say(k.bob, k.channel, "the end", nil) // behind all that
	k.until("the end", func() bool { return k.count("the end") == 1 })
	k.say("x end")
	k.inSlack("the end", withText("x end"))
	slices.Sort(wantMatrix)
	slices.Sort(wantSlack)
	theirs := func(list []string) (out []string) {
		for _, s := range list {
			if strings.HasPrefix(s, "s") || strings.HasPrefix(s, "away") {
				out = append(out, s)
			}
		}
		slices.Sort(out)
		return out
	}
	inSlack := func() (out []string) {
		for _, m := range k.slack.Messages(k.channel) {
			text, _ := m["text"].(string)
			if m["bot_id"] != slacktest.Bot || text == "x end" {
				continue
			}
			if files, _ := m["files"].([]any); len(files) == 1 {
				text, _ = get(files[0], "name").(string)
			} else if reactions, _ := m["reactions"].([]any); len(reactions) != 1 {
				text += " without its reaction"
			}
			out = append(out, text)
		}
		slices.Sort(out)
		return out
	}
	matrixDone := func() bool {
		bodies, reactions := k.shown()
		n := 0
		for body, list := range reactions {
			if strings.HasPrefix(body, "s") || strings.HasPrefix(body, "away") {
				n += len(list)
			}
		}
		return slices.Equal(theirs(bodies), wantMatrix) && n == 2*rounds
	}
	for (!matrixDone() || !slices.Equal(inSlack(), wantSlack)) && k.ctx.Err() == nil && k.deadline() > 5*time.Second {
		time.Sleep(100 * time.Millisecond)
	}
	if !matrixDone() {
		bodies, reactions := k.shown()
		t.Errorf("Matrix has\n%q\n%q\nwanted\n%q", theirs(bodies), reactions, wantMatrix)
	}
	if got := inSlack(); !slices.Equal(got, wantSlack) {
		t.Errorf("Slack has\n%q\nwanted\n%q", got, wantSlack)
	}
}

// deadline is how long the test may last.
func (k *talk) deadline() time.Duration {
	end, _ := k.ctx.Deadline()
	return time.Until(end)
}

// TestReactionThatIsThere has the room have a reaction of which the bridge has not come to take note, as after a crash: it is not there
// twice, stands in nobody's way, and can be taken back.
func TestReactionThatIsThere(t *testing.T) {
	t.Parallel()
	k := newTalk(t, "")
	ts := k.slack.Say(k.bob, k.channel, "a message", nil)
	e := k.await("a message", message("a message"))
	bot := k.bot()
	content := obj{"m.relates_to": obj{"rel_type": "m.annotation", "event_id": e.ID, "key": "❤️"}}
	if err := bot.Do(k.ctx, "PUT", "/v3/rooms/"+k.room+"/send/m.reaction/before?user_id="+k.ghost(k.carol), content, nil); err != nil {
		t.Fatal(err)
	}
	there := k.await("a reaction", ofType("m.reaction"))
	k.slack.React(k.carol, k.channel, ts, "heart", true)
	k.slack.Say(k.bob, k.channel, "the next", nil)
	k.await("the next", message("the next"))
	k.slack.React(k.carol, k.channel, ts, "heart", false)
	if red := k.await("the reaction's end", ofType("m.room.redaction")); redacts(red) != there.ID {
		t.Errorf("redacted %s", redacts(red))
	}
}
