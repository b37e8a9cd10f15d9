package migration

import (
	"flag"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/exports"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

var seed = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of the moments of the kills")

// kills is how often an import is cut off.
const kills = 10

// TestKilled kills the server or the command ten times while an export is brought in: the result is that of a
// run that nothing has disturbed, event for event.
func TestKilled(t *testing.T) {
	t.Parallel()
	t.Logf("-seed %d", *seed)
	rng := rand.New(rand.NewPCG(*seed, 0))
	dir := filepath.Join(t.TempDir(), "export")
	if err := exports.Slack(dir, exports.Size{Messages: 6000, People: 40, Channels: 7, Members: 12}); err != nil {
		t.Fatal(err)
	}
	calm := testserver.New(t, testserver.Options{})
	began := time.Now()
	must(t, calm, "run", dir, "-workspace", "acme", "-no-files")
	took := time.Since(began)
	want := rooms(t, calm, "slack:acme")

	s := testserver.New(t, testserver.Options{})
	for i := range kills {
		cmd := command(t.Context(), s, "run", dir, "-workspace", "acme", "-no-files")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// The moments are spread over what is left, so that each one finds it further on.
		pause(t, took/kills/2+time.Duration(rng.Int64N(int64(took/3))))
		if i%2 == 0 {
			s.Kill()
		} else if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		waitFor(cmd)
		if i%2 == 0 {
			if err := s.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	must(t, s, "run", dir, "-workspace", "acme", "-no-files")
	same(t, want, rooms(t, s, "slack:acme"))
	must(t, s, "verify", dir, "-workspace", "acme")
	// Once more changes nothing.
	must(t, s, "run", dir, "-workspace", "acme", "-no-files")
	same(t, want, rooms(t, s, "slack:acme"))
}

// waitFor waits until a command has ended, however it does.
func waitFor(cmd *exec.Cmd) { _ = cmd.Wait() }

// same compares rooms event for event.
func same(t *testing.T, want, have map[string][]event) {
	t.Helper()
	if len(want) == 0 || len(have) != len(want) {
		t.Fatalf("%d rooms instead of %d", len(have), len(want))
	}
	for name, list := range want {
		if slices.EqualFunc(list, have[name], func(a, b event) bool { return a.ID == b.ID }) {
			continue
		}
		for i := range list {
			if i >= len(have[name]) || have[name][i].ID != list[i].ID {
				other := "nothing"
				if i < len(have[name]) {
					other = have[name][i].String()
				}
				t.Fatalf("room %s has %d events instead of %d; event %d is\n%s\ninstead of\n%s", name, len(have[name]), len(list), i, other, list[i])
			}
		}
		t.Fatalf("room %s has %d events instead of %d", name, len(have[name]), len(list))
	}
}

// pause lets an import go on for a while.
func pause(t *testing.T, d time.Duration) {
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
}
