package migration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/ircd"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// TestLivedKilled cuts off an import into a room that is lived in: nothing is lost, doubled or out of its place.
func TestLivedKilled(t *testing.T) {
	t.Parallel()
	const n = 1500
	var want []string
	l := newLived(t, func(l *lived) {
		for i := range n {
			text := fmt.Sprint("old ", i)
			ts := l.old(l.gone, text, time.Duration(i)*time.Minute, nil)
			if i%100 == 0 {
				l.slack.React(l.carol, l.channel, ts, "tada", true)
			}
			want = append(want, text)
		}
	})
	l.slack.Say(l.bob, l.channel, "live", nil)
	l.await("a live message", said("live"))
	l.bridge(false)
	want = append(want, "live")
	l.write(l.slack.Messages(l.channel))
	for i := range 6 {
		cmd := command(t.Context(), l.s, "run", l.export, "-mapping", l.mapping)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// From before the first batch on, each time a little later.
		pause(t, time.Duration(100+60*i)*time.Millisecond)
		if i%2 == 0 {
			if err := l.s.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		_ = cmd.Process.Kill() // it may have come to its end
		waitFor(cmd)
		if i%2 == 0 {
			if err := l.s.Start(l.ctx); err != nil {
				t.Fatal(err)
			}
		}
		t.Logf("cut off with %d of %d messages", len(texts(l.history())), len(want))
	}
	must(t, l.s, "run", l.export, "-mapping", l.mapping)
	must(t, l.s, "verify", l.export, "-mapping", l.mapping)
	all := l.history()
	if have := texts(all); !slices.Equal(have, want) {
		t.Errorf("the room has %d messages, wanted %d: %q", len(have), len(want), have)
	}
	reactions := 0
	for _, e := range all {
		if e.Type == "m.reaction" {
			reactions++
		}
	}
	if reactions != n/100 {
		t.Errorf("there are %d reactions, wanted %d", reactions, n/100)
	}
}

// TestLivedDiscord is TestLived for a guild.
func TestLivedDiscord(t *testing.T) {
	t.Parallel()
	l := &lived{watcher: &watcher{t: t, ctx: t.Context()}}
	dc, err := discordtest.New("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dc.Close)
	owner, bob := dc.AddUser("owner"), dc.AddUser("bob")
	guild := dc.AddGuild("Guild", owner)
	general := dc.AddChannel(guild, 0, "general", "")
	dc.AddMember(guild, bob)
	dc.SayAt(general, bob, "first", day)
	second := dc.SayAt(general, owner, "second", day.Add(time.Hour))
	l.s = testserver.New(t, testserver.Options{Extra: fmt.Sprintf(`bridges:
  - id: discord
    module: discord
    enabled: true
    config: {token: %q, api_url: %q, cdn_url: %q}
`, dc.Token, dc.URL(), dc.CDN())})
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(l.s.Log())
		}
	})
	if l.m, err = bridgetest.Register(l.ctx, l.s.URL(), "anna", ""); err != nil {
		t.Fatal(err)
	}
	for l.room == "" {
		if l.room, err = l.m.Join(l.ctx, "#discord_"+general.ID+":"+l.s.Name()); err != nil && !bridgetest.IsStatus(err, 404) {
			t.Fatal(err)
		}
	}
	if err := l.m.Follow(l.ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.m.Close)
	live := dc.Say(general, bob, "live", nil)
	l.await("a live message", said("live"))
	dc.React(live, owner, "🎉", true)
	l.await("a reaction", func(e bridgetest.Event) bool { return e.Type == "m.reaction" })
	l.bridge(false)
	dc.Edit(live, func(m *discordtest.Message) { m.Content = "live, better" })
	dc.Say(general, owner, "missed", nil)
	var list []map[string]any
	for _, m := range dc.Messages(general.ID) {
		x := map[string]any{"id": m.ID, "type": "Default", "timestamp": m.Timestamp, "content": m.Content,
			"author": map[string]any{"id": m.Author.ID, "name": m.Author.Username, "discriminator": "0"}}
		if m.ID == live.ID {
			x["timestampEdited"] = time.Now().UTC().Format(time.RFC3339Nano)
			x["reactions"] = []any{map[string]any{"emoji": map[string]any{"name": "🎉"}, "count": 1, "users": []any{map[string]any{"id": owner.ID, "name": "owner"}}}}
		}
		list = append(list, x)
	}
	l.export = t.TempDir()
	put(t, filepath.Join(l.export, "general.json"), map[string]any{"guild": map[string]any{"id": guild.ID, "name": "Guild"},
		"channel": map[string]any{"id": general.ID, "type": "GuildTextChat", "name": "general"}, "messages": list})
	must(t, l.s, "run", l.export)
	must(t, l.s, "verify", l.export)
	if out := must(t, l.s, "run", l.export); !strings.Contains(out, " 0 events are new") {
		t.Errorf("the second run says %s", out)
	}
	l.bridge(true)
	dc.Say(general, bob, "live again", nil)
	l.await("a live message", said("live again"))
	past := l.history()
	if have, want := texts(past), []string{"first", "second", "live", "missed", "live again"}; !slices.Equal(have, want) {
		t.Errorf("the room has %q, wanted %q", have, want)
	}
	edits, reactions := 0, 0
	for _, e := range past {
		switch kind, to, _ := relation(e); {
		case kind == "m.replace" && to == byBody(t, past, "live").ID:
			edits++
		case kind == "m.annotation":
			reactions++
		}
	}
	if edits != 1 || reactions != 1 {
		t.Errorf("%d edits, %d reactions", edits, reactions)
	}
	dc.Edit(second, func(m *discordtest.Message) { m.Content = "second, better" })
	if kind, to, _ := relation(l.await("an edit", said("* second, better"))); kind != "m.replace" || to != byBody(t, past, "second").ID {
		t.Errorf("the edit is %s of %s", kind, to)
	}
}

