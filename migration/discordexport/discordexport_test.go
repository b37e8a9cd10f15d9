package discordexport

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/migration/model"
)

const golden = "../testdata/discord/guild"

func all(t testing.TB, e *Export, name string) (out []*model.Message) {
	t.Helper()
	for _, c := range e.Channels() {
		if c.Name != name {
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

type nobody struct{}

func (nobody) User(id string) (string, string) { return "", "@" + id + ":x" }
func (nobody) Channel(string) (string, string) { return "", "" }
func (nobody) Emoji(string) string             { return "" }
func text(m *model.Message) (out model.Text) {
	if m.Render != nil {
		out = m.Render(nobody{})
	}
	return out
}

func TestGolden(t *testing.T) {
	t.Parallel()
	e, err := Open(golden)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if s := e.Source(); s.Key() != "discord:100" || s.Name != "Guild & Co" {
		t.Errorf("the source is %+v", s)
	}
	list := all(t, e, "general")
	var bodies []string
	for _, m := range list {
		bodies = append(bodies, text(m).Body)
	}
	want := []string{"Hello @bob and **bold** :cat:", "an answer", "start of a thread", "in the thread", "", "> **Build (https://ci.example.com)**\n> passed\n> **Took**\n> 5 s", "news", "later in it", "Pinned a message", "", "fwd\nForwarded\n> from elsewhere", "Joined the server"}
	if !slices.Equal(bodies, want) {
		t.Errorf("bodies %q", bodies)
	}
	if !slices.IsSortedFunc(list, func(a, b *model.Message) int { return a.Time.Compare(b.Time) }) {
		t.Error("not in order")
	}
	if m := list[0]; !m.Pinned || len(m.Reactions) != 2 || m.Reactions[0].Key != "👍" || m.Reactions[0].Count != 3 || m.Reactions[1].Custom != "cat" || m.Reactions[1].Picture.Open == nil ||
		!slices.Contains(text(m).Users, "@12:x") {
		t.Errorf("the first message is %+v", m)
	}
	if list[1].Reply != list[0].Name || list[1].Edited.IsZero() {
		t.Errorf("the answer is %+v", list[1])
	}
	if list[3].Thread != list[2].Name || list[7].Thread != list[2].Name || list[2].Thread != "" {
		t.Errorf("the thread is %q, %q", list[3].Thread, list[7].Thread)
	}
	if f := list[4].Files; len(f) != 2 || f[0].Open == nil || f[0].Part != "a800" || f[1].URL == "" || strings.Contains(f[1].Link, "secret") {
		t.Errorf("the files are %+v", f)
	}
	if list[5].What != model.Notice || list[8].What != model.Emote || !strings.HasPrefix(list[6].Sender, "webhook.14.") {
		t.Errorf("the sorts are %q, %q, %q", list[5].What, list[8].What, list[6].Sender)
	}
	ideas := all(t, e, "Ideas")
	if len(ideas) != 2 || ideas[0].Thread != "" || ideas[1].Thread != ideas[0].Name {
		t.Errorf("the post in the forum is %v", ideas)
	}
	for _, c := range e.Channels() {
		if c.Kind == model.Public {
			t.Errorf("%s is public, and nobody has said so", c.Name)
		}
	}
	if p := e.Problems(); len(p) != 0 {
		t.Errorf("problems: %v", p)
	}
}

const begin = `{"guild":{"id":"100","name":"G"},"channel":{"id":"200","type":"GuildTextChat","name":"general"},"messages":[`
const one = `{"id":"200000000000","type":"Default","timestamp":"2020-01-01T00:00:00+00:00","content":"good","author":{"id":"11","name":"ann"}}`

func open(t testing.TB, raw string) (*Export, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.json"), []byte(raw), 0o600); err != nil {
		t.Fatal(err)
	}
	return Open(dir)
}

func TestBroken(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, raw string
		want      int
		problem   string
	}{
		{"fine", begin + one + "]}", 1, ""},
		{"cut off", begin + one + `,{"id":`, 1, "is broken after 1 messages"},
		{"odd entries", begin + `1,"x",null,{},` + one + "]}", 1, "is no message"},
		{"twice", begin + one + "," + one + "]}", 1, ""},
		{"no time", begin + strings.Replace(one, "2020-01-01T00:00:00+00:00", "yesterday", 1) + "]}", 1, "which is none"},
		{"after today", begin + strings.Replace(one, "2020", "2920", 1) + "]}", 0, "which can't be"},
		{"before Discord", begin + strings.Replace(one, "2020", "1920", 1) + "]}", 0, "which can't be"},
		{"nobody", begin + strings.Replace(one, `"id":"11"`, `"id":null`, 1) + "]}", 0, "nobody has said"},
		{"one that is too long", begin + one + `,{"id":"200000000001","content":"` + strings.Repeat("x", maxMessage+1000) + `"}]}`, 1, "longer than 16 MiB"},
		{"latin", begin + strings.Replace(one, `"content":"`, `"content":"`+"gr\xfc\xdfe ", 1) + "]}", 1, "not in UTF-8"},
		{"a byte order mark", "\xEF\xBB\xBF" + begin + one + "]}", 1, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e, err := open(t, tc.raw)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			if n := len(all(t, e, "general")); n != tc.want {
				t.Errorf("%d messages", n)
			}
			p := e.Problems()
			if tc.problem == "" && len(p) > 0 || tc.problem != "" && (len(p) == 0 || !strings.Contains(p[0].What, tc.problem)) {
				t.Errorf("problems %v", p)
			}
		})
	}
	for _, raw := range []string{"", "[]", "{}", "x", `{"guild":{"id":"1"}}`} {
		if _, err := open(t, raw); err == nil {
			t.Errorf("%q is an export", raw)
		}
	}
}

