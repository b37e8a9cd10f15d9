package irc_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/ircd"
	"github.com/landbridge-im/landbridge/integration/ircd/modern"
	"github.com/landbridge-im/landbridge/integration/testserver"
	"github.com/landbridge-im/landbridge/internal/ports"
)

// today is a bridged channel of a server with the capabilities of today: alice is on IRC, mia in Matrix.
type today struct {
	t     *testing.T
	ctx   context.Context
	net   *modern.Server
	s     *testserver.Server
	alice *ircd.Client
	mia   *bridgetest.Matrix
	room  string
}

const aliceGhost = "@irc_net.alice:test"

func newToday(t *testing.T, opts modern.Options, extra ...string) *today {
	t.Helper()
	k := &today{t: t, ctx: withTimeout(t, 2*patience), net: modern.Start(t, opts)}
	k.alice = ircd.DialWith(t, k.net.Addr, "alice", "message-tags", "batch", "draft/multiline", "echo-message", "draft/message-redaction", "server-time")
	k.alice.Join("#room")
	k.s = testserver.New(t, testserver.Options{Extra: "bridges:\n" + bridgetest.IRCBridge("irc", "none",
		bridgetest.IRCNetwork{ID: "net", Addr: k.net.Addr, Channels: []string{"#room"}, Extra: extra})})
	k.mia = user(k.ctx, t, k.s, "mia", "")
	k.room = joinSoon(k.ctx, t, k.mia, "#irc_net_#room:test")
	k.await("alice", membership(aliceGhost, "join", ""))
	return k
}

const ownNick = `puppets: {nick: "{localpart}[m]", spread: 0s}`

// await waits for an event in the room.
func (k *today) await(what string, match func(bridgetest.Event) bool) bridgetest.Event {
	k.t.Helper()
	e, _, err := k.mia.Await(k.ctx, 0, k.room, what, match)
	if err != nil {
		k.t.Fatal(err)
	}
	return e
}

// send has mia send an event.
func (k *today) send(kind string, content map[string]any) string {
	k.t.Helper()
	sent, err := k.mia.Send(k.ctx, k.room, kind, content)
	if err != nil {
		k.t.Fatal(err)
	}
	return sent
}

func (k *today) say(text string) string {
	return k.send("m.room.message", map[string]any{"msgtype": "m.text", "body": text})
}

func (k *today) redact(event string) {
	k.t.Helper()
	if err := k.mia.Do(k.ctx, "PUT", fmt.Sprintf("/v3/rooms/%s/redact/%s/r-%s", url.PathEscape(k.room), url.PathEscape(event), url.PathEscape(event)), map[string]any{}, nil); err != nil {
		k.t.Fatal(err)
	}
}

func redaction(of string) func(bridgetest.Event) bool {
	return func(e bridgetest.Event) bool {
		return e.Type == "m.room.redaction" && (e.Redacts == of || e.Field("redacts") == of)
	}
}

// tag is a tag of a line.
func tag(line, name string) string {
	tags, _, _ := strings.Cut(strings.TrimPrefix(line, "@"), " ")
	for _, x := range strings.Split(tags, ";") {
		if value, ok := strings.CutPrefix(x, name+"="); ok {
			return value
		}
	}
	return ""
}

// answers is the event that an event answers.
func answers(e bridgetest.Event) string {
	var content struct {
		RelatesTo struct {
			Reply struct {
				ID string `json:"event_id"`
			} `json:"m.in_reply_to"`
		} `json:"m.relates_to"`
	}
	_ = json.Unmarshal(e.Content, &content)
	return content.RelatesTo.Reply.ID
}

// TestModern has what servers of today can do: messages of several lines, replies, reactions, deletions and typing, both ways.
func TestModern(t *testing.T) {
	t.Parallel()
	k := newToday(t, modern.Options{Accounts: map[string]string{"acc": "secret"}}, "sasl: {mechanism: scram-sha-256, user: acc, password: secret, allow_cleartext: true}", ownNick)
	k.alice.Expect(":mia[m]!")
	k.lines()
	k.marks()
	k.deletions()
	k.typings()
	k.mentions()
}

func (k *today) lines() {
	long := strings.Repeat("words and ", 60) + "end"
	k.say("one\ntwo\n" + long)
	k.alice.Expect("draft/multiline #room")
	k.alice.Expect("draft/multiline-concat")
	waitFor(k.ctx, k.t, "the lines in the channel", func() bool { return slices.Contains(k.net.Said("#room"), "mia[m]: one\ntwo\n"+long) })
	for _, l := range []string{"BATCH +x draft/multiline #room", "@batch=x PRIVMSG #room :first", "@batch=x PRIVMSG #room :second",
		"@batch=x;draft/multiline-concat PRIVMSG #room : half", "BATCH -x"} {
		k.alice.Send(l)
	}
	k.await("the lines", message("first\nsecond half"))
}

