package migration

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/slack/slacktest"
	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/client"
	"github.com/landbridge-im/landbridge/integration/exports"
	"github.com/landbridge-im/landbridge/integration/synapse"
	"github.com/landbridge-im/landbridge/integration/testserver"
	"github.com/landbridge-im/landbridge/internal/ports"
	"github.com/landbridge-im/landbridge/registration"
)

// foreign is a Synapse that exports are brought into.
type foreign struct {
	*synapse.Server
	t                    *testing.T
	config, registration string
	bot                  *client.Client
}

func newForeign(t *testing.T) *foreign {
	t.Helper()
	dir := t.TempDir()
	f := &foreign{t: t, config: filepath.Join(dir, "landbridge.yaml"), registration: filepath.Join(dir, "registration.yaml")}
	if err := os.WriteFile(f.config, fmt.Appendf(nil, "server: {name: test}\ndata_dir: %q\n", filepath.Join(dir, "data")), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), testserver.Binary(), "migrate", "registration", "-bridge", "slack", "-o", f.registration, "-c", f.config).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	reg, err := registration.ParseFile(f.registration)
	if err != nil {
		t.Fatal(err)
	}
	f.Server = synapse.New(t, f.registration)
	f.bot = &client.Client{URL: f.URL(), Token: reg.ASToken}
	return f
}

func (f *foreign) command(ctx context.Context, verb, export string, more ...string) *exec.Cmd {
	return exec.CommandContext(ctx, testserver.Binary(), append([]string{"migrate", verb, export, "-workspace", "acme", "-target", f.URL(), "-registration", f.registration, "-c", f.config}, more...)...)
}

func (f *foreign) must(verb, export string, more ...string) string {
	f.t.Helper()
	out, err := f.command(f.t.Context(), verb, export, more...).CombinedOutput()
	if err != nil {
		f.t.Fatalf("migrate %s: %v\n%s", verb, err, out)
	}
	return string(out)
}

func (f *foreign) get(path string, query url.Values, out any) {
	f.t.Helper()
	if err := f.bot.Do(f.t.Context(), "GET", path, query, nil, out); err != nil {
		f.t.Fatal(err)
	}
}

// rooms are the rooms that an export has become, by what they are called there.
func (f *foreign) rooms(source string) map[string][]event {
	f.t.Helper()
	var in struct {
		Rooms []string `json:"joined_rooms"`
	}
	f.get("/_matrix/client/v3/joined_rooms", nil, &in)
	out := map[string][]event{}
	for _, room := range in.Rooms {
		var list []event
		for from := ""; ; {
			var page struct {
				Chunk []event `json:"chunk"`
				End   string  `json:"end"`
			}
			query := url.Values{"dir": {"f"}, "limit": {"500"}}
			if from != "" {
				query.Set("from", from)
			}
			f.get("/_matrix/client/v3/rooms/"+url.PathEscape(room)+"/messages", query, &page)
			list = append(list, page.Chunk...)
			if from = page.End; from == "" {
				break
			}
		}
		name, _ := list[0].Content["im.landbridge.import"].(string)
		name, ok := strings.CutPrefix(name, source+"/")
		if !ok || out[name] != nil {
			f.t.Fatalf("room %s is of %q, which is strange or there already", room, name)
		}
		out[name] = list
	}
	return out
}

// told is what was said in a room, in order, without what servers call it.
func told(list []event) (out []string) {
	at := map[string]string{}
	for _, e := range list {
		if e.Type != "m.room.message" && e.Type != "m.reaction" {
			continue
		}
		at[e.ID] = fmt.Sprint("message ", len(out))
		relates := rel(e)
		to, _ := relates["event_id"].(string)
		reply, _ := relates["m.in_reply_to"].(map[string]any)
		answered, _ := reply["event_id"].(string)
		body, _ := e.Content["body"].(string)
		if to == "" && answered == "" {
			at[e.ID] = fmt.Sprintf("%s at %d", e.Sender, e.TS)
		}
		out = append(out, fmt.Sprintf("%s %s %d %q %v %v %v %s %s", e.Type, e.Sender, e.TS, body, e.Content["msgtype"], relates["rel_type"], relates["key"], at[to], at[answered]))
	}
	return out
}

// sameTold compares what was said in rooms of two servers.
func sameTold(t *testing.T, want, have map[string][]event) {
	t.Helper()
	if len(want) != len(have) {
		t.Errorf("%d rooms instead of %d", len(have), len(want))
	}
	for name, list := range want {
		if w, h := told(list), told(have[name]); !slices.Equal(w, h) {
			for i := range min(len(w), len(h)) {
				if w[i] != h[i] {
					t.Fatalf("%s: event %d is\n%s\ninstead of\n%s", name, i, h[i], w[i])
				}
			}
			t.Errorf("%s: %d events instead of %d", name, len(h), len(w))
		}
	}
}

