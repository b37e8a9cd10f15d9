package slack_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/slack/slacktest"
)

// A large workspace talks in all its channels at once, while Slack asks for patience: nothing is lost or twice, and each channel
// keeps its order. How long it takes, and how much memory, is told; it is judged in the long form alone.
func TestLoad(t *testing.T) {
	if !long() {
		t.Parallel()
		load(t, 20, 500, 60, 3*time.Second)
		return
	}
	t.Run("channels", func(t *testing.T) { load(t, 1000, 5000, 100, time.Minute) })
	t.Run("people", func(t *testing.T) { load(t, 200, 20_000, 300, time.Minute) })
}

func load(t *testing.T, channels, members, rate int, length time.Duration) {
	const speakers = 5 // of each channel
	var list, people []string
	began := time.Now()
	k := newTalkWith(t, "", func(k *talk) {
		for i := range members {
			people = append(people, k.slack.AddUser(fmt.Sprint("person", i), fmt.Sprint("Person ", i)))
		}
		for i := range channels {
			in := []string{slacktest.BotUser}
			for n := range speakers {
				in = append(in, people[(i*speakers+n)%len(people)])
			}
			list = append(list, k.slack.AddChannel(fmt.Sprint("channel-", i), false, in...))
		}
		k.slack.Limit("conversations.members", 3, time.Second)
		k.slack.Limit("conversations.list", 1, time.Second)
	}, func(k *talk) {
		// The bridge asks no faster than Slack allows, so the rooms of many channels take minutes.
		k.until("the connection", func() bool { return len(k.slack.Calls("apps.connections.open")) > 0 })
		k.slack.AwaitConnected(t, 1)
	})
	rooms := make(map[string]int)
	for i := range list {
		alias := fmt.Sprintf("#slack_acme_channel-%d:test", i)
		k.until(alias, func() bool {
			room, err := k.anna.Join(k.ctx, alias)
			rooms[room] = i
			return err == nil
		})
	}
	delete(rooms, "")
	t.Logf("%d channels are there after %s", channels, time.Since(began).Round(time.Second))
	count := func(prefix string) int {
		n := 0
		for _, e := range k.anna.Events.All(0) {
			if e.Type == "m.room.message" && strings.HasPrefix(e.Body(), prefix) {
				n++
			}
		}
		return n
	}
	awaitCount := func(prefix string, want int) {
		t.Helper()
		for count(prefix) < want {
			if k.ctx.Err() != nil {
				t.Fatalf("%d of %d messages came", count(prefix), want)
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	// Everybody has come in before the clock starts.
	for i, ch := range list {
		for n := range speakers {
			k.slack.Say(people[(i*speakers+n)%len(people)], ch, "hello", nil)
		}
	}
	awaitCount("hello", channels*speakers)

	total := rate * int(length/time.Second)
	said := make([]time.Time, total)
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for n := range total {
		<-tick.C
		ch := n % channels
		said[n] = time.Now()
		k.slack.Say(people[(ch*speakers+n/channels%speakers)%len(people)], list[ch], fmt.Sprint("load ", n), nil)
	}
	awaitCount("load ", total)
	memory := k.server.ResidentMB(t)
	seen, lastIn := make(map[int]bool), make([]int, channels)
	var took []time.Duration
	for _, e := range k.anna.Events.All(0) {
		text, ok := strings.CutPrefix(e.Body(), "load ")
		n, err := strconv.Atoi(text)
		if e.Type != "m.room.message" || !ok || err != nil {
			continue
		}
		ch := rooms[e.RoomID]
		if seen[n] || n%channels != ch || n < lastIn[ch] {
			t.Errorf("message %d comes in channel %d after %d; twice: %v", n, ch, lastIn[ch], seen[n])
		}
		seen[n], lastIn[ch] = true, n
		took = append(took, e.At.Sub(said[n]))
	}
	slices.Sort(took)
	p50, p99 := took[len(took)/2], took[len(took)*99/100]
	t.Logf("%d channels, %d people, %d messages/s for %s: p50 %s, p99 %s, most %s; the whole server uses %d MB",
		channels, members, rate, length, p50.Round(time.Millisecond), p99.Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond), memory)
	if long() && (p99 > time.Second || memory > 300) {
		t.Error("that is more than it should be")
	}
}
