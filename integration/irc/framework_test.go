package irc_test

import (
	"bufio"
	"encoding/json"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/ircd"
	"github.com/landbridge-im/landbridge/integration/testserver"
	"github.com/landbridge-im/landbridge/integration/tools"
)

// TestOthersClient: somebody on IRC has a client that others have written (irc-framework, that of The Lounge and Kiwi).
func TestOthersClient(t *testing.T) {
	t.Parallel()
	node := tools.NewNode(t, "client")
	ctx := withTimeout(t, 2*patience)
	insp := ircd.InspIRCd(t)
	bob := person(ctx, t, insp.Addr, "bob", "#chan")
	bob.Send("MODE #chan -t")
	s := testserver.New(t, testserver.Options{Extra: "bridges:\n" + bridgetest.IRCBridge("irc", "none",
		bridgetest.IRCNetwork{ID: "net", Addr: insp.Addr, Channels: []string{"#chan"}, Extra: []string{ownNick}})})
	anna := user(ctx, t, s, "anna", "")
	room := joinSoon(ctx, t, anna, "#irc_net_#chan:test")
	named(ctx, t, bob, "#chan", "anna[m]", true)
	named(ctx, t, bob, "#chan", "lbridge", true)

	host, port, err := net.SplitHostPort(insp.Addr)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, node.Program, node.Script(t, filepath.Join("client", "person.mjs")), host, port, "fran", "#chan")
	var complaints strings.Builder
	cmd.Stderr = &complaints
	cmd.WaitDelay = 5 * time.Second
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	type told struct{ Kind, Nick, Target, Text string }
	heard := make(chan told, 1000)
	go func() {
		defer close(heard)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var x told
			if json.Unmarshal(lines.Bytes(), &x) == nil {
				heard <- x
			}
		}
	}()
	reads := func(kind, nick, text string) {
		t.Helper()
		var seen []told
		for x := range heard {
			if x.Kind == kind && x.Nick == nick && strings.Contains(x.Text, text) {
				return
			}
			seen = append(seen, x)
		}
		t.Fatalf("the client has read no %s of %s with %q: %v\n%s", kind, nick, text, seen, &complaints)
	}
	does := func(deed, text, to string) {
		t.Helper()
		raw, err := json.Marshal(map[string]string{"do": deed, "text": text, "to": to})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.Write(append(raw, '\n')); err != nil {
			t.Fatal(err)
		}
	}
	const ghost = "@irc_net.fran:test"
	sees := func(what string, match func(bridgetest.Event) bool) bridgetest.Event {
		t.Helper()
		e, _, err := anna.Await(ctx, 0, room, what, match)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	says := func(kind, body string) {
		t.Helper()
		if _, err := anna.Send(ctx, room, "m.room.message", map[string]any{"msgtype": kind, "body": body}); err != nil {
			t.Fatal(err)
		}
	}

	sees("the join", membership(ghost, "join", ""))
	for deed, kind := range map[string]string{"say": "m.text", "action": "m.emote", "notice": "m.notice"} {
		does(deed, "a "+deed+" of fran", "")
		if e := sees(deed, message("a "+deed+" of fran")); e.Sender != ghost || e.Field("msgtype") != kind {
			t.Errorf("the %s came as %v", deed, e)
		}
	}
	says("m.text", "hello fran")
	reads("message", "anna[m]", "hello fran")
	says("m.emote", "waves at fran")
	reads("action", "anna[m]", "waves at fran")
	says("m.notice", "a notice for fran")
	reads("notice", "anna[m]", "a notice for fran")
	does("topic", "set by fran", "")
	sees("the topic", func(e bridgetest.Event) bool { return e.Type == "m.room.topic" && e.Field("topic") == "set by fran" })
	does("ctcp", "VERSION", "lbridge")
	reads("ctcp", "lbridge", "")
	does("nick", "frances", "")
	sees("the new nick", func(e bridgetest.Event) bool {
		return membership(ghost, "join", "")(e) && e.Field("displayname") == "frances"
	})
	does("say", "still me", "")
	if e := sees("a message under the new nick", message("still me")); e.Sender != ghost {
		t.Errorf("after the new nick it is %s who speaks", e.Sender)
	}
	does("private", "between us", "anna[m]")
	direct := joinInvited(ctx, t, anna)
	if _, _, err := anna.Await(ctx, 0, direct, "what was said to her alone", message("between us")); err != nil {
		t.Fatal(err)
	}
	if _, err := anna.Say(ctx, direct, "as you like"); err != nil {
		t.Fatal(err)
	}
	reads("message", "anna[m]", "as you like")
	does("part", "for now", "")
	sees("the part", membership(ghost, "leave", "for now"))
	does("quit", "", "")
	if err := cmd.Wait(); err != nil {
		t.Errorf("the client: %v\n%s", err, &complaints)
	}
}
