package discord_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
	"github.com/landbridge-im/landbridge/integration/bridgetest"
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
	ctx, cancel := context.WithTimeout(t.Context(), most)
	t.Cleanup(cancel)
	w := &world{T: t, ctx: ctx, dc: dc, anna: dc.AddUser("anna")}
	w.guild = dc.AddGuild("Guild", w.anna)
	build(w)
	w.server = testserver.New(t, testserver.Options{Extra: fmt.Sprintf(`bridges:
  - id: discord
    module: discord
    config:
      token: %s
      api_url: %s
      cdn_url: %s
`, dc.Token, dc.URL(), dc.CDN())})
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
