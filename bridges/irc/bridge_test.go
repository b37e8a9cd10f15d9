package irc_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/ircd"
)

// withServers runs a test over the real servers.
func withServers(t *testing.T, run func(t *testing.T, s *ircd.Server, tags bool)) {
	t.Run("ngircd", func(t *testing.T) { t.Parallel(); run(t, ircd.NgIRCd(t, ""), false) })
	t.Run("inspircd", func(t *testing.T) { t.Parallel(); run(t, ircd.InspIRCd(t), true) })
}

func TestRooms(t *testing.T) {
	t.Parallel()
	withServers(t, func(t *testing.T, s *ircd.Server, _ bool) {
		alice := ircd.Dial(t, s.Addr, "alice")
		alice.Join("#room")
		alice.Send("TOPIC #room :about \x02things\x02")
		r := newRig(t, networkConfig(s.Addr, ""))
		space, room, other := r.hs.byAlias("irc_net"), r.hs.byAlias("irc_net_#room"), r.hs.byAlias("other")
		for _, x := range []*fakeRoom{space, room, other} {
			r.hs.await(x, 0, "public join rule", func(e *fakeEvent) bool { return e.Content["join_rule"] == "public" })
			r.hs.await(x, 0, "canonical alias", func(e *fakeEvent) bool { return e.Type == "m.room.canonical_alias" })
		}
		r.hs.await(space, 0, "space type", func(e *fakeEvent) bool { return e.Content["type"] == "m.space" })
		for _, child := range []*fakeRoom{room, other} {
			r.hs.await(space, 0, "child", func(e *fakeEvent) bool { return e.Type == "m.space.child" && *e.StateKey == child.id })
		}
		r.hs.await(room, 0, "name", func(e *fakeEvent) bool { return e.Content["name"] == "#room" })
		r.hs.await(room, 0, "topic", func(e *fakeEvent) bool { return e.Content["topic"] == "about things" })
		r.hs.await(room, 0, "join of alice", memberEvent(ghostAlice, "join"))
		if _, name := r.hs.membership(room, ghostAlice); name != "alice" {
			t.Errorf("alice is called %q", name)
		}
		// Nothing is made a second time.
		r.stop()
		before := len(r.hs.rooms)
		r.start()
		if len(r.hs.rooms) != before {
			t.Error("rooms were made again")
		}
	})
}

func TestFromIRC(t *testing.T) {
	t.Parallel()
	withServers(t, func(t *testing.T, s *ircd.Server, _ bool) {
		alice := ircd.Dial(t, s.Addr, "alice") // the first is the operator
		alice.Join("#room")
		r := newRig(t, networkConfig(s.Addr, ""))
		room := r.hs.byAlias("irc_net_#room")
		_, at := r.hs.await(room, 0, "join of alice", memberEvent(ghostAlice, "join"))
		alice.Send("PRIVMSG #room :hello \x02bold\x02")
		e, at := r.hs.await(room, at, "message", message(ghostAlice, "hello bold"))
		if e.Content["msgtype"] != "m.text" || e.Content["formatted_body"] != "hello <strong>bold</strong>" {
			t.Errorf("content = %v", e.Content)
		}
		alice.Send("PRIVMSG #room :\x01ACTION waves\x01")
		if e, at = r.hs.await(room, at, "action", message(ghostAlice, "waves")); e.Content["msgtype"] != "m.emote" {
			t.Errorf("content = %v", e.Content)
		}
		alice.Send("NOTICE #room :note")
		if e, at = r.hs.await(room, at, "notice", message(ghostAlice, "note")); e.Content["msgtype"] != "m.notice" {
			t.Errorf("content = %v", e.Content)
		}
		for i := range 50 {
			alice.Send(fmt.Sprintf("PRIVMSG #room :line %d", i))
		}
		for i := range 50 {
			_, at = r.hs.await(room, at, "line in order", message(ghostAlice, fmt.Sprintf("line %d", i)))
		}
		// The same words again are a message again.
		alice.Send("PRIVMSG #room :line 49")
		_, at = r.hs.await(room, at, "repeated words", message(ghostAlice, "line 49"))

		bob := ircd.Dial(t, s.Addr, "bob")
		bob.Join("#room")
		_, at = r.hs.await(room, at, "join of bob", memberEvent(ghostBob, "join"))
		bob.Send("NICK robert")
		e, at = r.hs.await(room, at, "rename of bob", memberEvent(ghostBob, "join"))
		if e.Content["displayname"] != "robert" {
			t.Errorf("renamed to %v", e.Content["displayname"])
		}
		bob.Send("PRIVMSG #room :still me")
		_, at = r.hs.await(room, at, "message after the rename", message(ghostBob, "still me"))
		// Someone else takes the nick while the ghost is in use.
		bob2 := ircd.Dial(t, s.Addr, "bob")
		bob2.Join("#room")
		const second = "@irc_net.bob=7e2:test.example"
		_, at = r.hs.await(room, at, "join of the other bob", memberEvent(second, "join"))
		bob2.Send("PRIVMSG #room :me too")
		_, at = r.hs.await(room, at, "message of the other bob", message(second, "me too"))

		alice.Send("KICK #room robert :behave")
		e, at = r.hs.await(room, at, "kick", memberEvent(ghostBob, "leave"))
		if e.Content["reason"] != "behave" || e.Sender != ghostAlice {
			t.Errorf("kick = %+v", e)
		}
		bob2.Send("PART #room :bye")
		if e, at = r.hs.await(room, at, "part", memberEvent(second, "leave")); e.Sender != second || !strings.Contains(fmt.Sprint(e.Content["reason"]), "bye") {
			t.Errorf("part = %+v", e)
		}
		alice.Send("TOPIC #room :new topic")
		e, at = r.hs.await(room, at, "topic", func(e *fakeEvent) bool { return e.Type == "m.room.topic" })
		if e.Content["topic"] != "new topic" || e.Sender != ghostAlice {
			t.Errorf("topic = %+v", e)
		}
		alice.Send("QUIT :gone")
		if e, _ = r.hs.await(room, at, "quit", memberEvent(ghostAlice, "leave")); !strings.Contains(fmt.Sprint(e.Content["reason"]), "gone") {
			t.Errorf("quit = %+v", e)
		}
	})
}

