package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestExportCommands: exports of a running server and of a stopped one, and what is refused.
func TestExportCommands(t *testing.T) {
	t.Parallel()
	s := serveIn(t, shortDir(t), "")
	out := t.TempDir()
	must := func(want string, args ...string) {
		t.Helper()
		code, stdout, errOut := cli(t, append(args, "-c", s.conf)...)
		if code != 0 || !strings.Contains(stdout, want) {
			t.Fatalf("%q: %d %q %q, want %q", args, code, stdout, errOut, want)
		}
	}
	refused := func(want string, args ...string) {
		t.Helper()
		code, stdout, errOut := cli(t, append(args, "-c", s.conf)...)
		if code == 0 || !strings.Contains(errOut, want) {
			t.Errorf("%q: %d %q %q, want %q", args, code, stdout, errOut, want)
		}
	}
	must("Made @anna:test", "user", "create", "anna")
	must("Wrote 0 rooms", "export", "community", "-o", filepath.Join(out, "all"))
	must(`"format":"landbridge-export"`, "export", "person", "@anna:test", "-o", filepath.Join(out, "anna.zip"), "-json")
	refused("has something in it", "export", "community", "-o", filepath.Join(out, "all"))
	refused("exists", "export", "person", "@anna:test", "-o", filepath.Join(out, "anna.zip"))
	refused("nobody of that name", "export", "person", "@ben:test", "-o", filepath.Join(out, "ben.zip"))
	refused("there is no such room", "export", "community", "-room", "#x:test", "-o", filepath.Join(out, "x.zip"))
	for _, name := range []string{"ben.zip", "x.zip"} {
		if _, err := os.Stat(filepath.Join(out, name)); err == nil {
			t.Errorf("%s was left behind", name)
		}
	}
	refused("Usage", "export", "community")
	s.end()
	must("Wrote 0 rooms", "export", "community", "-o", filepath.Join(out, "stopped.zip"), "-public", "-without-media")
}
