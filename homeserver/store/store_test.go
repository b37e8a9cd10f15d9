package store

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/internal/pgtest"
)

// pg is the PostgreSQL server of this package's tests.
var pg pgtest.Server

func TestMain(m *testing.M) {
	if crashing() {
		return
	}
	code := m.Run()
	pg.Stop()
	os.Exit(code)
}

// fixture is a store on one of the databases, which a test may close and open again.
type fixture struct {
	*Store
	t       testing.TB
	options Options
}

func (f *fixture) reopen() {
	f.t.Helper()
	if err := f.Close(); err != nil {
		f.t.Fatal(err)
	}
	s, err := Open(f.t.Context(), f.options)
	if err != nil {
		f.t.Fatal(err)
	}
	f.Store = s
}

func open(t testing.TB, o Options) *fixture {
	t.Helper()
	o.Log = slog.New(slog.DiscardHandler)
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{s, t, o}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// databases are the two sorts of database, each as a way to make a fresh one.
var databases = map[string]func(t testing.TB) string{
	"sqlite":   func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "test.db") },
	"postgres": func(t testing.TB) string { return pg.Database(t) },
}

// onBoth runs a test on both databases.
func onBoth(t *testing.T, test func(t *testing.T, f *fixture)) {
	t.Parallel()
	for name, uri := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t, Options{URI: uri(t)}))
		})
	}
}

// write is Store.Write that must succeed.
func (f *fixture) write(fn func(*Tx) error) {
	f.t.Helper()
	if err := f.Write(f.t.Context(), fn); err != nil {
		f.t.Fatal(err)
	}
}

// user names a user durably.
func (f *fixture) user(id string) (nid int64) {
	f.t.Helper()
	f.write(func(tx *Tx) (err error) { nid, err = tx.NameUser(id); return err })
	return nid
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for tick := time.NewTicker(time.Millisecond); !ok(); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// TestQueries prepares every query: a misspelt one must not wait for the day it is needed.
func TestQueries(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		for name := range f.queries {
			if _, err := f.stmt(t.Context(), name); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestURI(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ uri, dialect, path string }{
		{"sqlite:a/b.db", "sqlite", "a/b.db"},
		{"sqlite:///a b.db", "sqlite", "/a b.db"},
		{"file:x", "sqlite", "x"},
		{"/var/lib/x.db", "sqlite", "/var/lib/x.db"},
		{`C:\x.db`, "sqlite", `C:\x.db`},
		{"postgres://u@h/d", "postgres", ""},
		{"postgresql://u@h/d", "postgres", ""},
	} {
		loc, err := parseURI(test.uri, true)
		if err != nil || loc.name != test.dialect || loc.path != test.path {
			t.Errorf("%s: %s %q, %v", test.uri, loc.name, loc.path, err)
		}
	}
	for _, uri := range []string{"", "sqlite:", "sqlite:x?mode=ro", "mysql://h/d"} {
		if _, err := parseURI(uri, true); err == nil {
			t.Errorf("%q was accepted", uri)
		}
	}
}
