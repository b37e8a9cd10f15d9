package thirdparty

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/testserver"
	"github.com/landbridge-im/landbridge/internal/ports"
)

// stockPatience is how long a test of the stock bridge may take. A minute of it the bridge itself waits before it
// goes on with history.
const stockPatience = 4 * time.Minute

// building is held while the bridge is built, which the first time takes long: its SQLite is in C.
var building sync.Mutex

// puppets is a registration for double puppeting, as the documentation of mautrix's bridges has it.
const puppets = `id: doublepuppet
url: null
as_token: the-token-for-double-puppets
hs_token: a-token-that-nobody-uses
sender_localpart: nobody-at-all
rate_limited: false
namespaces: {users: [{regex: '@.*:test', exclusive: false}]}
`

// stock is the bridge of stockbridge, with the network that it is made for.
type stock struct {
	*program
	server  *testserver.Server
	network string // where the network speaks
}

// newStock builds the bridge, has it write its configuration and registration, and starts it beside a server.
func newStock(t *testing.T, settings map[string]any) *stock {
	t.Helper()
	dir := t.TempDir()
	bin := filepath.Join(dir, "stockbridge")
	building.Lock()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "./stockbridge")
	build.Env = append(os.Environ(), "CGO_ENABLED=1", "GOEXPERIMENT=", "GOFLAGS=-tags=goolm")
	out, err := build.CombinedOutput()
	building.Unlock()
	if err != nil {
		t.Fatalf("building the bridge (it needs gcc, as the race detector does): %v\n%s", err, out)
	}
	config, reg := filepath.Join(dir, "config.yaml"), filepath.Join(dir, "registrations", "stock.yaml")
	ok(t, os.Mkdir(filepath.Dir(reg), 0o755))
	run(t, dir, bin, "-e", "-c", config)
	// The server's address is not known before it has started; the registration does not depend on it.
	addr := ports.Addr(t)
	s := &stock{network: ports.Addr(t)}
	_, port, _ := strings.Cut(addr, ":")
	set := func(more map[string]any) {
		raw, err := os.ReadFile(config)
		ok(t, err)
		tree := map[string]any{}
		ok(t, yaml.Unmarshal(raw, &tree))
		for path, value := range more {
			keys, at := strings.Split(path, "/"), tree
			for _, k := range keys[:len(keys)-1] {
				next, is := at[k].(map[string]any)
				if !is {
					t.Fatalf("the bridge's configuration has no %s", path)
				}
				at = next
			}
			at[keys[len(keys)-1]] = value
		}
		raw, err = yaml.Marshal(tree)
		ok(t, err)
		ok(t, os.WriteFile(config, raw, 0o600))
	}
	set(map[string]any{
		"homeserver/address": "http://127.0.0.1:1", "homeserver/domain": "test",
		"appservice/address": "http://" + addr, "appservice/port": yamlInt(port),
		"database/type": "sqlite3-fk-wal", "database/uri": "file:" + filepath.Join(dir, "bridge.db") + "?_txlock=immediate",
		"bridge/permissions":    map[string]string{"*": "relay", "test": "user", "@alice:test": "admin"},
		"backfill/enabled":      true,
		"double_puppet":         map[string]any{"secrets": map[string]string{"test": "as_token:the-token-for-double-puppets"}},
		"logging/writers":       []map[string]string{{"type": "stdout", "format": "json"}},
		"logging/min_level":     "debug",
		"matrix/federate_rooms": false,
	})
	set(settings)
	run(t, dir, bin, "-g", "-c", config, "-r", reg)
	ok(t, os.WriteFile(filepath.Join(filepath.Dir(reg), "puppets.yaml"), []byte(puppets), 0o644))
	s.server = testserver.New(t, testserver.Options{Registrations: []string{filepath.Dir(reg)}})
	set(map[string]any{"homeserver/address": s.server.URL()})
	s.program = newProgram(t, dir, "the bridge runs", "env", "NETWORK="+s.network, bin, "-n", "-c", config, "-r", reg)
	return s
}

func yamlInt(s string) (n int) {
	fmt.Sscan(s, &n)
	return n
}

