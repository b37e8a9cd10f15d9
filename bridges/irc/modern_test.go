package irc_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/ircd"
	"github.com/landbridge-im/landbridge/integration/ircd/modern"
)

// tagged makes a client that sees tags and messages of several lines.
func tagged(t *testing.T, addr, nick string) *ircd.Client {
	t.Helper()
	return ircd.DialWith(t, addr, nick, "message-tags", "batch", "draft/multiline", "echo-message", "draft/message-redaction", "server-time")
}

// tag returns a tag of a line.
func tag(line, name string) string {
	tags, _, _ := strings.Cut(strings.TrimPrefix(line, "@"), " ")
	for _, x := range strings.Split(tags, ";") {
		if value, ok := strings.CutPrefix(x, name+"="); ok {
			return value
		}
	}
	return ""
}

// modernRig is a bridge to a modern server, with alice in the channel, whose operator she is.
func modernRig(t *testing.T, opts modern.Options, extra string) (*modern.Server, *ircd.Client, *rig, *fakeRoom) {
	t.Helper()
	s := modern.Start(t, opts)
	alice := tagged(t, s.Addr, "alice")
	alice.Join("#room")
	r := newRig(t, networkConfig(s.Addr, extra))
	room := r.hs.byAlias("irc_net_#room")
	r.hs.await(room, 0, "join of alice", memberEvent(ghostAlice, "join"))
	return s, alice, r, room
}

const ownNick = "    puppets: {nick: \"{localpart}[m]\", spread: 0s}\n"

// A message of several lines is one message on either side.
func TestMultiline(t *testing.T) {
	t.Parallel()
	s, alice, r, room := modernRig(t, modern.Options{}, ownNick)
	r.hs.enter(room, userMia, "Mia")
	alice.Expect(":mia[m]!")
	long := strings.Repeat("words and ", 60) + "end"
	r.hs.say(room, userMia, "m.room.message", obj{"msgtype": "m.text", "body": "one\ntwo\n" + long})
	alice.Expect("draft/multiline #room")
	if got := alice.Expect("PRIVMSG #room one"); tag(got, "batch") == "" {
		t.Errorf("alice reads %q", got)
	}
	alice.Expect("PRIVMSG #room two")
	alice.Expect("draft/multiline-concat")
	want := "mia[m]: one\ntwo\n" + long
	if said := s.Said("#room"); !slices.Contains(said, want) {
		t.Errorf("the channel has %q", said)
	}
	alice.Send("BATCH +x draft/multiline #room")
	for _, l := range []string{"@batch=x PRIVMSG #room :first", "@batch=x PRIVMSG #room :second", "@batch=x;draft/multiline-concat PRIVMSG #room : half", "BATCH -x"} {
		alice.Send(l)
	}
	r.hs.await(room, 0, "the message", message(ghostAlice, "first\nsecond half"))
}

// Replies, reactions and deletions go both ways, and typing.
func TestClientTags(t *testing.T) {
	t.Parallel()
	_, alice, r, room := modernRig(t, modern.Options{}, ownNick)
	r.hs.enter(room, userMia, "Mia")
	alice.Expect(":mia[m]!")

	alice.Send("PRIVMSG #room :question?")
	id := tag(alice.Expect("question?"), "msgid")
	q, at := r.hs.await(room, 0, "the question", message(ghostAlice, "question?"))
	// A reply has the id, and no quote.
	r.hs.say(room, userMia, "m.room.message", obj{"msgtype": "m.text", "body": "answer", "m.relates_to": obj{"m.in_reply_to": obj{"event_id": q.ID}}})
	got := alice.Expect("answer")
	if tag(got, "+draft/reply") != id || !strings.HasSuffix(got, " :alice: answer") {
		t.Errorf("the reply is %q", got)
	}
	answer := tag(got, "msgid")
	alice.Send("@+draft/reply=" + answer + " PRIVMSG #room :thanks")
	e, at := r.hs.await(room, at, "the thanks", message(ghostAlice, "thanks"))
	if rel, _ := e.Content["m.relates_to"].(map[string]any); rel == nil || rel["m.in_reply_to"] == nil {
		t.Errorf("the thanks relate to %v", e.Content["m.relates_to"])
	}
	// Reactions.
	reaction := r.hs.say(room, userMia, "m.reaction", obj{"m.relates_to": obj{"rel_type": "m.annotation", "event_id": q.ID, "key": "👍"}})
	if got := alice.Expect("TAGMSG #room"); tag(got, "+draft/react") != "👍" || tag(got, "+draft/reply") != id || !strings.Contains(got, ":mia[m]!") {
		t.Errorf("the reaction is %q", got)
	}
	r.hs.redact(room, userMia, reaction)
	if got := alice.Expect("+draft/unreact"); tag(got, "+draft/unreact") != "👍" {
		t.Errorf("the end of the reaction is %q", got)
	}
	alice.Send("@+draft/react=🎉;+draft/reply=" + answer + " TAGMSG #room")
	e, at = r.hs.await(room, at, "alice's reaction", func(e *fakeEvent) bool { return e.Type == "m.reaction" && e.Sender == ghostAlice })
	party := e.ID
	alice.Send("@+draft/unreact=🎉;+draft/reply=" + answer + " TAGMSG #room")
	_, at = r.hs.await(room, at, "its end", redaction(party))
	// Deletions.
	alice.Send("PRIVMSG #room :a mistake")
	mistake := tag(alice.Expect("a mistake"), "msgid")
	e, at = r.hs.await(room, at, "the mistake", message(ghostAlice, "a mistake"))
	alice.Send("REDACT #room " + mistake + " :never mind")
	r.hs.await(room, at, "its deletion", redaction(e.ID))
	// Typing.
	alice.Send("@+typing=active TAGMSG #room")
	r.hs.awaitTyping(room, ghostAlice)
	r.hs.type_(room, userMia)
	alice.Expect("+typing=active")
	r.hs.type_(room)
	alice.Expect("+typing=done")
}

