package registration

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func file(id, prefix string) string {
	return fmt.Sprintf("id: %s\nurl: null\nas_token: ast-of-service-%s-0123456789\nhs_token: hst-of-service-%s-0123456789\nsender_localpart: %sbot\nnamespaces:\n  users:\n    - {exclusive: true, regex: '^@%s_.*:example\\.org$'}\n", id, id, id, id, prefix)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

type watching struct {
	*Watcher
	sets chan *Set
}

// startWatcher runs a watcher that hears of changes only by the system's reports.
func startWatcher(t *testing.T, opts WatchOptions) *watching {
	t.Helper()
	w := &watching{sets: make(chan *Set, 100)}
	opts.ServerName = "example.org"
	opts.OnChange = func(s *Set) { w.sets <- s }
	opts.Log = slog.New(slog.DiscardHandler)
	opts.Debounce = 10 * time.Millisecond
	if opts.Poll == 0 {
		opts.Poll = time.Hour
	}
	var err error
	if w.Watcher, err = NewWatcher(opts); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	finished := make(chan error, 1)
	go func() { finished <- w.Run(ctx) }()
	<-w.ready
	t.Cleanup(func() {
		cancel()
		if err := <-finished; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return w
}

// wait waits for a Set with these services, and with a problem holding the text if there
// is one.
func (w *watching) wait(t *testing.T, problem string, want ...string) *Set {
	t.Helper()
	good := func(s *Set) bool {
		text := s.Problems().Err()
		return slices.Equal(ids(s.All()), want) &&
			(text == nil && problem == "" || text != nil && problem != "" && strings.Contains(text.Error(), problem))
	}
	deadline := time.After(10 * time.Second)
	for s := w.Set(); ; {
		if good(s) {
			return s
		}
		select {
		case s = <-w.sets:
		case <-deadline:
			t.Fatalf("waited for %q with problem %q, have %q with %v", want, problem, ids(w.Set().All()), w.Set().Problems())
		}
	}
}

func TestWatcherFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.yaml"), filepath.Join(dir, "b.yml")
	write(t, a, file("irc", "irc"))
	w := startWatcher(t, WatchOptions{Paths: []string{dir}})
	first := w.wait(t, "", "irc")

	write(t, b, file("xmpp", "xmpp"))
	second := w.wait(t, "", "irc", "xmpp")
	if first.ByID("irc") != second.ByID("irc") {
		t.Error("a file that did not change was read anew")
	}

	// A bad version does not take effect, nor does one that contradicts another file.
	write(t, a, "id: irc\nurl: [\n")
	if s := w.wait(t, "a.yaml", "irc", "xmpp"); s.ExclusiveUser("@irc_x:example.org") == nil {
		t.Error("the good version is not served")
	}
	write(t, a, file("irc", "xmpp"))
	w.wait(t, "overlaps", "irc", "xmpp")
	write(t, a, file("xmpp", "other"))
	w.wait(t, "is also the id", "irc", "xmpp")

	// A newcomer that sorts first does not push out what is served.
	write(t, a, file("irc", "irc2"))
	if s := w.wait(t, "", "irc", "xmpp"); s.ExclusiveUser("@irc2_x:example.org") == nil {
		t.Error("the new version is not served")
	}
	write(t, filepath.Join(dir, "0.yaml"), file("irc", "irc3"))
	w.wait(t, "0.yaml", "irc", "xmpp")
	if err := os.Remove(filepath.Join(dir, "0.yaml")); err != nil {
		t.Fatal(err)
	}
	w.wait(t, "", "irc", "xmpp")

	// Saved by renaming, as editors do: never gone, even for a moment.
	if err := os.Rename(b, b+"~"); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, ".b.yml.swp"), file("xmpp", "jabber"))
	if err := os.Rename(filepath.Join(dir, ".b.yml.swp"), b); err != nil {
		t.Fatal(err)
	}
	if s := w.wait(t, "", "irc", "xmpp"); s.ExclusiveUser("@xmpp_x:example.org") != nil {
		s = <-w.sets
		if s.ExclusiveUser("@jabber_x:example.org") == nil || len(s.All()) != 2 {
			t.Errorf("after renaming: %q", ids(s.All()))
		}
	}

	if err := os.Remove(a); err != nil {
		t.Fatal(err)
	}
	w.wait(t, "", "xmpp")
}

func TestWatcherSwap(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.yaml"), file("irc", "irc"))
	write(t, filepath.Join(dir, "b.yaml"), file("xmpp", "xmpp"))
	set, err := load("example.org", []string{dir}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "b.yaml"), file("irc", "irc"))
	write(t, filepath.Join(dir, "a.yaml"), file("xmpp", "xmpp"))
	if set, err = load("example.org", []string{dir}, nil, set); err != nil {
		t.Fatal(err)
	}
	if got := ids(set.All()); !slices.Equal(got, []string{"xmpp", "irc"}) || set.Problems() != nil {
		t.Errorf("got %q, %v", got, set.Problems())
	}
}

