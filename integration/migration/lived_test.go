package migration

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/slack/slacktest"
	"github.com/landbridge-im/landbridge/homeserver/importer/wire"
	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// lived is a workspace whose bridge has made rooms and talked in them before its export is brought in.
type lived struct {
	*watcher
	slack            *slacktest.Server
	s                *testserver.Server
	bob, carol, gone string
	channel, secret  string
	export, mapping  string
}

// day is when the past is.
var day = time.Date(2023, 5, 1, 12, 0, 0, 0, time.UTC)

// old says something in the past.
func (l *lived) old(user, text string, after time.Duration, extra slacktest.Object) string {
	at := day.Add(after)
	o := slacktest.Object{"ts": fmt.Sprintf("%d.%06d", at.Unix(), 100)}
	for k, v := range extra {
		o[k] = v
	}
	return l.slack.Say(user, l.channel, text, o)
}

// newLived starts a bridge in a workspace where past has been said.
func newLived(t *testing.T, past func(*lived)) *lived {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	l := &lived{watcher: &watcher{t: t, ctx: ctx}, slack: slacktest.New(t)}
	l.bob, l.carol, l.gone = l.slack.AddUser("bob", "Bob"), l.slack.AddUser("carol", "Carol"), l.slack.AddUser("gone", "Gone Girl")
	l.channel = l.slack.AddChannel("general", false, l.bob, l.carol, slacktest.BotUser)
	l.secret = l.slack.AddChannel("secret", true, l.bob, slacktest.BotUser)
	past(l)
	l.s = testserver.New(t, testserver.Options{Extra: fmt.Sprintf(`bridges:
  - id: slack
    module: slack
    enabled: true
    config:
      workspaces: [{id: acme, app_token: %s, bot_token: %s, api_url: %s}]
`, slacktest.AppToken, slacktest.BotToken, l.slack.URL)})
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(l.s.Log())
		}
	})
	l.slack.AwaitConnected(t, 1)
	anna, err := bridgetest.Register(ctx, l.s.URL(), "anna", "")
	if err != nil {
		t.Fatal(err)
	}
	l.m = anna
	for l.room == "" {
		l.room = l.find("general")
	}
	if err := anna.Follow(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(anna.Close)
	return l
}

// find joins a room of the space by its name; "" if it is not there yet.
func (l *lived) find(name string) string {
	l.t.Helper()
	if err := l.ctx.Err(); err != nil {
		l.t.Fatal(err)
	}
	space, err := l.m.Join(l.ctx, "#slack_acme:"+l.s.Name())
	if err != nil {
		return ""
	}
	var out struct {
		Rooms []struct {
			ID   string `json:"room_id"`
			Name string `json:"name"`
		} `json:"rooms"`
	}
	if err := l.m.Do(l.ctx, "GET", "/v1/rooms/"+space+"/hierarchy", nil, &out); err != nil {
		l.t.Fatal(err)
	}
	for _, r := range out.Rooms {
		if r.Name != name {
			continue
		}
		if _, err := l.m.Join(l.ctx, r.ID); err == nil {
			return r.ID
		}
	}
	return ""
}

// bridge starts the server again with or without its bridge.
func (l *lived) bridge(on bool) {
	l.t.Helper()
	if err := l.s.Stop(); err != nil {
		l.t.Fatal(err)
	}
	replace(l.t, l.s.Config(), fmt.Sprintf("enabled: %t", !on), fmt.Sprintf("enabled: %t", on))
	if err := l.s.Start(l.ctx); err != nil {
		l.t.Fatal(err)
	}
}

