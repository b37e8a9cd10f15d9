package web

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// movePatience bounds the whole move of a community.
const movePatience = 3 * time.Minute

// mover moves a community from a network's stand-in: the export, the bridge, the claims and the cut-over.
type mover struct {
	t   *testing.T
	ctx context.Context
	s   *testserver.Server
	// bridge is the bridge's id, and export the folder.
	bridge, export string
	anna           *person
}

// person is somebody with a Matrix client in a room.
type person struct {
	*bridgetest.Matrix
	t    *testing.T
	ctx  context.Context
	room string
	at   int
}

func (p *person) await(what string, match func(bridgetest.Event) bool) bridgetest.Event {
	p.t.Helper()
	e, next, err := p.Await(p.ctx, p.at, p.room, what, match)
	if err != nil {
		p.t.Fatal(err)
	}
	p.at = next
	return e
}

// hears waits for somebody to say something.
func (p *person) hears(sender, body string) bridgetest.Event {
	p.t.Helper()
	return p.await(fmt.Sprintf("%s says %q", sender, body), func(e bridgetest.Event) bool {
		return e.Type == "m.room.message" && e.Sender == sender && e.Body() == body
	})
}

func newMover(t *testing.T, bridge, bridges, export string) *mover {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), movePatience)
	t.Cleanup(cancel)
	m := &mover{t: t, ctx: ctx, bridge: bridge, export: export,
		s: testserver.New(t, testserver.Options{Extra: "claims: {community: The Town, messages_per_minute: 6000}\nbridges:\n" + bridges})}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(m.s.Log())
		}
	})
	return m
}

