package irc_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/ircd/modern"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// TestListenerDies: what is said in a channel while the bridge's own connection is dead, away or coming back
// comes once, because somebody else of Matrix is there: also from a server that has no history.
func TestListenerDies(t *testing.T) {
	t.Parallel()
	for name, without := range map[string][]string{
		"ids":    {"draft/chathistory"},
		"no ids": {"draft/chathistory", "message-tags", "draft/multiline", "echo-message", "labeled-response", "draft/message-redaction", "draft/relaymsg", "batch", "draft/event-playback"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := withTimeout(t, 2*patience)
			caps := slices.DeleteFunc(modern.Caps(), func(c string) bool {
				return slices.ContainsFunc(without, func(w string) bool { return strings.HasPrefix(c, w) })
			})
			net := modern.Start(t, modern.Options{Caps: caps})
			bob := person(ctx, t, net.Addr, "bob", "#chan")
			s := testserver.New(t, testserver.Options{Extra: "bridges:\n" + bridgetest.IRCBridge("irc", "none",
				bridgetest.IRCNetwork{ID: "net", Addr: net.Addr, Channels: []string{"#chan"}, Extra: []string{`puppets: {nick: "{localpart}[m]", spread: 0s}`}})})
			anna := user(ctx, t, s, "anna", "")
			room := joinSoon(ctx, t, anna, "#irc_net_#chan:test")
			carl := user(ctx, t, s, "carl", "")
			joinSoon(ctx, t, carl, "#irc_net_#chan:test")
			for _, nick := range []string{"lbridge", "anna[m]", "carl[m]"} {
				waitFor(ctx, t, nick, func() bool {
					names, err := bob.Names(ctx, "#chan")
					return err == nil && slices.Contains(names, nick)
				})
			}
			seen := func(text string) bool { // of those up to it that may be lost, one has come
				if ctx.Err() != nil {
					t.Fatal("nothing comes")
				}
				prefix, _, _ := strings.Cut(text, "-")
				return slices.ContainsFunc(anna.Events.All(0), func(e bridgetest.Event) bool { return strings.HasPrefix(e.Body(), prefix+"-") })
			}
			arrived := func(text string) {
				t.Helper()
				if _, _, err := anna.Await(ctx, 0, room, text, message(text)); err != nil {
					t.Fatal(err)
				}
			}
			n := 0
			say := func(count int, pause time.Duration) {
				for range count {
					bob.Say("#chan", fmt.Sprintf("said-%d.", n))
					n++
					time.Sleep(pause)
				}
			}
			for round := range 3 {
				say(10, time.Millisecond)
				net.Freeze("lbridge") // nobody knows
				say(10, time.Millisecond)
				net.Drop("lbridge")
				if round == 1 { // and the one that hears along, so that another one does
					for _, nick := range []string{"anna[m]", "carl[m]"} {
						arrived(fmt.Sprintf("said-%d.", n-1))
						net.Drop(nick)
						for i := 0; !seen(fmt.Sprintf("%s-%d.", nick, i)); i++ {
							bob.Say("#chan", fmt.Sprintf("%s-%d.", nick, i))
							time.Sleep(20 * time.Millisecond)
						}
						say(5, time.Millisecond)
					}
				}
				// The bridge waits for two seconds before it comes back.
				for back := false; !back; {
					say(5, 10*time.Millisecond)
					names, err := bob.Names(ctx, "#chan")
					if err != nil {
						t.Fatal(err)
					}
					back = slices.Contains(names, "lbridge") && slices.Contains(names, "anna[m]")
				}
				say(10, time.Millisecond)
			}
			arrived(fmt.Sprintf("said-%d.", n-1))
			counts := map[string]int{}
			waitFor(ctx, t, "all that was said", func() bool {
				clear(counts)
				for _, e := range anna.Events.All(0) {
					if strings.HasPrefix(e.Body(), "said-") {
						counts[e.Body()]++
					}
				}
				return len(counts) == n || ctx.Err() != nil
			})
			for i := range n {
				if text := fmt.Sprintf("said-%d.", i); counts[text] == 0 {
					t.Errorf("%q has not come", text)
				}
			}
			for text, times := range counts {
				if times != 1 {
					t.Errorf("%q came %d times", text, times)
				}
			}
		})
	}
}
