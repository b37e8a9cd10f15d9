// Package community tests what bridges share, with the modules of several networks in one process.
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
	"github.com/landbridge-im/landbridge/integration/bridgetest"
)

// TestIRCAndDiscordInOneRoom: a room that somebody has made is on IRC and on Discord at once. Everybody hears everybody
// once, edits and all, and of the people on IRC only those who speak come in.
func TestIRCAndDiscordInOneRoom(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
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
	var people []*bridgetest.Person
	for _, nick := range []string{"bob", "lurker"} {
		p, err := bridgetest.DialIRC(ctx, ircd.Addr(), nick, "#town")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		people = append(people, p)
	}
	bob := people[0]

	s := apptest.Start(t, "  []\n", app.Modules()...)
	alice := s.Person("alice")
	var made struct {
		RoomID string `json:"room_id"`
	}
	err = alice.Do(ctx, "POST", "/v3/createRoom", map[string]any{"name": "Agora", "preset": "public_chat", "room_alias_name": "agora",
		"power_level_content_override": map[string]any{"users": map[string]int{"@ircbot:test": 50, "@discordbot:test": 50}}}, &made)
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
`, ircd.Addr(), dc.Token, dc.URL(), dc.CDN(), general.ID))
	s.Restart()

	// bob says it until the bridge is there to hear it.
	heard := func(sender, text string) bool {
		return slices.ContainsFunc(alice.Events.All(0), func(e bridgetest.Event) bool {
			return e.RoomID == room && e.Sender == sender && e.Body() == text
		})
	}
	names, err := bob.Names(ctx, "#town")
	for ; err == nil && !slices.ContainsFunc(names, func(n string) bool { return strings.Contains(n, "bridge") }); names, err = bob.Names(ctx, "#town") {
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	until(ctx, t, "the Discord bridge to be in the room", func() bool {
		dc.Say(general, dora, "are you there?", nil)
		return heard("@discord_"+dora.ID+":test", "are you there?")
	})

	bob.Say("#town", "hello from IRC")
	alice.Hears(room, "@irc_net.bob:test", "hello from IRC")
	dc.Say(general, dora, "hello from Discord", nil)
	alice.Hears(room, "@discord_"+dora.ID+":test", "hello from Discord")
	if _, _, err := bob.Await(ctx, 0, "", "PRIVMSG", "hello from Discord"); err != nil {
		t.Error(err)
	}
	alice.Tell(room, "hello from Matrix")
	if _, _, err := bob.Await(ctx, 0, "", "PRIVMSG", "hello from Matrix"); err != nil {
		t.Error(err)
	}
	onDiscord := func(text string) (n int) {
		for _, m := range dc.Messages(general.ID) {
			if strings.Contains(m.Content, text) {
				n++
			}
		}
		return n
	}
	until(ctx, t, "all to be on Discord", func() bool { return onDiscord("hello from IRC") > 0 && onDiscord("hello from Matrix") > 0 })

	// Whatever came back would have come before the end has gone round.
	alice.Tell(room, "the end")
	until(ctx, t, "the end to be on Discord", func() bool { return onDiscord("the end") > 0 })
	if _, _, err := bob.Await(ctx, 0, "", "PRIVMSG", "the end"); err != nil {
		t.Error(err)
	}
	for _, text := range []string{"hello from IRC", "hello from Discord", "hello from Matrix", "the end"} {
		if n := onDiscord(text); n != 1 {
			t.Errorf("%q is %d times on Discord", text, n)
		}
		onIRC := 0
		for _, l := range bob.Lines.All(0) {
			if l.Command == "PRIVMSG" && strings.Contains(l.Text(), text) {
				onIRC++
			}
		}
		if want := map[bool]int{true: 0, false: 1}[text == "hello from IRC"]; onIRC != want {
			t.Errorf("%q is %d times on IRC, not %d", text, onIRC, want)
		}
		inRoom := 0
		for _, e := range alice.Events.All(0) {
			if e.RoomID == room && e.Type == "m.room.message" && strings.Contains(e.Body(), text) {
				inRoom++
			}
		}
		if inRoom != 1 {
			t.Errorf("%q is %d times in the room", text, inRoom)
		}
	}

	members, err := alice.Members(ctx, room)
	if err != nil {
		t.Fatal(err)
	}
	for user, want := range map[string]bool{"@irc_net.bob:test": true, "@irc_net.lurker:test": false, "@discord_" + dora.ID + ":test": true} {
		if _, is := members[user]; is != want {
			t.Errorf("%s is a member: %t; members: %v", user, is, members)
		}
	}
	var name struct{ Name string }
	if err := alice.State(ctx, room, "m.room.name", "", &name); err != nil || name.Name != "Agora" {
		t.Errorf("the room is called %q, %v", name.Name, err)
	}
	// Who leaves the channel leaves the room.
	bob.Send("PART #town :bye")
	until(ctx, t, "bob to leave", func() bool {
		m, err := alice.Members(ctx, room)
		_, is := m["@irc_net.bob:test"]
		return err == nil && !is
	})
}

func until(ctx context.Context, t *testing.T, what string, ok func() bool) {
	t.Helper()
	for !ok() {
		select {
		case <-time.After(30 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("not in time: %s", what)
		}
	}
}
