package homeserver

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/internal/safedial"
)

// site is a server that others reach by TLS and clients by a socket of their own, and that does what
// goes on by itself.
type site struct {
	*hs
	// down makes it as good as gone for other servers.
	down atomic.Bool
	// deaf makes it take nothing that is sent, until it has been asked for a join.
	deaf atomic.Bool
}

// sites starts servers that trust each other's certificates.
func sites(t *testing.T, n int) (out []*site) {
	t.Helper()
	roots := x509.NewCertPool()
	for range n {
		p := &site{}
		var s *Server
		outside := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if p.down.Load() {
				panic(http.ErrAbortHandler)
			}
			if p.deaf.Load() && strings.Contains(r.URL.Path, "/federation/v1/send/") {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			if strings.Contains(r.URL.Path, "/make_join/") {
				defer p.deaf.Store(false)
			}
			s.Federation().ServeHTTP(w, r)
		}))
		outside.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
		outside.EnableHTTP2 = true
		name := outside.Listener.Addr().String()
		dir := t.TempDir()
		var err error
		s, err = Open(t.Context(), Options{Name: name, PublicURL: "http://" + name, Dir: dir, Database: filepath.Join(dir, "hs.db"), UncheckedKeys: true,
			Media:      MediaOptions{Dir: filepath.Join(dir, "media")},
			Federation: Federation{Enabled: true, RootCAs: roots, AllowPrivate: safedial.Loopback()},
			Settings:   client.Settings{OpenRegistration: true, MaxBody: 1 << 20, SyncTimeout: time.Minute},
			Push:       PushOptions{AllowLoopback: true, Backoff: time.Millisecond},
			Log:        slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))})
		if err != nil {
			t.Fatal(err)
		}
		outside.StartTLS()
		roots.AddCert(outside.Certificate())
		clients := httptest.NewServer(s.Client())
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		tr := &http.Transport{MaxIdleConnsPerHost: 16}
		t.Cleanup(func() {
			tr.CloseIdleConnections()
			cancel()
			clients.Close()
			outside.Close()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		p.hs = &hs{TB: t, Server: s, url: clients.URL, http: &http.Client{Transport: tr}}
		out = append(out, p)
	}
	return out
}

// testWriter shows what servers log if a test fails.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	if w.t.Context().Err() == nil {
		w.t.Log(strings.TrimSpace(string(p)))
	}
	return len(p), nil
}

func (p *site) id(user string) string { return "@" + user + ":" + p.o.Name }

// eventually waits until something holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for: %s", what)
		}
	}
}

// sees waits until a user finds a message in a room.
func (p *site) sees(t *testing.T, token, room, body string) {
	t.Helper()
	eventually(t, body, func() bool {
		_, out := p.do(token, "GET", "/v3/rooms/"+url.PathEscape(room)+"/messages?dir=b&limit=50", nil)
		return strings.Contains(all(out.Get("chunk"), "content.body"), body)
	})
}

// member waits until a server sees a membership.
func (p *site) member(t *testing.T, token, room, user, membership string) {
	t.Helper()
	eventually(t, user+" "+membership, func() bool {
		_, out := p.do(token, "GET", "/v3/rooms/"+url.PathEscape(room)+"/state/m.room.member/"+url.PathEscape(user), nil)
		return out.Get("membership").Str == membership
	})
}

func (p *site) joinVia(token, room string, via *site) gjson.Result {
	p.Helper()
	return p.ok(token, "POST", "/v3/join/"+url.PathEscape(room)+"?via="+url.QueryEscape(via.o.Name), nil)
}

// TestSharedRoom: two servers in one room, for every version of rooms that is spoken.
func TestSharedRoom(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"3", "6", "10", "11", "12"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			p := sites(t, 2)
			a, b := p[0], p[1]
			alice, bob := a.user("alice"), b.user("bob")
			room := a.room(alice, obj{"preset": "public_chat", "room_version": version, "name": "Shared", "room_alias_name": "shared"})
			a.say(alice, room, "before")
			if got := b.ok(bob, "POST", "/v3/join/"+url.PathEscape("#shared:"+a.o.Name), nil).Get("room_id").Str; got != room {
				t.Fatalf("joined %s, want %s", got, room)
			}
			a.member(t, alice, room, b.id("bob"), "join")
			if name := b.ok(bob, "GET", "/v3/rooms/"+url.PathEscape(room)+"/state/m.room.name", nil).Get("name").Str; name != "Shared" {
				t.Errorf("the name is %q", name)
			}
			for i := range 3 {
				a.say(alice, room, fmt.Sprint("from a ", i))
				b.sees(t, bob, room, fmt.Sprint("from a ", i))
				b.say(bob, room, fmt.Sprint("from b ", i))
				a.sees(t, alice, room, fmt.Sprint("from b ", i))
			}
			b.ok(bob, "POST", "/v3/rooms/"+url.PathEscape(room)+"/leave", nil)
			a.member(t, alice, room, b.id("bob"), "leave")
			a.say(alice, room, "while away")
			b.joinVia(bob, room, a)
			a.member(t, alice, room, b.id("bob"), "join")
			a.say(alice, room, "after")
			b.sees(t, bob, room, "after")
			b.say(bob, room, "again")
			a.sees(t, alice, room, "again")
		})
	}
}

