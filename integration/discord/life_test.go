package discord_test

import (
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// A bot in many guilds has several connections; each guild talks over its own, also after they were lost.
func TestShards(t *testing.T) {
	t.Parallel()
	var guilds []*discordtest.Guild
	var list []*discordtest.Channel
	w := newWorld(t, func(w *world) {
		w.dc.SetShards(3)
		for i := range 6 {
			time.Sleep(2 * time.Millisecond) // ids of different milliseconds, and so of different shards
			g := w.dc.AddGuild(fmt.Sprint("Guild ", i), w.anna)
			guilds, list = append(guilds, g), append(list, w.dc.AddChannel(g, 0, fmt.Sprint("channel-", i), ""))
		}
	})
	mia := w.user("mia")
	rooms := make([]string, len(list))
	for i, ch := range list {
		rooms[i] = w.join(mia, ch)
	}
	w.eventually("three connections", func() bool { return w.dc.Connections() == 3 })
	for i, ch := range list {
		w.talk(mia, rooms[i], ch, w.anna, fmt.Sprint("one", i))
	}
	w.dc.DropConnections()
	for i, ch := range list {
		w.talk(mia, rooms[i], ch, w.anna, fmt.Sprint("two", i))
	}
	w.dc.ForgetSessions()
	w.dc.DropConnections()
	for i, ch := range list {
		w.talk(mia, rooms[i], ch, w.anna, fmt.Sprint("three", i))
	}
}

// Two bots, each with its own guild, in one program.
func TestTwoBots(t *testing.T) {
	t.Parallel()
	var here, there *discordtest.Channel
	var other *world
	w := newWorld(t, func(w *world) {
		here = w.dc.AddChannel(w.guild, 0, "here", "")
		other = w.beside("second", "")
		there = other.dc.AddChannel(other.guild, 0, "there", "")
	})
	other.server = w.server
	mia := w.user("mia")
	w.talk(mia, w.join(mia, here), here, w.anna, "first")
	other.talk(mia, other.join(mia, there), there, other.anna, "second")
}

// A channel of which Discord says nothing for now holds up no other, neither at once nor when what was said while nobody
// listened is fetched; and when Discord says it, nothing is missing, and all is in order.
func TestStuckChannel(t *testing.T) {
	t.Parallel()
	var list []*discordtest.Channel
	w := newWorld(t, func(w *world) {
		for i := range 8 {
			list = append(list, w.dc.AddChannel(w.guild, 0, fmt.Sprint("channel-", i), ""))
		}
	})
	mia := w.user("mia")
	rooms := make([]string, len(list))
	for i, ch := range list {
		rooms[i] = w.join(mia, ch)
		w.dc.Say(ch, w.anna, "begin", nil)
		w.await(mia, rooms[i], w.ghost(w.anna), "begin")
	}
	if err := w.server.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, ch := range list {
		for n := range 120 {
			w.dc.Say(ch, w.anna, fmt.Sprint("away ", n), nil)
		}
	}
	// Five channels fail in one way, and one by a limit that is far away.
	stuck := func(path string) bool {
		for _, ch := range list[:5] {
			if strings.Contains(path, "/channels/"+ch.ID+"/messages") {
				return true
			}
		}
		return false
	}
	w.dc.Fail(func(r *http.Request) int {
		if stuck(r.URL.Path) {
			return 503
		}
		return 0
	})
	w.dc.Limit("/channels/"+list[5].ID+"/messages", 0, time.Hour)
	if err := w.server.Start(w.ctx); err != nil {
		t.Fatal(err)
	}
	for i := 6; i < len(list); i++ {
		w.await(mia, rooms[i], w.ghost(w.anna), "away 119")
	}
	for i, ch := range list {
		w.dc.Say(ch, w.anna, "live", nil)
		if i >= 6 {
			w.await(mia, rooms[i], w.ghost(w.anna), "live")
		}
	}
	w.dc.Fail(nil)
	for i := range 5 {
		w.await(mia, rooms[i], w.ghost(w.anna), "live")
	}
	for i := range list {
		if i == 5 {
			continue // it waits for its limit
		}
		history, err := mia.History(w.ctx, rooms[i])
		if err != nil {
			t.Fatal(err)
		}
		var have, want []string
		for _, e := range history {
			if e.Type == "m.room.message" && e.Sender == w.ghost(w.anna) {
				have = append(have, e.Body())
			}
		}
		want = append(want, "begin")
		for n := range 120 {
			want = append(want, fmt.Sprint("away ", n))
		}
		want = append(want, "live")
		if strings.Join(have, "|") != strings.Join(want, "|") {
			t.Errorf("channel %d has %d messages: %q", i, len(have), have)
		}
	}
}

// What keeps the bot from working is told to the administrator.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		build func(*world)
		want  string
	}{
		"token":   {func(w *world) { w.dc.Token = "bad" }, "does not accept the bot's token"},
		"intents": {func(w *world) { w.dc.DisallowIntents() }, "switch on Server Members Intent and Message Content Intent"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(w *world) { w.dc.AddChannel(w.guild, 0, "general", "") })
			mia := w.user("admin")
			w.join(mia, w.guild.Channels[0])
			if err := w.server.Stop(); err != nil {
				t.Fatal(err)
			}
			test.build(w)
			w.dc.ForgetSessions()
			if err := w.server.Start(w.ctx); err != nil {
				t.Fatal(err)
			}
			w.eventually("the reason in the log", func() bool { return strings.Contains(w.server.Log(), test.want) })
			w.eventually("the reason in the state of the bridge", func() bool {
				out, err := exec.CommandContext(w.ctx, testserver.Binary(), "status", "-c", w.server.Config()).CombinedOutput()
				return err == nil && strings.Contains(string(out), test.want)
			})
		})
	}
}