// TestElsewhere brings the export in that has one of everything, into a homeserver that is not Landbridge. It is there what it is
// in our own; once more changes nothing; and verify finds what is missing.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	f := newForeign(t)
	anna, err := (&client.Client{URL: f.URL()}).Register(ctx, "anna")
	if err != nil {
		t.Fatal(err)
	}
	mapping := filepath.Join(t.TempDir(), "mapping.yaml")
	s := testserver.New(t, testserver.Options{})
	must(t, s, "plan", golden, "-workspace", "acme", "-o", mapping)
	replace(t, mapping, "admins: []", "admins: [\"@anna:test\"]")
	out := f.must("run", golden, "-no-files", "-mapping", mapping)
	if _, err := (&client.Client{URL: s.URL()}).Register(ctx, "anna"); err != nil {
		t.Fatal(err)
	}
	must(t, s, "run", golden, "-workspace", "acme", "-no-files", "-mapping", mapping)
	have := f.rooms("slack:acme")
	sameTold(t, rooms(t, s, "slack:acme"), have)
	out += f.must("run", golden, "-no-files", "-mapping", mapping)
	if !strings.Contains(out, " 0 events are new") {
		t.Errorf("a second run brings in more:\n%s", out)
	}
	sameTold(t, have, f.rooms("slack:acme"))
	out += f.must("verify", golden, "-mapping", mapping)
	if strings.Contains(out, "xoxe-secret-token") {
		t.Error("the token is in what is printed")
	}

	// People have their names, files can be got, and whom the homeserver lets nobody speak for is asked in.
	general := have["channel/c024be91l"]
	names := map[string]any{}
	files := 0
	for _, e := range general {
		if e.Type == "m.room.member" && e.Content["membership"] == "join" {
			names[*e.StateKey] = e.Content["displayname"]
		}
		if uri, ok := e.Content["url"].(string); ok && e.Type == "m.room.message" {
			files++
			f.file(anna, uri)
		}
	}
	if names["@slack_u024be7lh:test"] != "Ann" || files == 0 {
		t.Errorf("names %v, %d files", names, files)
	}
	if err := anna.Join(ctx, "#slack_acme:test"); err != nil {
		t.Errorf("the administrator can't come into the space: %v", err)
	}
	if err := anna.Join(ctx, "#slack_acme_general:test"); err != nil {
		t.Errorf("who is in the space can't come in: %v", err)
	}

	// What somebody takes away is found.
	var gone string
	for _, e := range general {
		if e.Type == "m.room.message" && e.Content["body"] == "a reply" {
			gone = e.ID
		}
	}
	var none any
	if err := f.bot.Do(ctx, "PUT", "/_matrix/client/v3/rooms/"+url.PathEscape(madeOf(f, "channel/c024be91l"))+"/redact/"+url.PathEscape(gone)+"/1", nil, map[string]any{}, &none); err != nil {
		t.Fatal(err)
	}
	if out := f.must("verify", golden, "-mapping", mapping); !strings.Contains(out, "2 were edited or deleted here since") {
		t.Errorf("verify:\n%s", out)
	}
}

// file downloads a file.
func (f *foreign) file(who *client.Client, uri string) {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), "GET", f.URL()+"/_matrix/client/v1/media/download/"+strings.TrimPrefix(uri, "mxc://"), nil)
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+who.Token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK || len(raw) == 0 {
		f.t.Errorf("the file %s: %s, %d bytes, %v", uri, res.Status, len(raw), err)
	}
}

// madeOf is the room of a channel.
func madeOf(f *foreign, name string) string {
	f.t.Helper()
	var in struct {
		Rooms []string `json:"joined_rooms"`
	}
	f.get("/_matrix/client/v3/joined_rooms", nil, &in)
	for _, room := range in.Rooms {
		var create map[string]any
		f.get("/_matrix/client/v3/rooms/"+url.PathEscape(room)+"/state/m.room.create", nil, &create)
		if create["im.landbridge.import"] == "slack:acme/"+name {
			return room
		}
	}
	f.t.Fatalf("no room of %s", name)
	return ""
}

