package discordfetch_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/migration/discordexport"
	"github.com/landbridge-im/landbridge/migration/discordfetch"
	"github.com/landbridge-im/landbridge/migration/model"
)

type nobody struct{}

func (nobody) User(id string) (string, string) { return "", "" }
func (nobody) Channel(string) (string, string) { return "", "" }
func (nobody) Emoji(string) string             { return "" }

func body(m *model.Message) string {
	if m.Render == nil {
		return ""
	}
	return m.Render(nobody{}).Body
}

// read reads all of an export: channels by their names, and their messages.
func read(t *testing.T, dir string) (*discordexport.Export, map[string]model.Channel, map[string][]*model.Message) {
	t.Helper()
	e, err := discordexport.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	channels, messages := map[string]model.Channel{}, map[string][]*model.Message{}
	for _, c := range e.Channels() {
		channels[c.Name] = c
		for m, err := range e.Messages(t.Context(), &c) {
			if err != nil {
				t.Fatal(err)
			}
			messages[c.Name] = append(messages[c.Name], m)
		}
	}
	return e, channels, messages
}

func find(t *testing.T, list []*model.Message, name string) *model.Message {
	t.Helper()
	i := slices.IndexFunc(list, func(m *model.Message) bool { return m.Name == name })
	if i < 0 {
		t.Fatalf("message %s is missing", name)
	}
	return list[i]
}

