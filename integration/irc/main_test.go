package irc_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

func TestMain(m *testing.M) { os.Exit(testserver.Main(m)) }

// patience bounds a whole test's waiting.
const patience = time.Minute

func withTimeout(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// withToken makes a server that lets nobody in but with the token that it prints.
var withToken = []string{"LANDBRIDGE_REGISTRATION_OPEN=false", "LANDBRIDGE_REGISTRATION_ADMIN_SIGNUP_TOKEN=true"}

var tokenLine = regexp.MustCompile(`registration token is\s+(\S+)`)

// printedToken is the sign-up token that the server has printed.
func printedToken(t testing.TB, s *testserver.Server) string {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		if m := tokenLine.FindStringSubmatch(s.Log()); m != nil {
			return m[1]
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("no token was printed:\n%s", s.Log())
	return ""
}

// user makes an account that follows /sync.
func user(ctx context.Context, t testing.TB, s *testserver.Server, name, token string) *bridgetest.Matrix {
	t.Helper()
	m, err := bridgetest.Register(ctx, s.URL(), name, token)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Follow(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// person makes somebody on IRC.
func person(ctx context.Context, t testing.TB, addr, nick string, channels ...string) *bridgetest.Person {
	t.Helper()
	p, err := bridgetest.DialIRC(ctx, addr, nick, channels...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// joinSoon joins a room whose alias may not be there yet.
func joinSoon(ctx context.Context, t testing.TB, m *bridgetest.Matrix, alias string) string {
	t.Helper()
	for {
		room, err := m.Join(ctx, alias)
		if err == nil {
			return room
		}
		if ctx.Err() != nil || !bridgetest.IsStatus(err, 404) {
			t.Fatalf("joining %s: %v", alias, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// waitFor waits until f returns true.
func waitFor(ctx context.Context, t testing.TB, what string, f func() bool) {
	t.Helper()
	for !f() {
		if ctx.Err() != nil {
			t.Fatalf("%s: %v", what, ctx.Err())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// reconfigure changes the configuration file of a server and has it taken over.
func reconfigure(t testing.TB, s *testserver.Server, dir, old, new string) {
	t.Helper()
	path := filepath.Join(dir, "landbridge.yaml")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(raw), old) {
		t.Fatalf("the configuration has no %q", old)
	}
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(raw), old, new)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Signal(sighup); err != nil {
		t.Fatal(err)
	}
}