// write writes an export of some messages of the public channel, and all of the private one, and its mapping.
func (l *lived) write(messages []slacktest.Object) {
	l.t.Helper()
	l.export = l.t.TempDir()
	names := map[string]string{l.bob: "Bob", l.carol: "Carol", l.gone: "Gone Girl"}
	var people []map[string]any
	for id, name := range names {
		people = append(people, map[string]any{"id": id, "name": strings.ToLower(name), "real_name": name, "deleted": id == l.gone, "profile": map[string]any{"real_name": name}})
	}
	people = append(people, map[string]any{"id": slacktest.BotUser, "name": "bridge", "is_bot": true, "profile": map[string]any{"real_name": "bridge"}})
	put(l.t, filepath.Join(l.export, "users.json"), people)
	put(l.t, filepath.Join(l.export, "channels.json"), []any{map[string]any{"id": l.channel, "name": "general", "created": 1600000000, "members": []string{l.bob, l.carol}}})
	put(l.t, filepath.Join(l.export, "groups.json"), []any{map[string]any{"id": l.secret, "name": "secret", "created": 1600000000, "members": []string{l.bob}}})
	for name, list := range map[string][]slacktest.Object{"general": messages, "secret": l.slack.Messages(l.secret)} {
		days := map[string][]slacktest.Object{}
		for _, m := range list {
			var sec int64
			if _, err := fmt.Sscanf(m["ts"].(string), "%d.", &sec); err != nil {
				l.t.Fatal(err)
			}
			date := time.Unix(sec, 0).UTC().Format(time.DateOnly)
			days[date] = append(days[date], m)
		}
		for date, list := range days {
			put(l.t, filepath.Join(l.export, name, date+".json"), list)
		}
	}
	l.mapping = filepath.Join(l.t.TempDir(), "mapping.yaml")
	must(l.t, l.s, "plan", l.export, "-o", l.mapping)
}

// history is what a client sees of the room, oldest first.
func (l *lived) history() []bridgetest.Event {
	l.t.Helper()
	all, err := l.m.History(l.ctx, l.room)
	if err != nil {
		l.t.Fatal(err)
	}
	return all
}

// texts are the messages of a history, without edits.
func texts(all []bridgetest.Event) (list []string) {
	for _, e := range all {
		if kind, _, _ := relation(e); e.Type == "m.room.message" && kind != "m.replace" && e.Body() != "" {
			list = append(list, e.Body())
		}
	}
	return list
}

func byBody(t *testing.T, all []bridgetest.Event, body string) bridgetest.Event {
	t.Helper()
	i := slices.IndexFunc(all, said(body))
	if i < 0 {
		t.Fatalf("there is no %q in %q", body, texts(all))
	}
	return all[i]
}

