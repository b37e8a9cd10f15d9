package discord_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/appservice/appservicetest"
	"github.com/landbridge-im/landbridge/bridges/discord"
	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
	"github.com/landbridge-im/landbridge/internal/inproc"
)

const (
	domain = "test.example"
	mia    = id.UserID("@mia:test.example")
	zoe    = id.UserID("@zoe:test.example")
)

// rig is a homeserver, the host with the bridge, and Discord.
type rig struct {
	*testing.T
	ctx    context.Context
	dir    string
	hs     *appservicetest.Homeserver
	dc     *discordtest.Server
	guild  *discordtest.Guild
	host   *appservice.Host
	extra  string
	links  appservice.Links
	bridge *discord.Bridge  // the one that was made last
	late   sync.RWMutex     // while it is locked, nothing of the homeserver comes to the bridge
	odd    *discordtest.Odd // stands before Discord, if not nil
	log    io.Writer        // has what the bridge logs, if not nil

	owner, anna *discordtest.User
	general     *discordtest.Channel
}

func newRig(t *testing.T, extra string) *rig {
	t.Helper()
	dc, err := discordtest.New("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		dc.Close()
		if list := dc.Unknown(); len(list) > 0 {
			t.Errorf("Discord was asked for what the stand-in does not know: %q", list)
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	r := &rig{T: t, ctx: ctx, dir: t.TempDir(), hs: appservicetest.New(domain), dc: dc, extra: extra}
	t.Cleanup(r.hs.Close)
	for _, u := range []id.UserID{mia, zoe} {
		r.hs.AddUser(u)
	}
	r.hs.Name(mia, "Mia")
	r.owner, r.anna = dc.AddUser("owner"), dc.AddUser("anna")
	r.guild = dc.AddGuild("Guild", r.owner)
	r.general = dc.AddChannel(r.guild, 0, "general", "")
	dc.AddMember(r.guild, r.anna)
	return r
}

// start starts the bridge.
func (r *rig) start() {
	r.Helper()
	out := io.Discard
	address, cdn := r.dc.URL(), r.dc.CDN()
	if r.odd != nil {
		address, cdn = r.odd.URL(), r.odd.CDN()
	}
	switch {
	case r.log != nil:
		out = r.log
	case os.Getenv("TEST_LOG") != "":
		out = os.Stderr
	}
	host, err := appservice.New(appservice.Options{
		Dir:        r.dir,
		Homeserver: appservice.Homeserver{URL: "http://homeserver", Domain: domain, Transport: inproc.Transport(r.hs)},
		Modules: []appservice.Module{{Name: "discord", New: func(ctx context.Context, env appservice.Env) (appservice.Bridge, error) {
			b, err := discord.New(ctx, env.Config, discord.Deps{
				Log: env.Log, HTTP: env.HTTP, AliasPrefix: env.AliasPrefix, Links: r.links, BackoffMin: 10 * time.Millisecond, BackoffMax: 100 * time.Millisecond,
			})
			if err != nil {
				return nil, err
			}
			r.bridge = b
			return b, nil
		}}},
		Log:     slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Backoff: func(int) time.Duration { return 10 * time.Millisecond },
	})
	if err != nil {
		r.Fatal(err)
	}
	r.host = host
	r.Cleanup(host.StopAll)
	var node yaml.Node
	if err := yaml.Unmarshal(fmt.Appendf(nil, "token: %s\napi_url: %s\ncdn_url: %s\npublic_media_url: https://media.example\n%s", r.dc.Token, address, cdn, r.extra), &node); err != nil {
		r.Fatal(err)
	}
	if err := host.Add(r.ctx, appservice.Instance{ID: "discord", Module: "discord", Config: node.Content[0], Permissions: map[string]string{"*": "relay", string(mia): "admin", string(zoe): "commands"}}); err != nil {
		r.Fatal(err)
	}
	reg, err := host.Registration("discord")
	if err != nil {
		r.Fatal(err)
	}
	sv := appservicetest.Service{ID: reg.ID, ASToken: reg.ASToken, HSToken: reg.HSToken, SenderLocalpart: reg.SenderLocalpart, Transport: inproc.Transport(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.late.RLock()
		defer r.late.RUnlock()
		host.Handler("discord").ServeHTTP(w, req)
	}))}
	for _, ns := range reg.Namespaces.Users {
		sv.Users = append(sv.Users, ns.Regex)
	}
	r.hs.AddService(sv)
	if err := host.Start(r.ctx, "discord"); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) wait(what string, cond func() bool) {
	r.Helper()
	if err := r.hs.Wait(r.ctx, cond); err != nil {
		r.Fatalf("%s: %v", what, err)
	}
}

