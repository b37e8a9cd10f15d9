package slack_test

import (
	"slices"
	"testing"

	"github.com/landbridge-im/landbridge/bridges/slack/slacktest"
)

// TestChangesAway has messages edited, deleted and reacted to while the bridge is away, in the channel, in a thread, and what
// the bridge itself has said.
func TestChangesAway(t *testing.T) {
	t.Parallel()
	k := newTalk(t, "")
	said, events := map[string]string{}, map[string]string{}
	say := func(text, root string) {
		var extra slacktest.Object
		if root != "" {
			extra = slacktest.Object{"thread_ts": root}
		}
		said[text] = k.slack.Say(k.bob, k.channel, text, extra)
		events[text] = k.await(text, message(text)).ID
	}
	for _, text := range []string{"stays", "is edited", "is deleted", "is a root", "is a deleted root", "is reacted to"} {
		say(text, "")
	}
	say("stays in the thread", said["is a root"])
	say("is edited in the thread", said["is a root"])
	say("is deleted in the thread", said["is a root"])
	say("stays below", said["is a deleted root"])
	k.slack.React(k.carol, k.channel, said["is reacted to"], "wave", true)
	k.await("a reaction", ofType("m.reaction"))
	mine := k.say("of Matrix, stays")
	k.inSlack("a message", withText("of Matrix, stays"))
	gone := k.say("of Matrix, is deleted")
	goneTS, _ := k.inSlack("another", withText("of Matrix, is deleted"))["ts"].(string)
	k.send("m.reaction", obj{"m.relates_to": obj{"rel_type": "m.annotation", "event_id": events["stays"], "key": "\U0001f389"}})
	k.inSlack("a reaction of Matrix", func(m slacktest.Object) bool { return m["text"] == "stays" && m["reactions"] != nil })

	away := func(f func()) {
		if err := k.server.Kill(); err != nil {
			t.Fatal(err)
		}
		k.slack.HangUp()
		f()
		if err := k.server.Start(k.ctx); err != nil {
			t.Fatal(err)
		}
	}
	away(func() {
		k.slack.Edit(k.channel, said["is edited"], slacktest.Object{"text": "was edited"})
		k.slack.Edit(k.channel, said["is edited in the thread"], slacktest.Object{"text": "was edited in the thread"})
		for _, text := range []string{"is deleted", "is deleted in the thread"} {
			k.slack.Delete(k.channel, said[text])
		}
		k.slack.Edit(k.channel, said["is a deleted root"], slacktest.Object{"subtype": "tombstone", "text": "This message was deleted."})
		k.slack.Delete(k.channel, goneTS)
		k.slack.React(k.carol, k.channel, said["is reacted to"], "wave", false)
		k.slack.React(k.bob, k.channel, said["is reacted to"], "tada", true)
		k.slack.React(k.bob, k.channel, said["is deleted"], "tada", true)
		ts := k.slack.Say(k.bob, k.channel, "new", nil)
		k.slack.React(k.carol, k.channel, ts, "eyes", true)
		k.slack.Say(k.carol, k.channel, "new in the thread", slacktest.Object{"thread_ts": said["is a root"]})
	})
	k.slack.AwaitConnected(t, 1)
	k.slack.Say(k.bob, k.channel, "the end", nil)
	k.until("the end", func() bool { return k.count("the end") == 1 })
	check := func() {
		t.Helper()
		all, err := k.anna.History(k.ctx, k.room)
		if err != nil {
			t.Fatal(err)
		}
		var edits, reactions []string
		for _, e := range all {
			switch rel := relationOf(e); {
			case e.Type == "m.room.message" && rel.Type == "m.replace":
				edits = append(edits, rel.EventID)
			case e.Type == "m.reaction" && rel.EventID != "":
				reactions = append(reactions, e.Sender)
			}
		}
		slices.Sort(edits)
		want := []string{events["is edited"], events["is edited in the thread"]}
		slices.Sort(want)
		if !slices.Equal(edits, want) {
			t.Errorf("edited are %q, wanted %q", edits, want)
		}
		stays := []string{mine, events["stays"], events["stays in the thread"], events["stays below"], events["is a root"], events["is reacted to"], events["is edited"]}
		for _, e := range all {
			empty := e.Type == "m.room.message" && e.Body() == ""
			if slices.Contains(stays, e.ID) && empty {
				t.Errorf("%s is gone", e.ID)
			}
			if slices.Contains([]string{gone, events["is deleted"], events["is deleted in the thread"], events["is a deleted root"]}, e.ID) && !empty {
				t.Errorf("%q is still there", e.Body())
			}
		}
		slices.Sort(reactions)
		wantReactions := []string{k.anna.UserID, k.ghost(k.bob), k.ghost(k.carol)} // tada, and eyes of the new one
		slices.Sort(wantReactions)
		if !slices.Equal(reactions, wantReactions) {
			t.Errorf("reactions are of %q, wanted %q", reactions, wantReactions)
		}
		if got, want := k.bodies(), []string{"new", "new in the thread"}; !slices.Equal(slices.DeleteFunc(got, func(s string) bool { return !slices.Contains(want, s) }), want) {
			t.Errorf("new are %q", got)
		}
	}
	check()
	// Another time nothing is different, and nothing is done again.
	away(func() {})
	k.slack.AwaitConnected(t, 1)
	k.slack.Say(k.bob, k.channel, "the very end", nil)
	k.until("the very end", func() bool { return k.count("the very end") == 1 })
	check()
}