// TestElsewhereKilled kills the homeserver or the command while an export is brought in: what was said is there once, in order.
func TestElsewhereKilled(t *testing.T) {
	t.Parallel()
	t.Logf("-seed %d", *seed)
	rng := rand.New(rand.NewPCG(*seed, 1))
	dir := filepath.Join(t.TempDir(), "export")
	if err := exports.Slack(dir, exports.Size{Messages: 400, People: 8, Channels: 3, Members: 5}); err != nil {
		t.Fatal(err)
	}
	s := testserver.New(t, testserver.Options{})
	must(t, s, "run", dir, "-workspace", "acme", "-no-files")
	f := newForeign(t)
	for i := range kills {
		cmd := f.command(t.Context(), "run", dir, "-no-files")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		pause(t, time.Duration(300+rng.IntN(1500))*time.Millisecond)
		if i%4 == 3 { // the command goes on when the homeserver is back
			f.Kill()
			f.Start()
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		waitFor(cmd)
	}
	f.must("run", dir, "-no-files")
	sameTold(t, rooms(t, s, "slack:acme"), f.rooms("slack:acme"))
	f.must("verify", dir)
}

// TestElsewhereTakeover brings an export into a Synapse beside which "landbridge bridge" is to run, and has that go on: what was
// imported is edited and reacted to from both sides.
func TestElsewhereTakeover(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	slack := slacktest.New(t)
	bob, carol := slack.AddUser("bob", "Bob"), slack.AddUser("carol", "Carol")
	channel := slack.AddChannel("general", false, bob, carol, slacktest.BotUser)
	first := slack.Say(bob, channel, "first", nil)
	slack.Say(carol, channel, "second", nil)
	export := exportOf(t, slack, map[string]string{channel: "general"}, map[string]string{bob: "Bob", carol: "Carol"})
	dir := t.TempDir()
	conf := filepath.Join(dir, "bridge.yaml")
	write := func(hs, listen string) {
		t.Helper()
		if err := os.WriteFile(conf, fmt.Appendf(nil, "server: {name: test}\ndata_dir: %q\nbridge_host: {homeserver_url: %q, listen: %q}\nbridges:\n  - id: slack\n    module: slack\n    config:\n      workspaces: [{id: acme, app_token: %s, bot_token: %s, api_url: %s}]\n",
			filepath.Join(dir, "data"), hs, listen, slacktest.AppToken, slacktest.BotToken, slack.URL), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(ctx, testserver.Binary(), append(args, "-c", conf)...).CombinedOutput()
		if err != nil {
			t.Fatalf("landbridge %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	listen := ports.Addr(t)
	write("http://127.0.0.1:1", listen)
	run("bridge", "registration", "-o", dir)
	s := synapse.New(t, filepath.Join(dir, "slack.yaml"))
	write(s.URL(), listen)
	mapping := filepath.Join(t.TempDir(), "mapping.yaml")
	run("migrate", "plan", export, "-o", mapping)
	replace(t, mapping, "audience: space", "audience: anyone")
	replace(t, mapping, "space_audience: invited", "space_audience: anyone")
	run("migrate", "run", export, "-mapping", mapping, "-target", s.URL())
	run("migrate", "verify", export, "-mapping", mapping, "-target", s.URL())
	slack.Say(bob, channel, "said after the export", nil)

	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(testserver.Binary(), "bridge", "-c", conf)
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, dir
	child, err := testserver.StartChild(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := child.Stop(30 * time.Second); err != nil {
			t.Error(err)
		}
		if raw, err := os.ReadFile(filepath.Join(dir, "log")); err == nil && t.Failed() {
			t.Logf("the bridge's log:\n%s", raw[max(0, len(raw)-5000):])
		}
	})
	anna, err := bridgetest.Register(ctx, s.URL(), "anna", "")
	if err != nil {
		t.Fatal(err)
	}
	room, err := anna.Join(ctx, "#slack_acme_general:test")
	if err != nil {
		t.Fatal(err)
	}
	if err := anna.Follow(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(anna.Close)
	slack.AwaitConnected(t, 1)
	w := &watcher{t: t, ctx: ctx, m: anna, room: room}
	slack.Say(carol, channel, "live again", nil)
	w.await("a live message", said("live again"))
	past := map[string][]bridgetest.Event{}
	all, err := anna.History(ctx, room)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		past[e.Body()] = append(past[e.Body()], e)
	}
	for _, body := range []string{"first", "second", "said after the export", "live again"} {
		if len(past[body]) != 1 {
			t.Fatalf("%q is there %d times", body, len(past[body]))
		}
	}
	slack.Edit(channel, first, slacktest.Object{"text": "first, better"})
	if kind, to, _ := relation(w.await("an edit", said("* first, better"))); kind != "m.replace" || to != past["first"][0].ID {
		t.Errorf("the edit is %s of %s", kind, to)
	}
	if _, err := anna.Send(ctx, room, "m.reaction", map[string]any{"m.relates_to": map[string]any{"rel_type": "m.annotation", "event_id": past["first"][0].ID, "key": "👍"}}); err != nil {
		t.Fatal(err)
	}
	slack.AwaitMessage(t, channel, "a reaction from Matrix", func(m slacktest.Object) bool {
		raw, err := json.Marshal(m["reactions"])
		return err == nil && m["ts"] == first && strings.Contains(string(raw), `"+1"`)
	})
}