func (k *today) marks() {
	t := k.t
	k.alice.Send("PRIVMSG #room :question?")
	id := tag(k.alice.Expect("question?"), "msgid")
	q := k.await("the question", message("question?"))
	k.send("m.room.message", map[string]any{"msgtype": "m.text", "body": "answer", "m.relates_to": map[string]any{"m.in_reply_to": map[string]any{"event_id": q.ID}}})
	got := k.alice.Expect("answer")
	if tag(got, "+draft/reply") != id {
		t.Errorf("the reply is %q", got)
	}
	answer := tag(got, "msgid")
	k.alice.Send("@+draft/reply=" + answer + " PRIVMSG #room :thanks")
	if e := k.await("the thanks", message("thanks")); answers(e) == "" {
		t.Errorf("the thanks answer nothing: %v", e)
	}
	reaction := k.send("m.reaction", map[string]any{"m.relates_to": map[string]any{"rel_type": "m.annotation", "event_id": q.ID, "key": "👍"}})
	if got := k.alice.Expect("TAGMSG #room"); tag(got, "+draft/react") != "👍" || tag(got, "+draft/reply") != id {
		t.Errorf("the reaction is %q", got)
	}
	k.redact(reaction)
	if got := k.alice.Expect("+draft/unreact"); tag(got, "+draft/unreact") != "👍" {
		t.Errorf("the end of the reaction is %q", got)
	}
	k.alice.Send("@+draft/react=🎉;+draft/reply=" + answer + " TAGMSG #room")
	party := k.await("alice's reaction", func(e bridgetest.Event) bool { return e.Type == "m.reaction" && e.Sender == aliceGhost })
	k.alice.Send("@+draft/unreact=🎉;+draft/reply=" + answer + " TAGMSG #room")
	k.await("its end", redaction(party.ID))
}

func (k *today) deletions() {
	k.alice.Send("PRIVMSG #room :a mistake")
	mistake := tag(k.alice.Expect("a mistake"), "msgid")
	e := k.await("the mistake", message("a mistake"))
	k.alice.Send("REDACT #room " + mistake + " :never mind")
	k.await("its deletion", redaction(e.ID))

	// What mia takes back an operator has to take back, if it is not an account's: the bridge is one here.
	k.net.Mode("#room", "+o", "mia[m]")
	oops := k.say("oops")
	k.alice.Expect("oops")
	k.redact(oops)
	k.alice.Expect("REDACT #room")
	waitFor(k.ctx, k.t, "oops taken back", func() bool { return !slices.Contains(k.net.Said("#room"), "mia[m]: oops") })
}

func (k *today) typings() {
	k.alice.Send("@+typing=active TAGMSG #room")
	waitFor(k.ctx, k.t, "alice typing", func() bool {
		k.alice.Send("@+typing=active TAGMSG #room")
		var out struct {
			Rooms struct {
				Join map[string]struct {
					Ephemeral struct {
						Events []struct {
							Type    string `json:"type"`
							Content struct {
								Users []string `json:"user_ids"`
							} `json:"content"`
						} `json:"events"`
					} `json:"ephemeral"`
				} `json:"join"`
			} `json:"rooms"`
		}
		if err := k.mia.Do(k.ctx, "GET", "/v3/sync?timeout=0", nil, &out); err != nil {
			k.t.Fatal(err)
		}
		for _, e := range out.Rooms.Join[k.room].Ephemeral.Events {
			if e.Type == "m.typing" && slices.Contains(e.Content.Users, aliceGhost) {
				return true
			}
		}
		return false
	})
	typing := func(on bool) {
		if err := k.mia.Do(k.ctx, "PUT", "/v3/rooms/"+url.PathEscape(k.room)+"/typing/"+url.PathEscape(k.mia.UserID), map[string]any{"typing": on, "timeout": 20000}, nil); err != nil {
			k.t.Fatal(err)
		}
	}
	typing(true)
	k.alice.Expect("+typing=active")
	typing(false)
	k.alice.Expect("+typing=done")
}

