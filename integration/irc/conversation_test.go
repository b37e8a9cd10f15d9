package irc_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/ircd"
	"github.com/landbridge-im/landbridge/integration/testserver"
	"github.com/landbridge-im/landbridge/internal/ports"
)

const sighup = syscall.SIGHUP

// talk is a bridged channel with one person on either side.
type talk struct {
	t       *testing.T
	ctx     context.Context
	anna    *bridgetest.Matrix
	room    string
	bob     *bridgetest.Person
	channel string
	network string
}

// eachWay is how long a message may take.
const eachWay = time.Second

// toIRC does something in Matrix and returns the lines that bob reads because of
// it, within the time.
func (k *talk) toIRC(what string, n int, do func() error) []bridgetest.Line {
	k.t.Helper()
	from := k.bob.Lines.Len()
	began := time.Now()
	if err := do(); err != nil {
		k.t.Fatalf("%s: %v", what, err)
	}
	ctx, cancel := context.WithTimeout(k.ctx, 10*time.Second)
	defer cancel()
	var lines []bridgetest.Line
	for range n {
		l, next, err := k.bob.Lines.Wait(ctx, from, func(l bridgetest.Line) bool {
			return (l.Command == "PRIVMSG" || l.Command == "NOTICE" || l.Command == "TOPIC") && len(l.Params) > 0 && strings.EqualFold(l.Params[0], k.channel)
		})
		if err != nil {
			k.t.Fatalf("%s: line %d of %d did not come: %v; bob has read %v", what, len(lines)+1, n, err, k.bob.Lines.All(from))
		}
		lines, from = append(lines, l), next
	}
	if took := lines[n-1].At.Sub(began); took > eachWay {
		k.t.Errorf("%s took %v", what, took)
	}
	return lines
}

// toMatrix does something on IRC and returns the event that anna sees because of
// it, within the time.
func (k *talk) toMatrix(what string, match func(bridgetest.Event) bool, do func()) bridgetest.Event {
	k.t.Helper()
	from := k.anna.Events.Len()
	began := time.Now()
	do()
	ctx, cancel := context.WithTimeout(k.ctx, 10*time.Second)
	defer cancel()
	e, _, err := k.anna.Await(ctx, from, k.room, what, match)
	if err != nil {
		k.t.Fatal(err)
	}
	if took := e.At.Sub(began); took > eachWay {
		k.t.Errorf("%s took %v", what, took)
	}
	return e
}

func (k *talk) ghost(nick string) string {
	return "@irc_" + k.network + "." + strings.ToLower(nick) + ":test"
}

func message(body string) func(bridgetest.Event) bool {
	return func(e bridgetest.Event) bool { return e.Type == "m.room.message" && e.Body() == body }
}

// membership matches a change to a membership of a user, with a reason that has
// the text.
func membership(user, to, reason string) func(bridgetest.Event) bool {
	return func(e bridgetest.Event) bool {
		return e.Type == "m.room.member" && e.StateKey != nil && *e.StateKey == user &&
			e.Field("membership") == to && strings.Contains(e.Field("reason"), reason)
	}
}

// unping removes the character that keeps a relayed name from alerting.
func unping(s string) string { return strings.ReplaceAll(s, "\u200b", "") }

func TestConversation(t *testing.T) {
	t.Parallel()
	t.Run("demonstration", func(t *testing.T) {
		t.Parallel()
		addr := ports.Addr(t)
		s := testserver.New(t, testserver.Options{Env: withToken,
			Extra: fmt.Sprintf("bridges:\n  - {id: irc, module: irc, config: {demo: {listen: %q}}}\n", addr)})
		conversation(t, s, nil, "demo", addr, "#lobby", []string{"ada", "brian", "carla"})
	})
	t.Run("ngircd", func(t *testing.T) {
		t.Parallel()
		ng := ircd.NgIRCd(t, "")
		// Whoever comes first to a channel of a real network is its operator.
		bob := person(withTimeout(t, patience), t, ng.Addr, "Bob", "#Chan")
		s := testserver.New(t, testserver.Options{Env: withToken,
			Extra: "bridges:\n" + bridgetest.IRCBridge("irc", "none", bridgetest.IRCNetwork{ID: "ng", Addr: ng.Addr, Channels: []string{"#Chan", "#other"}})})
		conversation(t, s, bob, "ng", ng.Addr, "#Chan", nil)
	})
	t.Run("inspircd", func(t *testing.T) {
		t.Parallel()
		insp := ircd.InspIRCd(t)
		bob := person(withTimeout(t, patience), t, insp.Addr, "Bob", "#chan")
		s := testserver.New(t, testserver.Options{Env: withToken,
			Extra: "bridges:\n" + bridgetest.IRCBridge("irc", "none", bridgetest.IRCNetwork{ID: "insp", Addr: insp.Addr, Channels: []string{"#chan", "#other"}})})
		conversation(t, s, bob, "insp", insp.Addr, "#chan", nil)
	})
	t.Run("hybrid", func(t *testing.T) {
		t.Parallel()
		hybrid := ircd.Hybrid(t)
		bob := person(withTimeout(t, patience), t, hybrid.Addr, "Bob", "#chan")
		s := testserver.New(t, testserver.Options{Env: withToken,
			Extra: "bridges:\n" + bridgetest.IRCBridge("irc", "none", bridgetest.IRCNetwork{ID: "hybrid", Addr: hybrid.Addr, Channels: []string{"#chan", "#other"}})})
		conversation(t, s, bob, "hybrid", hybrid.Addr, "#chan", nil)
	})
}

