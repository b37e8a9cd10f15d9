package irc_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/ircd"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// TestCutover: a community leaves IRC: it is announced, the channels are closed, the bridge goes; all of it can be undone until it
// is confirmed. Before, the doctor looks around.
func TestCutover(t *testing.T) {
	t.Parallel()
	ctx := withTimeout(t, 2*patience)
	insp := ircd.InspIRCd(t)
	bob, carl := person(ctx, t, insp.Addr, "bob", "#chan"), person(ctx, t, insp.Addr, "carl", "#chan")
	bob.Send("TOPIC #chan :about boats")
	s := testserver.New(t, testserver.Options{Extra: administered(insp.Addr, []string{"#chan"}, `puppets: {nick: "{localpart}[m]", spread: 0s}`)})
	anna := user(ctx, t, s, "anna", "")
	room := joinSoon(ctx, t, anna, "#irc_net_#chan:test")
	for _, name := range []string{"anna[m]", "lbridge"} {
		named(ctx, t, bob, "#chan", name, true)
	}
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(ctx, testserver.Binary(), append(args, "-c", s.Config())...).CombinedOutput()
		if err != nil {
			t.Fatalf("landbridge %s: %v: %s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	hears := func(text string) int {
		t.Helper()
		_, at, err := carl.Lines.Wait(ctx, 0, func(l bridgetest.Line) bool { return strings.Contains(l.Text(), text) })
		if err != nil {
			t.Fatalf("carl does not hear %q: %v", text, err)
		}
		return at
	}
	member(ctx, t, anna, room, "@irc_net.carl:test", "join")
	if out := run("doctor", "irc"); !strings.Contains(out, "has welcomed the bridge") || !strings.Contains(out, "Nothing keeps the bridge from joining #chan") {
		t.Errorf("the doctor says %s", out)
	}

	run("migrate", "announce", "-bridge", "irc", "-text", "We move on Sunday.")
	hears("We move on Sunday.")
	if out := run("migrate", "freeze", "-bridge", "irc", "-notice", "We have moved."); !strings.Contains(out, "/mode #chan +m") {
		t.Errorf("without the rights: %s", out)
	}
	hears("We have moved.")
	operator := func() {
		t.Helper()
		from := carl.Lines.Len()
		bob.Send("MODE #chan +o lbridge")
		if _, _, err := carl.Lines.Wait(ctx, from, func(l bridgetest.Line) bool { return l.Command == "MODE" && l.Text() == "lbridge" }); err != nil {
			t.Fatal(err)
		}
	}
	operator()
	if out := run("migrate", "freeze", "-bridge", "irc", "-notice", "We have moved."); strings.Contains(out, "/mode #chan +m") {
		t.Errorf("with the rights: %s", out)
	}
	bob.Say("#chan", "the last words of an operator")
	if _, _, err := anna.Await(ctx, 0, room, "the last words", message("the last words of an operator")); err != nil {
		t.Fatal(err)
	}
	carl.Say("#chan", "too late")
	if _, _, err := carl.Lines.Wait(ctx, 0, func(l bridgetest.Line) bool { return l.Command == "404" }); err != nil {
		t.Fatalf("carl can still write: %v", err)
	}
	run("migrate", "finish", "-bridge", "irc", "-admin", "anna")
	named(ctx, t, bob, "#chan", "lbridge", false)
	named(ctx, t, bob, "#chan", "anna[m]", false)
	var topic struct {
		Topic string `json:"topic"`
	}
	if err := anna.State(ctx, room, "m.room.topic", "", &topic); err != nil || topic.Topic != "about boats" {
		t.Errorf("the room's topic is %q: %v", topic.Topic, err)
	}
	if _, err := anna.Say(ctx, room, "alone"); err != nil {
		t.Fatal(err)
	}

	// Undone: the bridge comes back, and with its rights given once more opens the channel.
	run("migrate", "undo", "-bridge", "irc")
	named(ctx, t, bob, "#chan", "lbridge", true)
	operator()
	run("migrate", "freeze", "-bridge", "irc", "-notice", "Once more.")
	hears("Once more.")
	run("migrate", "undo", "-bridge", "irc")
	waitFor(ctx, t, "the topic of before", func() bool {
		from := bob.Lines.Len()
		bob.Send("TOPIC #chan")
		l, _, err := bob.Lines.Wait(ctx, from, func(l bridgetest.Line) bool { return l.Command == "332" })
		if err != nil {
			t.Fatal(err)
		}
		return l.Text() == "about boats"
	})
	carl.Say("#chan", "in time")
	if _, _, err := anna.Await(ctx, 0, room, "carl's words", message("in time")); err != nil {
		t.Fatal(err)
	}
}
