package clients

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/testserver"
	"github.com/landbridge-im/landbridge/integration/tools"
)

func TestMain(m *testing.M) { os.Exit(testserver.Main(m)) }

// told is one line of what a script says.
type told struct {
	// Step is what was done, in so many milliseconds, unless it failed.
	Step   string
	MS     int64
	Failed string
	// Crash asks for the server to be killed and started again, after which a line is written to the
	// script's input.
	Crash bool
	// Done says that it was the last.
	Done bool
}

// follow runs a script and fails the test unless it comes to its end.
func follow(t *testing.T, s *testserver.Server, bound time.Duration, program string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	script := tools.Start(ctx, t, program, args...)
	steps, done := 0, false
	for script.Lines.Scan() {
		var x told
		if err := json.Unmarshal(script.Lines.Bytes(), &x); err != nil {
			t.Logf("%s", script.Lines.Bytes())
			continue
		}
		switch {
		case x.Failed != "":
			t.Errorf("%s (%d ms): %s", x.Step, x.MS, x.Failed)
		case x.Crash:
			if err := errors.Join(s.Kill(), s.Start(ctx)); err != nil {
				t.Error(err)
			}
			if _, err := io.WriteString(script.In, "again\n"); err != nil {
				t.Error(err)
			}
		case x.Done:
			done = true
		default:
			steps++
			t.Logf("%s: %d ms", x.Step, x.MS)
		}
	}
	if err := script.Wait(); err != nil || !done || steps == 0 || script.Lines.Err() != nil {
		t.Errorf("the day ended after %d steps: %v %v", steps, script.Lines.Err(), err)
	}
}

// script is a script beside the SDK, and the program that runs it.
func script(t *testing.T, name string) (program, path string) {
	t.Helper()
	node := tools.NewNode(t, ".")
	return node.Program, node.Script(t, name, "kit.mjs")
}

// TestDay has three people with matrix-js-sdk do what people do, on one server in both ways to sync.
func TestDay(t *testing.T) {
	t.Parallel()
	program, day := script(t, "day.mjs")
	s := testserver.New(t, testserver.Options{})
	for _, mode := range []string{"classic", "sliding"} {
		t.Run(mode, func(t *testing.T) { follow(t, s, 2*time.Minute, program, day, s.URL(), mode) })
	}
}

// TestNioDay has three people with matrix-nio do the same.
func TestNioDay(t *testing.T) {
	t.Parallel()
	python := tools.Nio(t)
	s := testserver.New(t, testserver.Options{})
	follow(t, s, 2*time.Minute, python, "nio_day.py", s.URL())
}

// TestSecrets has two people with two devices each talk in an encrypted room, with the SDK's Rust
// encryption: verification, cross-signing, key backup, a fresh device, a removed one. The server is
// killed meanwhile.
func TestSecrets(t *testing.T) {
	t.Parallel()
	program, secrets := script(t, "secrets.mjs")
	s := testserver.New(t, testserver.Options{})
	follow(t, s, 2*time.Minute, program, secrets, s.URL())
}

// TestMixedSecrets has somebody with the SDK's Rust encryption and somebody with matrix-nio and libolm,
// with two devices each, do the same together.
func TestMixedSecrets(t *testing.T) {
	t.Parallel()
	python := tools.Nio(t)
	nio, err := filepath.Abs("nio_secret.py")
	if err != nil {
		t.Fatal(err)
	}
	program, mixed := script(t, "mixed.mjs")
	s := testserver.New(t, testserver.Options{})
	follow(t, s, 4*time.Minute, program, mixed, s.URL(), python, nio, t.TempDir())
}

// TestHydrogen has two people log in and chat with Hydrogen in a browser each, with a third who has matrix-js-sdk, in an
// open and in an encrypted room. The page is of another origin than the server.
func TestHydrogen(t *testing.T) {
	t.Parallel()
	browser := tools.Chromium(t)
	program, chat := script(t, "hydrogen.mjs")
	s := testserver.New(t, testserver.Options{})
	follow(t, s, 5*time.Minute, program, chat, s.URL(), browser)
}

// TestOAuth has somebody sign up, log in and out by the OAuth 2.0 API with the SDK and a browser, and
// use all pages of the account. LANDBRIDGE_TEST_SCREENSHOTS names a folder for pictures of them.
func TestOAuth(t *testing.T) {
	t.Parallel()
	browser := tools.Chromium(t)
	program, flow := script(t, "oauth.mjs")
	mail, config := mailbox(t)
	s := testserver.New(t, testserver.Options{Extra: config})
	follow(t, s, 5*time.Minute, program, flow, s.URL(), browser, mail, os.Getenv("LANDBRIDGE_TEST_SCREENSHOTS"))
}
