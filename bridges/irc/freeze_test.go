package irc_test

import (
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/ircd"
)

// A community that has moved closes its channels, as far as the bridge may, and can open them again.
func TestFreeze(t *testing.T) {
	t.Parallel()
	withServers(t, func(t *testing.T, s *ircd.Server, _ bool) {
		alice, bob := ircd.Dial(t, s.Addr, "alice"), ircd.Dial(t, s.Addr, "bob")
		alice.Join("#room")
		bob.Join("#room")
		alice.Send("TOPIC #room :about things")
		alice.Send("MODE #room +t")
		r := newRig(t, strings.Replace(networkConfig(s.Addr, ""), `, {name: "#Other", room_alias: other}`, "", 1))
		room := r.hs.byAlias("irc_net_#room")
		_, at := r.hs.await(room, 0, "join of bob", memberEvent(ghostBob, "join"))
		r.hs.await(room, 0, "topic", func(e *fakeEvent) bool { return e.Content["topic"] == "about things" })
		ctx := t.Context()
		done := func(undone []string, err error) string {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			return strings.Join(undone, "\n")
		}

		for range 2 { // once for each key
			if undone := done(r.bridge.Announce(ctx, "k1", "We move on Sunday.\nCome along!")); undone != "" {
				t.Error(undone)
			}
		}
		alice.Send("PRIVMSG #room :before")
		heard := ""
		for !strings.Contains(heard, "#room :before") && t.Context().Err() == nil {
			heard += strings.Join(bob.Drain(20*time.Millisecond), "\n") + "\n"
		}
		for _, line := range []string{"#room :We move on Sunday.", "#room :Come along!"} {
			if n := strings.Count(heard, line); n != 1 {
				t.Errorf("%q was said %d times: %s", line, n, heard)
			}
		}
		_, at = r.hs.await(room, at, "what was said", message(ghostAlice, "before"))

		// Who is no operator says it, and can do no more.
		undone := done(r.bridge.Freeze(ctx, "We have moved."))
		if !strings.Contains(undone, "The topic of #room does not say it") || !strings.Contains(undone, "/mode #room +m") {
			t.Errorf("undone: %s", undone)
		}
		bob.Expect("PRIVMSG #room :We have moved.")
		alice.Send("MODE #room +o bridge")
		bob.Expect("MODE #room +o")
		if undone := done(r.bridge.Freeze(ctx, "We have moved.")); undone != "" {
			t.Error(undone)
		}
		bob.Expect("TOPIC #room :We have moved.")
		bob.Expect("+m")
		bob.Send("PRIVMSG #room :me too")
		bob.Expect(" 404 ")

		// After a restart, too.
		r.stop()
		r.start()
		bob.Expect("JOIN")
		alice.Send("MODE #room +o bridge")
		alice.Send("PRIVMSG #room :last words")
		_, at = r.hs.await(room, at, "an operator's words", message(ghostAlice, "last words"))
		bob.Expect("last words")
		if err := r.bridge.CatchUp(ctx); err != nil {
			t.Fatal(err)
		}
		if undone := done(r.bridge.Thaw(ctx)); undone != "" {
			t.Error(undone)
		}
		said := bob.Expect("-m") + bob.Expect("TOPIC #room :about things")
		if strings.Contains(said, "We have moved") {
			t.Errorf("it was said twice: %s", said)
		}
		bob.Send("PRIVMSG #room :open again")
		_, _ = r.hs.await(room, at, "words after all", message(ghostBob, "open again"))

		// The room was never closed, and has kept its topic.
		r.hs.mu.Lock()
		defer r.hs.mu.Unlock()
		moved, closed := 0, 0
		for _, e := range room.timeline {
			if e.Content["topic"] == "We have moved." {
				moved++
			}
			if level, ok := e.Content["events_default"].(float64); ok && level > 0 {
				closed++
			}
		}
		if moved+closed > 0 {
			t.Errorf("the room had the notice as its topic %d times, and was closed %d times", moved, closed)
		}
	})
}