// FuzzGuild: whatever guild.json says, the messages are there.
func FuzzGuild(f *testing.F) {
	f.Add([]byte(`{"format":"landbridge-discord-guild","guild":{"id":"100","name":"G","owner_id":"11","roles":[{"id":"100","permissions":"1024"}],"emojis":[{"id":"7","name":"cat"}]},
		"channels":[{"id":"200","type":0,"name":"general","position":3,"parent_id":"190","permission_overwrites":[{"id":"11","type":1,"deny":"1024"}]},{"id":"190","type":4}],
		"threads":[{"id":"300","type":12,"parent_id":"200"}],"members":[{"user":{"id":"11","username":"ann","avatar":"../x"},"roles":["100"]}],"members_known":true,"thread_members":{"300":["11","x"]}}`))
	f.Add([]byte(`{"format":"landbridge-discord-guild","guild":{"id":"100"},"channels":{},"threads":[1,null],"members":[null,{"user":7}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		dir := t.TempDir()
		for name, data := range map[string][]byte{"a.json": []byte(begin + one + "]}"), "guild.json": raw} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		e, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		n := 0
		for _, c := range e.Channels() {
			for _, err := range e.Messages(t.Context(), &c) {
				if err != nil {
					t.Fatal(err)
				}
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d messages", n)
		}
		for _, p := range e.People() {
			if p.Avatar != nil && strings.Contains(p.Avatar.ID, "..") {
				t.Errorf("a picture is at %q", p.Avatar.ID)
			}
		}
	})
}

func FuzzFile(f *testing.F) {
	raw, err := os.ReadFile(golden + "/general [part 2].json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(raw))
	f.Add(begin + one + "]}")
	f.Fuzz(func(t *testing.T, raw string) {
		e, err := open(t, raw)
		if err != nil {
			return
		}
		defer e.Close()
		for _, c := range e.Channels() {
			for m, err := range e.Messages(t.Context(), &c) {
				if err != nil {
					t.Fatal(err)
				}
				text(m)
			}
		}
	})
}

// TestOrder: exports can be newest first, in parts that overlap, or put together by hand; what was said is there once, in order.
func TestOrder(t *testing.T) {
	t.Parallel()
	message := func(id, minute, text string) string {
		return `{"id":"` + id + `","type":"Default","timestamp":"2020-01-01T00:` + minute + `:00+00:00","content":"` + text + `","author":{"id":"11","name":"ann"}}`
	}
	a, b, c, d := message("200000000001", "01", "a"), message("200000000002", "02", "b"), message("200000000003", "03", "c"), message("5", "04", "d")
	for name, tc := range map[string]struct {
		files   map[string][]string
		problem string
	}{
		"as it is":   {files: map[string][]string{"x.json": {a, b, c, d}}},
		"backwards":  {files: map[string][]string{"x.json": {d, c, b, a}}},
		"by hand":    {files: map[string][]string{"x.json": {c, a, d, b}}},
		"parts":      {files: map[string][]string{"x [part 1].json": {a, b}, "x [part 2].json": {c, d}}},
		"parts back": {files: map[string][]string{"x [part 1].json": {d, c}, "x [part 2].json": {b, a}}},
		"overlap":    {files: map[string][]string{"old.json": {a, b, c}, "new.json": {b, c, d}}},
		"two of one": {files: map[string][]string{"x.json": {a, b, c, message("200000000003", "05", "other"), d}}, problem: "has the id of another message"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for file, list := range tc.files {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(begin+strings.Join(list, ",")+"]}"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			e, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			var got []string
			for _, m := range all(t, e, "general") {
				got = append(got, text(m).Body)
			}
			if !slices.Equal(got, []string{"a", "b", "c", "d"}) {
				t.Errorf("messages %q", got)
			}
			if p := e.Problems(); (tc.problem == "") != (len(p) == 0) || len(p) > 0 && !strings.Contains(p[0].What, tc.problem) {
				t.Errorf("problems %v", p)
			}
		})
	}
}

// TestShapes reads messages whose shapes are rare.
func TestShapes(t *testing.T) {
	t.Parallel()
	said := func(fields string) string {
		return begin + strings.Replace(one, `"content":"good"`, fields, 1) + "]}"
	}
	for _, tc := range []struct{ name, raw, want string }{
		{"nothing but an embed", said(`"content":"","embeds":[{"title":"A talk","url":"https://example.org/t","description":"at noon"}]`), "> **A talk (https://example.org/t)**\n> at noon"},
		{"a preview", said(`"content":"https://example.org/t","embeds":[{"title":"A talk","url":"https://example.org/t"}]`), "https://example.org/t"},
		{"how a poll ended", strings.Replace(said(`"content":"","embeds":[{"title":"","fields":[{"name":"poll_question_text","value":"Tea?"},{"name":"victor_answer_votes","value":"2"},{"name":"total_votes","value":"3"},{"name":"victor_answer_text","value":"Yes"}]}]`), `"Default"`, `"46"`, 1),
			"📊 The poll **Tea?** has ended:  Yes (2 of 3 votes)"},
		{"a forwarded message without text", said(`"content":"","forwardedMessage":{"content":"","embeds":[],"attachments":[{"id":"5","url":"https://cdn.discordapp.com/a.png","fileName":"a.png"}]}`), "Forwarded"},
		{"nulls", said(`"content":null,"embeds":null,"attachments":null,"reactions":null,"mentions":null`), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e, err := open(t, tc.raw)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			if list := all(t, e, "general"); len(list) != 1 || text(list[0]).Body != tc.want {
				t.Errorf("%q instead of %q", text(list[0]).Body, tc.want)
			}
		})
	}
}

// TestReplyInThread: what answers a message of a thread is in the thread, and says what it answers.
func TestReplyInThread(t *testing.T) {
	t.Parallel()
	e, err := open(t, `{"guild":{"id":"100","name":"G"},"channel":{"id":"300","type":"GuildPublicThread","categoryId":"200","category":"general","name":"a thread"},"messages":[`+
		one+`,{"id":"200000000001","type":"Reply","timestamp":"2020-01-01T00:00:01+00:00","content":"yes","author":{"id":"12","name":"bob"},"reference":{"messageId":"200000000000","channelId":"300"}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	list := all(t, e, "general")
	if m := list[len(list)-1]; m.Thread != "300" || m.Reply != "200000000000" {
		t.Errorf("thread %q, reply %q", m.Thread, m.Reply)
	}
}