func TestSharedInvitations(t *testing.T) {
	t.Parallel()
	p := sites(t, 2)
	a, b := p[0], p[1]
	alice, bob := a.user("alice"), b.user("bob")
	invited := func(room string) bool {
		s := b.ok(bob, "GET", "/v3/sync", nil)
		return s.Get("rooms.invite").Map()[room].Exists()
	}
	room := a.room(alice, obj{"preset": "private_chat", "name": "Private", "invite": []string{b.id("bob")}})
	eventually(t, "the invitation", func() bool { return invited(room) })
	b.ok(bob, "POST", "/v3/rooms/"+url.PathEscape(room)+"/join", nil)
	a.member(t, alice, room, b.id("bob"), "join")
	a.say(alice, room, "welcome")
	b.sees(t, bob, room, "welcome")

	other := a.room(alice, obj{"preset": "private_chat"})
	a.ok(alice, "POST", "/v3/rooms/"+url.PathEscape(other)+"/invite", obj{"user_id": b.id("bob")})
	eventually(t, "the second invitation", func() bool { return invited(other) })
	b.ok(bob, "POST", "/v3/rooms/"+url.PathEscape(other)+"/leave", nil)
	a.member(t, alice, other, b.id("bob"), "leave")
	if invited(other) {
		t.Error("an invitation that was turned down is still there")
	}
	b.refused(403, "M_FORBIDDEN", bob, "POST", "/v3/join/"+url.PathEscape(other)+"?via="+url.QueryEscape(a.o.Name), nil)

	// One that is taken back.
	a.ok(alice, "POST", "/v3/rooms/"+url.PathEscape(other)+"/invite", obj{"user_id": b.id("bob")})
	eventually(t, "the third invitation", func() bool { return invited(other) })
	a.ok(alice, "POST", "/v3/rooms/"+url.PathEscape(other)+"/kick", obj{"user_id": b.id("bob")})
	eventually(t, "its end", func() bool { return !invited(other) })

	a.refused(502, "M_UNKNOWN", alice, "POST", "/v3/rooms/"+url.PathEscape(other)+"/invite", obj{"user_id": "@x:127.0.0.1:1"})
}

func TestSharedKnock(t *testing.T) {
	t.Parallel()
	p := sites(t, 2)
	a, b := p[0], p[1]
	alice, bob := a.user("alice"), b.user("bob")
	room := a.room(alice, obj{"preset": "private_chat", "name": "Door", "initial_state": []obj{{"type": "m.room.join_rules", "content": obj{"join_rule": "knock"}}}})
	b.ok(bob, "POST", "/v3/knock/"+url.PathEscape(room)+"?via="+url.QueryEscape(a.o.Name), obj{"reason": "please"})
	a.member(t, alice, room, b.id("bob"), "knock")
	s := b.ok(bob, "GET", "/v3/sync", nil)
	if !strings.Contains(s.Get("rooms.knock").Map()[room].Raw, "Door") {
		t.Errorf("the knock is not there, or its room has no name: %s", s.Get("rooms.knock").Raw)
	}
	a.ok(alice, "POST", "/v3/rooms/"+url.PathEscape(room)+"/invite", obj{"user_id": b.id("bob")})
	eventually(t, "the invitation", func() bool {
		return b.ok(bob, "GET", "/v3/sync", nil).Get("rooms.invite").Map()[room].Exists()
	})
	b.ok(bob, "POST", "/v3/rooms/"+url.PathEscape(room)+"/join", nil)
	a.member(t, alice, room, b.id("bob"), "join")
}

// TestSharedAway: a server that does not answer for a while gets what it missed, and what was said
// there meanwhile reaches the others.
func TestSharedAway(t *testing.T) {
	t.Parallel()
	p := sites(t, 3)
	a, b, c := p[0], p[1], p[2]
	alice, bob, carol := a.user("alice"), b.user("bob"), c.user("carol")
	room := a.room(alice, obj{"preset": "public_chat"})
	b.joinVia(bob, room, a)
	c.joinVia(carol, room, b)
	a.member(t, alice, room, c.id("carol"), "join")
	b.down.Store(true)
	for i := range 10 {
		a.say(alice, room, fmt.Sprint("missed ", i))
	}
	c.sees(t, carol, room, "missed 9")
	b.say(bob, room, "from the island")
	a.sees(t, alice, room, "from the island")
	b.down.Store(false)
	b.say(bob, room, "back")
	a.sees(t, alice, room, "back")
	c.sees(t, carol, room, "back")
	b.sees(t, bob, room, "missed 9")
	b.sees(t, bob, room, "missed 0")
	c.say(carol, room, "all here")
	for _, x := range []struct {
		*site
		token string
	}{{a, alice}, {b, bob}} {
		x.sees(t, x.token, room, "all here")
	}
}