// conversation is what two people want of a bridge. bob is on IRC already, or nil.
func conversation(t *testing.T, s *testserver.Server, bob *bridgetest.Person, network, addr, channel string, people []string) {
	ctx := withTimeout(t, patience)
	anna := user(ctx, t, s, "anna", printedToken(t, s))
	k := &talk{t: t, ctx: ctx, anna: anna, channel: channel, network: network}

	// The space leads to the channel.
	space := joinSoon(ctx, t, anna, "#irc_"+network+":test")
	alias := "#irc_" + network + "_" + strings.ToLower(channel) + ":test"
	var room string
	waitFor(ctx, t, "the channel's alias", func() (ok bool) {
		var err error
		room, err = anna.Resolve(ctx, alias)
		return err == nil
	})
	waitFor(ctx, t, "the room in the space", func() bool {
		state, err := anna.AllState(ctx, space)
		return err == nil && slices.ContainsFunc(state, func(e bridgetest.Event) bool {
			return e.Type == "m.space.child" && e.StateKey != nil && *e.StateKey == room && e.Field("via") == "" && len(e.Content) > 2
		})
	})
	waitFor(ctx, t, "the room in the hierarchy of the space", func() bool {
		var hierarchy struct {
			Rooms []struct {
				RoomID string `json:"room_id"`
				Name   string `json:"name"`
				Alias  string `json:"canonical_alias"`
			} `json:"rooms"`
		}
		if err := anna.Do(ctx, "GET", "/v1/rooms/"+space+"/hierarchy", nil, &hierarchy); err != nil {
			t.Fatal(err)
		}
		for _, r := range hierarchy.Rooms {
			if r.RoomID == room && r.Name == channel && r.Alias == alias {
				return true
			}
		}
		return false
	})
	if k.room = joinSoon(ctx, t, anna, alias); k.room != room {
		t.Fatalf("%s is %s and %s", alias, room, k.room)
	}
	for _, nick := range people {
		waitFor(ctx, t, "the name of "+nick, func() bool {
			members, err := anna.Members(ctx, room)
			return err == nil && members[k.ghost(nick)] == nick
		})
	}
	if k.bob = bob; bob == nil {
		k.bob = person(ctx, t, addr, "Bob", channel)
	}
	waitFor(ctx, t, "Bob in the room", func() bool {
		members, err := anna.Members(ctx, room)
		_, ok := members[k.ghost("bob")]
		return err == nil && ok
	})
	// A new name is used from the next message on.
	if err := anna.Do(ctx, "PUT", "/v3/profile/"+anna.UserID+"/displayname", map[string]string{"displayname": "Anna"}, nil); err != nil {
		t.Fatal(err)
	}
	waitFor(ctx, t, "the bridge in the channel", func() bool {
		names, err := k.bob.Names(ctx, channel)
		return err == nil && (slices.Contains(names, "lbridge") || slices.Contains(names, "landbridge"))
	})
	waitFor(ctx, t, "bob in the room", func() bool {
		members, err := anna.Members(ctx, room)
		return err == nil && members[k.ghost("bob")] == "Bob"
	})
	k.words()
	k.formatting()
	k.answers()
	k.long()
	k.topics()
	k.modes()
	k.comings(addr)
	k.latency()
}