// What a Matrix user deletes is deleted on IRC, where the server lets them; it is told where not.
func TestRedactFromMatrix(t *testing.T) {
	t.Parallel()
	s, alice, r, room := modernRig(t, modern.Options{Accounts: map[string]string{"acc": "secret"}},
		"    sasl: {mechanism: scram-sha-256, user: acc, password: secret}\n    relaymsg: false\n")
	said := r.hs.say(room, user, "m.room.message", obj{"msgtype": "m.text", "body": "oops"})
	alice.Expect("oops")
	r.hs.await(room, 0, "delivery", status(said, "SUCCESS"))
	r.hs.redact(room, user, said)
	alice.Expect("REDACT #room")
	if got := s.Said("#room"); len(got) != 0 {
		t.Errorf("the channel still has %q", got)
	}
}

// Where a server relays, Matrix users have their own names; where it does not want to, they stand before the words.
func TestRelayMsg(t *testing.T) {
	t.Parallel()
	s, alice, r, room := modernRig(t, modern.Options{}, "")
	r.hs.enter(room, user, "Mia May")
	first := r.hs.say(room, user, "m.room.message", obj{"msgtype": "m.text", "body": "before"})
	if got := alice.Expect("before"); !strings.Contains(got, ":bridge!") {
		t.Errorf("without rights: %q", got)
	}
	r.hs.await(room, 0, "delivery", status(first, "SUCCESS"))
	alice.Send("MODE #other +o x")
	other := r.hs.byAlias("other")
	bob := tagged(t, s.Addr, "bob")
	s.Mode("#Other", "+o", "bridge")
	bob.Join("#Other")
	r.hs.enter(other, user, "Mia May")
	e := r.hs.say(other, user, "m.room.message", obj{"msgtype": "m.text", "body": "hello"})
	if got := bob.Expect("hello"); !strings.Contains(got, ":Mia_May/m!") || !strings.HasSuffix(got, " hello") {
		t.Errorf("with rights: %q", got)
	}
	r.hs.await(other, 0, "delivery", status(e, "SUCCESS"))
	bob.Send("PRIVMSG #Other :Mia_May/m: hi")
	got, _ := r.hs.await(other, 0, "the answer", message(ghostBob, "Mia_May/m: hi"))
	if m, _ := got.Content["m.mentions"].(map[string]any); fmt.Sprint(m["user_ids"]) != "["+user+"]" {
		t.Errorf("mentions: %v", got.Content["m.mentions"])
	}
	for _, e := range other.timeline {
		if strings.Contains(e.Sender, "mia") && strings.HasPrefix(e.Sender, "@irc_") {
			t.Errorf("the bridge has heard itself: %+v", e)
		}
	}
}

// What was said while the connection was away comes, in order and with its time; nothing comes twice.
func TestGap(t *testing.T) {
	t.Parallel()
	_, alice, r, room := modernRig(t, modern.Options{}, "")
	alice.Send("PRIVMSG #room :before")
	_, at := r.hs.await(room, 0, "the first", message(ghostAlice, "before"))
	r.stop()
	alice.Expect("QUIT")
	for i := range 250 {
		alice.Send(fmt.Sprintf("PRIVMSG #room :missed %d", i))
	}
	alice.Expect("missed 249")
	r.start()
	alice.Expect(":bridge!")
	alice.Send("PRIVMSG #room :after")
	for i := range 250 {
		_, at = r.hs.await(room, at, "what was missed", message(ghostAlice, fmt.Sprintf("missed %d", i)))
	}
	r.hs.await(room, at, "what came after", message(ghostAlice, "after"))
	count := map[string]int{}
	for _, e := range room.timeline {
		if e.Type == "m.room.message" {
			count[fmt.Sprint(e.Content["body"])]++
		}
	}
	for body, n := range count {
		if n != 1 {
			t.Errorf("%q came %d times", body, n)
		}
	}
}

