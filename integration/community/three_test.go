package community

import (
	"context"
	"fmt"
	"slices"
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

// town is a room that is on IRC, Discord and Slack at once, with somebody of each.
type town struct {
	*testing.T
	ctx   context.Context
	alice *apptest.Person
	room  string

	bob      *bridgetest.Person // on IRC, in #town
	dc       *discordtest.Server
	dora     *discordtest.User
	general  *discordtest.Channel
	slack    *slacktest.Server
	sam      string
	slackTo  string // the channel
	onceSaid []string
}

func newTown(t *testing.T) *town {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	w := &town{T: t, ctx: ctx}
	ircd, err := demonet.Start(demonet.Options{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ircd.Close)
	if w.dc, err = discordtest.New("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.dc.Close)
	w.dora = w.dc.AddUser("dora")
	w.general = w.dc.AddChannel(w.dc.AddGuild("Guild", w.dora), 0, "general", "")
	w.slack = slacktest.New(t)
	w.sam = w.slack.AddUser("sam", "Sam")
	w.slackTo = w.slack.AddChannel("general", false, w.sam, slacktest.BotUser)
	if w.bob, err = bridgetest.DialIRC(ctx, ircd.Addr(), "bob", "#town"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.bob.Close)

	s := apptest.Start(t, "  []\n", app.Modules()...)
	w.alice = s.Person("alice")
	var made struct {
		RoomID string `json:"room_id"`
	}
	err = w.alice.Do(ctx, "POST", "/v3/createRoom", map[string]any{"name": "Agora", "preset": "public_chat", "room_alias_name": "agora",
		"power_level_content_override": map[string]any{"users": map[string]int{"@ircbot:test": 50, "@discordbot:test": 50, "@slackbot:test": 50}}}, &made)
	if err != nil {
		t.Fatal(err)
	}
	w.room = made.RoomID
	s.Configure(fmt.Sprintf(`  - id: irc
    module: irc
    config: {networks: [{id: net, name: Net, address: %q, tls: false, nick: bridge, flood: {burst: 100, per_second: 100}, channels: [{name: "#town"}]}]}
    rooms: {channels: [{channel: "#town", room: "#agora:test"}]}
  - id: discord
    module: discord
    config: {token: %s, api_url: %q, cdn_url: %q}
    rooms: {channels: [{channel: %q, room: "#agora:test"}]}
  - id: slack
    module: slack
    config: {workspaces: [{id: acme, app_token: %s, bot_token: %s, api_url: %q}]}
    rooms: {channels: [{channel: %q, room: "#agora:test"}]}
`, ircd.Addr(), w.dc.Token, w.dc.URL(), w.dc.CDN(), w.general.ID, slacktest.AppToken, slacktest.BotToken, w.slack.URL, w.slackTo))
	s.Restart()
	// Each bridge is there when what is said on its network comes.
	for network, say := range map[string]func(){
		"IRC":     func() { w.bob.Say("#town", "is IRC there?") },
		"Discord": func() { w.dc.Say(w.general, w.dora, "is Discord there?", nil) },
		"Slack":   func() { w.slack.Say(w.sam, w.slackTo, "is Slack there?", nil) },
	} {
		until(ctx, t, network, func() bool {
			say()
			return w.inRoom("is "+network+" there?") > 0
		})
	}
	return w
}

// inRoom, onIRC, onDiscord and onSlack count the messages with a text, as it is there now.
func (w *town) inRoom(text string) (n int) {
	for _, e := range w.alice.Events.All(0) {
		if e.RoomID == w.room && e.Type == "m.room.message" && strings.Contains(e.Body(), text) {
			n++
		}
	}
	return n
}

func (w *town) onIRC(text string) (n int) {
	for _, l := range w.bob.Lines.All(0) {
		if (l.Command == "PRIVMSG" || l.Command == "NOTICE") && strings.Contains(l.Text(), text) {
			n++
		}
	}
	return n
}

func (w *town) onDiscord(text string) (list []discordtest.Message) {
	for _, m := range w.dc.Messages(w.general.ID) {
		if strings.Contains(m.Content, text) || len(m.Attachments) > 0 && m.Attachments[0].Filename == text {
			list = append(list, m)
		}
	}
	return list
}

func (w *town) onSlack(text string) (list []slacktest.Object) {
	for _, m := range w.slack.Messages(w.slackTo) {
		if said, _ := m["text"].(string); strings.Contains(said, text) {
			list = append(list, m)
		}
	}
	return list
}

// everywhere waits until a text is in the room and on each network, those left out.
func (w *town) everywhere(text string, but ...string) {
	w.Helper()
	for network, there := range map[string]func() bool{
		"the room": func() bool { return w.inRoom(text) > 0 }, "IRC": func() bool { return w.onIRC(text) > 0 },
		"Discord": func() bool { return len(w.onDiscord(text)) > 0 }, "Slack": func() bool { return len(w.onSlack(text)) > 0 },
	} {
		if !slices.Contains(but, network) {
			until(w.ctx, w.T, fmt.Sprintf("%q on %s", text, network), there)
		}
	}
	w.onceSaid = append(w.onceSaid, text)
}

// TestThreeNetworks: what is said, changed, reacted to and taken back on one network is so on the others and in Matrix,
// once, and nothing goes round.
func TestThreeNetworks(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.bob.Say("#town", "said on IRC")
	w.everywhere("said on IRC", "IRC")
	dorasays := w.dc.Say(w.general, w.dora, "said on Discord", nil)
	w.everywhere("said on Discord")
	samsays := w.slack.Say(w.sam, w.slackTo, "said on Slack", nil)
	w.everywhere("said on Slack")
	w.alice.Tell(w.room, "said on Matrix")
	w.everywhere("said on Matrix")

	// Changes.
	w.dc.Edit(dorasays, func(m *discordtest.Message) { m.Content = "changed on Discord" })
	w.everywhere("changed on Discord", "IRC")
	until(w.ctx, t, "the change on IRC", func() bool { return w.onIRC("changed") == 1 })
	w.slack.Edit(w.slackTo, samsays, slacktest.Object{"text": "changed on Slack"})
	w.everywhere("changed on Slack", "IRC")
	until(w.ctx, t, "the other change on IRC", func() bool { return w.onIRC("changed") == 2 })
	if n, m := len(w.onDiscord("said on Slack")), len(w.onSlack("said on Discord")); n+m > 0 {
		t.Errorf("what was changed is there as it was: %d on Discord, %d on Slack", n, m)
	}

	// Reactions.
	relayed := w.onDiscord("changed on Slack")[0]
	w.dc.React(w.dc.Find(&relayed), w.dora, "🎉", true)
	reacted := func() (n int) {
		for _, m := range w.onSlack("changed on Slack") {
			list, _ := m["reactions"].([]any)
			n += len(list)
		}
		return n
	}
	until(w.ctx, t, "Dora's reaction on Slack", func() bool { return reacted() == 1 })
	until(w.ctx, t, "Dora's reaction in the room", func() bool {
		return slices.ContainsFunc(w.alice.Events.All(0), func(e bridgetest.Event) bool {
			return e.Type == "m.reaction" && e.Sender == "@discord_"+w.dora.ID+":test"
		})
	})
	w.dc.React(w.dc.Find(&relayed), w.dora, "🎉", false)
	until(w.ctx, t, "no reaction on Slack", func() bool { return reacted() == 0 })
	ts := w.onSlack("changed on Discord")[0]["ts"].(string)
	w.slack.React(w.sam, w.slackTo, ts, "tada", true)
	until(w.ctx, t, "Sam's reaction on Discord", func() bool { return len(w.onDiscord("changed on Discord")[0].Reactions) == 1 })

	// A file.
	w.slack.Upload(w.sam, w.slackTo, "plan.txt", "text/plain", []byte("the plan"), nil)
	until(w.ctx, t, "the file on Discord", func() bool { return len(w.onDiscord("plan.txt")) > 0 })
	until(w.ctx, t, "the file on IRC", func() bool { return w.onIRC("plan.txt") > 0 })

	// What is taken back is gone.
	w.slack.Delete(w.slackTo, samsays)
	until(w.ctx, t, "it to be gone from Discord", func() bool { return len(w.onDiscord("changed on Slack")) == 0 })
	w.dc.Delete(w.dc.Find(dorasays))
	until(w.ctx, t, "it to be gone from Slack", func() bool { return len(w.onSlack("changed on Discord")) == 0 })

	// Whatever came back would have come before the end has gone round.
	w.alice.Tell(w.room, "the end")
	w.everywhere("the end")
	for _, text := range w.onceSaid {
		if n := w.inRoom(text); n > 1 && !strings.HasPrefix(text, "changed") || n > 2 {
			t.Errorf("%q is %d times in the room", text, n)
		}
		if n := w.onIRC(text); n > 1 {
			t.Errorf("%q is %d times on IRC", text, n)
		}
		if n, m := len(w.onDiscord(text)), len(w.onSlack(text)); n > 1 || m > 1 {
			t.Errorf("%q is %d times on Discord, and %d times on Slack", text, n, m)
		}
	}
	for _, e := range w.alice.Events.All(0) {
		if e.Type == "m.reaction" && strings.Contains(e.Sender, "bot:") {
			t.Errorf("a bot has reacted: %s", e.Content)
		}
	}
}
