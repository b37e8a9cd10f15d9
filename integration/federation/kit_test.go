package federation

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/client"
	"github.com/landbridge-im/landbridge/integration/testserver"
	"github.com/landbridge-im/landbridge/internal/pgtest"
	"github.com/landbridge-im/landbridge/internal/ports"
)

var pg pgtest.Server

func TestMain(m *testing.M) {
	code := testserver.Main(m)
	pg.Stop()
	os.Exit(code)
}

// patience is how long something may take to get from server to server on a loaded machine.
const patience = 40 * time.Second

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func port(t testing.TB, addr string) string {
	t.Helper()
	_, p, err := net.SplitHostPort(addr)
	ok(t, err)
	return p
}

// landbridge starts the binary with its federation on a TLS address of the loopback interface.
func landbridge(t *testing.T, a *authority) *testserver.Server {
	t.Helper()
	cert, key := a.certify(t)
	name := ports.Addr(t)
	return testserver.New(t, testserver.Options{Name: name, Extra: federationConfig(name, cert, key, a.file())})
}

func federationConfig(listen, cert, key, ca string) string {
	return fmt.Sprintf("federation:\n  enabled: true\n  listen: [%q]\n  tls_cert: %q\n  tls_key: %q\n  extra_ca: %q\n  allow_loopback: true\n",
		listen, cert, key, ca)
}

// server is a homeserver, of whatever make, as its users know it.
type server struct {
	make, name, url string
	users           atomic.Int64
}

type m = map[string]any

// user signs somebody new up.
func (s *server) user(t testing.TB) *someone {
	t.Helper()
	c := &client.Client{URL: s.url}
	c, err := c.Register(t.Context(), fmt.Sprintf("user%d", s.users.Add(1)))
	ok(t, err)
	return &someone{c, s}
}

// someone is a user of one of the servers.
type someone struct {
	*client.Client
	on *server
}

// room makes a room of a version.
func (p *someone) room(t testing.TB, version string, opts m) string {
	t.Helper()
	o := m{"room_version": version, "preset": "public_chat"}
	for k, v := range opts {
		o[k] = v
	}
	id, err := p.CreateRoom(t.Context(), o)
	ok(t, err)
	return id
}

// join joins a room by the servers named.
func (p *someone) join(ctx context.Context, room string, via ...string) error {
	return p.Do(ctx, "POST", client.Path("join", room), viaQuery(via), m{}, nil)
}

func viaQuery(via []string) url.Values { return url.Values{"via": via, "server_name": via} }

func (p *someone) joins(t testing.TB, room string, via ...*server) {
	t.Helper()
	var names []string
	for _, s := range via {
		names = append(names, s.name)
	}
	ok(t, p.join(t.Context(), room, names...))
	// Synapse joins with partial state, hears no typing and shows no room to clients that load all
	// members until it has the rest.
	p.syncs(t, "the room "+room, func(s *client.Sync) bool { _, there := s.Rooms.Join[room]; return there })
}

var txns atomic.Int64

// say sends a message.
func (p *someone) say(t testing.TB, room, body string) (eventID string) {
	t.Helper()
	return p.send(t, room, "m.room.message", client.Message(body))
}

func (p *someone) send(t testing.TB, room, typ string, content any) (eventID string) {
	t.Helper()
	id, err := p.Send(t.Context(), room, typ, fmt.Sprint("t", txns.Add(1)), content)
	ok(t, err)
	return id
}

func (p *someone) set(t testing.TB, room, typ, key string, content any) {
	t.Helper()
	_, err := p.SetState(t.Context(), room, typ, key, content)
	ok(t, err)
}

// eventually waits until something holds.
func eventually(t testing.TB, what string, holds func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end) && t.Context().Err() == nil; time.Sleep(30 * time.Millisecond) {
		if err = holds(); err == nil {
			return
		}
	}
	t.Fatalf("waited in vain for %s: %v", what, err)
}

// sees waits until somebody has an event.
func (p *someone) sees(t testing.TB, room, eventID string) (e client.Event) {
	t.Helper()
	eventually(t, p.UserID+" to see "+eventID, func() (err error) {
		e, err = p.Event(t.Context(), room, eventID)
		return err
	})
	return e
}

// finds waits until somebody's server has a membership.
func (p *someone) finds(t testing.TB, room string, other *someone, membership string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s to find %s %s", p.UserID, other.UserID, membership), func() error {
		c, err := p.StateContent(t.Context(), room, "m.room.member", other.UserID)
		if err == nil && c["membership"] != membership {
			err = fmt.Errorf("it is %v", c["membership"])
		}
		return err
	})
}

// has waits until somebody's server has a piece of state with a field.
func (p *someone) has(t testing.TB, room, typ, key, field string, want any) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s to have %s %s with %v", p.UserID, typ, key, want), func() error {
		c, err := p.StateContent(t.Context(), room, typ, key)
		if err == nil && fmt.Sprint(c[field]) != fmt.Sprint(want) {
			err = fmt.Errorf("it is %v", c[field])
		}
		return err
	})
}

// change kicks, bans, invites, unbans.
func (p *someone) change(t testing.TB, room, verb string, other *someone) {
	t.Helper()
	ok(t, p.Change(t.Context(), room, verb, other.UserID))
}

// refused makes sure that a request was answered with an errcode.
func refused(t testing.TB, err error, codes ...string) {
	t.Helper()
	var e *client.Error
	if !errors.As(err, &e) || !slices.Contains(codes, e.Code) {
		t.Fatalf("got %v, want a refusal with %v", err, codes)
	}
}

// bodies are the texts that somebody finds in a room, oldest first.
func (p *someone) bodies(t testing.TB, room string) (out []string) {
	t.Helper()
	all, err := p.History(t.Context(), room, "b", 100)
	ok(t, err)
	for _, e := range all {
		if e.Type == "m.room.message" {
			out = append(out, e.Body())
		}
	}
	return out
}

// syncs makes requests to /sync until one of the answers has what is looked for.
func (p *someone) syncs(t testing.TB, what string, holds func(*client.Sync) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := p.Follow(ctx, client.SyncOptions{Timeout: 5 * time.Second}, func(s *client.Sync) bool { return !holds(s) }); err != nil {
		t.Fatalf("%s waited in vain for %s: %v", p.UserID, what, err)
	}
}

// invited waits for an invitation.
func (p *someone) invited(t testing.TB, room string) (s client.InvitedRoom) {
	t.Helper()
	p.syncs(t, "the invitation to "+room, func(a *client.Sync) (there bool) {
		s, there = a.Rooms.Invite[room]
		return there
	})
	return s
}

// has tells whether one of the events meets a condition.
func anyOf(l client.EventList, holds func(client.Event) bool) bool {
	return slices.ContainsFunc(l.Events, holds)
}

func contains(raw []byte, s string) bool { return strings.Contains(string(raw), s) }

// localpart is the part of a user id before the server.
func localpart(userID string) string {
	local, _, _ := strings.Cut(userID[1:], ":")
	return local
}
