package irc_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/ircd"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// TestFlood: however fast people write in Matrix, nobody is killed for flooding by servers with limits, and all of it is said
// in order.
func TestFlood(t *testing.T) {
	t.Parallel()
	for name, start := range ircd.Strict() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := withTimeout(t, 3*patience)
			srv := start(t)
			bob := person(ctx, t, srv.Addr, "bob", "#chan")
			s := testserver.New(t, testserver.Options{Extra: fmt.Sprintf(`bridges:
  - id: irc
    module: irc
    config:
      networks:
        - {id: net, address: %q, tls: false, nick: lbridge, channels: ["#chan"], puppets: {nick: "{localpart}", spread: 100ms, max: 2}}
`, srv.Addr)})
			people := map[string]*bridgetest.Matrix{}
			room := ""
			for _, name := range []string{"anna", "carl", "dora"} { // dora is relayed
				people[name] = user(ctx, t, s, name, "")
				room = joinSoon(ctx, t, people[name], "#irc_net_#chan:test")
				if name != "dora" {
					named(ctx, t, bob, "#chan", name, true)
				}
			}
			named(ctx, t, bob, "#chan", "lbridge", true)
			const lines = 15
			var talking sync.WaitGroup
			for name, m := range people {
				talking.Go(func() {
					for i := range lines {
						if _, err := m.Say(ctx, room, fmt.Sprintf("flood-%s-%d. %s", name, i, strings.Repeat("words ", 40))); err != nil {
							t.Error(err)
						}
					}
				})
			}
			talking.Wait()
			for name := range people {
				if _, _, err := bob.Await(ctx, 0, "", "PRIVMSG", fmt.Sprintf("flood-%s-%d.", name, lines-1)); err != nil {
					t.Fatal(err)
				}
			}
			next := map[string]int{}
			for _, l := range bob.Lines.All(0) {
				switch l.Command {
				case "QUIT", "KILL":
					t.Errorf("somebody is gone: %v", l)
				case "PRIVMSG":
					_, text, _ := strings.Cut(l.Text(), "flood-")
					name, text, _ := strings.Cut(text, "-")
					number, _, _ := strings.Cut(text, ".")
					if want := fmt.Sprint(next[name]); number != want {
						t.Errorf("%s's line %s came where %s should", name, number, want)
					}
					next[name]++
				}
			}
		})
	}
}