// TestFetch: what a server has is in the export, while Discord limits rates and fails now and then.
func TestFetch(t *testing.T) {
	t.Parallel()
	s := community(t)
	s.before = func(n int, w http.ResponseWriter, r *http.Request) bool {
		switch {
		case n%11 == 3:
			w.Header().Set("Retry-After", "0.01")
			reply(w, 429, fields{"message": "You are being rate limited.", "retry_after": 0.01, "global": false})
		case n == 6:
			reply(w, 502, nil)
		default:
			return false
		}
		return true
	}
	dir := t.TempDir()
	r, err := discordfetch.Fetch(t.Context(), s.options(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	if r.Guild != "Guild" || r.Channels != 5 || r.Threads != 6 || r.Members != 1099 || r.Messages != 266 || r.Files != 5 {
		t.Errorf("the report is %+v", r)
	}
	all := strings.Join(r.Problems, "\n")
	for _, want := range []string{"#forbidden (202) could not be read", "701.txt could not be fetched: the answer is 404", "702.txt could not be fetched: it is not at Discord", "archived private threads could not be listed"} {
		if !strings.Contains(all, want) {
			t.Errorf("no problem %q in\n%s", want, all)
		}
	}
	if strings.Contains(all, "secret") {
		t.Error("signatures of addresses are shown")
	}
	e, channels, messages := read(t, dir)
	if p := e.Problems(); len(p) > 0 {
		t.Errorf("the export has problems: %v", p)
	}
	order := []string{}
	for _, c := range e.Channels() {
		order = append(order, c.Name)
	}
	if want := []string{"news", "secret", "Talk", "general", "whispers", "ideas"}; !slices.Equal(order, want) {
		t.Errorf("the channels are %q instead of %q", order, want)
	}
	general := messages["general"]
	if len(general) != 261 {
		t.Errorf("%d messages in #general", len(general))
	}
	for i := range 250 {
		if body(general[i]) != fmt.Sprint("message ", i) {
			t.Fatalf("message %d is %q", i, body(general[i]))
		}
	}
	if c := channels["general"]; c.Kind != model.Public || !c.MembersKnown || len(c.Members) != 1099 || c.Topic != "All of it" || c.Parent != channels["Talk"].Key || c.ReadOnly {
		t.Errorf("#general is %s %v %d %q %q", c.Kind, c.MembersKnown, len(c.Members), c.Topic, c.Parent)
	}
	if c := channels["secret"]; c.Kind != model.Private || !slices.Equal(c.Members, []string{"11", "12"}) || c.Parent != "" {
		t.Errorf("#secret is %+v", c)
	}
	if c := channels["news"]; c.Kind != model.Public || !c.ReadOnly || len(c.Writers) != 0 {
		t.Errorf("#news is %s, %v", c.Kind, c.ReadOnly)
	}
	if c := channels["whispers"]; c.Kind != model.Private || !slices.Equal(c.Members, []string{"11", "14"}) || c.Thread != "200" || len(messages["whispers"]) != 1 || messages["whispers"][0].Thread != "" {
		t.Errorf("the private thread is %+v", c)
	}
	pic := find(t, general, "20000")
	if len(pic.Files) != 4 || pic.Files[0].Open == nil || pic.Files[1].Open != nil || pic.Files[2].Open != nil || pic.Files[3].Open == nil {
		t.Errorf("the files are %+v", pic.Files)
	} else if f, err := pic.Files[0].Open(); err != nil {
		t.Error(err)
	} else if raw, err := io.ReadAll(f); err != nil || string(raw) != "data of attachments/200/700/pic.png" {
		t.Errorf("%q %v", raw, err)
	}
	re := find(t, general, "20001")
	if re.Reply != "20000" || re.Edited.IsZero() || !re.Pinned || len(re.Reactions) != 2 || len(re.Reactions[0].Users) != 151 || !slices.Equal(re.Reactions[1].Users, []string{"12"}) || re.Reactions[1].Picture.Open == nil {
		t.Errorf("the answer is %+v", re)
	}
	if m := find(t, general, "20002"); m.What != model.Emote || body(m) != "boosted the server" {
		t.Errorf("the boost is %q", body(m))
	}
	if m := find(t, general, "20003"); !strings.HasPrefix(m.Sender, "webhook.66.") {
		t.Errorf("the webhook is %q", m.Sender)
	}
	if m := find(t, general, "20004"); !strings.Contains(body(m), "Tea?") || !strings.Contains(body(m), "Yes") {
		t.Errorf("the poll is %q", body(m))
	}
	if m := find(t, general, "20005"); !strings.Contains(body(m), "from afar") {
		t.Errorf("what is forwarded is %q", body(m))
	}
	for name, thread := range map[string]string{"300000": "", "300001": "300000", "301001": "301000", "303001": "303000"} {
		if m := find(t, general, name); m.Thread != thread {
			t.Errorf("%s is in the thread %q", name, m.Thread)
		}
	}
	if list := messages["ideas"]; len(list) != 2 || list[1].Thread != list[0].Name {
		t.Errorf("the post is %v", list)
	}
	people := map[string]model.Person{}
	for _, p := range e.People() {
		people[p.ID] = p
	}
	if p := people["12"]; len(people) != 1099 || p.Name != "Mod" || p.Power != 50 || p.Avatar == nil || p.Avatar.Open == nil || people["11"].Power != 100 || people["14"].Power != 0 || !people["13"].Bot {
		t.Errorf("%d people, the moderator is %+v", len(people), p)
	}
	if x := e.Emoji(); len(x) != 1 || x[0].Shortcode != "cat" || x[0].File.Open == nil {
		t.Errorf("the emoji are %+v", x)
	}
	if src := e.Source(); src.Key() != "discord:100" || src.Icon == nil || src.Icon.Open == nil || src.Description != "About it" {
		t.Errorf("the source is %+v", src)
	}
}

// tree is what is in a folder, without what says when it was made.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".part-") {
			return err
		}
		raw, err := os.ReadFile(path)
		if i := bytes.Index(raw, []byte(`"fetched": "`)); i >= 0 {
			raw = append(raw[:i:i], raw[i+bytes.IndexByte(raw[i:], '\n'):]...)
		}
		out[strings.TrimPrefix(path, dir)] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestGoesOn cuts a fetch off at every few requests: in the end the export is that of a fetch that nothing has disturbed.
func TestGoesOn(t *testing.T) {
	t.Parallel()
	s := community(t)
	calm := t.TempDir()
	if _, err := discordfetch.Fetch(t.Context(), s.options(t, calm)); err != nil {
		t.Fatal(err)
	}
	dir, cuts := t.TempDir(), 0
	for at := 3; ; at += 4 {
		ctx, cut := context.WithCancel(t.Context())
		s.mu.Lock()
		s.requests = 0
		s.before = func(n int, _ http.ResponseWriter, _ *http.Request) bool {
			if n == at {
				cut()
			}
			return false
		}
		s.mu.Unlock()
		_, err := discordfetch.Fetch(ctx, s.options(t, dir))
		cut()
		if err == nil {
			break
		}
		if cuts++; cuts > 100 {
			t.Fatalf("it never ends: %v", err)
		}
	}
	if cuts < 5 {
		t.Errorf("only %d cuts", cuts)
	}
	want, have := tree(t, calm), tree(t, dir)
	for name, raw := range want {
		if have[name] != raw {
			t.Errorf("%s is\n%.500s\ninstead of\n%.500s", name, have[name], raw)
		}
	}
	if len(have) != len(want) {
		t.Errorf("%d files instead of %d", len(have), len(want))
	}

	// What is said later comes with the next fetch, and nothing else.
	s.mu.Lock()
	s.before = nil
	s.say("200", 400_000, "14", "later", nil)
	s.mu.Unlock()
	r, err := discordfetch.Fetch(t.Context(), s.options(t, dir))
	if err != nil || r.Messages != 1 || r.Files != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	_, _, messages := read(t, dir)
	if g := messages["general"]; len(g) != 262 || body(g[261]) != "later" {
		t.Errorf("%d messages", len(g))
	}
}

// TestWithout: files, reactors and the list of members can be missing.
func TestWithout(t *testing.T) {
	t.Parallel()
	s := community(t)
	s.members = nil
	o := s.options(t, t.TempDir())
	o.NoMedia, o.NoReactors = true, true
	r, err := discordfetch.Fetch(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Files != 0 || !strings.Contains(strings.Join(r.Problems, "\n"), "Server Members Intent") {
		t.Errorf("%+v", r)
	}
	e, channels, messages := read(t, o.Dir)
	if len(e.People()) != 0 || channels["general"].MembersKnown || channels["general"].Kind != model.Public || channels["secret"].Kind != model.Private {
		t.Errorf("%d people, #general is %+v", len(e.People()), channels["general"])
	}
	m := find(t, messages["general"], "20001")
	if m.Reactions[0].Count != 151 || len(m.Reactions[0].Users) != 0 {
		t.Errorf("the reactions are %+v", m.Reactions)
	}
	if f := find(t, messages["general"], "20000").Files[0]; f.URL == "" || f.Open != nil {
		t.Errorf("the file is %+v", f)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	s := community(t)
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "mine.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "state.json"), []byte(`{"guild":"7"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, guild, dir, want string
	}{
		{"no id", "my guild", t.TempDir(), "is no id"},
		{"a server without the bot", "101", t.TempDir(), "is it invited"},
		{"a folder with something else", "100", full, "that is no earlier fetch"},
		{"a folder of another server", "100", other, "has the server 7 in it"},
	} {
		o := s.options(t, tc.dir)
		o.Guild = tc.guild
		if _, err := discordfetch.Fetch(t.Context(), o); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	s.flags = 0
	if _, err := discordfetch.Fetch(t.Context(), s.options(t, t.TempDir())); err == nil || !strings.Contains(err.Error(), "Message Content Intent") {
		t.Errorf("a bot that may not read messages: %v", err)
	}
	s.before = func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		reply(w, 401, fields{"message": "401: Unauthorized", "code": 0})
		return true
	}
	if _, err := discordfetch.Fetch(t.Context(), s.options(t, t.TempDir())); err == nil || !strings.Contains(err.Error(), "the token is not taken") {
		t.Errorf("a wrong token: %v", err)
	}
}
