package plan_test

import (
	"bytes"
	"context"
	"encoding/json/v2"
	"io"
	"iter"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/migration/model"
	"github.com/landbridge-im/landbridge/migration/plan"
	"github.com/landbridge-im/landbridge/migration/slackexport"
)

var naming = plan.Naming{Service: "slack", Bot: "slackbot", Ghosts: "slack_", Aliases: "slack_"}

func TestGolden(t *testing.T) {
	t.Parallel()
	x, err := slackexport.Open("../testdata/slack/workspace", slackexport.Options{Workspace: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	m, clashes := plan.Default(x, naming, "example.org")
	if len(clashes) != 2 {
		t.Errorf("clashes %q", clashes)
	}
	for _, c := range m.Channels {
		private := strings.Contains("private group direct", c.Note)
		if private != (c.Audience == plan.Invited) || private && c.Alias != "" {
			t.Errorf("channel %+v", c)
		}
	}
	r, err := plan.Make(t.Context(), x, m, clashes, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Messages != 28 || r.Moves != 2 || r.People != 10 || r.Strangers != 4 || r.Channels != 6 || r.FilesHere != 1 || r.FilesAway != 1 || r.FilesHere+r.FilesAway+r.FilesLinked+r.FilesGone != r.Files || r.Edited != 1 || r.Replies != 5 {
		t.Errorf("report %+v", r)
	}
	var text, page bytes.Buffer
	if err := r.Text(&text); err != nil {
		t.Fatal(err)
	}
	if err := r.HTML(&page); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"general-c024be93l", "reactions", "grüße"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("no %q in the page", want)
		}
	}
	if strings.Contains(text.String()+page.String(), "xoxe-secret") {
		t.Error("the token is in the report")
	}
	name := filepath.Join(t.TempDir(), "m.yaml")
	if err := m.Save(name, false); err != nil {
		t.Fatal(err)
	}
	if err := m.Save(name, false); err == nil {
		t.Error("a mapping that is there is written over")
	}
	back, err := plan.Load(name)
	if err != nil || len(back.People) != len(m.People) || back.Source != "slack:acme" {
		t.Errorf("read back %+v, %v", back, err)
	}
}

// TestEstimate: members of large rooms need their time too.
func TestEstimate(t *testing.T) {
	t.Parallel()
	x := crowd{members: make([]string, 60_000)}
	m, _ := plan.Default(x, naming, "example.org")
	r, err := plan.Make(t.Context(), x, m, nil, nil)
	if err != nil || r.Messages != 0 || r.Estimate < 10*time.Second {
		t.Errorf("%d messages, %v, %v", r.Messages, r.Estimate, err)
	}
}

// crowd is an export of one channel in which nobody has said anything.
type crowd struct {
	model.Export
	members []string
}

func (crowd) Source() model.Source   { return model.Source{Network: "slack", ID: "acme"} }
func (crowd) People() []model.Person { return nil }
func (crowd) Emoji() []model.Emoji   { return nil }
func (crowd) Problems() []model.Problem {
	return nil
}
func (c crowd) Channels() []model.Channel {
	return []model.Channel{{Key: "c1", ID: "C1", Name: "all", Kind: model.Public, Members: c.members}}
}
func (crowd) Messages(context.Context, *model.Channel) iter.Seq2[*model.Message, error] {
	return func(func(*model.Message, error) bool) {}
}

// TestJSON: a report can be written as JSON, without what is no text, and without secrets.
func TestJSON(t *testing.T) {
	t.Parallel()
	r := plan.Report{Source: model.Source{Network: "discord", Icon: &model.File{ID: "icon", URL: "https://example.org/?token=xoxe", Open: func() (io.ReadCloser, error) { return nil, io.EOF }}}}
	raw, err := json.Marshal(r)
	if err != nil || strings.Contains(string(raw), "xoxe") || !strings.Contains(string(raw), `"Network":"discord"`) {
		t.Errorf("%s, %v", raw, err)
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	const good = "source: slack:acme\nnaming: {bridge: slack, bot: slackbot, ghosts: slack_, aliases: slack_}\n"
	for _, tc := range []struct{ name, text, want string }{
		{"fine", "people:\n  - id: U1\n    account: \"@a:x\"\nchannels:\n  - id: C1\n    audience: space\n", ""},
		{"no user id", "people:\n  - id: U1\n    account: ann\n", "m.yaml:4: the account of U1"},
		{"twice", "people:\n  - id: U1\n  - id: U1\n", "m.yaml:5: U1 is there twice"},
		{"audience", "channels:\n  - id: C1\n    audience: all\n", `m.yaml:4: the audience of C1 is "all"`},
		{"alias", "channels:\n  - {id: C1, audience: space, alias: \"#a:x\"}\n", "m.yaml:4: the alias of C1"},
		{"aliases", "channels:\n  - {id: C1, audience: space, alias: a}\n  - {id: C2, audience: space, alias: a}\n", "m.yaml:5: C1 and C2 have the same alias"},
		{"unknown", "chanels: []\n", "line 3: field chanels not found"},
		{"no YAML", "\t", "m.yaml:"},
		{"space", "space_audience: space\n", "space_audience is"},
	} {
		_, err := plan.Parse("m.yaml", []byte(good+tc.text))
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("source: a\npeople: [{id: U1}]\nchannels: [{id: C1, audience: space}]\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if m, err := plan.Parse("m.yaml", raw); err == nil && m.Naming.Service == "" {
			t.Error("a mapping without a bridge is taken")
		}
	})
}