func TestToIRC(t *testing.T) {
	t.Parallel()
	withServers(t, func(t *testing.T, s *ircd.Server, tags bool) {
		alice := ircd.Dial(t, s.Addr, "alice")
		alice.Join("#room")
		r := newRig(t, networkConfig(s.Addr, "public_media_url: https://files.example\n"))
		room := r.hs.byAlias("irc_net_#room")
		_, at := r.hs.await(room, 0, "join of alice", memberEvent(ghostAlice, "join"))
		r.hs.enter(room, user, "Mia")
		const mia = "<M\u200bia> "

		id := r.hs.say(room, user, "m.room.message", obj{"msgtype": "m.text", "body": "hi **x**", "format": "org.matrix.custom.html", "formatted_body": "hi <b>x</b>"})
		alice.Expect("PRIVMSG #room :" + mia + "hi \x02x\x02")
		r.hs.await(room, at, "success", status(id, "SUCCESS"))
		r.hs.say(room, user, "m.room.message", obj{"msgtype": "m.emote", "body": "waves"})
		alice.Expect("PRIVMSG #room :* M\u200bia waves")
		r.hs.say(room, user, "m.room.message", obj{"msgtype": "m.notice", "body": "note"})
		alice.Expect("NOTICE #room :" + mia + "note")
		r.hs.say(room, user, "m.room.message", obj{"msgtype": "m.text", "body": "one\ntwo"})
		alice.Expect(mia + "one")
		alice.Expect(mia + "two")
		long := strings.Repeat("word ", 200) + "end"
		r.hs.say(room, user, "m.room.message", obj{"msgtype": "m.text", "body": long})
		var got []string
		for len(got) == 0 || !strings.HasSuffix(got[len(got)-1], "end") {
			_, text, _ := strings.Cut(alice.Expect(mia), mia)
			got = append(got, text)
		}
		if strings.Join(got, " ") != long || len(got) < 3 {
			t.Errorf("the long message came as %d lines: %q", len(got), got)
		}
		r.hs.say(room, user, "m.room.message", obj{"msgtype": "m.image", "body": "cat.png", "url": "mxc://test.example/abc", "info": obj{"size": 2048}})
		alice.Expect(mia + "cat.png (2 kB): https://files.example/_matrix/media/v3/download/test.example/abc")
		r.hs.say(room, user, "m.room.message", obj{"msgtype": "m.text", "body": "alice", "format": "org.matrix.custom.html",
			"formatted_body": `<a href="https://matrix.to/#/` + ghostAlice + `">Alice</a>: ping`})
		alice.Expect(mia + "alice: ping")

		// A reply to someone on IRC alerts them.
		alice.Send("PRIVMSG #room :what do you think?")
		e, at := r.hs.await(room, at, "question", message(ghostAlice, "what do you think?"))
		r.hs.say(room, user, "m.room.message", obj{"msgtype": "m.text", "body": "fine", "m.relates_to": obj{"m.in_reply_to": obj{"event_id": e.ID}}})
		if tags {
			alice.Expect(mia + "alice: fine") // with a tag that says what it answers
		} else {
			alice.Expect(mia + "alice: “what do you think?” — fine")
		}

		id = r.hs.say(room, user, "m.room.message", obj{"msgtype": "m.text", "body": "I like tee very much"})
		alice.Expect(mia + "I like tee very much")
		edit := func(body string) string {
			return r.hs.say(room, user, "m.room.message", obj{"msgtype": "m.text", "body": "* " + body,
				"m.new_content": obj{"msgtype": "m.text", "body": body}, "m.relates_to": obj{"rel_type": "m.replace", "event_id": id}})
		}
		edit("I like tea very much")
		alice.Expect(mia + "s/tee/tea/")
		edit("Something else entirely")
		alice.Expect(mia + "(edited) Something else entirely")

		// What is deleted is gone, which IRC is told.
		red := r.hs.say(room, user, "m.room.redaction", obj{"redacts": id})
		r.hs.await(room, at, "status of the redaction", status(red, "SUCCESS"))
		alice.Expect("has taken back what they said at")

		// What the channel refuses is told. Without labels an answer is for the oldest line that has
		// none yet, so nothing else may be under way.
		id = r.hs.say(room, user, "m.room.message", obj{"msgtype": "m.text", "body": "said"})
		_, at = r.hs.await(room, at, "success", status(id, "SUCCESS"))
		alice.Send("MODE #room +m")
		alice.Expect("+m")
		id = r.hs.say(room, user, "m.room.message", obj{"msgtype": "m.text", "body": "muted"})
		r.hs.await(room, at, "notice", func(e *fakeEvent) bool {
			return e.Type == "m.room.message" && strings.Contains(fmt.Sprint(e.Content["body"]), "not bridged")
		})
		if e, _ = r.hs.await(room, at, "refusal", status(id, "FAIL_PERMANENT")); e.Content["reason"] != "m.no_permission" {
			t.Errorf("refusal = %v", e.Content)
		}
		alice.Send("MODE #room -m")

		for i := range 50 {
			r.hs.say(room, user, "m.room.message", obj{"msgtype": "m.text", "body": fmt.Sprintf("n%d", i)})
		}
		for i := range 50 {
			alice.Expect(fmt.Sprintf("%sn%d", mia, i))
		}
		// Nothing of it has come back.
		r.hs.mu.Lock()
		defer r.hs.mu.Unlock()
		for _, e := range room.timeline {
			if e.Type == "m.room.message" && strings.HasPrefix(e.Sender, "@irc_net.bridge") {
				t.Errorf("echo: %+v", e)
			}
		}
	})
}

