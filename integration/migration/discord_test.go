package migration

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// TestTakeoverDiscord is TestTakeover for a guild.
func TestTakeoverDiscord(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dc, err := discordtest.New("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dc.Close)
	owner, bob := dc.AddUser("owner"), dc.AddUser("bob")
	guild := dc.AddGuild("Guild", owner)
	general := dc.AddChannel(guild, 0, "general", "")
	dc.AddMember(guild, bob)
	first := dc.Say(general, bob, "first", nil)
	second := dc.Say(general, owner, "second", nil)
	var list []map[string]any
	for _, m := range dc.Messages(general.ID) {
		list = append(list, map[string]any{"id": m.ID, "type": "Default", "timestamp": time.Now().UTC().Format(time.RFC3339), "content": m.Content,
			"author": map[string]any{"id": m.Author.ID, "name": m.Author.Username, "discriminator": "0"}})
	}
	dir := t.TempDir()
	put(t, filepath.Join(dir, "general.json"), map[string]any{"guild": map[string]any{"id": guild.ID, "name": "Guild"},
		"channel": map[string]any{"id": general.ID, "type": "GuildTextChat", "name": "general"}, "messages": list})
	s := testserver.New(t, testserver.Options{Extra: fmt.Sprintf(`bridges:
  - id: discord
    module: discord
    enabled: false
    config: {token: %q, api_url: %q, cdn_url: %q}
`, dc.Token, dc.URL(), dc.CDN())})
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(s.Log())
		}
	})
	mapping := filepath.Join(t.TempDir(), "mapping.yaml")
	must(t, s, "plan", dir, "-o", mapping)
	replace(t, mapping, "space_audience: invited", "space_audience: anyone")
	replace(t, mapping, "audience: invited", "audience: anyone\n    alias: discord_general")
	must(t, s, "run", dir, "-mapping", mapping)
	dc.Say(general, bob, "said after the export", nil)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	replace(t, s.Config(), "enabled: false", "enabled: true")
	if err := s.Start(ctx); err != nil {
		t.Fatal(err)
	}
	anna, err := bridgetest.Register(ctx, s.URL(), "anna", "")
	if err != nil {
		t.Fatal(err)
	}
	room, err := anna.Join(ctx, "#discord_general:"+s.Name())
	if err != nil {
		t.Fatal(err)
	}
	if err := anna.Follow(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(anna.Close)
	w := &watcher{t: t, ctx: ctx, m: anna, room: room}
	// What was said while nobody listened shows that the bridge listens now.
	past := map[string]bridgetest.Event{}
	for past["said after the export"].ID == "" {
		all, err := anna.History(ctx, room)
		if err != nil {
			t.Fatal(err)
		}
		clear(past)
		for _, e := range all {
			if e.Type != "m.room.message" {
				continue
			}
			if past[e.Body()].ID != "" {
				t.Fatalf("%q is there twice", e.Body())
			}
			past[e.Body()] = e
		}
		pause(t, 20*time.Millisecond)
	}
	dc.Edit(second, func(m *discordtest.Message) { m.Content = "second, better" })
	edit := w.await("an edit", said("* second, better"))
	if kind, to, _ := relation(edit); kind != "m.replace" || to != past["second"].ID {
		t.Errorf("the edit is %s", edit)
	}
	dc.React(first, owner, "🎉", true)
	r := w.await("a reaction", func(e bridgetest.Event) bool { return e.Type == "m.reaction" })
	if _, to, key := relation(r); to != past["first"].ID || key != "🎉" {
		t.Errorf("the reaction is %s", r)
	}
	dc.Delete(first)
	if e := w.await("a deletion", func(e bridgetest.Event) bool { return e.Type == "m.room.redaction" }); redactedBy(e) != past["first"].ID {
		t.Errorf("redacted %s", e)
	}
	if _, err := anna.Send(ctx, room, "m.reaction", map[string]any{"m.relates_to": map[string]any{"rel_type": "m.annotation", "event_id": past["second"].ID, "key": "👍"}}); err != nil {
		t.Fatal(err)
	}
	if err := dc.Wait(ctx, func() bool {
		return dc.Requests("PUT /channels/{channel}/messages/{message}/reactions/{emoji}/@me") > 0
	}); err != nil {
		t.Errorf("the reaction does not come to Discord: %v", err)
	}
}
