package discord_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
)

// long says that tests are as long as in docs/discord.md: DISCORD_LONG=1 go test ./integration/discord -run 'Load|Killed'.
func long() bool { return os.Getenv("DISCORD_LONG") != "" }

// A big guild talks in all its channels at once: nothing is lost or twice, and each channel keeps its order. How long it takes,
// and how much memory, is told; it is judged in the long form alone.
func TestLoad(t *testing.T) {
	if !long() {
		t.Parallel()
	}
	channels, members, rate, length := 20, 1000, 60, 3*time.Second
	if long() {
		channels, members, rate, length = 200, 20_000, 300, time.Minute
	}
	const speakers = 5 // of each channel
	var list []*discordtest.Channel
	var people []*discordtest.User
	w := newWorld(t, func(w *world) {
		for i := range channels {
			list = append(list, w.dc.AddChannel(w.guild, 0, fmt.Sprint("channel-", i), ""))
		}
		people = w.dc.AddMembers(w.guild, members)
	})
	mia := w.user("mia")
	rooms := make(map[string]int)
	for i, ch := range list {
		rooms[w.join(mia, ch)] = i
	}
	speaker := func(channel, n int) *discordtest.User { return people[(channel*speakers+n%speakers)%len(people)] }
	count := func(prefix string) int {
		n := 0
		for _, e := range mia.Events.All(0) {
			if e.Type == "m.room.message" && strings.HasPrefix(e.Body(), prefix) {
				n++
			}
		}
		return n
	}
	awaitCount := func(prefix string, want int) {
		t.Helper()
		for count(prefix) < want {
			if w.ctx.Err() != nil {
				t.Fatalf("%d of %d messages came", count(prefix), want)
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	// Everybody has come in before the clock starts.
	for i, ch := range list {
		for n := range speakers {
			w.dc.Say(ch, speaker(i, n), "hello", nil)
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
		w.dc.Say(list[ch], speaker(ch, n/channels), fmt.Sprint("load ", n), nil)
	}
	awaitCount("load ", total)
	memory := w.server.ResidentMB(t)
	seen, lastIn := make(map[int]bool), make([]int, channels)
	var took []time.Duration
	for _, e := range mia.Events.All(0) {
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
	t.Logf("%d channels, %d members, %d messages/s for %s: p50 %s, p99 %s, most %s; the whole server uses %d MB",
		channels, members, rate, length, p50.Round(time.Millisecond), p99.Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond), memory)
	if long() && (p99 > time.Second || memory > 300) {
		t.Error("that is more than it should be")
	}
}
