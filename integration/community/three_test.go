package community

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/app"
	"github.com/landbridge-im/landbridge/app/apptest"
	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
	"github.com/landbridge-im/landbridge/bridges/irc/demonet"
	"github.com/landbridge-im/landbridge/bridges/slack/slacktest"
	"github.com/landbridge-im/landbridge/integration/bridgetest"
)

// TestThreeNetworksInOneRoom: one room is on IRC, Discord and Slack. What is said on each, and in Matrix, is everywhere once,
// so each bridge passes on what the ghosts of the others say; nothing goes round. What is edited and removed on Discord or
// Slack is so on the other.
func TestThreeNetworksInOneRoom(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	ircd, err := demonet.Start(demonet.Options{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ircd.Close)
	dc, err := discordtest.New("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dc.Close)
	owner, dora := dc.AddUser("owner"), dc.AddUser("dora")
	guild := dc.AddGuild("Guild", owner)
	general := dc.AddChannel(guild, 0, "general", "")
	dc.AddMember(guild, dora)
	sl := slacktest.New(t)
	sam := sl.AddUser("sam", "Sam")
	channel := sl.AddChannel("general", false, sam, slacktest.BotUser)
	bob, err := bridgetest.DialIRC(ctx, ircd.Addr(), "bob", "#town")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bob.Close)

	s := apptest.Start(t, "  []\n", app.Modules()...)
	alice := s.Person("alice")
	var made struct {
		RoomID string `json:"room_id"`
	}
	err = alice.Do(ctx, "POST", "/v3/createRoom", map[string]any{"name": "Agora", "preset": "public_chat", "room_alias_name": "agora",
		"power_level_content_override": map[string]any{"users": map[string]int{"@ircbot:test": 50, "@discordbot:test": 50, "@slackbot:test": 50}}}, &made)
	if err != nil {
		t.Fatal(err)
	}
	room := made.RoomID
	s.Configure(fmt.Sprintf(`  - id: irc
    module: irc
    config: {networks: [{id: net, name: Net, address: %q, tls: false, nick: bridge, flood: {burst: 100, per_second: 100}, channels: [{name: "#town"}]}]}
    rooms: {channels: [{channel: "#town", room: "#agora:test", members: active}]}
  - id: discord
    module: discord
    config: {token: %s, api_url: %q, cdn_url: %q}
    rooms: {channels: [{channel: %q, room: "#agora:test"}]}
  - id: slack
    module: slack
    config: {workspaces: [{id: acme, app_token: %s, bot_token: %s, api_url: %q}]}
    rooms: {channels: [{channel: %q, room: "#agora:test", members: none}]}
`, ircd.Addr(), dc.Token, dc.URL(), dc.CDN(), general.ID, slacktest.AppToken, slacktest.BotToken, sl.URL, channel))
	s.Restart()

	onDiscord := func(text string) (n int) {
		for _, m := range dc.Messages(general.ID) {
			if strings.Contains(m.Content, text) {
				n++
			}
		}
		return n
	}
	onSlack := func(text string) (n int) {
		for _, m := range sl.Messages(channel) {
			if body, _ := m["text"].(string); strings.Contains(body, text) {
				n++
			}
		}
		return n
	}
	onIRC := func(text string) (n int) {
		for _, l := range bob.Lines.All(0) {
			if l.Command == "PRIVMSG" && strings.Contains(l.Text(), text) {
				n++
			}
		}
		return n
	}
	inRoom := func(text string) (n int) {
		for _, e := range alice.Events.All(0) {
			if e.RoomID == room && e.Type == "m.room.message" && e.Body() == text {
				n++
			}
		}
		return n
	}
	// Each network says something until the room hears it.
	probes := 0
	until(ctx, t, "all bridges to be there", func() bool {
		probes++
		bob.Say("#town", fmt.Sprint("probe of irc ", probes))
		dc.Say(general, dora, fmt.Sprint("probe of discord ", probes), nil)
		sl.Say(sam, channel, fmt.Sprint("probe of slack ", probes), nil)
		from := map[string]bool{}
		for _, e := range alice.Events.All(0) {
			if kind, ok := strings.CutPrefix(e.Body(), "probe of "); ok && e.RoomID == room {
				kind, _, _ = strings.Cut(kind, " ")
				from[kind] = true
			}
		}
		time.Sleep(50 * time.Millisecond)
		return len(from) == 3
	})

	said := map[string]func(string){
		"from IRC":     func(text string) { bob.Say("#town", text) },
		"from Discord": func(text string) { dc.Say(general, dora, text, nil) },
		"from Slack":   func(text string) { sl.Say(sam, channel, text, nil) },
		"from Matrix":  func(text string) { alice.Tell(room, text) },
	}
	heard := map[string]func(string) int{"IRC": onIRC, "Discord": onDiscord, "Slack": onSlack, "Matrix": inRoom}
	round := func(n int) {
		t.Helper()
		for where, say := range said {
			say(fmt.Sprintf("round %d %s.", n, where))
		}
		for where := range said {
			text := fmt.Sprintf("round %d %s.", n, where)
			for place, count := range heard {
				if where == "from IRC" && place == "IRC" {
					continue // who says something on IRC does not hear it
				}
				until(ctx, t, fmt.Sprintf("%q to be in %s", text, place), func() bool { return count(text) > 0 })
			}
		}
	}
	// What went round for ever would be there a second time when the next rounds have gone everywhere.
	for n := range 3 {
		round(n)
	}
	for n := range 3 {
		for where := range said {
			text := fmt.Sprintf("round %d %s.", n, where)
			for place, count := range heard {
				want := 1
				if where == "from IRC" && place == "IRC" {
					want = 0
				}
				if got := count(text); got != want {
					t.Errorf("%q is %d times in %s", text, got, place)
				}
			}
		}
	}

	// Changes go through as well.
	ts := sl.Say(sam, channel, "teh word", nil)
	until(ctx, t, "the word to be on Discord", func() bool { return onDiscord("teh word") == 1 })
	sl.Edit(channel, ts, slacktest.Object{"text": "the word"})
	until(ctx, t, "the edit to be on Discord", func() bool { return onDiscord("teh word") == 0 && onDiscord("the word") == 1 })
	sl.Delete(channel, ts)
	until(ctx, t, "the removal to be on Discord", func() bool { return onDiscord("the word") == 0 })
}