func TestWatcherThingsAppearingLater(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := startWatcher(t, WatchOptions{Paths: []string{
		filepath.Join(dir, "deep", "folder", "irc.yaml"),
		filepath.Join(dir, "glob", "*", "r-*.yaml"),
	}, Builtin: []*Registration{testRegistration("builtin")}})
	w.wait(t, "no such file", "builtin")
	write(t, filepath.Join(dir, "deep", "folder", "irc.yaml"), file("irc", "irc"))
	w.wait(t, "", "builtin", "irc")
	write(t, filepath.Join(dir, "glob", "x", "r-1.yaml"), file("xmpp", "xmpp"))
	write(t, filepath.Join(dir, "glob", "x", "other.yaml"), "nonsense")
	w.wait(t, "", "builtin", "irc", "xmpp")
	if err := os.RemoveAll(filepath.Join(dir, "glob")); err != nil {
		t.Fatal(err)
	}
	w.wait(t, "", "builtin", "irc")
	write(t, filepath.Join(dir, "glob", "x", "r-1.yaml"), file("xmpp", "xmpp"))
	w.wait(t, "", "builtin", "irc", "xmpp")

	// A file that is asked for by name stays served when it is gone, and that is told.
	if err := os.Remove(filepath.Join(dir, "deep", "folder", "irc.yaml")); err != nil {
		t.Fatal(err)
	}
	w.wait(t, "no such file", "builtin", "irc", "xmpp")
}

// TestWatcherSymlinks replaces a folder's files as Kubernetes does: the files are links
// through a folder link that is replaced.
func TestWatcherSymlinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "..1", "a.yaml"), file("irc", "irc"))
	write(t, filepath.Join(dir, "..2", "a.yaml"), file("xmpp", "xmpp"))
	link := func(target, name string) {
		t.Helper()
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	link("..1", "..data")
	link(filepath.Join("..data", "a.yaml"), "a.yaml")
	w := startWatcher(t, WatchOptions{Paths: []string{dir}})
	w.wait(t, "", "irc")
	link("..2", "..new")
	if err := os.Rename(filepath.Join(dir, "..new"), filepath.Join(dir, "..data")); err != nil {
		t.Fatal(err)
	}
	w.wait(t, "", "xmpp")
}

func TestWatcherReloadAndPoll(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a.yaml")
	write(t, path, file("irc", "irc"))
	w := startWatcher(t, WatchOptions{Paths: []string{path}})
	write(t, path, file("xmpp", "xmpp"))
	if err := w.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := ids(w.Set().All()); !slices.Equal(got, []string{"xmpp"}) {
		t.Errorf("after Reload: %q", got)
	}
	other := filepath.Join(dir, "other", "b.yaml")
	write(t, other, file("irc", "irc"))
	if err := w.Reconfigure(t.Context(), []string{filepath.Dir(other)}, testRegistration("builtin")); err != nil {
		t.Fatal(err)
	}
	if got := ids(w.Set().All()); !slices.Equal(got, []string{"builtin", "irc"}) {
		t.Errorf("after Reconfigure: %q", got)
	}
	write(t, other, file("irc2", "irc"))
	w.wait(t, "", "builtin", "irc2")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	idle, err := NewWatcher(WatchOptions{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if idle.Reload(ctx) == nil {
		t.Error("Reload without Run has no error")
	}

	// Another file system may report nothing: here, a folder behind a link in a path.
	real := t.TempDir()
	if err := os.Symlink(real, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	w = startWatcher(t, WatchOptions{Paths: []string{filepath.Join(dir, "link", "b.yaml")}, Poll: 20 * time.Millisecond})
	write(t, filepath.Join(real, "b.yaml"), file("irc", "irc"))
	w.wait(t, "", "irc")
}

func TestWatchTargetsConcern(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	targets := newWatchTargets([]string{filepath.Join(dir, "folder"), filepath.Join(dir, "file.yaml"), filepath.Join(dir, "g", "*", "*.yml")})
	for name, want := range map[string]bool{
		"folder":            true,
		"folder/x.yaml":     true,
		"folder/x.yml":      true,
		"folder/..data":     true,
		"folder/x.txt":      false,
		"file.yaml":         true,
		"other.yaml":        false,
		"landbridge.db-wal": false,
		"g":                 true,
		"g/x":               true,
		"g/x/y.yml":         true,
		"g/x/y.yaml":        false,
		"":                  true,
	} {
		if got := targets.concerns(filepath.Join(dir, name)); got != want {
			t.Errorf("concerns(%q) = %t", name, got)
		}
	}
}
