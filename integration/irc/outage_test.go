package irc_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/ircd"
	"github.com/landbridge-im/landbridge/integration/testserver"
	"github.com/landbridge-im/landbridge/internal/ports"
)

// notice matches what the bridge's bot says.
func notice(text string) func(bridgetest.Event) bool {
	return func(e bridgetest.Event) bool {
		return e.Field("msgtype") == "m.notice" && strings.Contains(e.Body(), text)
	}
}

// inChannel waits until the bridge is in a channel, as somebody there sees it.
func inChannel(ctx context.Context, t testing.TB, p *bridgetest.Person, channel string) {
	t.Helper()
	waitFor(ctx, t, "the bridge in "+channel, func() bool {
		names, err := p.Names(ctx, channel)
		return err == nil && strings.Contains(strings.Join(names, " "), "lbridge")
	})
}

// relayed are the texts that the bridge has said, without the names before them.
func relayed(p *bridgetest.Person, prefix string) []string {
	var out []string
	for _, l := range p.Lines.All(0) {
		if _, text, ok := strings.Cut(l.Text(), "> "); ok && l.Command == "PRIVMSG" && strings.HasPrefix(l.Nick, "lbridge") && strings.HasPrefix(text, prefix) {
			out = append(out, text)
		}
	}
	return out
}

// TestOutage has the IRC server die and return.
func TestOutage(t *testing.T) {
	t.Parallel()
	ctx := withTimeout(t, patience)
	ng := ircd.NgIRCd(t, "")
	door := newGate(t, ng.Addr)
	s := testserver.New(t, testserver.Options{Extra: "bridges:\n" + bridgetest.IRCBridge("irc", "none",
		bridgetest.IRCNetwork{ID: "ng", Addr: door.addr, Channels: []string{"#chan"}})})
	anna := user(ctx, t, s, "anna", "")
	room := joinSoon(ctx, t, anna, "#irc_ng_#chan:test")
	bob := person(ctx, t, ng.Addr, "bob", "#chan")
	inChannel(ctx, t, bob, "#chan")
	if _, err := bridgetest.MatrixToIRC(ctx, anna, room, bob, 1); err != nil {
		t.Fatal(err)
	}

	from := anna.Events.Len()
	door.Shut()
	ng.Stop()
	_, from, err := anna.Await(ctx, from, room, "word of the outage", notice("is lost"))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range 30 {
		want = append(want, fmt.Sprintf("meanwhile-%d.", i))
		if _, err := anna.Say(ctx, room, want[i]); err != nil {
			t.Fatal(err)
		}
	}
	// A restart in the middle of the outage loses nothing either.
	if err := s.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	want = append(want, "meanwhile-last.")
	if _, err := anna.Say(ctx, room, "meanwhile-last."); err != nil {
		t.Fatal(err)
	}
	_, from, err = anna.Await(ctx, from, room, "word of the outage after the restart", notice("is lost"))
	if err != nil {
		t.Fatal(err)
	}
	ng.Start()
	bob = person(ctx, t, ng.Addr, "bob", "#chan")
	door.Open()
	if _, _, err := bob.Await(ctx, 0, "", "PRIVMSG", "meanwhile-last."); err != nil {
		t.Fatal(err)
	}
	if _, _, err := anna.Await(ctx, from, room, "word of the end", notice("is back")); err != nil {
		t.Error(err)
	}
	// What was said first afterwards comes last.
	if _, err := bridgetest.MatrixToIRC(ctx, anna, room, bob, 1); err != nil {
		t.Fatal(err)
	}
	sameOrder(t, "after the outage", want, relayed(bob, "meanwhile-"), true)
	if _, err := bridgetest.IRCToMatrix(ctx, bob, "#chan", anna, room, 1); err != nil {
		t.Error(err)
	}
}

