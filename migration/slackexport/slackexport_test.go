package slackexport

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/migration/model"
)

const golden = "../testdata/slack/workspace"

// folder writes files and opens them as an export.
func folder(t testing.TB, files map[string]string) *Export {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e, err := Open(dir, Options{Now: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func all(t testing.TB, e *Export, id string) (out []*model.Message) {
	t.Helper()
	for _, c := range e.Channels() {
		if c.ID != id {
			continue
		}
		for m, err := range e.Messages(t.Context(), &c) {
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, m)
		}
	}
	return out
}

// who resolves nobody but by their ids.
type who struct{}

func (who) User(id string) (string, string)    { return "name of " + id, "@" + strings.ToLower(id) + ":x" }
func (who) Channel(id string) (string, string) { return "channel " + id, "https://x/" + id }
func (who) Emoji(string) string                { return "" }

func text(m *model.Message) model.Text {
	if m.Render == nil {
		return model.Text{}
	}
	return m.Render(who{})
}

func TestGolden(t *testing.T) {
	t.Parallel()
	e, err := Open(golden, Options{Workspace: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	kinds := map[string]model.Kind{}
	for _, c := range e.Channels() {
		kinds[c.ID] = c.Kind
	}
	for id, want := range map[string]model.Kind{"C024BE91L": model.Public, "G024BE94L": model.Private, "D024BE95L": model.Direct, "G024BE96L": model.Group} {
		if kinds[id] != want {
			t.Errorf("%s is %s", id, kinds[id])
		}
	}
	if n := len(all(t, e, "C024BE92L")); n != 3 {
		t.Errorf("%d messages in the folder with a name in Unicode", n)
	}
	list := all(t, e, "C024BE91L")
	by := map[string]*model.Message{}
	for _, m := range list {
		by[strings.TrimPrefix(m.Name, "c024be91l/")] = m
	}
	if !slices.IsSortedFunc(list, func(a, b *model.Message) int { return a.Time.Compare(b.Time) }) {
		t.Error("not in order")
	}
	hello := by["1600000100.000200"]
	if x := text(hello); x.Body != "Hello name of U024BE7LH, see channel C024BE92L & this bold👋" && !strings.Contains(x.HTML, "<strong> bold</strong>") || !slices.Equal(x.Users, []string{"@u024be7lh:x"}) {
		t.Errorf("text %+v", x)
	}
	if len(hello.Reactions) != 2 || hello.Reactions[0].Key != "👍" || hello.Reactions[1].Custom != "party_parrot" || hello.Reactions[1].Count != 3 {
		t.Errorf("reactions %+v", hello.Reactions)
	}
	for ts, want := range map[string]string{"1600000200.000300": "1600000100.000200", "1600100000.000100": "1600000100.000200", "1600000900.000100": "1500000000.000100"} {
		if got := by[ts].Thread; got != "c024be91l/"+want {
			t.Errorf("%s is in the thread %q", ts, got)
		}
	}
	if m := by["1600000210.000300"]; m.Reply != "c024be91l/1600000100.000200" || m.Thread != "" {
		t.Errorf("the broadcast is %+v", m)
	}
	for ts, want := range map[string]model.What{"1600000050.000100": model.Joined, "1600001400.000100": model.Left, "1600000300.000100": model.Topic,
		"1600000310.000100": model.Notice, "1600000400.000100": model.Emote, "1600000800.000100": model.Gone, "1600001500.000100": model.Notice} {
		if by[ts].What != want {
			t.Errorf("%s is %q, not %q", ts, by[ts].What, want)
		}
	}
	if a, b := by["1600000500.000100"], by["1600000501.000100"]; a.Sender == b.Sender || !strings.HasPrefix(a.Sender, "b024be7lz.") || a.Alias.Name != "deploy" {
		t.Errorf("the bot's names are %s and %s", a.Sender, b.Sender)
	}
	if m := by["1600000600.000100"]; m.Alias == nil || m.Alias.Name != "Eve" || !m.Alias.Stranger {
		t.Errorf("the stranger is %+v", m.Alias)
	}
	if f := by["1600001000.000100"].Files[0]; f.Open == nil || f.Link != "https://x.slack.com/files/U/F1/pic.png" {
		t.Errorf("the file is %+v", f)
	}
	var states []model.FileState
	for _, f := range by["1600001100.000100"].Files {
		states = append(states, f.State)
	}
	if !slices.Equal(states, []model.FileState{model.Deleted, model.Hidden, model.External, model.Present}) {
		t.Errorf("the files are %q", states)
	}
	if len(by["1600001200.000100"].Files) != 1 {
		t.Error("the old form of a file is not read")
	}
	for _, m := range list {
		for _, f := range m.Files {
			if strings.Contains(fmt.Sprintf("%v %+v %#v", f, f, f), "xoxe-secret") {
				t.Errorf("the token is printed: %v", f)
			}
		}
	}
	if p := e.Problems(); len(p) != 0 {
		t.Errorf("problems: %v", p)
	}
}

const general = `[{"id":"C0000000A","name":"general","created":1600000000,"members":["U0000000A"]}]`

func say(ts, text string) string {
	return fmt.Sprintf(`{"type":"message","user":"U0000000A","ts":%q,"text":%q}`, ts, text)
}

// TestBroken reads what is broken in many ways: the rest is there, and the report says where.
func TestBroken(t *testing.T) {
	t.Parallel()
	good := say("1600000200.000000", "good")
	for _, tc := range []struct {
		name, day string
		want      []string
		problem   string
	}{
		{"fine", "[" + good + "]", []string{"good"}, ""},
		{"empty", "", nil, ""},
		{"null", "null", nil, ""},
		{"cut off", "[" + good + `,{"type":"mess`, []string{"good"}, "is broken after 1 entries"},
		{"the end is missing", "[" + good, []string{"good"}, "is broken after 1 entries"},
		{"no array", `{"ok":false}`, nil, "is no JSON array"},
		{"no JSON", "<html>", nil, "is no JSON array"},
		{"odd entries", `[1,"x",null,` + good + "]", []string{"good"}, "is no message"},
		{"odd fields", `[{"user":"U0000000A","ts":"1600000100.000000","text":"odd","reactions":5,"files":"x","thread_ts":7,"blocks":"x","edited":[]},` + good + "]", []string{"odd", "good"}, ""},
		{"twice", "[" + good + "," + good + "]", []string{"good"}, ""},
		{"an id twice", "[" + good + "," + say("1600000200.000000", "other") + "]", []string{"good"}, "has the id of another message"},
		{"no time", "[" + say("", "x") + "," + say("yesterday", "x") + "," + good + "]", []string{"good"}, "which is none"},
		{"before Slack", "[" + say("1000000.000000", "x") + "," + good + "]", []string{"good"}, "which can't be"},
		{"after today", "[" + say("9900000000.000000", "x") + "," + good + "]", []string{"good"}, "which can't be"},
		{"out of order", "[" + say("1600000300.000000", "last") + "," + good + "]", []string{"good", "last"}, ""},
		{"latin", "[" + strings.Replace(good, "good", "gr\xfc\xdfe", 1) + "]", []string{"grüße"}, "is not in UTF-8"},
		{"nobody", `[{"ts":"1600000100.000000","text":"x"},` + good + "]", []string{"good"}, "nobody has said"},
		{"a byte order mark", "\xEF\xBB\xBF[" + good + "]", []string{"good"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := folder(t, map[string]string{"channels.json": general, "users.json": "[]", "general/2020-09-13.json": tc.day, "general/2020-09-14.json": "[" + say("1600100000.000000", "the day after") + "]"})
			var got []string
			for _, m := range all(t, e, "C0000000A") {
				got = append(got, text(m).Body)
			}
			if want := append(tc.want, "the day after"); !slices.Equal(got, want) {
				t.Errorf("messages %q instead of %q", got, want)
			}
			p := e.Problems()
			if tc.problem == "" && len(p) > 0 || tc.problem != "" && (len(p) == 0 || !strings.Contains(p[0].What, tc.problem) || !strings.HasPrefix(p[0].Where, "general/2020-09-13.json")) {
				t.Errorf("problems %v", p)
			}
		})
	}
}

// TestLayouts reads the other forms of exports.
func TestLayouts(t *testing.T) {
	t.Parallel()
	day := "[" + say("1600000200.000000", "hi") + "]"
	for _, tc := range []struct {
		name  string
		files map[string]string
		kind  model.Kind
	}{
		{"organisation", map[string]string{"org_users.json": `[{"id":"U0000000A","name":"a"}]`, "teams/acme/channels.json": general, "teams/acme/general/2020-09-13.json": day}, model.Public},
		{"by id", map[string]string{"channels.json": strings.Replace(general, "general", "renamed", 1), "C0000000A/2020-09-13.json": day}, model.Public},
		{"in no list", map[string]string{"users.json": `[{"id":"U0000000A","name":"a"}]`, "C0000000A/2020-09-13.json": day}, model.Private},
		{"a dump", map[string]string{"C0000000A.json": `{"channel_id":"C0000000A","name":"general","messages":` + day + `}`}, model.Public},
		{"private in channels.json", map[string]string{"channels.json": strings.Replace(general, `"created"`, `"is_private":true,"created"`, 1), "general/2020-09-13.json": day}, model.Private},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := folder(t, tc.files)
			list := all(t, e, "C0000000A")
			if len(list) != 1 || text(list[0]).Body != "hi" {
				t.Fatalf("messages %v; problems %v", list, e.Problems())
			}
			if c := e.Channels()[0]; c.Kind != tc.kind {
				t.Errorf("the channel is %s", c.Kind)
			}
		})
	}
	e := folder(t, map[string]string{"C0000000A.json": `{"channel_id":"C0000000A","messages":[` +
		strings.Replace(say("1600000200.000000", "root"), `"text"`, `"slackdump_thread_replies":[`+strings.Replace(say("1600000300.000000", "reply"), `"text"`, `"thread_ts":"1600000200.000000","text"`, 1)+`],"text"`, 1) + `]}`})
	if list := all(t, e, "C0000000A"); len(list) != 2 || list[1].Thread != list[0].Name {
		t.Errorf("the thread of a dump is %v", list)
	}
	if _, err := Open(t.TempDir(), Options{}); err == nil {
		t.Error("an empty folder is an export")
	}
}

func FuzzDay(f *testing.F) {
	raw, err := os.ReadFile(golden + "/general/2020-09-13.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte("[" + say("1600000200.000000", "x") + "]"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		e := folder(t, map[string]string{"channels.json": general, "general/2020-09-13.json": string(raw)})
		for _, m := range all(t, e, "C0000000A") {
			if m.Name == "" || m.Time.IsZero() {
				t.Errorf("message %+v", m)
			}
			text(m)
		}
	})
}

func FuzzLists(f *testing.F) {
	f.Add([]byte(general), []byte(`[{"id":"U0000000A"}]`))
	f.Fuzz(func(t *testing.T, channels, users []byte) {
		dir := t.TempDir()
		for name, raw := range map[string][]byte{"channels.json": channels, "users.json": users, "dms.json": channels} {
			if err := os.WriteFile(filepath.Join(dir, name), raw, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		e, err := Open(dir, Options{})
		if err != nil {
			return
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestNoExport: what is no export is told with what it is instead, and what can be done.
func TestNoExport(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, file, want string }{
		{"something else", "notes.txt", "neither channels.json nor users.json"},
		{"days alone", "general/2020-09-13.json", `"name": "general"`},
		{"slackdump's archive", "C0123456789.json.gz", "slackdump convert"},
		{"slackdump's lists", "users.json.gz", "slackdump convert"},
		{"slackdump's database", "slackdump.sqlite", "slackdump convert"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			name := filepath.Join(dir, tc.file)
			if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, []byte("[]"), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Error(err)
			}
		})
	}
}

// TestWithoutPeople: that the list of people is missing is told, and their names are those of their messages.
func TestWithoutPeople(t *testing.T) {
	t.Parallel()
	e := folder(t, map[string]string{"channels.json": `[{"id":"C0123456","name":"general"}]`,
		"general/2020-09-13.json": `[{"type":"message","user":"U1","user_profile":{"real_name":"Ann"},"text":"hi","ts":"1600000000.000100"}]`})
	if list := all(t, e, "C0123456"); len(list) != 1 || list[0].Alias == nil || list[0].Alias.Name != "Ann" {
		t.Errorf("messages %+v", list)
	}
	if p := e.Problems(); len(p) != 1 || p[0].Where != "users.json" || !p[0].Lost {
		t.Errorf("problems %+v", p)
	}
}

// TestCanvases: the documents of a channel come when they were made, unless a message has them.
func TestCanvases(t *testing.T) {
	t.Parallel()
	canvas := func(id string, created int, more string) string {
		return fmt.Sprintf(`{"id":%q,"created":%d,"title":"Notes %s","mode":"quip","user":"U0000000A","url_private_download":"https://files.slack.com/files-pri/T1-%s/download/canvas?t=xoxe-secret"%s}`, id, created, id, id, more)
	}
	e := folder(t, map[string]string{"channels.json": general, "users.json": `[{"id":"U0000000A","name":"ann"}]`,
		"general/canvas_in_the_conversation.json": "[" + canvas("F000000A1", 1600000250, "") + "," + canvas("F000000A2", 1600000260, "") + "," + canvas("F000000A3", 1600100000, "") + "," + canvas("F000000A4", 0, "") + "," +
			canvas("F000000A5", 1600000270, `,"is_tombstoned":true`) + `,{"id":7}]`,
		"general/2020-09-13.json": "[" + say("1600000200.000000", "before") + "," + strings.Replace(say("1600000300.000000", "with it"), `"text"`, `"files":[`+canvas("F000000A2", 1600000260, "")+`],"text"`, 1) + "]"})
	var got []string
	for _, m := range all(t, e, "C0000000A") {
		line := fmt.Sprintf("%d %s %s", m.Time.Unix(), m.Sender, text(m).Body)
		for _, f := range m.Files {
			line += " " + f.Name + " " + f.Type
		}
		got = append(got, line)
	}
	want := []string{"1600000200 u0000000a before", "1600000250 u0000000a  Notes F000000A1.html text/html", "1600000300 u0000000a with it Notes F000000A2.html text/html", "1600100000 u0000000a  Notes F000000A3.html text/html"}
	if !slices.Equal(got, want) {
		t.Errorf("messages %q", got)
	}
	if p := e.Problems(); len(p) != 2 || p[0].Where != "general/canvas_in_the_conversation.json" || !strings.Contains(p[0].What, "Notes F000000A4") {
		t.Errorf("problems %v", p)
	}
}

// TestLooseCanvases: canvases that are in none of the channels are told.
func TestLooseCanvases(t *testing.T) {
	t.Parallel()
	e := folder(t, map[string]string{"channels.json": general, "users.json": "[]", "canvases.json": `[{"id":"F1","title":"Shared","shares":[{"channel":"C0000000A"},{"channel":"D1"}]},` +
		`{"id":"F2","title":"Own"},{"id":"F3","title":"Away","shares":[{"channel":"C0000000Z"}]},{"id":"F4","is_tombstoned":true}]`})
	var got []string
	for _, p := range e.Problems() {
		got = append(got, p.Where+": "+p.What)
	}
	if want := []string{`canvases.json: the canvas "Own" is in no channel of the export, and is left out`, `canvases.json: the canvas "Away" is in no channel of the export, and is left out`}; !slices.Equal(got, want) {
		t.Errorf("problems %q", got)
	}
}

// TestNotBrought: what an export has beside messages and has no place here is told.
func TestNotBrought(t *testing.T) {
	t.Parallel()
	e := folder(t, map[string]string{"channels.json": general, "users.json": "[]", "lists.json": `[{"id":"F1"},{"id":"F2"}]`, "huddle_transcripts.json": `[""]`, "file_conversations.json": "[]"})
	if p := e.Problems(); len(p) != 1 || p[0].Where != "lists.json" || !strings.Contains(p[0].What, "2 entries") {
		t.Errorf("problems %v", p)
	}
}