// room waits for the room of a channel and has the Matrix users join it.
func (r *rig) room(name string) id.RoomID {
	r.Helper()
	var room id.RoomID
	r.wait("the room of "+name, func() bool { room = r.hs.RoomByName(name); return room != "" })
	r.hs.Join(room, mia)
	r.hs.Join(room, zoe)
	return room
}

func ghost(u *discordtest.User) id.UserID { return id.UserID("@discord_" + u.ID + ":" + domain) }

// event waits for an event of a room.
func (r *rig) event(room id.RoomID, kind, what string, match func(*appservicetest.Event) bool) *appservicetest.Event {
	r.Helper()
	var found *appservicetest.Event
	find := func() bool {
		for _, e := range r.hs.Events(room, kind) {
			if match(&e) {
				found = &e
				return true
			}
		}
		return false
	}
	if err := r.hs.Wait(r.ctx, find); err != nil {
		var all []string
		for _, e := range r.hs.Events(room, kind) {
			all = append(all, fmt.Sprintf("%s %s", e.Sender, e.Content))
		}
		r.Fatalf("%s: %v; there is\n%s", what, err, strings.Join(all, "\n"))
	}
	return found
}

// said waits for a message of a sender.
func (r *rig) said(room id.RoomID, sender id.UserID, body string) *appservicetest.Event {
	r.Helper()
	return r.event(room, "m.room.message", fmt.Sprintf("%q of %s", body, sender), func(e *appservicetest.Event) bool {
		return e.Sender == sender && e.Get("body") == body
	})
}

// onDiscord waits for a message in a channel.
func (r *rig) onDiscord(channel string, match func(*discordtest.Message) bool) *discordtest.Message {
	r.Helper()
	var found *discordtest.Message
	if err := r.dc.Wait(r.ctx, func() bool {
		for _, m := range r.dc.Messages(channel) {
			if match(&m) {
				found = &m
				return true
			}
		}
		return false
	}); err != nil {
		for _, m := range r.dc.Messages(channel) {
			r.Logf("on Discord: %s: %q %v", m.Author.Username, m.Content, m.Reactions)
		}
		r.Fatalf("a message on Discord: %v", err)
	}
	return found
}

func content(text string) func(*discordtest.Message) bool {
	return func(m *discordtest.Message) bool { return m.Content == text }
}

// relation is m.relates_to of an event.
func relation(e *appservicetest.Event) (rel struct {
	Type    string `json:"rel_type"`
	EventID string `json:"event_id"`
	Key     string `json:"key"`
	ReplyTo struct {
		EventID string `json:"event_id"`
	} `json:"m.in_reply_to"`
}) {
	var c struct {
		Rel json.RawMessage `json:"m.relates_to"`
	}
	_ = json.Unmarshal(e.Content, &c)
	_ = json.Unmarshal(c.Rel, &rel)
	return rel
}

// member waits for a membership in a room.
func (r *rig) member(room id.RoomID, user id.UserID, what string, match func(map[string]any) bool) {
	r.Helper()
	r.wait(what, func() bool {
		var c map[string]any
		return json.Unmarshal(r.hs.State(room, "m.room.member", string(user)), &c) == nil && match(c)
	})
}

// is matches a membership.
func is(membership string) func(map[string]any) bool {
	return func(c map[string]any) bool { return c["membership"] == membership }
}

// level is the power level of somebody in a room; 0 if none is set.
func (r *rig) level(room id.RoomID, user id.UserID) int {
	var c struct {
		Users map[id.UserID]int `json:"users"`
	}
	_ = json.Unmarshal(r.hs.State(room, "m.room.power_levels", ""), &c)
	return c.Users[user]
}

// setMember has somebody in Matrix change a membership.
func (r *rig) setMember(room id.RoomID, sender, target id.UserID, membership string) {
	r.hs.SetMember(room, sender, target, membership)
}

type obj = map[string]any
