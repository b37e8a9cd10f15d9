package irc_test

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/ircd"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// TestSplit: the network is split in two and comes together again. Those who were cut off are members of the room all the while, and
// what they say afterwards is theirs. With LANDBRIDGE_LONG=1: 400 of them.
func TestSplit(t *testing.T) {
	t.Parallel()
	cut := 40
	if os.Getenv("LANDBRIDGE_LONG") != "" {
		cut = 400
	}
	ctx := withTimeout(t, 3*patience)
	var link *gate
	hub, leaf := ircd.Linked(t, func(addr string) (string, int) {
		link = newGate(t, addr)
		host, port, _ := net.SplitHostPort(link.addr)
		number, _ := strconv.Atoi(port)
		return host, number
	})
	bob := person(ctx, t, hub.Addr, "bob", "#chan")
	s := testserver.New(t, testserver.Options{Extra: "bridges:\n" + bridgetest.IRCBridge("irc", "none",
		bridgetest.IRCNetwork{ID: "net", Addr: hub.Addr, Channels: []string{"#chan"}})})
	anna := user(ctx, t, s, "anna", "")
	room := joinSoon(ctx, t, anna, "#irc_net_#chan:test")
	named(ctx, t, bob, "#chan", "lbridge", true)

	people := make([]*bridgetest.Person, cut)
	var coming sync.WaitGroup
	for part := range 20 {
		coming.Go(func() {
			for i := part; i < cut; i += 20 {
				p, err := bridgetest.DialIRC(ctx, leaf.Addr, fmt.Sprintf("p%d", i), "#chan")
				if err != nil {
					t.Error(err)
					return
				}
				t.Cleanup(p.Close)
				people[i] = p
			}
		})
	}
	coming.Wait()
	if t.Failed() {
		t.FailNow()
	}
	there := func() int {
		members, err := anna.Members(ctx, room)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for user := range members {
			if strings.HasPrefix(user, "@irc_net.p") {
				n++
			}
		}
		return n
	}
	waitFor(ctx, t, "all in the room", func() bool { return there() == cut })
	onHub := func(want bool) {
		t.Helper()
		for _, i := range []int{0, cut / 2, cut - 1} {
			named(ctx, t, bob, "#chan", fmt.Sprintf("p%d", i), want)
		}
	}
	members := func(from int) (list []bridgetest.Event) {
		for _, e := range anna.Events.All(from) {
			if e.Type == "m.room.member" {
				list = append(list, e)
			}
		}
		return list
	}

	// /sync can be behind what is asked for.
	waitFor(ctx, t, "anna to be told of all", func() bool {
		seen := map[string]bool{}
		for _, e := range members(0) {
			if e.StateKey != nil && strings.HasPrefix(*e.StateKey, "@irc_net.p") && e.Field("membership") == "join" {
				seen[*e.StateKey] = true
			}
		}
		return len(seen) == cut
	})
	from := anna.Events.Len()
	link.Shut()
	onHub(false)
	_, told, err := anna.Await(ctx, from, room, "word of the split", func(e bridgetest.Event) bool {
		return e.Field("msgtype") == "m.notice" && strings.Contains(e.Body(), "split")
	})
	if err != nil {
		t.Fatal(err)
	}
	bob.Say("#chan", "are you there?")
	if _, _, err := anna.Await(ctx, from, room, "what bob says meanwhile", message("are you there?")); err != nil {
		t.Fatal(err)
	}
	if n := there(); n != cut {
		t.Errorf("%d of %d are in the room during the split", n, cut)
	}
	link.Open()
	onHub(true)
	if _, _, err := anna.Await(ctx, told, room, "word of its end", func(e bridgetest.Event) bool {
		return e.Field("msgtype") == "m.notice" && strings.Contains(e.Body(), "whole again")
	}); err != nil {
		t.Error(err)
	}
	for i, p := range people {
		p.Say("#chan", fmt.Sprintf("back-%d", i))
	}
	for i := range people {
		e, _, err := anna.Await(ctx, from, room, "what they say", message(fmt.Sprintf("back-%d", i)))
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("@irc_net.p%d:test", i); e.Sender != want {
			t.Errorf("%q is said by %s, not by %s", e.Body(), e.Sender, want)
		}
	}
	if changes := members(from); len(changes) != 0 {
		t.Errorf("%d memberships have changed, such as %v", len(changes), changes[0])
	}
	if n := there(); n != cut {
		t.Errorf("%d of %d are in the room afterwards", n, cut)
	}
}