// TestSharedLookups asks for what only the other server knows.
func TestSharedLookups(t *testing.T) {
	t.Parallel()
	p := sites(t, 2)
	a, b := p[0], p[1]
	alice, bob := a.user("alice"), b.user("bob")
	room := a.room(alice, obj{"preset": "public_chat", "visibility": "public", "name": "Listed", "room_alias_name": "listed"})
	space := a.room(alice, obj{"preset": "public_chat", "name": "Space", "creation_content": obj{"type": "m.space"}})
	a.state(alice, space, "m.space.child", room, obj{"via": []string{a.o.Name}})
	a.ok(alice, "PUT", "/v3/profile/"+url.PathEscape(a.id("alice"))+"/displayname", obj{"displayname": "Alice"})
	alias := url.PathEscape("#listed:" + a.o.Name)
	via := "?via=" + url.QueryEscape(a.o.Name)
	for _, tc := range []struct{ method, path, field, want string }{
		{"GET", "/v3/directory/room/" + alias, "room_id", room},
		{"GET", "/v3/profile/" + url.PathEscape(a.id("alice")), "displayname", "Alice"},
		{"GET", "/v3/profile/" + url.PathEscape(a.id("alice")) + "/displayname", "displayname", "Alice"},
		{"POST", "/v3/publicRooms?server=" + url.QueryEscape(a.o.Name), "chunk.0.name", "Listed"},
		{"GET", "/v1/room_summary/" + alias, "name", "Listed"},
		{"GET", "/v1/room_summary/" + url.PathEscape(room) + via, "membership", "leave"},
	} {
		if out := b.ok(bob, tc.method, tc.path, nil); out.Get(tc.field).String() != tc.want {
			t.Errorf("%s: %s", tc.path, out.Raw)
		}
	}
	own := b.room(bob, obj{"preset": "public_chat", "creation_content": obj{"type": "m.space"}})
	b.state(bob, own, "m.space.child", space, obj{"via": []string{a.o.Name}})
	if names := all(b.ok(bob, "GET", "/v1/rooms/"+url.PathEscape(own)+"/hierarchy", nil).Get("rooms"), "name"); !strings.Contains(names, "Space") || !strings.Contains(names, "Listed") {
		t.Errorf("the space has %s", names)
	}
	b.refused(404, "M_NOT_FOUND", bob, "GET", "/v3/directory/room/"+url.PathEscape("#none:"+a.o.Name), nil)
	b.refused(404, "M_NOT_FOUND", bob, "GET", "/v3/profile/"+url.PathEscape(a.id("nobody")), nil)
	a.down.Store(true)
	b.refused(502, "M_UNKNOWN", bob, "GET", "/v3/directory/room/"+url.PathEscape("#other:"+a.o.Name), nil)
}

// TestSharedEphemera: typing, receipts, messages to devices.
func TestSharedEphemera(t *testing.T) {
	t.Parallel()
	p := sites(t, 2)
	a, b := p[0], p[1]
	alice, bob := a.user("alice"), b.user("bob")
	room := a.room(alice, obj{"preset": "public_chat"})
	b.joinVia(bob, room, a)
	a.member(t, alice, room, b.id("bob"), "join")
	said := a.say(alice, room, "read this")
	b.sees(t, bob, room, "read this")
	b.ok(bob, "PUT", "/v3/rooms/"+url.PathEscape(room)+"/typing/"+url.PathEscape(b.id("bob")), obj{"typing": true, "timeout": 30000})
	b.ok(bob, "POST", "/v3/rooms/"+url.PathEscape(room)+"/receipt/m.read/"+url.PathEscape(said), nil)
	device := a.ok(alice, "GET", "/v3/account/whoami", nil).Get("device_id").Str
	b.ok(bob, "PUT", "/v3/sendToDevice/m.test/1", obj{"messages": obj{a.id("alice"): obj{device: obj{"hello": "there"}}}})
	eventually(t, "typing, receipt and message", func() bool {
		s := a.ok(alice, "GET", "/v3/sync", nil)
		eph := s.Get("rooms.join").Map()[room].Get("ephemeral.events").Raw
		return strings.Contains(eph, "m.typing") && strings.Contains(eph, said) && strings.Contains(s.Get("to_device.events").Raw, "there")
	})
	raw, _ := json.Marshal(b.id("bob"))
	if s := a.ok(alice, "GET", "/v3/sync", nil); !strings.Contains(s.Raw, string(raw)) {
		t.Error(s.Raw)
	}
}
