package irc_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/ircd"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// TestFlood: however fast people write in Matrix, nobody is killed for flooding by servers with limits, and all of it is said
// in order, or its sender is told.
func TestFlood(t *testing.T) {
	t.Parallel()
	for kind, start := range ircd.Strict() {
		t.Run(kind, func(t *testing.T) {
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
			line := func(name string, i int) string {
				return fmt.Sprintf("flood-%s-%d. %s", name, i, strings.TrimSpace(strings.Repeat("words ", 40)))
			}
			var talking sync.WaitGroup
			for name, m := range people {
				talking.Go(func() {
					for i := range lines {
						if _, err := m.Say(ctx, room, line(name, i)); err != nil {
							t.Error(err)
						}
					}
				})
			}
			talking.Wait()
			// A server of the Hybrid family leaves out what is too much for a channel, whoever says it; their senders are told.
			told := map[string]string{}
			said := func(name string, i int) bool {
				text := fmt.Sprintf("flood-%s-%d.", name, i)
				return slices.ContainsFunc(bob.Lines.All(0), func(l bridgetest.Line) bool { return strings.Contains(l.Text(), text) })
			}
			for name := range people {
				for i := range lines {
					waitFor(ctx, t, fmt.Sprintf("line %d of %s", i, name), func() bool {
						if said(name, i) {
							return true
						}
						history, err := people["anna"].History(ctx, room)
						if err != nil {
							t.Fatal(err)
						}
						told = warnings(history)
						return told[line(name, i)] != ""
					})
				}
			}
			if len(told) > 0 && kind != "hybrid" {
				t.Errorf("these were not said: %v", told)
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
					for told[line(name, next[name])] != "" {
						next[name]++
					}
					if want := fmt.Sprint(next[name]); number != want {
						t.Errorf("%s's line %s came where %s should", name, number, want)
					}
					next[name]++
				}
			}
		})
	}
}

// TestPaceOfUsers: with a bound for each user, who writes much has to wait, and nobody else; nothing is lost.
func TestPaceOfUsers(t *testing.T) {
	t.Parallel()
	ctx := withTimeout(t, patience)
	ng := ircd.NgIRCd(t, "")
	bob := person(ctx, t, ng.Addr, "bob", "#chan")
	conf := bridgetest.IRCBridge("irc", "none", bridgetest.IRCNetwork{ID: "ng", Addr: ng.Addr, Channels: []string{"#chan"}})
	s := testserver.New(t, testserver.Options{Extra: "bridges:\n" + strings.Replace(conf, "flood: {", "flood: {user: {burst: 3, per_second: 2}, ", 1)})
	anna, carl := user(ctx, t, s, "anna", ""), user(ctx, t, s, "carl", "")
	room := joinSoon(ctx, t, anna, "#irc_ng_#chan:test")
	joinSoon(ctx, t, carl, "#irc_ng_#chan:test")
	named(ctx, t, bob, "#chan", "lbridge", true)
	for i := range 8 {
		if _, err := anna.Say(ctx, room, fmt.Sprintf("much-%d.", i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := carl.Say(ctx, room, "much less"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := bob.Await(ctx, 0, "", "PRIVMSG", "much-7."); err != nil {
		t.Fatal(err)
	}
	lines := relayed(bob, "much")
	at := slices.Index(lines, "much less")
	if at < 0 || at > 6 {
		t.Errorf("carl has had to wait: %q", lines)
	}
	var want []string
	for i := range 8 {
		want = append(want, fmt.Sprintf("much-%d.", i))
	}
	if got := slices.Delete(slices.Clone(lines), max(at, 0), max(at, 0)+1); !slices.Equal(got, want) {
		t.Errorf("of anna's were said %q", got)
	}
}