func TestRepeatedEventIsSentOnce(t *testing.T) {
	t.Parallel()
	withServers(t, func(t *testing.T, s *ircd.Server, _ bool) {
		alice := ircd.Dial(t, s.Addr, "alice")
		alice.Join("#room")
		r := newRig(t, networkConfig(s.Addr, ""))
		room := r.hs.byAlias("irc_net_#room")
		r.hs.await(room, 0, "join of alice", memberEvent(ghostAlice, "join"))
		r.hs.enter(room, user, "Mia")
		var raw []byte
		r.hs.mu.Lock()
		inner := r.hs.deliver
		r.hs.deliver = func(b []byte) { raw = b; inner(b) }
		r.hs.mu.Unlock()
		r.hs.say(room, user, "m.room.message", obj{"msgtype": "m.text", "body": "once"})
		alice.Expect("once")
		r.hs.mu.Lock()
		again := raw
		r.hs.mu.Unlock()
		r.transact("another", again)
		r.stop()
		r.start()
		r.transact("after-restart", again)
		r.hs.say(room, user, "m.room.message", obj{"msgtype": "m.text", "body": "marker"})
		for {
			line := alice.Expect("PRIVMSG")
			if strings.Contains(line, "once") {
				t.Fatal("a repeated event was sent again")
			}
			if strings.Contains(line, "marker") {
				return
			}
		}
	})
}