// happens has something happen on the network: pairs of names and values.
func (s *stock) happens(pairs ...string) {
	s.t.Helper()
	body := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		body[pairs[i]] = pairs[i+1]
	}
	raw, err := json.Marshal(body)
	ok(s.t, err)
	res, err := http.Post("http://"+s.network, "application/json", bytes.NewReader(raw))
	ok(s.t, err)
	defer res.Body.Close()
	if text, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK {
		s.t.Fatalf("%v: %d %s", pairs, res.StatusCode, text)
	}
}

// heard is all that the network was told since the bridge first started, of one kind.
func (s *stock) heard(kind string) (out []string) {
	for line := range strings.Lines(s.output()) {
		if rest, is := strings.CutPrefix(line, "heard "+kind+" "); is {
			out = append(out, strings.TrimSpace(rest))
		}
	}
	return out
}

// login logs somebody in by words to the bot.
func (s *stock) login(p *person, name string) {
	s.t.Helper()
	const bot = "@stockbot:test"
	var made struct {
		RoomID string `json:"room_id"`
	}
	ok(s.t, p.Do(p.ctx, "POST", "/v3/createRoom", map[string]any{"is_direct": true, "preset": "trusted_private_chat", "invite": []string{bot}}, &made))
	p.sees(bot, "Hello, I'm a Stock bridge bot")
	p.say(made.RoomID, "login")
	p.sees(bot, "Who are you?")
	hello := "Hello, " + name
	for after, answer := 0, ""; !strings.Contains(answer, hello); {
		p.say(made.RoomID, name)
		e, next, err := p.Events.Wait(p.ctx, after, func(e bridgetest.Event) bool {
			// Such a bridge asks before it has noted that it waits for an answer.
			return e.Sender == bot && (strings.Contains(e.Body(), hello) || strings.Contains(e.Body(), "Unknown command"))
		})
		ok(s.t, err)
		after, answer = next, e.Body()
	}
	p.rooms[made.RoomID] = true
}

// portal waits for the room of a chat, in which the person is by the bridge's doing.
func (p *person) portal(name string) (room string) {
	p.t.Helper()
	e, _, err := p.Events.Wait(p.ctx, 0, func(e bridgetest.Event) bool { return e.Type == "m.room.name" && e.Field("name") == name })
	if err != nil {
		p.t.Fatalf("the room %s: %v", name, err)
	}
	return e.RoomID
}

// until waits for something to hold.
func (p *person) until(what string, holds func() bool) {
	p.t.Helper()
	for !holds() {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-p.ctx.Done():
			p.t.Fatalf("not in time: %s", what)
		}
	}
}

// past is the history of the network in a room: the events that say "past NN", by what they say.
func (p *person) past(room string) (ids map[string]string, order []string, all []bridgetest.Event) {
	p.t.Helper()
	all, err := p.History(p.ctx, room)
	ok(p.t, err)
	ids = map[string]string{}
	for _, e := range all {
		if e.Type == "m.room.message" && strings.HasPrefix(e.Body(), "past ") {
			ids[e.Body()] = e.ID
			order = append(order, e.Sender+" "+e.Body())
		}
	}
	return ids, order, all
}

