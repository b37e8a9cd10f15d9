package migration

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/integration/client"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// find is the only event of a room for which ok is true.
func find(t *testing.T, list []event, what string, ok func(event) bool) event {
	t.Helper()
	var found []event
	for _, e := range list {
		if ok(e) {
			found = append(found, e)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d events are %s, in\n%v", len(found), what, list)
	}
	return found[0]
}

func text(body string) func(event) bool {
	return func(e event) bool { return e.Type == "m.room.message" && e.Content["body"] == body }
}

func rel(e event) map[string]any {
	m, _ := e.Content["m.relates_to"].(map[string]any)
	return m
}

// members are who is in a room at the end of its timeline, without the bot.
func members(list []event) (in []string) {
	state := map[string]any{}
	for _, e := range list {
		if e.Type == "m.room.member" {
			state[*e.StateKey] = e.Content["membership"]
		}
	}
	for u, m := range state {
		if m == "join" && u != "@slackbot:test" {
			in = append(in, u)
		}
	}
	slices.Sort(in)
	return in
}

// TestGolden brings the export in that has one of everything, and looks at what it has become.
func TestGolden(t *testing.T) {
	t.Parallel()
	s := testserver.New(t, testserver.Options{})
	out := must(t, s, "run", golden, "-workspace", "acme", "-no-files")
	out += must(t, s, "run", golden, "-workspace", "acme", "-no-files")
	out += must(t, s, "verify", golden, "-workspace", "acme")
	all := rooms(t, s, "slack:acme")
	general := all["channel/c024be91l"]
	hello := find(t, general, "the hello", func(e event) bool {
		html, _ := e.Content["formatted_body"].(string)
		return e.Type == "m.room.message" && strings.Contains(html, "@slack_u024be7lh:test")
	})
	if hello.Sender != "@slack_u024be7lb:test" || hello.TS != 1600000100000 || !strings.Contains(hello.Content["formatted_body"].(string), "https://matrix.to/#/") {
		t.Errorf("the hello is %s", hello)
	}
	if r := rel(find(t, general, "a reply", text("a reply"))); r["rel_type"] != "m.thread" || r["event_id"] != hello.ID {
		t.Errorf("the reply relates to %v", r)
	}
	late := find(t, general, "the late reply", text("back with a late reply"))
	if r := rel(late); r["event_id"] != hello.ID || late.TS != 1600100000000 {
		t.Errorf("the late reply is %s", late)
	}
	if r := rel(find(t, general, "the broadcast", text("shown to all"))); r["rel_type"] != nil || r["m.in_reply_to"] == nil {
		t.Errorf("the broadcast relates to %v", r)
	}
	if r := rel(find(t, general, "the orphan", text("reply to nothing"))); r != nil {
		t.Errorf("the orphan relates to %v", r)
	}
	fixed := find(t, general, "the edited message", text("fixed text"))
	if e := find(t, general, "the edit", text("* fixed text")); rel(e)["event_id"] != fixed.ID || e.TS != 1600000160000 {
		t.Errorf("the edit is %s", e)
	}
	gone := find(t, general, "the redaction", func(e event) bool { return e.Type == "m.room.redaction" })
	if r := rel(find(t, general, "a reply to what is gone", text("reply to what was deleted"))); r["event_id"] != gone.Content["redacts"] {
		t.Errorf("the reply relates to %v, and %v is gone", r, gone)
	}
	var keys []string
	for _, e := range general {
		if e.Type == "m.reaction" {
			keys = append(keys, e.Sender+" "+rel(e)["key"].(string))
		}
	}
	if want := []string{"@slack_u024be7lh:test 👍", "@slack_u024be7lc:test 👍", "@slack_u024be7lh:test :party_parrot:"}; !slices.Equal(keys, want) {
		t.Errorf("reactions %q", keys)
	}
	if e := find(t, general, "the pins", func(e event) bool { return e.Type == "m.room.pinned_events" }); !slices.Equal(e.Content["pinned"].([]any), []any{hello.ID}) {
		t.Errorf("pinned %s", e)
	}
	if in, want := members(general), []string{"@slack_u024be7lb:test", "@slack_u024be7lc:test", "@slack_u024be7lh:test"}; !slices.Equal(in, want) {
		t.Errorf("in general are %q", in)
	}
	// Private conversations are for those who were in them, and for nobody else.
	for name, want := range map[string][]string{
		"channel/g024be94l": {"@slack_u024be7ld:test", "@slack_u024be7lh:test"},
		"channel/d024be95l": {"@slack_u024be7lb:test", "@slack_u024be7lh:test"},
		"channel/g024be96l": {"@slack_u024be7lb:test", "@slack_u024be7lc:test", "@slack_u024be7lh:test"},
	} {
		if in := members(all[name]); !slices.Equal(in, want) {
			t.Errorf("in %s are %q", name, in)
		}
		for _, e := range all[name] {
			if e.Type == "m.room.join_rules" && e.Content["join_rule"] != "invite" {
				t.Errorf("%s is open: %s", name, e)
			}
		}
	}
	ordered(t, general)
	noToken(t, s, out)
}

// ordered wants what was said in the order of time. Members who never said anything come at the end.
func ordered(t *testing.T, list []event) {
	t.Helper()
	last := int64(0)
	for _, e := range list {
		if e.Type != "m.room.message" || rel(e)["rel_type"] == "m.replace" {
			continue
		}
		if e.TS < last {
			t.Errorf("out of order: %s", e)
		}
		last = e.TS
	}
}

// noToken looks for the export's token in all that was written.
func noToken(t *testing.T, s *testserver.Server, out string) {
	t.Helper()
	const token = "xoxe-secret-token"
	if strings.Contains(out, token) || strings.Contains(s.Log(), token) {
		t.Error("the token is in what is printed")
	}
	err := filepath.WalkDir(s.DataDir(), func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(name)
		if bytes.Contains(raw, []byte(token)) {
			t.Errorf("the token is in %s", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestNewer brings in an export, and then a newer one: what is new is added, and nothing else changes.
func TestNewer(t *testing.T) {
	t.Parallel()
	s := testserver.New(t, testserver.Options{})
	dir := t.TempDir()
	write := func(day string, messages ...map[string]any) {
		put(t, filepath.Join(dir, "general", day+".json"), messages)
	}
	put(t, filepath.Join(dir, "users.json"), []map[string]any{{"id": "U0000000A", "name": "ann"}, {"id": "U0000000B", "name": "bob"}})
	put(t, filepath.Join(dir, "channels.json"), []map[string]any{{"id": "C0000000A", "name": "general", "created": 1600000000, "members": []string{"U0000000A"}}})
	say := func(user, ts, text string) map[string]any {
		return map[string]any{"user": user, "ts": ts, "text": text}
	}
	first := say("U0000000A", "1600000100.000000", "first")
	write("2020-09-13", first, say("U0000000B", "1600000200.000000", "second"))
	must(t, s, "run", dir, "-workspace", "acme")
	before := rooms(t, s, "slack:acme")["channel/c0000000a"]
	first["text"], first["edited"] = "first, better", map[string]any{"ts": "1600200000.000000"}
	first["reactions"] = []map[string]any{{"name": "tada", "users": []string{"U0000000B"}, "count": 1}}
	write("2020-09-13", first, map[string]any{"user": "U0000000B", "ts": "1600000200.000000", "subtype": "tombstone"})
	write("2020-09-15", say("U0000000B", "1600200100.000000", "third"))
	must(t, s, "run", dir, "-workspace", "acme")
	after := rooms(t, s, "slack:acme")["channel/c0000000a"]
	for i, e := range before {
		if after[i].ID != e.ID {
			t.Fatalf("event %d was %s and is %s", i, e, after[i])
		}
	}
	fresh := after[len(before):]
	root := find(t, before, "the first", text("first"))
	if e := find(t, fresh, "the edit", text("* first, better")); rel(e)["event_id"] != root.ID {
		t.Errorf("the edit is %s", e)
	}
	find(t, fresh, "the third", text("third"))
	find(t, fresh, "the reaction", func(e event) bool { return e.Type == "m.reaction" && rel(e)["event_id"] == root.ID })
	find(t, fresh, "the redaction", func(e event) bool { return e.Type == "m.room.redaction" })
	must(t, s, "run", dir, "-workspace", "acme")
	if again := rooms(t, s, "slack:acme")["channel/c0000000a"]; len(again) != len(after) {
		t.Errorf("%d events instead of %d", len(again), len(after))
	}
}

// TestQuiet has somebody in a room into which history comes: they see it, and it is not news.
func TestQuiet(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := testserver.New(t, testserver.Options{})
	dir := t.TempDir()
	put(t, filepath.Join(dir, "users.json"), []map[string]any{{"id": "U0000000A", "name": "ann"}})
	put(t, filepath.Join(dir, "channels.json"), []map[string]any{{"id": "C0000000A", "name": "general", "created": 1600000000, "members": []string{"U0000000A"}}})
	put(t, filepath.Join(dir, "general", "2020-09-13.json"), []map[string]any{{"user": "U0000000A", "ts": "1600000100.000000", "text": "first"}})
	mapping := filepath.Join(t.TempDir(), "m.yaml")
	must(t, s, "plan", dir, "-workspace", "acme", "-o", mapping)
	replace(t, mapping, "admins: []", "admins: [\"@anna:test\"]")
	anna, err := (&client.Client{URL: s.URL()}).Register(ctx, "anna")
	if err != nil {
		t.Fatal(err)
	}
	must(t, s, "run", dir, "-workspace", "acme", "-mapping", mapping)
	if err := anna.Join(ctx, "#slack_acme_general:"+s.Name()); err != nil {
		t.Fatal(err)
	}
	var began struct {
		Next string `json:"next_batch"`
	}
	if err := anna.Do(ctx, "GET", "/_matrix/client/v3/sync", nil, nil, &began); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "general", "2020-09-14.json"), []map[string]any{{"user": "U0000000A", "ts": "1600100100.000000", "text": "second"}})
	must(t, s, "run", dir, "-workspace", "acme", "-mapping", mapping)
	var sync struct {
		Rooms struct {
			Join map[string]struct {
				Timeline struct {
					Events []json.RawMessage `json:"events"`
				} `json:"timeline"`
				Unread struct {
					Notifications int `json:"notification_count"`
				} `json:"unread_notifications"`
			} `json:"join"`
		} `json:"rooms"`
	}
	if err := anna.Do(ctx, "GET", "/_matrix/client/v3/sync", map[string][]string{"since": {began.Next}}, nil, &sync); err != nil {
		t.Fatal(err)
	}
	if len(sync.Rooms.Join) != 1 {
		t.Fatalf("%d rooms have news", len(sync.Rooms.Join))
	}
	for _, r := range sync.Rooms.Join {
		if len(r.Timeline.Events) == 0 || r.Unread.Notifications != 0 {
			t.Errorf("%d events and %d notifications", len(r.Timeline.Events), r.Unread.Notifications)
		}
	}
}