func (k *today) mentions() {
	k.alice.Send("PRIVMSG #room :mia[m]: look here")
	e := k.await("the mention", message("mia[m]: look here"))
	var content struct {
		Mentions struct {
			Users []string `json:"user_ids"`
		} `json:"m.mentions"`
	}
	if err := json.Unmarshal(e.Content, &content); err != nil || !slices.Equal(content.Mentions.Users, []string{k.mia.UserID}) {
		k.t.Errorf("the mention is %s", e.Content)
	}
	k.send("m.room.message", map[string]any{"msgtype": "m.text", "body": "alice: hello", "format": "org.matrix.custom.html",
		"formatted_body": `<a href="https://matrix.to/#/` + aliceGhost + `">alice</a>: hello`, "m.mentions": map[string]any{"user_ids": []string{aliceGhost}}})
	k.alice.Expect("PRIVMSG #room :alice: hello")
}

// TestPast: what was said while the program was down comes in order, once, with the time at which it was said.
func TestPast(t *testing.T) {
	t.Parallel()
	for name, caps := range map[string][]string{
		"chathistory": modern.Caps(),
		"znc":         {"znc.in/playback", "echo-message", "draft/multiline=max-bytes=4096,max-lines=24", "draft/message-redaction", "batch", "server-time", "message-tags", "multi-prefix", "userhost-in-names"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			past(newToday(t, modern.Options{Caps: caps}, ownNick))
		})
	}
}

func past(k *today) {
	t := k.t
	k.alice.Send("PRIVMSG #room :before")
	k.await("the first", message("before"))
	if err := k.s.Stop(); err != nil {
		t.Fatal(err)
	}
	k.alice.Expect("QUIT")
	began := time.Now()
	for i := range 150 {
		k.alice.Send(fmt.Sprintf("PRIVMSG #room :missed %d", i))
	}
	k.alice.Expect("missed 149")
	ended := time.Now()
	time.Sleep(time.Second) // the times of arrival are to be others
	if err := k.s.Start(k.ctx); err != nil {
		t.Fatal(err)
	}
	k.alice.Expect(":lbridge!")
	k.alice.Send("PRIVMSG #room :after")
	k.await("what came after", message("after"))
	k.await("the last that was missed", message("missed 149"))
	next := 0
	for _, e := range k.mia.Events.All(0) {
		if !strings.HasPrefix(e.Body(), "missed ") {
			continue
		}
		if want := fmt.Sprintf("missed %d", next); e.Body() != want {
			t.Fatalf("%q came where %q should", e.Body(), want)
		}
		next++
		if at := time.UnixMilli(e.TS); at.Before(began.Add(-time.Second)) || at.After(ended.Add(100*time.Millisecond)) {
			t.Errorf("%q has the time %v, and was said between %v and %v", e.Body(), at, began, ended)
		}
	}
	if next != 150 {
		t.Errorf("%d have come", next)
	}
}

// TestRelayed: where the bridge may relay, Matrix users have names of their own without connections of their own.
func TestRelayed(t *testing.T) {
	t.Parallel()
	k := newToday(t, modern.Options{})
	k.say("before")
	if got := k.alice.Expect("before"); !strings.Contains(got, ":lbridge!") {
		t.Errorf("without rights: %q", got)
	}
	k.net.Mode("#room", "+o", "lbridge")
	k.alice.Expect("+o lbridge")
	waitFor(k.ctx, t, "a relayed message", func() bool {
		k.say("hello")
		return strings.Contains(k.alice.Expect(" hello"), ":mia/m!")
	})
	for _, e := range k.mia.Events.All(0) {
		if e.Type == "m.room.message" && e.Sender != k.mia.UserID && strings.Contains(e.Body(), "hello") {
			t.Errorf("the bridge has heard itself: %v", e)
		}
	}
}

// TestKilled: who is killed or dropped comes back, and nobody else is harmed.
func TestKilled(t *testing.T) {
	t.Parallel()
	k := newToday(t, modern.Options{}, ownNick)
	k.alice.Expect(":mia[m]!")
	zoe := user(k.ctx, t, k.s, "zoe", "")
	joinSoon(k.ctx, t, zoe, "#irc_net_#room:test")
	k.alice.Expect(":zoe[m]!")
	k.net.Kill("mia[m]", "spam")
	k.alice.Expect("QUIT")
	for i := range 5 {
		text := fmt.Sprintf("unharmed-%d", i)
		if _, err := zoe.Say(k.ctx, k.room, text); err != nil {
			t.Fatal(err)
		}
		if got := k.alice.Expect(text); !strings.Contains(got, ":zoe[m]!") {
			t.Errorf("alice reads %q", got)
		}
	}
	k.say("back again")
	if got := k.alice.Expect("back again"); !strings.Contains(got, ":mia[m]!") {
		t.Errorf("alice reads %q", got)
	}
}