// TestStockBridge has a bridge on mautrix-go's own main, in which nothing is Landbridge's, do what bridges of that kind do
// for a person: log-in, a double puppet, a portal with its whole history, and all that can be done with messages, those of the
// history too, whose ids such bridges make up; and has either side restart.
func TestStockBridge(t *testing.T) {
	t.Parallel()
	s := newStock(t, map[string]any{"backfill/max_initial_messages": 20, "backfill/queue/enabled": true, "backfill/queue/batch_size": 15, "backfill/queue/batch_delay": 1})
	ctx, cancel := context.WithTimeout(t.Context(), stockPatience)
	defer cancel()
	alice := newPerson(t, ctx, s.server, "alice")
	s.login(alice, "anna")
	s.happens("Kind", "sync", "Chat", "c1", "Sender", "eve")
	room := alice.portal("Chat c1")

	var want []string
	for i := range 60 {
		want = append(want, fmt.Sprintf("%s past %02d", []string{"@stock_eve:test", alice.UserID}[i%2], i))
	}
	alice.until("the whole history to be there", func() bool { _, order, _ := alice.past(room); return len(order) >= len(want) })
	ids, order, all := alice.past(room)
	if !slices.Equal(order, want) {
		t.Errorf("the history is %q", order)
	}
	reactions := 0
	for _, e := range all {
		var c struct {
			Rel struct {
				EventID string `json:"event_id"`
				Reply   struct {
					EventID string `json:"event_id"`
				} `json:"m.in_reply_to"`
			} `json:"m.relates_to"`
		}
		ok(t, json.Unmarshal(e.Content, &c))
		var n int
		if k, _ := fmt.Sscanf(e.Body(), "past %d", &n); k == 1 && n%10 == 3 && c.Rel.Reply.EventID != ids[fmt.Sprintf("past %02d", n-2)] {
			t.Errorf("%q answers %s", e.Body(), c.Rel.Reply.EventID)
		}
		if e.Type == "m.reaction" {
			reactions++
			if !slices.ContainsFunc([]int{5, 15, 25, 35, 45, 55}, func(n int) bool { return ids[fmt.Sprintf("past %02d", n)] == c.Rel.EventID }) {
				t.Errorf("a reaction is to %s", c.Rel.EventID)
			}
		}
	}
	if reactions != 6 {
		t.Errorf("the history has %d reactions", reactions)
	}

	// The network speaks of its history.
	s.happens("Kind", "edit", "Chat", "c1", "Sender", "eve", "ID", "e1", "Target", "past10", "Text", "past ten")
	s.happens("Kind", "react", "Chat", "c1", "Sender", "fay", "Target", "past20", "Text", "🎉")
	s.happens("Kind", "message", "Chat", "c1", "Sender", "eve", "ID", "m1", "Target", "past40", "Text", "remember?")
	s.happens("Kind", "remove", "Chat", "c1", "Sender", "eve", "Target", "past30")
	s.happens("Kind", "message", "Chat", "c1", "Sender", "anna", "ID", "m2", "Text", "by my own phone")
	alice.sees(alice.UserID, "by my own phone")
	related := func(what, kind, target string, path ...string) {
		t.Helper()
		_, _, err := alice.Events.Wait(ctx, 0, func(e bridgetest.Event) bool {
			return e.RoomID == room && e.Type == kind && e.ID != target && dig(e.Content, path...) == target
		})
		if err != nil {
			t.Errorf("%s is not there: %v", what, err)
		}
	}
	related("the edit", "m.room.message", ids["past 10"], "m.relates_to", "event_id")
	related("the reaction", "m.reaction", ids["past 20"], "m.relates_to", "event_id")
	related("the answer", "m.room.message", ids["past 40"], "m.relates_to", "m.in_reply_to", "event_id")
	related("the removal", "m.room.redaction", ids["past 30"], "redacts")
	s.happens("Kind", "unreact", "Chat", "c1", "Sender", "fay", "Target", "past20", "Text", "🎉")
	alice.until("the reaction to go", func() bool {
		var out struct{ Chunk []any }
		ok(t, alice.Do(ctx, "GET", "/v1/rooms/"+url.PathEscape(room)+"/relations/"+url.PathEscape(ids["past 20"])+"/m.annotation", nil, &out))
		return len(out.Chunk) == 0
	})

	// Alice does.
	send := func(kind string, content map[string]any) string {
		t.Helper()
		id, err := alice.Send(ctx, room, kind, content)
		ok(t, err)
		return id
	}
	send("m.room.message", map[string]any{"msgtype": "m.text", "body": "I do", "m.relates_to": map[string]any{"m.in_reply_to": map[string]string{"event_id": ids["past 40"]}}})
	s.says("heard message I do answers past40\n")
	reaction := send("m.reaction", map[string]any{"m.relates_to": map[string]string{"rel_type": "m.annotation", "event_id": ids["past 42"], "key": "👍️"}})
	s.says("heard reaction past42")
	redact := func(id string) {
		t.Helper()
		ok(t, alice.Do(ctx, "PUT", "/v3/rooms/"+url.PathEscape(room)+"/redact/"+url.PathEscape(id)+"/r"+url.PathEscape(id), map[string]any{}, nil))
	}
	redact(reaction)
	s.says("heard reaction gone past42")
	send("m.room.message", map[string]any{"msgtype": "m.text", "body": "* better", "m.new_content": map[string]any{"msgtype": "m.text", "body": "better"},
		"m.relates_to": map[string]string{"rel_type": "m.replace", "event_id": ids["past 43"]}})
	s.says("heard edit past43 better")
	redact(ids["past 45"])
	s.says("heard removed past45")
	last := send("m.room.message", map[string]any{"msgtype": "m.text", "body": "first"})
	s.says("heard message first answers \n")
	ok(t, alice.Do(ctx, "POST", "/v3/rooms/"+url.PathEscape(room)+"/receipt/m.read/"+url.PathEscape(last), map[string]any{}, nil))
	ok(t, alice.Do(ctx, "PUT", "/v3/rooms/"+url.PathEscape(room)+"/typing/"+url.PathEscape(alice.UserID), map[string]any{"typing": true, "timeout": 30000}, nil))
	s.says("heard typing true")
	s.happens("Kind", "message", "Chat", "c1", "Sender", "eve", "ID", "m3", "Text", "read me")
	seen := alice.sees("@stock_eve:test", "read me")
	ok(t, alice.Do(ctx, "POST", "/v3/rooms/"+url.PathEscape(room)+"/read_markers", map[string]string{"m.read": seen.ID, "m.fully_read": seen.ID}, nil))
	s.says("heard read m3")
	var levels struct{ Users map[string]int }
	ok(t, alice.State(ctx, room, "m.room.power_levels", "", &levels))
	if levels.Users["@stock_fay:test"] != 75 {
		t.Errorf("the levels are %v", levels.Users)
	}
	var profile map[string]any
	ok(t, alice.Do(ctx, "GET", "/v3/profile/@stock_eve:test", nil, &profile))
	if profile["displayname"] != "EVE" || profile["com.beeper.bridge.service"] != "stock" {
		t.Errorf("eve's profile is %v", profile)
	}

	// Nothing is lost or doubled when either side is away.
	s.kill()
	for _, body := range numbered("missed", 30) {
		alice.say(room, body)
	}
	ok(t, s.server.Kill())
	ok(t, s.server.Start(ctx))
	s.start()
	s.says("heard message missed 29 answers \n")
	if got := slices.DeleteFunc(s.heard("message"), func(line string) bool { return !strings.HasPrefix(line, "missed") }); len(got) != 30 || !slices.IsSortedFunc(got, byNumber) {
		t.Errorf("of what was said meanwhile, the network has heard %q", got)
	}
	for i, body := range numbered("said", 30) {
		s.happens("Kind", "message", "Chat", "c1", "Sender", "eve", "ID", fmt.Sprint("s", i), "Text", body)
	}
	alice.sees("@stock_eve:test", "said 29")
	if got := alice.bodies(room, "@stock_eve:test", "said"); !slices.Equal(got, numbered("said", 30)) {
		t.Errorf("of what eve said there is %q", got)
	}

	// It gives up its room.
	alice.say(room, "!stock delete-portal")
	alice.until("the room to be gone", func() bool {
		var out struct {
			Rooms []string `json:"joined_rooms"`
		}
		ok(t, alice.Do(ctx, "GET", "/v3/joined_rooms", nil, &out))
		return !slices.Contains(out.Rooms, room)
	})
}

func byNumber(a, b string) int {
	var x, y int
	fmt.Sscanf(a, "missed %d", &x)
	fmt.Sscanf(b, "missed %d", &y)
	return x - y
}

// dig reads a string in a content.
func dig(content json.RawMessage, path ...string) string {
	for _, name := range path {
		var in map[string]json.RawMessage
		if json.Unmarshal(content, &in) != nil {
			return ""
		}
		content = in[name]
	}
	var out string
	if json.Unmarshal(content, &out) != nil {
		return ""
	}
	return out
}