// TestLivedIRC brings a log into the room of a channel whose bridge has heard the end of it.
func TestLivedIRC(t *testing.T) {
	t.Parallel()
	l := &lived{watcher: &watcher{t: t, ctx: t.Context()}}
	ng := ircd.NgIRCd(t, "")
	bob, err := bridgetest.DialIRC(l.ctx, ng.Addr, "Bob", "#chan")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bob.Close)
	l.s = testserver.New(t, testserver.Options{Extra: "bridges:\n" + strings.Replace(bridgetest.IRCBridge("irc", "none", bridgetest.IRCNetwork{ID: "ng", Addr: ng.Addr, Channels: []string{"#chan"}}),
		"module: irc\n", "module: irc\n    enabled: true\n", 1)})
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(l.s.Log())
		}
	})
	if l.m, err = bridgetest.Register(l.ctx, l.s.URL(), "anna", ""); err != nil {
		t.Fatal(err)
	}
	if err := l.m.Follow(l.ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.m.Close)
	for l.room == "" {
		if l.room, err = l.m.Join(l.ctx, "#irc_ng_#chan:"+l.s.Name()); err != nil && l.ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := bob.Await(l.ctx, 0, "lbridge", "JOIN", ""); err != nil {
		t.Fatal(err)
	}
	bob.Say("#chan", "heard by both")
	l.await("a line", said("heard by both"))
	bob.Say("#chan", "heard by both")
	l.await("the same line once more", said("heard by both"))
	l.bridge(false)
	now := time.Now().UTC().Add(3 * time.Second) // another clock
	l.export = t.TempDir()
	if err := os.MkdirAll(filepath.Join(l.export, "#chan"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, lines := range map[string][]string{
		"2024-01-02":              {"[15:04:05] *** Joins: Bob (~bob@x)", "[15:04:06] <Bob> said of old", "[15:04:07] * Ann waves", "[15:04:08] *** Quits: Ann (~ann@x) (bye)"},
		now.Format(time.DateOnly): {now.Format("[15:04:05]") + " <Bob> heard by both", now.Format("[15:04:05]") + " <Bob> heard by both"},
	} {
		if err := os.WriteFile(filepath.Join(l.export, "#chan", name+".log"), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	must(t, l.s, "run", l.export, "-from", "irc")
	must(t, l.s, "verify", l.export, "-from", "irc")
	if out := must(t, l.s, "run", l.export, "-from", "irc"); !strings.Contains(out, " 0 events are new") {
		t.Errorf("the second run says %s", out)
	}
	if have, want := texts(l.history()), []string{"said of old", "waves", "heard by both", "heard by both"}; !slices.Equal(have, want) {
		t.Errorf("the room has %q, wanted %q", have, want)
	}
}
