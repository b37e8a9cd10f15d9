package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/client"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

func TestMain(m *testing.M) { os.Exit(testserver.Main(m)) }

const serviceToken = "c0ffee0123456789abcdef-service-to-server"

const serviceRegistration = `id: e2e
url: null
as_token: ` + serviceToken + `
hs_token: c0ffee0123456789abcdef-server-to-service
sender_localpart: e2ebot
rate_limited: false
namespaces:
  users: [{regex: "@ghost_.*:test", exclusive: true}]
  aliases: [{regex: "#ghost_.*:test", exclusive: true}]
`

// rig is a server that all scenarios share; each has users and rooms of its own.
type rig struct {
	*testserver.Server
	anon *client.Client
	bot  *client.Client
	n    *atomic.Int64
}

// TestAPI runs all scenarios on one server.
func TestAPI(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	reg := filepath.Join(dir, "service.yaml")
	if err := os.WriteFile(reg, []byte(serviceRegistration), 0o600); err != nil {
		t.Fatal(err)
	}
	s := testserver.New(t, testserver.Options{Dir: dir, Registrations: []string{reg}})
	r := &rig{s, &client.Client{URL: s.URL()}, &client.Client{URL: s.URL(), Token: serviceToken, UserID: s.UserID("e2ebot")}, &atomic.Int64{}}
	for name, scenario := range map[string]func(*testing.T, *rig){
		"wrong requests":      wrongRequests,
		"accounts":            accounts,
		"rooms":               rooms,
		"memberships":         memberships,
		"events":              events,
		"transactions":        transactions,
		"aliases":             aliases,
		"history":             history,
		"sync":                syncing,
		"limited timelines":   limited,
		"filters":             filters,
		"lazy loading":        lazy,
		"ephemeral":           ephemeral,
		"account data":        accountData,
		"application service": service,
		"media":               media,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scenario(t, r)
		})
	}
}

// user makes somebody new.
func (r *rig) user(t *testing.T) *client.Client {
	t.Helper()
	c, err := r.anon.Register(t.Context(), fmt.Sprintf("user%d", r.n.Add(1)))
	ok(t, err)
	return c
}

// room makes a room with its creator and further members.
func (r *rig) room(t *testing.T, creator *client.Client, opts map[string]any, members ...*client.Client) string {
	t.Helper()
	if opts == nil {
		opts = map[string]any{"preset": "public_chat"}
	}
	room, err := creator.CreateRoom(t.Context(), opts)
	ok(t, err)
	for _, m := range members {
		ok(t, m.Join(t.Context(), room))
	}
	return room
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// must is ok for calls with one result.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		ok(t, err)
		return v
	}
}

// refused makes sure that a request failed in a certain way.
func refused(t *testing.T, err error, status int, code string) {
	t.Helper()
	var e *client.Error
	switch {
	case !errors.As(err, &e):
		t.Errorf("got %v, want %d %s", err, status, code)
	case e.Status != status || e.Code != code:
		t.Errorf("got %v, want %d %s", err, status, code)
	case e.Message == "":
		t.Error("the error has no sentence")
	}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// until syncs on until a condition holds.
func until(t *testing.T, c *client.Client, since, what string, cond func(*client.Sync) bool) string {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		s := must(c.Sync(t.Context(), client.SyncOptions{Since: since, Timeout: 5 * time.Second}))(t)
		since = s.Next
		if cond(s) {
			return since
		}
	}
	t.Fatalf("%s: no /sync shows %s", c.UserID, what)
	return ""
}

func types(l []client.Event) (out []string) {
	for _, e := range l {
		out = append(out, e.Type)
	}
	return out
}

func bodies(l []client.Event) (out []string) {
	for _, e := range l {
		if e.Type == "m.room.message" {
			out = append(out, e.Body())
		}
	}
	return out
}

func find(l []client.Event, typ, key string) *client.Event {
	for i, e := range l {
		if e.Type == typ && (e.StateKey == nil && key == "" || e.StateKey != nil && *e.StateKey == key) {
			return &l[i]
		}
	}
	return nil
}