// TestIdent: each Matrix user is known to the server by what the bridge's ident server says of them.
func TestIdent(t *testing.T) {
	t.Parallel()
	ident := ports.Addr(t)
	net := modern.Start(t, modern.Options{Ident: ident})
	ctx := withTimeout(t, 2*patience)
	bob := person(ctx, t, net.Addr, "bob", "#room")
	conf := bridgetest.IRCBridge("irc", "none", bridgetest.IRCNetwork{ID: "net", Addr: net.Addr, Channels: []string{"#room"}, Extra: []string{ownNick}})
	s := testserver.New(t, testserver.Options{Extra: "bridges:\n" + strings.Replace(conf, "    config:\n", fmt.Sprintf("    config:\n      ident_listen: %q\n", ident), 1)})
	for _, name := range []string{"mia", "zoe"} {
		joinSoon(ctx, t, user(ctx, t, s, name, ""), "#irc_net_#room:test")
		named(ctx, t, bob, "#room", name+"[m]", true)
		from := bob.Lines.Len()
		bob.Send("WHOIS " + name + "[m]")
		l, _, err := bob.Lines.Wait(ctx, from, func(l bridgetest.Line) bool { return l.Command == "311" })
		if err != nil {
			t.Fatal(err)
		}
		if who := l.Params[2]; strings.HasPrefix(who, "~") || !strings.Contains(who, name) {
			t.Errorf("%s is known as %q", name, who)
		}
	}
}

// TestAddresses: each user comes from an address of their own, which stays theirs. Of IPv6 no machine has a prefix by itself, of
// loopback's IPv4 every one does.
func TestAddresses(t *testing.T) {
	t.Parallel()
	ctx := withTimeout(t, 2*patience)
	insp := ircd.InspIRCd(t)
	bob := person(ctx, t, insp.Addr, "bob", "#chan")
	s := testserver.New(t, testserver.Options{Extra: "bridges:\n" + bridgetest.IRCBridge("irc", "none", bridgetest.IRCNetwork{ID: "net", Addr: insp.Addr,
		Channels: []string{"#chan"}, Extra: []string{`puppets: {nick: "{localpart}[m]", spread: 0s, address_prefix: 127.7.0.0/16}`}})})
	check := func(name, want string) {
		t.Helper()
		named(ctx, t, bob, "#chan", name+"[m]", true)
		from := bob.Lines.Len()
		bob.Send("USERHOST " + name + "[m]")
		l, _, err := bob.Lines.Wait(ctx, from, func(l bridgetest.Line) bool { return l.Command == "302" })
		if err != nil {
			t.Fatal(err)
		}
		if got := l.Text(); !strings.HasSuffix(strings.TrimSpace(got), "@"+want) {
			t.Errorf("%s is %q, not from %s", name, got, want)
		}
	}
	for i, name := range []string{"mia", "zoe"} {
		joinSoon(ctx, t, user(ctx, t, s, name, ""), "#irc_net_#chan:test")
		check(name, fmt.Sprintf("127.7.0.%d", i+1))
	}
	if err := s.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	check("zoe", "127.7.0.2")
	check("mia", "127.7.0.1")
}

// TestEncodings: text in the encoding of a channel's people is read, and written where that is configured.
func TestEncodings(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, extra, raw, text, back, sent string }{
		{"as it is", "relaymsg: false", "sch\xf6n", "schön", "größer", "größer"},
		{"koi8-r", "encoding: koi8-r\n          encode: true", "\xd0\xd2\xc9\xd7\xc5\xd4", "привет", "привет", "\xd0\xd2\xc9\xd7\xc5\xd4"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ctx := withTimeout(t, 2*patience)
			ng := ircd.NgIRCd(t, "")
			bob := person(ctx, t, ng.Addr, "bob", "#chan")
			s := testserver.New(t, testserver.Options{Extra: "bridges:\n" + bridgetest.IRCBridge("irc", "none",
				bridgetest.IRCNetwork{ID: "ng", Addr: ng.Addr, Channels: []string{"#chan"}, Extra: []string{test.extra}})})
			anna := user(ctx, t, s, "anna", "")
			room := joinSoon(ctx, t, anna, "#irc_ng_#chan:test")
			inChannel(ctx, t, bob, "#chan")
			bob.Say("#chan", test.raw)
			if _, _, err := anna.Await(ctx, 0, room, test.text, message(test.text)); err != nil {
				t.Fatal(err)
			}
			if _, err := anna.Say(ctx, room, test.back); err != nil {
				t.Fatal(err)
			}
			if _, _, err := bob.Await(ctx, 0, "", "PRIVMSG", test.sent); err != nil {
				t.Fatal(err)
			}
		})
	}
}