func (m *mover) run(args ...string) string {
	m.t.Helper()
	out, err := exec.CommandContext(m.ctx, testserver.Binary(), append(append([]string{"migrate"}, args...), "-c", m.s.Config())...).CombinedOutput()
	if err != nil {
		m.t.Fatalf("landbridge migrate %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// bringIn imports the export with a mapping in which some texts are changed, and starts the bridge.
func (m *mover) bringIn(alias string, changes ...string) {
	m.t.Helper()
	mapping := filepath.Join(m.t.TempDir(), "mapping.yaml")
	m.run("plan", m.export, "-o", mapping)
	raw, err := os.ReadFile(mapping)
	if err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(mapping, []byte(strings.NewReplacer(changes...).Replace(string(raw))), 0o600); err != nil {
		m.t.Fatal(err)
	}
	m.run("run", m.export, "-mapping", mapping)
	m.run("verify", m.export, "-mapping", mapping)
	if err := m.s.Stop(); err != nil {
		m.t.Fatal(err)
	}
	if raw, err = os.ReadFile(m.s.Config()); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(m.s.Config(), []byte(strings.Replace(string(raw), "\n    enabled: false", "\n    enabled: true", 1)), 0o600); err != nil {
		m.t.Fatal(err)
	}
	if err := m.s.Start(m.ctx); err != nil {
		m.t.Fatal(err)
	}
	anna, err := bridgetest.Register(m.ctx, m.s.URL(), "anna", "")
	if err != nil {
		m.t.Fatal(err)
	}
	m.anna = m.follow(anna)
	if m.anna.room, err = anna.Join(m.ctx, alias); err != nil {
		m.t.Fatal(err)
	}
}

// follow has somebody's client run.
func (m *mover) follow(a *bridgetest.Matrix) *person {
	m.t.Helper()
	if err := a.Follow(m.ctx); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(a.Close)
	return &person{Matrix: a, t: m.t, ctx: m.ctx}
}

// claim has somebody come by the address in an invitation, with a new account, and returns them.
func (m *mover) claim(invitation, name string) *person {
	m.t.Helper()
	_, path, ok := strings.Cut(invitation, "/claim/")
	if !ok {
		m.t.Fatalf("no address in %q", invitation)
	}
	path = "/claim/" + strings.FieldsFunc(path, func(r rune) bool {
		return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", r)
	})[0]
	b := newBrowser(m.t, m.s.URL())
	b.visit(path, "You are invited as")
	b.click("text=Make an account")
	b.fill("#user", name)
	b.fill("#password", "a long password of "+name)
	b.click("text=Make account")
	b.see("will speak here as @" + name + ":" + m.s.Name())
	b.click("text=Yes, I am")
	b.see("You are linked")
	var login struct {
		Token string `json:"access_token"`
		User  string `json:"user_id"`
	}
	a := bridgetest.NewMatrix(m.s.URL())
	if err := a.Do(m.ctx, "POST", "/v3/login", map[string]any{"type": "m.login.password", "password": "a long password of " + name,
		"identifier": map[string]string{"type": "m.id.user", "user": name}}, &login); err != nil {
		m.t.Fatal(err)
	}
	a.Token, a.UserID = login.Token, login.User
	return m.follow(a)
}

// history is what was said in a room, as a client sees it: by whom, under which name, when, and what.
func (p *person) history(room string) (out []string) {
	p.t.Helper()
	all, err := p.History(p.ctx, room)
	if err != nil {
		p.t.Fatal(err)
	}
	names, ids := map[string]string{}, map[string]string{}
	for _, e := range all {
		if e.Type == "m.room.member" && e.StateKey != nil && e.Field("membership") == "join" {
			names[*e.StateKey] = e.Field("displayname")
		}
	}
	for _, e := range all {
		var c struct {
			Body, URL string
			Rel       struct {
				Kind string `json:"rel_type"`
				To   string `json:"event_id"`
				Key  string `json:"key"`
			} `json:"m.relates_to"`
		}
		if json.Unmarshal(e.Content, &c) != nil || e.Type != "m.room.message" && e.Type != "m.reaction" {
			continue
		}
		ids[e.ID] = c.Body
		line := names[e.Sender] + ": " + c.Body
		if c.URL != "" {
			line += " (file)"
		}
		if c.Rel.Kind != "" {
			line += fmt.Sprintf(" %s %s of %q", c.Rel.Kind, c.Rel.Key, ids[c.Rel.To])
		}
		out = append(out, time.UnixMilli(e.TS).UTC().Format("15:04:05 ")+line)
	}
	return out
}

// shows wants some lines of history, which may have others between them.
func shows(t *testing.T, have []string, want ...string) {
	t.Helper()
	at := 0
	for _, w := range want {
		i := slices.IndexFunc(have[at:], func(h string) bool { return strings.HasSuffix(h, w) })
		if i < 0 {
			t.Fatalf("no %q after line %d of\n%s", w, at, strings.Join(have, "\n"))
		}
		at += i + 1
	}
}

// sees waits until somebody is in rooms in which all of some things were said.
func (m *mover) sees(p *person, want ...string) {
	m.t.Helper()
	for {
		var joined struct {
			Rooms []string `json:"joined_rooms"`
		}
		if err := p.Do(m.ctx, "GET", "/v3/joined_rooms", nil, &joined); err != nil {
			m.t.Fatal(err)
		}
		told := map[string]bool{}
		for _, room := range joined.Rooms {
			for _, line := range p.history(room) {
				_, line, _ = strings.Cut(line, " ")
				told[line] = true
			}
		}
		missing := slices.DeleteFunc(slices.Clone(want), func(w string) bool { return told[w] })
		if len(missing) == 0 {
			return
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-m.ctx.Done():
			m.t.Fatalf("in %d rooms they don't see %q, but %v", len(joined.Rooms), missing, told)
		}
	}
}

// cutOver ends the bridge: the room stays, is anna's, and has all that was said; the bot has left.
func (m *mover) cutOver(heard func(text string)) {
	m.t.Helper()
	m.run("announce", "-bridge", m.bridge, "-text", "We move today.")
	heard("We move today.")
	m.run("freeze", "-bridge", m.bridge, "-notice", "Closed now.")
	heard("Closed now.")
	m.run("finish", "-bridge", m.bridge, "-admin", m.anna.UserID)
	before := m.anna.history(m.anna.room)
	m.run("confirm", "-bridge", m.bridge)
	in, err := m.anna.Members(m.ctx, m.anna.room)
	if err != nil {
		m.t.Fatal(err)
	}
	if in["@"+m.bridge+"bot:"+m.s.Name()] == "join" {
		m.t.Error("the bot has not left")
	}
	var power struct {
		Users map[string]int `json:"users"`
	}
	if err := m.anna.State(m.ctx, m.anna.room, "m.room.power_levels", "", &power); err != nil || power.Users[m.anna.UserID] < 100 {
		m.t.Errorf("power %v, %v", power, err)
	}
	if _, err := m.anna.Say(m.ctx, m.anna.room, "life goes on"); err != nil {
		m.t.Error(err)
	}
	if after := m.anna.history(m.anna.room); !slices.Equal(before, after[:min(len(before), len(after))]) || len(after) <= len(before) {
		m.t.Errorf("history was\n%s\nand is\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
}
