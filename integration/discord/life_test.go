package discord_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
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
	if n := w.dc.Connections(); n != 3 {
		t.Errorf("there are %d connections", n)
	}
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
	other, err := discordtest.New("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	ben := other.AddUser("ben")
	there = other.AddChannel(other.AddGuild("Other", ben), 0, "there", "")
	w := newWorld(t, func(w *world) {
		here = w.dc.AddChannel(w.guild, 0, "here", "")
		w.more = fmt.Sprintf(`  - id: second
    module: discord
    config:
      token: %s
      api_url: %s
      cdn_url: %s
`, other.Token, other.URL(), other.CDN())
	})
	mia := w.user("mia")
	w.talk(mia, w.join(mia, here), here, w.anna, "first")
	room := ""
	w.eventually("the second bot's room", func() bool {
		var err error
		room, err = mia.Join(w.ctx, "#second_"+there.ID+":"+w.server.Name())
		return err == nil
	})
	other.Say(there, ben, "hello from the second", nil)
	w.await(mia, room, "@second_"+ben.ID+":"+w.server.Name(), "hello from the second")
	w.send(mia, room, "m.room.message", obj{"msgtype": "m.text", "body": "hello second"})
	if err := other.Wait(w.ctx, func() bool {
		for _, m := range other.Messages(there.ID) {
			if m.Content == "hello second" {
				return true
			}
		}
		return false
	}); err != nil {
		t.Errorf("to the second: %v", err)
	}
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
		})
	}
}