func (k *talk) words() {
	t := k.t
	e := k.toMatrix("a message", message("hello Matrix"), func() { k.bob.Say(k.channel, "hello Matrix") })
	if e.Sender != k.ghost("bob") || e.Field("msgtype") != "m.text" {
		t.Errorf("the message came as %v", e)
	}
	e = k.toMatrix("an action", message("waves"), func() { k.bob.Say(k.channel, "\x01ACTION waves\x01") })
	if e.Field("msgtype") != "m.emote" {
		t.Errorf("the action came as %v", e)
	}
	e = k.toMatrix("a notice", message("a notice"), func() { k.bob.Send("NOTICE " + k.channel + " :a notice") })
	if e.Field("msgtype") != "m.notice" {
		t.Errorf("the notice came as %v", e)
	}
	for _, c := range []struct{ what, kind, body, command, text string }{
		{"a message", "m.text", "hello IRC, schön 😀", "PRIVMSG", "<Anna> hello IRC, schön 😀"},
		{"an action", "m.emote", "dances", "PRIVMSG", "* Anna dances"},
		{"a notice", "m.notice", "take notice", "NOTICE", "<Anna> take notice"},
	} {
		lines := k.toIRC(c.what, 1, func() error {
			_, err := k.anna.Send(k.ctx, k.room, "m.room.message", map[string]any{"msgtype": c.kind, "body": c.body})
			return err
		})
		if l := lines[0]; l.Command != c.command || unping(l.Text()) != c.text {
			t.Errorf("%s to IRC: got %v, want %s %q", c.what, l, c.command, c.text)
		}
	}
}

func (k *talk) formatting() {
	t := k.t
	e := k.toMatrix("formatting", message("bold italic red plain"), func() {
		k.bob.Say(k.channel, "\x02bold\x02 \x1ditalic\x1d \x0304red\x03 plain")
	})
	html := e.Field("formatted_body")
	if e.Field("format") != "org.matrix.custom.html" || !strings.Contains(html, "<strong>bold</strong>") || !strings.Contains(html, "<em>italic</em>") || !strings.Contains(html, "color") {
		t.Errorf("formatting came as %v", e)
	}
	lines := k.toIRC("formatting", 1, func() error {
		_, err := k.anna.Send(k.ctx, k.room, "m.room.message", map[string]any{"msgtype": "m.text", "body": "**bold** and code",
			"format": "org.matrix.custom.html", "formatted_body": "<b>bold</b> and <i>slanted</i>"})
		return err
	})
	if text := unping(lines[0].Text()); !strings.Contains(text, "\x02bold") || !strings.Contains(text, "\x1dslanted") {
		t.Errorf("formatting went as %q", text)
	}
}

func (k *talk) answers() {
	t := k.t
	said := k.toMatrix("a question", message("what time is it?"), func() { k.bob.Say(k.channel, "what time is it?") })
	var reply string
	lines := k.toIRC("a reply", 1, func() (err error) {
		reply, err = k.anna.Send(k.ctx, k.room, "m.room.message", map[string]any{"msgtype": "m.text", "body": "half past ten",
			"m.relates_to": map[string]any{"m.in_reply_to": map[string]string{"event_id": said.ID}}})
		return err
	})
	if text := unping(lines[0].Text()); text != k.reply("Bob", "what time is it?", "half past ten") {
		t.Errorf("the reply went as %q", text)
	}
	lines = k.toIRC("an edit", 1, func() error {
		_, err := k.anna.Send(k.ctx, k.room, "m.room.message", map[string]any{"msgtype": "m.text", "body": "* half past eleven",
			"m.new_content": map[string]string{"msgtype": "m.text", "body": "half past eleven"},
			"m.relates_to":  map[string]string{"rel_type": "m.replace", "event_id": reply}})
		return err
	})
	if text := unping(lines[0].Text()); text != "<Anna> s/ten/eleven/" {
		t.Errorf("the edit went as %q", text)
	}
	k.answersToAnswers(reply)
}

// reply is what Anna's answer to somebody looks like: with a quote where the network has no tags that say what it answers.
func (k *talk) reply(to, quote, text string) string {
	if k.network == "ng" || k.network == "hybrid" {
		return "<Anna> " + to + ": “" + quote + "” — " + text
	}
	return "<Anna> " + to + ": " + text
}

func (k *talk) answersToAnswers(reply string) {
	lines := k.toIRC("a reply to a reply", 1, func() error {
		_, err := k.anna.Send(k.ctx, k.room, "m.room.message", map[string]any{"msgtype": "m.text", "body": "so late?",
			"m.relates_to": map[string]any{"m.in_reply_to": map[string]string{"event_id": reply}}})
		return err
	})
	if text := unping(lines[0].Text()); text != k.reply("Anna", "half past eleven", "so late?") {
		k.t.Errorf("the reply to a reply went as %q", text)
	}
}

// page fetches a page, as those who read IRC do.
func (k *talk) page(address string) string {
	k.t.Helper()
	req, err := http.NewRequestWithContext(k.ctx, http.MethodGet, address, nil)
	if err != nil {
		k.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		k.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		k.t.Fatalf("the page %s: %d %v", address, resp.StatusCode, err)
	}
	return string(body)
}

