package migration

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/ircd"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// TestTakeoverIRC brings logs of a channel in, and has the IRC bridge go on in that room.
func TestTakeoverIRC(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ng := ircd.NgIRCd(t, "")
	bob, err := bridgetest.DialIRC(ctx, ng.Addr, "Bob", "#chan")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bob.Close)
	dir := t.TempDir()
	log := filepath.Join(dir, "#chan", "2024-01-02.log")
	if err := os.MkdirAll(filepath.Dir(log), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(log, []byte("[15:04:05] *** Joins: Bob (~bob@x)\n[15:04:06] <Bob> said of old\n[15:04:07] * Ann waves\n[15:04:08] *** Quits: Ann (~ann@x) (bye)\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := testserver.New(t, testserver.Options{Extra: "bridges:\n" + strings.Replace(bridgetest.IRCBridge("irc", "none", bridgetest.IRCNetwork{ID: "ng", Addr: ng.Addr, Channels: []string{"#chan"}}),
		"module: irc\n", "module: irc\n    enabled: false\n", 1)})
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(s.Log())
		}
	})
	mapping := filepath.Join(t.TempDir(), "mapping.yaml")
	must(t, s, "plan", dir, "-from", "irc", "-o", mapping)
	replace(t, mapping, "audience: space", "audience: anyone")
	replace(t, mapping, "space_audience: invited", "space_audience: anyone")
	must(t, s, "run", dir, "-from", "irc", "-mapping", mapping)
	must(t, s, "verify", dir, "-from", "irc", "-mapping", mapping)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	replace(t, s.Config(), "\n    enabled: false", "\n    enabled: true")
	if err := s.Start(ctx); err != nil {
		t.Fatal(err)
	}
	anna, err := bridgetest.Register(ctx, s.URL(), "anna", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := anna.Follow(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(anna.Close)
	// The bridge's alias is there when the bridge has taken the room over.
	room := ""
	for room == "" {
		if room, err = anna.Join(ctx, "#irc_ng_#chan:"+s.Name()); err != nil && ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := bob.Await(ctx, 0, "lbridge", "JOIN", ""); err != nil {
		t.Fatal(err)
	}
	bob.Say("#chan", "live again")
	w := &watcher{t: t, ctx: ctx, m: anna, room: room}
	live := w.await("a live line", said("live again"))
	all, err := anna.History(ctx, room)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, e := range all {
		if e.Type == "m.room.message" {
			lines = append(lines, e.Sender+" "+e.Body())
			if e.Body() == "said of old" && e.Sender != live.Sender {
				t.Errorf("Bob was %s and is %s", e.Sender, live.Sender)
			}
		}
	}
	want := "@irc_ng.bob:test said of old|@irc_ng.ann:test waves|@irc_ng.bob:test live again"
	if got := strings.Join(lines, "|"); got != want {
		t.Errorf("history is %s", got)
	}
	if _, err := anna.Say(ctx, room, "hello IRC"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := bob.Await(ctx, 0, "lbridge", "PRIVMSG", "hello IRC"); err != nil {
		t.Error(err)
	}
}