func TestOutage(t *testing.T) {
	t.Parallel()
	withServers(t, func(t *testing.T, s *ircd.Server, _ bool) {
		r := newRig(t, networkConfig(s.Addr, "    outage_notice: 200ms\n    queue: 3\n"))
		room := r.hs.byAlias("irc_net_#room")
		r.hs.enter(room, user, "Mia")
		alice := ircd.Dial(t, s.Addr, "alice")
		alice.Join("#room")
		_, at := r.hs.await(room, 0, "join of alice", memberEvent(ghostAlice, "join"))
		s.Stop()
		_, at = r.hs.await(room, at, "notice of the outage", func(e *fakeEvent) bool {
			return e.Content["msgtype"] == "m.notice" && strings.Contains(fmt.Sprint(e.Content["body"]), "is lost")
		})
		var ids []string
		for i := range 4 {
			ids = append(ids, r.hs.say(room, user, "m.room.message", obj{"msgtype": "m.text", "body": fmt.Sprintf("kept %d", i)}))
		}
		r.hs.await(room, at, "pending status", status(ids[0], "PENDING"))
		r.hs.await(room, at, "refusal by the full queue", status(ids[3], "FAIL_RETRIABLE"))
		// The bridge is restarted in between, too.
		r.stop()
		s.Start()
		alice = ircd.Dial(t, s.Addr, "alice")
		alice.Join("#room")
		r.start()
		for i := range 3 {
			alice.Expect(fmt.Sprintf("kept %d", i))
		}
		r.hs.await(room, at, "success", status(ids[2], "SUCCESS"))
		if left := alice.Drain(200 * time.Millisecond); strings.Contains(strings.Join(left, "\n"), "kept") {
			t.Errorf("sent twice or out of order: %q", left)
		}
	})
}

func TestOutageEnds(t *testing.T) {
	t.Parallel()
	s := ircd.NgIRCd(t, "")
	r := newRig(t, networkConfig(s.Addr, "    outage_notice: 100ms\n"))
	room := r.hs.byAlias("irc_net_#room")
	alice := ircd.Dial(t, s.Addr, "alice")
	alice.Join("#room")
	_, at := r.hs.await(room, 0, "join of alice", memberEvent(ghostAlice, "join"))
	s.Stop()
	_, at = r.hs.await(room, at, "notice of the outage", func(e *fakeEvent) bool {
		return strings.Contains(fmt.Sprint(e.Content["body"]), "is lost")
	})
	s.Start()
	r.hs.await(room, at, "notice of the end", func(e *fakeEvent) bool {
		return strings.Contains(fmt.Sprint(e.Content["body"]), "is back")
	})
	// alice did not return, and the member list says so.
	r.hs.await(room, at, "leave of alice", memberEvent(ghostAlice, "leave"))
}

func TestHomeserverHiccup(t *testing.T) {
	t.Parallel()
	s := ircd.NgIRCd(t, "")
	r := newRig(t, networkConfig(s.Addr, ""))
	room := r.hs.byAlias("irc_net_#room")
	alice := ircd.Dial(t, s.Addr, "alice")
	alice.Join("#room")
	_, at := r.hs.await(room, 0, "join of alice", memberEvent(ghostAlice, "join"))
	r.hs.mu.Lock()
	r.hs.sendFails = 2
	r.hs.mu.Unlock()
	for i := range 3 {
		alice.Send(fmt.Sprintf("PRIVMSG #room :line %d", i))
	}
	for i := range 3 {
		_, at = r.hs.await(room, at, "line in order", message(ghostAlice, fmt.Sprintf("line %d", i)))
	}
}

func TestDemonstrationNetwork(t *testing.T) {
	t.Parallel()
	r := newRig(t, "demo: {listen: '127.0.0.1:0'}")
	room := r.hs.byAlias("irc_demo_#lobby")
	r.hs.await(room, 0, "join of ada", memberEvent("@irc_demo.ada:test.example", "join"))
	r.hs.enter(room, user, "Mia")
	carl := ircd.Dial(t, r.bridge.DemoAddr(), "carl")
	carl.Join("#lobby")
	_, at := r.hs.await(room, 0, "join of carl", memberEvent("@irc_demo.carl:test.example", "join"))
	r.hs.say(room, user, "m.room.message", obj{"msgtype": "m.text", "body": "hello ada"})
	carl.Expect("<M\u200bia> hello ada")
	r.hs.await(room, at, "answer of ada", func(e *fakeEvent) bool {
		return e.Type == "m.room.message" && e.Sender == "@irc_demo.ada:test.example" && strings.Contains(fmt.Sprint(e.Content["body"]), "M\u200bia")
	})
}