// TestHalfOpen has all connections die without a word, of the bridge and of its puppets. They are found dead, what was said in
// Matrix meanwhile is said once, or its sender is told that it may not have been, and everybody is back.
func TestHalfOpen(t *testing.T) {
	t.Parallel()
	ctx := withTimeout(t, 2*patience)
	insp := ircd.InspIRCd(t)
	door := newGate(t, insp.Addr)
	s := testserver.New(t, testserver.Options{Extra: "bridges:\n" + bridgetest.IRCBridge("irc", "none", bridgetest.IRCNetwork{ID: "insp", Addr: door.addr,
		Channels: []string{"#chan"}, Extra: []string{"ping_interval: 10s", `puppets: {nick: "{localpart}[m]", spread: 0s}`}})})
	bob := person(ctx, t, insp.Addr, "bob", "#chan")
	people := map[string]*bridgetest.Matrix{}
	room := ""
	for _, name := range []string{"anna", "carl", "dora"} {
		people[name] = user(ctx, t, s, name, "")
		room = joinSoon(ctx, t, people[name], "#irc_insp_#chan:test")
		named(ctx, t, bob, "#chan", name+"[m]", true)
	}
	inChannel(ctx, t, bob, "#chan")
	from := people["anna"].Events.Len()
	door.Freeze()
	for name, m := range people {
		for i := range 5 {
			if _, err := m.Say(ctx, room, fmt.Sprintf("frozen-%s-%d.", name, i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	anna := people["anna"]
	_, from, err := anna.Await(ctx, from, room, "word of the outage", notice("is lost"))
	if err != nil {
		t.Fatal(err)
	}
	door.Thaw()
	if _, _, err := anna.Await(ctx, from, room, "word of the end", notice("is back")); err != nil {
		t.Fatal(err)
	}
	for name := range people {
		for i := range 5 {
			text, said := fmt.Sprintf("frozen-%s-%d.", name, i), 0
			waitFor(ctx, t, text+" said, or its sender told", func() bool {
				said = 0
				for _, l := range bob.Lines.All(0) {
					if l.Command == "PRIVMSG" && l.Text() == text {
						said++
					}
				}
				history, err := anna.History(ctx, room)
				if err != nil {
					t.Fatal(err)
				}
				return said > 0 || warnings(history)[text] != ""
			})
			if said > 1 {
				t.Errorf("%q was said %d times", text, said)
			}
		}
	}
	if _, err := bridgetest.IRCToMatrix(ctx, bob, "#chan", anna, room, 1); err != nil {
		t.Error(err)
	}
}

// TestDownFromTheStart has networks that do not answer, and one that does.
func TestDownFromTheStart(t *testing.T) {
	t.Parallel()
	ctx := withTimeout(t, patience)
	ng, late := ircd.NgIRCd(t, ""), ircd.InspIRCd(t)
	late.Stop()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	door := newGate(t, late.Addr)
	metrics := ports.Addr(t)
	s := testserver.New(t, testserver.Options{Extra: fmt.Sprintf("metrics: {enabled: true, listen: %q}\nbridges:\n", metrics) +
		bridgetest.IRCBridge("late", "none", bridgetest.IRCNetwork{ID: "late", Addr: door.addr, Channels: []string{"#chan"}},
			bridgetest.IRCNetwork{ID: "mute", Addr: silent.Addr().String(), Channels: []string{"#chan"}}) +
		bridgetest.IRCBridge("ng", "none", bridgetest.IRCNetwork{ID: "ng", Addr: ng.Addr, Channels: []string{"#chan"}})})
	if s.StartTime > 3*time.Second {
		t.Errorf("the start took %v", s.StartTime)
	}
	began := time.Now()
	anna := user(ctx, t, s, "anna", "")
	room := joinSoon(ctx, t, anna, "#ng_ng_#chan:test")
	bob := person(ctx, t, ng.Addr, "bob", "#chan")
	inChannel(ctx, t, bob, "#chan")
	if _, err := bridgetest.MatrixToIRC(ctx, anna, room, bob, 3); err != nil {
		t.Fatal(err)
	}
	if _, err := bridgetest.IRCToMatrix(ctx, bob, "#chan", anna, room, 3); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the bridge beside has taken %v", took)
	}

	lateRoom := joinSoon(ctx, t, anna, "#late_late_#chan:test")
	joinSoon(ctx, t, anna, "#late_mute_#chan:test")
	if _, err := anna.Say(ctx, lateRoom, "early-1."); err != nil {
		t.Fatal(err)
	}
	if _, _, err := anna.Await(ctx, 0, lateRoom, "word of the outage", notice("is lost")); err != nil {
		t.Error(err)
	}
	connected(ctx, t, metrics, "late", false)
	connected(ctx, t, metrics, "ng", true)
	door.Shut()
	late.Start()
	carl := person(ctx, t, late.Addr, "carl", "#chan")
	door.Open()
	if _, _, err := carl.Await(ctx, 0, "", "PRIVMSG", "early-1."); err != nil {
		t.Fatal(err)
	}
	if _, err := bridgetest.IRCToMatrix(ctx, carl, "#chan", anna, lateRoom, 1); err != nil {
		t.Error(err)
	}
	connected(ctx, t, metrics, "late", true)
}

// connected waits until the metric of a network's connection, in the bridge of the same name, says so.
func connected(ctx context.Context, t *testing.T, metrics, network string, is bool) {
	t.Helper()
	want := fmt.Sprintf("landbridge_bridge_login_connected{bridge=%q,login=%q} %d\n", network, network, map[bool]int{true: 1}[is])
	for {
		req, err := http.NewRequestWithContext(ctx, "GET", "http://"+metrics+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatalf("the metrics: %v", err)
		}
		raw, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(raw), want) {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("the metrics do not say %q", want)
		}
	}
}

// TestReload changes one bridge while another talks.
func TestReload(t *testing.T) {
	t.Parallel()
	ctx := withTimeout(t, patience)
	ng, insp := ircd.NgIRCd(t, ""), ircd.InspIRCd(t)
	dir := t.TempDir()
	s := testserver.New(t, testserver.Options{Dir: dir, Extra: "bridges:\n" +
		bridgetest.IRCBridge("a", "none", bridgetest.IRCNetwork{ID: "ng", Addr: ng.Addr, Channels: []string{"#chan"}, Extra: []string{"realname: first"}}) +
		bridgetest.IRCBridge("b", "none", bridgetest.IRCNetwork{ID: "insp", Addr: insp.Addr, Channels: []string{"#chan"}})})
	anna := user(ctx, t, s, "anna", "")
	roomA := joinSoon(ctx, t, anna, "#a_ng_#chan:test")
	roomB := joinSoon(ctx, t, anna, "#b_insp_#chan:test")
	onA := person(ctx, t, ng.Addr, "bob", "#chan")
	onB := person(ctx, t, insp.Addr, "bob", "#chan")
	inChannel(ctx, t, onA, "#chan")
	inChannel(ctx, t, onB, "#chan")
	if _, err := bridgetest.IRCToMatrix(ctx, onB, "#chan", anna, roomB, 1); err != nil {
		t.Fatal(err)
	}

	stop := make(chan struct{})
	var talking sync.WaitGroup
	var toIRC, toMatrix, duringA []string
	talk := func(pause time.Duration, say func(i int)) {
		talking.Go(func() {
			for i := 0; ; i++ {
				say(i)
				select {
				case <-stop:
					return
				case <-time.After(pause):
				}
			}
		})
	}
	send := func(room, text string) {
		if _, err := anna.Say(ctx, room, text); err != nil {
			t.Error(err)
		}
	}
	talk(10*time.Millisecond, func(i int) {
		toIRC = append(toIRC, fmt.Sprintf("out-%d.", i))
		send(roomB, toIRC[i])
	})
	talk(50*time.Millisecond, func(i int) {
		duringA = append(duringA, fmt.Sprintf("during-%d.", i))
		send(roomA, duringA[i])
	})
	talk(10*time.Millisecond, func(i int) {
		toMatrix = append(toMatrix, fmt.Sprintf("in-%d.", i))
		onB.Say("#chan", toMatrix[i])
	})
	const restarts = 5
	for i := range restarts {
		at := onA.Lines.Len()
		old, next := "realname: first", "realname: second"
		if i%2 == 1 {
			old, next = next, old
		}
		reconfigure(t, s, dir, old, next)
		if _, _, err := onA.Lines.Wait(ctx, at, func(l bridgetest.Line) bool { return l.Command == "JOIN" && strings.HasPrefix(l.Nick, "lbridge") }); err != nil {
			t.Fatal("the bridge that was changed did not return:", err)
		}
	}
	close(stop)
	talking.Wait()
	if _, _, err := onB.Await(ctx, 0, "", "PRIVMSG", toIRC[len(toIRC)-1]); err != nil {
		t.Error(err)
	}
	if _, _, err := anna.Await(ctx, 0, roomB, "the last message", message(toMatrix[len(toMatrix)-1])); err != nil {
		t.Error(err)
	}
	if _, _, err := onA.Await(ctx, 0, "", "PRIVMSG", duringA[len(duringA)-1]); err != nil {
		t.Error(err)
	}
	sameOrder(t, "from Matrix over the other bridge", toIRC, relayed(onB, "out-"), true)
	sameOrder(t, "from Matrix over the bridge that was restarted", duringA, relayed(onA, "during-"), true)
	var seen []string
	for _, e := range anna.Events.All(0) {
		if e.RoomID == roomB && strings.HasPrefix(e.Body(), "in-") {
			seen = append(seen, e.Body())
		}
	}
	sameOrder(t, "from IRC over the other bridge", toMatrix, seen, true)
	for _, l := range onB.Lines.All(0) {
		if l.Command == "QUIT" {
			t.Error("the other bridge was disconnected")
		}
	}

	// A wrong configuration changes nothing.
	at := len(s.Log())
	reconfigure(t, s, dir, "tls: false", "tls: perhaps")
	waitFor(ctx, t, "a complaint about the configuration", func() bool { return strings.Contains(s.Log()[at:], "perhaps") })
	if _, err := bridgetest.MatrixToIRC(ctx, anna, roomA, onA, 1); err != nil {
		t.Error(err)
	}
}