// TestLived has a bridge talk first, and then brings in an export that is older, and overlaps with what the bridge has.
func TestLived(t *testing.T) {
	t.Parallel()
	var root, older string
	l := newLived(t, func(l *lived) {
		l.old(l.gone, "from somebody who has left", 0, nil)
		root = l.old(l.bob, "the root", time.Hour, nil)
		l.old(l.carol, "in the thread", 2*time.Hour, slacktest.Object{"thread_ts": root})
		older = l.old(l.bob, "older", 3*time.Hour, nil)
		l.slack.React(l.carol, l.channel, older, "tada", true)
		l.slack.Say(l.bob, l.secret, "an old secret", slacktest.Object{"ts": fmt.Sprintf("%d.000200", day.Unix())})
	})
	one := l.slack.Say(l.bob, l.channel, "live one", nil)
	l.slack.React(l.carol, l.channel, one, "+1", true)
	two := l.slack.Say(l.carol, l.channel, "live two", nil)
	taken := l.slack.Say(l.carol, l.channel, "taken back", nil)
	l.await("a live message", said("taken back"))
	if _, err := l.m.Say(l.ctx, l.room, "from Matrix"); err != nil {
		t.Fatal(err)
	}
	l.slack.AwaitMessage(t, l.channel, "what is said in Matrix", func(m slacktest.Object) bool { return m["text"] == "from Matrix" })
	if _, err := l.m.Send(l.ctx, l.room, "m.reaction", map[string]any{"m.relates_to": map[string]any{"rel_type": "m.annotation", "event_id": byBody(t, l.history(), "live one").ID, "key": "🚀"}}); err != nil {
		t.Fatal(err)
	}
	l.slack.AwaitMessage(t, l.channel, "a reaction from Matrix", func(m slacktest.Object) bool { return strings.Contains(fmt.Sprint(m["reactions"]), "rocket") })
	all := l.slack.Messages(l.channel)
	deleted := all[slices.IndexFunc(all, func(m slacktest.Object) bool { return m["ts"] == taken })]
	l.slack.Delete(l.channel, taken)
	l.await("a deletion", func(e bridgetest.Event) bool { return e.Type == "m.room.redaction" })
	l.slack.Say(l.bob, l.channel, "the last one", nil)
	l.await("the last live message", said("the last one"))
	l.bridge(false)
	var rule map[string]any

	// While the bridge is away.
	l.slack.Edit(l.channel, two, slacktest.Object{"text": "live two, better"})
	l.slack.React(l.bob, l.channel, two, "heart", true)
	l.slack.Say(l.carol, l.channel, "missed", nil)
	list := append(l.slack.Messages(l.channel), deleted)
	slices.SortFunc(list, func(a, b slacktest.Object) int { return cmp.Compare(a["ts"].(string), b["ts"].(string)) })
	l.write(list)
	must(t, l.s, "run", l.export, "-mapping", l.mapping)
	must(t, l.s, "verify", l.export, "-mapping", l.mapping)
	secret := l.roomOf(l.secret)
	first := l.history()
	if out := must(t, l.s, "run", l.export, "-mapping", l.mapping); !strings.Contains(out, " 0 events are new") {
		t.Errorf("the second run says %s", out)
	}
	if second := l.history(); !slices.EqualFunc(first, second, func(a, b bridgetest.Event) bool { return a.ID == b.ID }) {
		t.Errorf("the second run has changed the room: %q, %q", texts(first), texts(second))
	}

	l.slack.Say(l.bob, l.channel, "after the export", nil)
	l.bridge(true)
	l.slack.AwaitConnected(t, 1)
	l.slack.Say(l.bob, l.channel, "live again", nil)
	l.await("a live message", said("live again"))
	want := []string{"from somebody who has left", "the root", "in the thread", "older", "live one", "live two", "from Matrix", "the last one", "missed", "after the export", "live again"}
	past := l.history()
	if have := texts(past); !slices.Equal(have, want) {
		t.Errorf("the room has\n%q, wanted\n%q", have, want)
	}
	if e := byBody(t, past, "the root"); e.Sender != "@slack_"+strings.ToLower(l.bob)+":test" || e.TS != day.Add(time.Hour).UnixMilli() {
		t.Errorf("the root is of %s at %d", e.Sender, e.TS)
	}
	if kind, to, _ := relation(byBody(t, past, "in the thread")); kind != "m.thread" || to != byBody(t, past, "the root").ID {
		t.Errorf("the reply is in %s of %s", kind, to)
	}
	counts := map[string]int{}
	for _, e := range past {
		if kind, to, key := relation(e); kind == "m.annotation" || kind == "m.replace" {
			i := slices.IndexFunc(past, func(x bridgetest.Event) bool { return x.ID == to })
			counts[kind+" "+past[max(i, 0)].Body()+" "+key]++
		}
	}
	for _, what := range []string{"m.annotation older 🎉", "m.annotation live one 👍", "m.annotation live one 🚀", "m.annotation live two ❤️", "m.replace live two "} {
		if counts[what] != 1 {
			t.Errorf("%s is there %d times: %v", what, counts[what], counts)
		}
	}
	// Who has left is known by name.
	var member map[string]string
	if err := l.m.State(l.ctx, l.room, "m.room.member", "@slack_"+strings.ToLower(l.gone)+":test", &member); err != nil || member["membership"] != "leave" || !strings.HasPrefix(member["displayname"], "Gone Girl") {
		t.Errorf("who has left is %v, %v", member, err)
	}
	// What is around something old.
	var around struct {
		Before []bridgetest.Event `json:"events_before"`
		After  []bridgetest.Event `json:"events_after"`
	}
	if err := l.m.Do(l.ctx, "GET", "/v3/rooms/"+url.PathEscape(l.room)+"/context/"+url.PathEscape(byBody(t, past, "older").ID)+"?limit=10", nil, &around); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(around.Before)
	if b, a := texts(around.Before), texts(around.After); len(b) == 0 || b[len(b)-1] != "in the thread" || len(a) == 0 || a[0] != "live one" {
		t.Errorf("around it are %q and %q", b, a)
	}
	// The private channel is as private as before.
	if err := l.m.State(l.ctx, secret, "m.room.join_rules", "", &rule); !bridgetest.IsStatus(err, 403) {
		t.Errorf("anna sees the private channel: %v %v", rule, err)
	}
	if list := timeline(t, console(l.s), secret); !slices.ContainsFunc(list, func(e event) bool { return e.Content["body"] == "an old secret" }) {
		t.Error("the private channel has no past")
	}

	// Slack goes on with what was brought in.
	l.slack.Edit(l.channel, older, slacktest.Object{"text": "older, better"})
	if kind, to, _ := relation(l.await("an edit", said("* older, better"))); kind != "m.replace" || to != byBody(t, past, "older").ID {
		t.Errorf("the edit is %s of %s", kind, to)
	}
	l.slack.Say(l.carol, l.channel, "more in the thread", slacktest.Object{"thread_ts": root})
	if kind, to, _ := relation(l.await("a reply", said("more in the thread"))); kind != "m.thread" || to != byBody(t, past, "the root").ID {
		t.Errorf("the reply is in %s of %s", kind, to)
	}
	l.slack.Delete(l.channel, older)
	if e := l.await("a deletion", func(e bridgetest.Event) bool {
		return e.Type == "m.room.redaction" && redactedBy(e) == byBody(t, past, "older").ID
	}); e.ID == "" {
		t.Error("no deletion")
	}
	// And Matrix.
	if _, err := l.m.Send(l.ctx, l.room, "m.room.message", map[string]any{"msgtype": "m.text", "body": "a reply from Matrix",
		"m.relates_to": map[string]any{"rel_type": "m.thread", "event_id": byBody(t, past, "the root").ID}}); err != nil {
		t.Fatal(err)
	}
	l.slack.AwaitMessage(t, l.channel, "a reply from Matrix", func(m slacktest.Object) bool {
		return m["text"] == "a reply from Matrix" && m["thread_ts"] == root
	})
	// What was brought in is found.
	var found struct {
		Categories struct {
			Events struct {
				Results []struct {
					Result bridgetest.Event `json:"result"`
				} `json:"results"`
			} `json:"room_events"`
		} `json:"search_categories"`
	}
	if err := l.m.Do(l.ctx, "POST", "/v3/search", map[string]any{"search_categories": map[string]any{"room_events": map[string]any{"search_term": "somebody"}}}, &found); err != nil {
		t.Fatal(err)
	}
	if r := found.Categories.Events.Results; len(r) != 1 || r[0].Result.Body() != "from somebody who has left" {
		t.Errorf("a search finds %v", r)
	}
}

// roomOf is the room that a channel was brought into.
func (l *lived) roomOf(channel string) string {
	l.t.Helper()
	var seen wire.Looked
	if err := console(l.s).Do(l.ctx, "look", wire.Look{Source: "slack:acme", Remotes: []string{"room/channel/" + strings.ToLower(channel)}}, &seen); err != nil || len(seen.Items) != 1 {
		l.t.Fatalf("there is no room of %s: %v", channel, err)
	}
	return seen.Items[0].RoomID
}
