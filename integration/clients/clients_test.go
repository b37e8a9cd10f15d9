package clients

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
	// Done says that it was the last.
	Done bool
}

// follow runs a script and fails the test unless it comes to its end.
func follow(t *testing.T, bound time.Duration, program string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	steps, done := 0, false
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var x told
		if err := json.Unmarshal(lines.Bytes(), &x); err != nil {
			t.Logf("%s", lines.Bytes())
			continue
		}
		switch {
		case x.Failed != "":
			t.Errorf("%s (%d ms): %s", x.Step, x.MS, x.Failed)
		case x.Done:
			done = true
		default:
			steps++
			t.Logf("%s: %d ms", x.Step, x.MS)
		}
	}
	err = cmd.Wait()
	if err != nil || !done || steps == 0 || lines.Err() != nil {
		text := complaints.String()
		t.Errorf("the day ended after %d steps: %v %v\n%s", steps, err, lines.Err(), text[max(0, len(text)-4000):])
	}
}

// script is a script beside the SDK, and the program that runs it.
func script(t *testing.T, name string) (program, path string) {
	t.Helper()
	node := tools.NewNode(t, ".")
	dir := t.TempDir()
	for _, file := range []string{name, "kit.mjs"} {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(node.Modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return node.Program, filepath.Join(dir, name)
}

// TestDay has three people with matrix-js-sdk do what people do, on one server in both ways to sync.
func TestDay(t *testing.T) {
	t.Parallel()
	program, day := script(t, "day.mjs")
	s := testserver.New(t, testserver.Options{})
	for _, mode := range []string{"classic", "sliding"} {
		t.Run(mode, func(t *testing.T) { follow(t, 2*time.Minute, program, day, s.URL(), mode) })
	}
}

// TestNioDay has three people with matrix-nio do the same.
func TestNioDay(t *testing.T) {
	t.Parallel()
	python := tools.Nio(t)
	s := testserver.New(t, testserver.Options{})
	follow(t, 2*time.Minute, python, "nio_day.py", s.URL())
}
