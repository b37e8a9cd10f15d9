package discord_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
)

// A guild with a category is a space with a space in it, and people talk both ways.
func TestConversation(t *testing.T) {
	t.Parallel()
	var general *discordtest.Channel
	w := newWorld(t, func(w *world) {
		cat := w.dc.AddChannel(w.guild, 4, "Talk", "")
		general = w.dc.AddChannel(w.guild, 0, "general", cat.ID)
	})
	mia := w.user("mia")
	room := w.join(mia, general)
	w.dc.Say(general, w.anna, "hello **Matrix**", nil)
	e := w.await(mia, room, w.ghost(w.anna), "hello **Matrix**")
	if got := e.Field("formatted_body"); got != "hello <strong>Matrix</strong>" {
		t.Errorf("formatted: %q", got)
	}
	if _, err := mia.Say(w.ctx, room, "hello Discord"); err != nil {
		t.Fatal(err)
	}
	if m := w.onDiscord(general.ID, "hello Discord"); m.Author.Username != "mia" {
		t.Errorf("it is from %q", m.Author.Username)
	}
	reaction, err := mia.Send(w.ctx, room, "m.reaction", map[string]any{"m.relates_to": map[string]any{"rel_type": "m.annotation", "event_id": e.ID, "key": "👍"}})
	if err != nil {
		t.Fatal(err)
	}
	reacted := func() int {
		for _, m := range w.dc.Messages(general.ID) {
			if m.Content == "hello **Matrix**" {
				return len(m.Reactions)
			}
		}
		return -1
	}
	if err := w.dc.Wait(w.ctx, func() bool { return reacted() == 1 }); err != nil {
		t.Fatalf("the reaction: %v", err)
	}
	if err := mia.Do(w.ctx, "PUT", "/v3/rooms/"+room+"/redact/"+reaction+"/r1", map[string]any{}, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.dc.Wait(w.ctx, func() bool { return reacted() == 0 }); err != nil {
		t.Fatalf("the end of the reaction: %v", err)
	}
	// The room is in the category's space, and that in the guild's.
	parent := func(room string) string {
		state, err := mia.AllState(w.ctx, room)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range state {
			if e.Type == "m.space.parent" {
				return *e.StateKey
			}
		}
		return ""
	}
	category := parent(room)
	if category == "" {
		t.Fatal("the room has no parent")
	}
	if _, err := mia.Join(w.ctx, category); err != nil {
		t.Fatal(err)
	}
	if parent(category) == "" {
		t.Error("the category has no parent")
	}
}

// Whatever is killed in mid-traffic, all is there once, in order.
func TestKilled(t *testing.T) {
	t.Parallel()
	var channels []*discordtest.Channel
	w := newWorld(t, func(w *world) {
		for i := range 3 {
			channels = append(channels, w.dc.AddChannel(w.guild, 0, fmt.Sprintf("channel-%d", i), ""))
		}
	})
	mia := w.user("mia")
	rooms := make([]string, len(channels))
	for i, ch := range channels {
		rooms[i] = w.join(mia, ch)
		w.dc.Say(ch, w.anna, "begin", nil)
		w.await(mia, rooms[i], w.ghost(w.anna), "begin")
	}
	stop := make(chan struct{})
	var talk sync.WaitGroup
	counts := make([][2]int, len(channels))
	for i, ch := range channels {
		talk.Go(func() { // on Discord
			for {
				select {
				case <-stop:
					return
				case <-time.After(15 * time.Millisecond):
					w.dc.Say(ch, w.anna, fmt.Sprintf("d%d", counts[i][0]), nil)
					counts[i][0]++
				}
			}
		})
		talk.Go(func() { // in Matrix: repeated until it is answered
			for n := 0; ; {
				select {
				case <-stop:
					counts[i][1] = n
					return
				case <-time.After(25 * time.Millisecond):
					_, err := mia.SendTxn(w.ctx, rooms[i], "m.room.message", fmt.Sprintf("txn-%d-%d", i, n), map[string]any{"msgtype": "m.text", "body": fmt.Sprintf("m%d", n)})
					if err == nil {
						n++
					}
				}
			}
		})
	}
	rounds := 5
	if long() {
		rounds = 21 // one of them is of a session alone
	}
	for round := range rounds {
		time.Sleep(700 * time.Millisecond)
		switch round {
		case 3:
			w.dc.ForgetSessions()
			w.dc.DropConnections()
		default:
			if err := w.server.Kill(); err != nil {
				t.Fatal(err)
			}
			if err := w.server.Start(w.ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(stop)
	talk.Wait()
	for i, ch := range channels {
		w.dc.Say(ch, w.anna, "end", nil)
		w.await(mia, rooms[i], w.ghost(w.anna), "end")
		if _, err := mia.Say(w.ctx, rooms[i], "end"); err != nil {
			t.Fatal(err)
		}
	}
	for i, ch := range channels {
		if err := w.dc.Wait(w.ctx, func() bool { return strings.HasSuffix(w.relayed(ch.ID), " end") }); err != nil {
			t.Fatalf("the end on Discord: %v", err)
		}
		var want, wantTheirs, theirs []string
		for n := range counts[i][1] {
			want = append(want, fmt.Sprintf("m%d", n))
		}
		if got := strings.TrimSuffix(w.relayed(ch.ID), " end"); got != strings.Join(want, " ") {
			t.Errorf("%s on Discord, %d messages:\n got  %s\n want %s", ch.Name, counts[i][1], got, strings.Join(want, " "))
		}
		history, err := mia.History(w.ctx, rooms[i])
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range history {
			if e.Type == "m.room.message" && e.Sender == w.ghost(w.anna) && strings.HasPrefix(e.Body(), "d") {
				theirs = append(theirs, e.Body())
			}
		}
		for n := range counts[i][0] {
			wantTheirs = append(wantTheirs, fmt.Sprintf("d%d", n))
		}
		if got := strings.Join(theirs, " "); got != strings.Join(wantTheirs, " ") {
			t.Errorf("%s in Matrix, %d messages:\n got  %s\n want %s", ch.Name, counts[i][0], got, strings.Join(wantTheirs, " "))
		}
	}
}

// A channel whose limit of rates is reached delays no other.
func TestSlowChannel(t *testing.T) {
	t.Parallel()
	var slow, quick *discordtest.Channel
	w := newWorld(t, func(w *world) {
		slow, quick = w.dc.AddChannel(w.guild, 0, "slow", ""), w.dc.AddChannel(w.guild, 0, "quick", "")
	})
	mia := w.user("mia")
	slowRoom, quickRoom := w.join(mia, slow), w.join(mia, quick)
	if _, err := mia.Say(w.ctx, slowRoom, "first"); err != nil {
		t.Fatal(err)
	}
	hook := w.onDiscord(slow.ID, "first").WebhookID
	w.dc.Limit("/webhooks/"+hook, 1, 2*time.Second)
	for i := range 6 {
		if _, err := mia.Say(w.ctx, slowRoom, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		if _, err := mia.Say(w.ctx, quickRoom, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	w.onDiscord(quick.ID, "19")
	if got := w.relayed(slow.ID); strings.HasSuffix(got, " 5") {
		t.Error("the limited channel was done first")
	}
	w.onDiscord(slow.ID, "5")
	if got := w.relayed(slow.ID); got != "first 0 1 2 3 4 5" {
		t.Errorf("the slow channel has %q", got)
	}
}
