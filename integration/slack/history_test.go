package slack_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/slack/slacktest"
	"github.com/landbridge-im/landbridge/integration/bridgetest"
)

// past is the ts of a time, n microseconds later.
func past(at time.Time, n int) string { return fmt.Sprintf("%d.%06d", at.Unix(), n) }

// bodies are what was said in the room, in order, edits left out.
func (k *talk) bodies() (list []string) {
	k.t.Helper()
	all, err := k.anna.History(k.ctx, k.room)
	if err != nil {
		k.t.Fatal(err)
	}
	for _, e := range all {
		if e.Type == "m.room.message" && relationOf(e).Type != "m.replace" {
			list = append(list, e.Body())
		}
	}
	return list
}

// TestHistory has a room begin with what was said in its channel before.
func TestHistory(t *testing.T) {
	t.Parallel()
	day := time.Date(2023, 5, 1, 12, 0, 0, 0, time.UTC)
	var want []string
	var root, pinned string
	k := newTalkAfter(t, "          history: all\n", func(k *talk) {
		gone := k.slack.AddUser("gone", "Gone Girl")
		say := func(user, text string, at time.Time, extra slacktest.Object) string {
			o := slacktest.Object{"ts": past(at, 1)}
			for key, v := range extra {
				o[key] = v
			}
			want = append(want, text)
			return k.slack.Say(user, k.channel, text, o)
		}
		say(gone, "from somebody who has left", day, nil)
		for i := range 420 { // several pages, and chunks
			ts := say(k.bob, fmt.Sprint("old ", i), day.Add(time.Duration(i+1)*time.Minute), nil)
			if i == 200 {
				k.slack.React(k.carol, k.channel, ts, "tada", true)
				pinned = ts
				k.slack.Pin(k.carol, k.channel, ts, true)
			}
		}
		root = say(k.carol, "the root", day.Add(10*time.Hour), nil)
		say(k.bob, "in the thread", day.Add(10*time.Hour+time.Minute), slacktest.Object{"thread_ts": root})
		say(k.carol, "not in the thread", day.Add(10*time.Hour+2*time.Minute), nil)
		say(k.carol, "in the thread, later", day.Add(11*time.Hour), slacktest.Object{"thread_ts": root})
	})
	k.await("the last of the past", message("in the thread, later"))
	k.slack.Say(k.bob, k.channel, "live", nil)
	k.await("what is new", message("live"))
	if have := k.bodies(); !slices.Equal(have, append(slices.Clone(want), "live")) {
		t.Errorf("the room has %d messages, wanted %d: %q", len(have), len(want)+1, have)
	}
	all, err := k.anna.History(k.ctx, k.room)
	if err != nil {
		t.Fatal(err)
	}
	find := func(body string) bridgetest.Event {
		i := slices.IndexFunc(all, message(body))
		if i < 0 {
			t.Fatalf("there is no %q", body)
		}
		return all[i]
	}
	if e := find("old 7"); e.Sender != k.ghost(k.bob) || !time.UnixMilli(e.TS).Equal(day.Add(8*time.Minute)) {
		t.Errorf("an old message is of %s, %v", e.Sender, time.UnixMilli(e.TS))
	}
	if rel := relationOf(find("in the thread")); rel.Type != "m.thread" || rel.EventID != find("the root").ID {
		t.Errorf("what is in the thread relates to %+v", rel)
	}
	target := find("old 200")
	if !slices.ContainsFunc(all, func(e bridgetest.Event) bool {
		rel := relationOf(e)
		return e.Type == "m.reaction" && e.Sender == k.ghost(k.carol) && rel.EventID == target.ID
	}) {
		t.Error("the reaction is not there")
	}
	k.until("the pin of "+pinned, func() bool {
		var pins struct {
			Pinned []string `json:"pinned"`
		}
		err := k.anna.Do(k.ctx, "GET", "/v3/rooms/"+k.room+"/state/m.room.pinned_events", nil, &pins)
		return err == nil && slices.Equal(pins.Pinned, []string{target.ID})
	})
	gone := all[slices.IndexFunc(all, message("from somebody who has left"))].Sender
	k.until("the departure of who has left", func() bool {
		var member struct {
			Membership string `json:"membership"`
		}
		err := k.anna.Do(k.ctx, "GET", "/v3/rooms/"+k.room+"/state/m.room.member/"+gone, nil, &member)
		return err == nil && member.Membership == "leave"
	})
}

// TestHistoryCrash kills the bridge while history comes in, and has things happen meanwhile.
func TestHistoryCrash(t *testing.T) {
	t.Parallel()
	day := time.Date(2023, 5, 1, 12, 0, 0, 0, time.UTC)
	var want []string
	var list []string
	k := newTalkAfter(t, "          history: 2022-01-01\n", func(k *talk) {
		k.slack.Say(k.bob, k.channel, "too old", slacktest.Object{"ts": past(day.AddDate(-2, 0, 0), 1)})
		for i := range 600 {
			text := fmt.Sprint("old ", i)
			ts := k.slack.Say(k.bob, k.channel, text, slacktest.Object{"ts": past(day.Add(time.Duration(i)*time.Minute), 1)})
			list, want = append(list, ts), append(want, text)
		}
	})
	for i := range 6 {
		text := fmt.Sprint("meanwhile ", i)
		k.slack.Say(k.carol, k.channel, text, nil)
		want = append(want, text)
		k.slack.Edit(k.channel, list[550+i], slacktest.Object{"text": fmt.Sprint("edited ", i)})
		time.Sleep(time.Duration(20*i) * time.Millisecond) // another moment each time
		if err := k.server.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := k.server.Start(k.ctx); err != nil {
			t.Fatal(err)
		}
	}
	k.slack.Say(k.carol, k.channel, "the end", nil)
	want = append(want, "the end")
	k.until("the end", func() bool { return k.count("the end") == 1 })
	have := k.bodies()
	for i := range have {
		if strings.HasPrefix(have[i], "edited ") {
			have[i] = fmt.Sprint("old ", 550+int(have[i][len("edited ")]-'0'))
		}
	}
	if !slices.Equal(have, want) {
		t.Errorf("the room has %d messages, wanted %d: %q", len(have), len(want), have)
	}
}

// relation is m.relates_to of an event.
type relation struct {
	Type    string `json:"rel_type"`
	EventID string `json:"event_id"`
}

func relationOf(e bridgetest.Event) relation {
	var c struct {
		Relation relation `json:"m.relates_to"`
	}
	if json.Unmarshal(e.Content, &c) != nil {
		return relation{}
	}
	return c.Relation
}

// until waits for a condition.
func (k *talk) until(what string, cond func() bool) {
	k.t.Helper()
	for !cond() {
		if k.ctx.Err() != nil {
			k.t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
