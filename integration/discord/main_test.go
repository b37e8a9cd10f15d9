package discord_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/client"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

func TestMain(m *testing.M) {
	flag.Parse()
	parallel := false
	flag.Visit(func(f *flag.Flag) { parallel = parallel || f.Name == "test.parallel" })
	if !parallel && !long() {
		_ = flag.Set("test.parallel", "6") // what these tests do most is wait
	}
	os.Exit(testserver.Main(m))
}

// patience bounds a whole test's waiting.
const patience = 2 * time.Minute

// world is the real program, with its homeserver and its bridge, and Discord.
type world struct {
	*testing.T
	ctx    context.Context
	dc     *discordtest.Server
	guild  *discordtest.Guild
	anna   *discordtest.User
	server *testserver.Server
	id     string // of the bridge
	// api and cdn are where the bridge looks for Discord, if not at the stand-in itself; extra are further lines of its
	// configuration, and more are further bridges.
	api, cdn, extra, more string
	env                   []string // of the program
}

// standIn is a stand-in of Discord that ends with the test.
func standIn(t *testing.T) *discordtest.Server {
	t.Helper()
	dc, err := discordtest.New("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		dc.Close()
		if list := dc.Unknown(); len(list) > 0 {
			t.Errorf("Discord was asked for what the stand-in does not know, and what is held against no description: %q", list)
		}
	})
	return dc
}

// beside is a further bridge of the same program, to a Discord of its own, with further lines of its configuration. It is
// called by what builds a world; the server is there when that is.
func (w *world) beside(id, extra string) *world {
	w.Helper()
	o := &world{T: w.T, ctx: w.ctx, dc: standIn(w.T), id: id}
	o.anna = o.dc.AddUser("anna")
	o.guild = o.dc.AddGuild("Guild of "+id, o.anna)
	w.more += fmt.Sprintf(`  - id: %s
    module: discord
    permissions: {"*": relay, "@admin:test": admin}
    config:
      token: %s
      api_url: %s
      cdn_url: %s
%s`, id, o.dc.Token, o.dc.URL(), o.dc.CDN(), extra)
	return o
}

// in is the world for a part of its test.
func (w *world) in(t *testing.T) *world {
	part := *w
	part.T = t
	return &part
}

func newWorld(t *testing.T, build func(*world)) *world {
	t.Helper()
	dc := standIn(t)
	most := patience
	if long() {
		most *= 5
	}
	if end, ok := t.Deadline(); ok {
		most = min(most, time.Until(end)-5*time.Second) // to be able to say what was waited for
	}
	ctx, cancel := context.WithTimeout(t.Context(), most)
	t.Cleanup(cancel)
	w := &world{T: t, ctx: ctx, dc: dc, id: "discord", anna: dc.AddUser("anna")}
	w.guild = dc.AddGuild("Guild", w.anna)
	w.api, w.cdn = dc.URL(), dc.CDN()
	build(w)
	w.server = testserver.New(t, testserver.Options{Extra: fmt.Sprintf(`bridges:
  - id: discord
    module: discord
    permissions: {"*": relay, "@admin:test": admin}
    config:
      token: %s
      api_url: %s
      cdn_url: %s
      public_media_url: https://media.example
%s%s`, dc.Token, w.api, w.cdn, w.extra, w.more), Env: w.env})
	return w
}

// user makes an account that follows /sync.
func (w *world) user(name string) *bridgetest.Matrix {
	w.Helper()
	m, err := bridgetest.Register(w.ctx, w.server.URL(), name, "")
	if err != nil {
		w.Fatal(err)
	}
	if err := m.Follow(w.ctx); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(m.Close)
	return m
}

// join joins the room of a channel, which may not be there yet.
func (w *world) join(m *bridgetest.Matrix, ch *discordtest.Channel) string {
	w.Helper()
	for {
		room, err := m.Join(w.ctx, "#"+w.id+"_"+ch.ID+":"+w.server.Name())
		if err == nil {
			return room
		}
		if w.ctx.Err() != nil || !bridgetest.IsStatus(err, 404) {
			w.Fatalf("joining the room of %s: %v", ch.Name, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (w *world) await(m *bridgetest.Matrix, room, sender, body string) bridgetest.Event {
	w.Helper()
	e, _, err := m.Await(w.ctx, 0, room, body, func(e bridgetest.Event) bool {
		return e.Type == "m.room.message" && e.Body() == body && (sender == "" || e.Sender == sender)
	})
	if err != nil {
		w.Fatal(err)
	}
	return e
}

// onDiscord waits until something was said in a channel.
func (w *world) onDiscord(channel, text string) discordtest.Message {
	w.Helper()
	var found discordtest.Message
	if err := w.dc.Wait(w.ctx, func() bool {
		for _, m := range w.dc.Messages(channel) {
			if m.Content == text {
				found = m
				return true
			}
		}
		return false
	}); err != nil {
		w.Fatalf("%q on Discord: %v", text, err)
	}
	return found
}

func (w *world) ghost(u *discordtest.User) string {
	return "@" + w.id + "_" + u.ID + ":" + w.server.Name()
}

// relayed are the texts that came from Matrix, in order.
func (w *world) relayed(channel string) string {
	var list []string
	for _, m := range w.dc.Messages(channel) {
		if m.WebhookID != "" {
			list = append(list, m.Content)
		}
	}
	return strings.Join(list, " ")
}

// eventually waits until something is so that nothing tells of.
func (w *world) eventually(what string, so func() bool) {
	w.Helper()
	for !so() {
		if w.ctx.Err() != nil {
			w.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// ephemeral waits until /sync tells something that is in no timeline: an event of a type with some words in it.
func (w *world) ephemeral(m *bridgetest.Matrix, kind, word string) {
	w.Helper()
	since := ""
	for {
		var answer struct {
			Next     string `json:"next_batch"`
			Presence struct {
				Events []json.RawMessage `json:"events"`
			} `json:"presence"`
			Rooms struct {
				Join map[string]struct {
					Ephemeral struct {
						Events []json.RawMessage `json:"events"`
					} `json:"ephemeral"`
				} `json:"join"`
			} `json:"rooms"`
		}
		if err := m.Do(w.ctx, "GET", "/v3/sync?timeout=1000&since="+since, nil, &answer); err != nil {
			w.Fatalf("waiting for %s of %s: %v", kind, word, err)
		}
		since = answer.Next
		list := answer.Presence.Events
		for _, room := range answer.Rooms.Join {
			list = append(list, room.Ephemeral.Events...)
		}
		for _, e := range list {
			if strings.Contains(string(e), kind) && strings.Contains(string(e), word) {
				return
			}
		}
	}
}

type event = bridgetest.Event

// doJSON makes a request, and reads the answer.
func doJSON(req *http.Request, out any) error {
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s", req.Method, req.URL.Path, res.Status)
	}
	return json.NewDecoder(res.Body).Decode(out)
}

// boss makes somebody an administrator of a room.
func (w *world) boss(m *bridgetest.Matrix, room string) {
	w.Helper()
	name, _, _ := strings.Cut(m.UserID[1:], ":")
	admin, err := (&client.Client{URL: w.server.URL()}).RegisterAdmin(w.ctx, "boss-of-"+name, testserver.SharedSecret)
	if err != nil {
		w.Fatal(err)
	}
	if err := admin.Do(w.ctx, "POST", "/_synapse/admin/v1/rooms/"+room+"/make_room_admin", nil, map[string]any{"user_id": m.UserID}, nil); err != nil {
		w.Fatal(err)
	}
}
