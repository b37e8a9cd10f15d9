package discord_test

import (
	"context"
	"encoding/json"
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

func TestMain(m *testing.M) { os.Exit(testserver.Main(m)) }

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
	// api and cdn are where the bridge looks for Discord, if not at the stand-in itself; extra are further lines of its
	// configuration, and more are further bridges.
	api, cdn, extra, more string
}

func newWorld(t *testing.T, build func(*world)) *world {
	t.Helper()
	dc, err := discordtest.New("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dc.Close)
	most := patience
	if long() {
		most *= 5
	}
	if end, ok := t.Deadline(); ok {
		most = min(most, time.Until(end)-5*time.Second) // to be able to say what was waited for
	}
	ctx, cancel := context.WithTimeout(t.Context(), most)
	t.Cleanup(cancel)
	w := &world{T: t, ctx: ctx, dc: dc, anna: dc.AddUser("anna")}
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
%s%s`, dc.Token, w.api, w.cdn, w.extra, w.more)})
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
		room, err := m.Join(w.ctx, "#discord_"+ch.ID+":"+w.server.Name())
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
	return "@discord_" + u.ID + ":" + w.server.Name()
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
	admin, err := (&client.Client{URL: w.server.URL()}).RegisterAdmin(w.ctx, "boss", testserver.SharedSecret)
	if err != nil {
		w.Fatal(err)
	}
	if err := admin.Do(w.ctx, "POST", "/_synapse/admin/v1/rooms/"+room+"/make_room_admin", nil, map[string]any{"user_id": m.UserID}, nil); err != nil {
		w.Fatal(err)
	}
}