func (k *talk) long() {
	t := k.t
	words := make([]string, 400)
	for i := range words {
		words[i] = fmt.Sprintf("word%03d", i)
	}
	long := strings.Join(words[:200], " ")
	from := k.bob.Lines.Len()
	if _, err := k.anna.Say(k.ctx, k.room, long); err != nil {
		t.Fatal(err)
	}
	if _, _, err := k.bob.Await(k.ctx, from, "", "PRIVMSG", "word199"); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range k.bob.Lines.All(from) {
		if l.Command != "PRIVMSG" || !strings.Contains(l.Text(), "word") {
			continue
		}
		text, ok := strings.CutPrefix(unping(l.Text()), "<Anna> ")
		if !ok {
			t.Errorf("a part has no name: %q", l.Text())
		}
		got = append(got, text)
	}
	if joined := strings.Join(got, " "); joined != long || len(got) < 4 {
		t.Errorf("the long message came in %d parts, as %q", len(got), joined)
	}
	// What would take more lines than IRC likes is told by its beginning and a page with all of it.
	longer := strings.Join(words, " ")
	lines := k.toIRC("a longer message", 1, func() error {
		_, err := k.anna.Say(k.ctx, k.room, longer)
		return err
	})
	beginning, address, ok := strings.Cut(unping(lines[0].Text()), "… (the whole message: ")
	if !ok || !strings.HasPrefix("<Anna> "+longer, beginning) {
		t.Fatalf("the longer message went as %q", lines[0].Text())
	}
	if body := k.page(strings.TrimSuffix(address, ")")); !strings.Contains(body, longer) {
		t.Errorf("the page of the longer message says %q", body)
	}
	lines = k.toIRC("three lines", 3, func() error {
		_, err := k.anna.Say(k.ctx, k.room, "one\ntwo\n\nthree")
		return err
	})
	for i, want := range []string{"<Anna> one", "<Anna> two", "<Anna> three"} {
		if unping(lines[i].Text()) != want {
			t.Errorf("line %d: %q", i, lines[i].Text())
		}
	}
	// And in the other direction, a line as long as IRC allows.
	most := strings.Repeat("x", 400)
	k.toMatrix("a long line", message(most), func() { k.bob.Say(k.channel, most) })
}

func (k *talk) comings(addr string) {
	t := k.t
	// Connecting takes inspircd a second, which is not the bridge's.
	carl := person(k.ctx, t, addr, "Carl")
	k.toMatrix("a join", membership(k.ghost("carl"), "join", ""), func() { carl.Send("JOIN " + k.channel) })
	reason := "lunch"
	if k.network == "hybrid" {
		reason = "" // which it does not take from who has come just now
	}
	k.toMatrix("a part", membership(k.ghost("carl"), "leave", reason), func() { carl.Send("PART " + k.channel + " :lunch") })
	k.toMatrix("a second join", membership(k.ghost("carl"), "join", ""), func() { carl.Send("JOIN " + k.channel) })
	k.toMatrix("a nick change", func(e bridgetest.Event) bool {
		return membership(k.ghost("carl"), "join", "")(e) && e.Field("displayname") == "Carlos"
	}, func() { carl.Send("NICK Carlos") })
	e := k.toMatrix("a message after a nick change", message("still me"), func() { carl.Say(k.channel, "still me") })
	if e.Sender != k.ghost("carl") {
		t.Errorf("after a nick change the sender is %s", e.Sender)
	}
	k.toMatrix("a quit", membership(k.ghost("carl"), "leave", ""), func() { carl.Send("QUIT :tired") })
	dora := person(k.ctx, t, addr, "Dora")
	k.toMatrix("dora's join", membership(k.ghost("dora"), "join", ""), func() { dora.Send("JOIN " + k.channel) })
	from := k.bob.Lines.Len()
	k.bob.Send("KICK " + k.channel + " Dora :enough")
	l, _, err := k.bob.Lines.Wait(k.ctx, from, func(l bridgetest.Line) bool { return l.Command == "KICK" || l.Command == "482" })
	if err != nil {
		t.Fatal(err)
	}
	if l.Command == "KICK" {
		if _, _, err := k.anna.Await(k.ctx, 0, k.room, "the kick", membership(k.ghost("dora"), "leave", "enough")); err != nil {
			t.Error(err)
		}
	}
}

func (k *talk) latency() {
	t := k.t
	out, err := bridgetest.MatrixToIRC(k.ctx, k.anna, k.room, k.bob, 200)
	if err != nil {
		t.Fatal(err)
	}
	in, err := bridgetest.IRCToMatrix(k.ctx, k.bob, k.channel, k.anna, k.room, 200)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: Matrix to IRC %v; IRC to Matrix %v", k.network, out, in)
	if out.Percentile(50) > eachWay || in.Percentile(50) > eachWay {
		t.Error("a conversation is not possible at this pace")
	}
}