// A message whose connection broke before the server had answered is looked up, and repeated only if it is not there.
func TestDoubt(t *testing.T) {
	t.Parallel()
	var lost []string
	var server *modern.Server
	drop := func(nick, line string) string {
		if strings.Contains(line, "swallowed") && len(lost) == 0 {
			lost = append(lost, line)
			go server.Drop(nick)
			return ":x NOTICE x :-" // it is not said
		}
		return ""
	}
	s := modern.Start(t, modern.Options{Refuse: drop})
	server = s
	alice := tagged(t, s.Addr, "alice")
	alice.Join("#room")
	r := newRig(t, networkConfig(s.Addr, "    relaymsg: false\n"))
	room := r.hs.byAlias("irc_net_#room")
	r.hs.await(room, 0, "join of alice", memberEvent(ghostAlice, "join"))
	said := r.hs.say(room, user, "m.room.message", obj{"msgtype": "m.text", "body": "swallowed"})
	alice.Expect("swallowed")
	r.hs.await(room, 0, "delivery", status(said, "SUCCESS"))
	n := 0
	for _, text := range s.Said("#room") {
		if strings.Contains(text, "swallowed") {
			n++
		}
	}
	if n != 1 {
		t.Errorf("it was said %d times", n)
	}
}

// A long message is told by its beginning and a page, until it is deleted.
func TestLongMessage(t *testing.T) {
	t.Parallel()
	withServers(t, func(t *testing.T, srv *ircd.Server, _ bool) {
		alice := ircd.Dial(t, srv.Addr, "alice")
		alice.Join("#room")
		r := newRig(t, networkConfig(srv.Addr, ""))
		room := r.hs.byAlias("irc_net_#room")
		r.hs.await(room, 0, "join of alice", memberEvent(ghostAlice, "join"))
		body := "the <b>first</b> line\n" + strings.Repeat("another\n", 30) + "the last"
		id := r.hs.say(room, user, "m.room.message", obj{"msgtype": "m.text", "body": body})
		got := alice.Expect("PRIVMSG #room")
		at := strings.Index(got, "https://bridge.example/")
		if at < 0 || !strings.Contains(got, "all 32 lines: ") || !strings.Contains(got, "the <b>first</b> line") {
			t.Fatalf("alice reads %q", got)
		}
		path := strings.TrimSuffix(strings.TrimPrefix(got[at:], "https://bridge.example"), ")")
		open := func() *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			r.mx.AS.Router.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			return w
		}
		if w := open(); w.Code != 200 || !strings.Contains(w.Body.String(), "the &lt;b&gt;first&lt;/b&gt; line\nanother") || !strings.Contains(w.Body.String(), "the last") {
			t.Errorf("the page is %d %s", w.Code, w.Body)
		}
		r.hs.redact(room, user, id)
		for deadline := time.Now().Add(15 * time.Second); open().Code != http.StatusNotFound; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the page is still there")
			}
		}
	})
}

// Where a network has no reactions they are told in words.
func TestReactionInWords(t *testing.T) {
	t.Parallel()
	withServers(t, func(t *testing.T, srv *ircd.Server, tags bool) {
		if tags {
			return // has client tags
		}
		alice := ircd.Dial(t, srv.Addr, "alice")
		alice.Join("#room")
		r := newRig(t, networkConfig(srv.Addr, ""))
		room := r.hs.byAlias("irc_net_#room")
		r.hs.await(room, 0, "join of alice", memberEvent(ghostAlice, "join"))
		r.hs.enter(room, user, "Mia")
		alice.Send("PRIVMSG #room :hello there")
		e, _ := r.hs.await(room, 0, "hello", message(ghostAlice, "hello there"))
		r.hs.say(room, user, "m.reaction", obj{"m.relates_to": obj{"rel_type": "m.annotation", "event_id": e.ID, "key": "👍"}})
		if got := alice.Expect("reacts"); !strings.HasSuffix(strings.ReplaceAll(got, "\u200b", ""), " :* Mia reacts with 👍 to alice: “hello there”") {
			t.Errorf("alice reads %q", got)
		}
	})
}

func redaction(of string) func(*fakeEvent) bool {
	return func(e *fakeEvent) bool { return e.Type == "m.room.redaction" && e.Content["redacts"] == of }
}
