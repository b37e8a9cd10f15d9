package backup

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// rig is a data folder with two databases that acknowledge each other's numbers.
type rig struct {
	dir    string
	own    *sql.DB
	bridge *sql.DB
	mu     sync.Mutex // who has it may write to own
}

func database(t *testing.T, path string) *sql.DB {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE n (n INTEGER, filler BLOB)"); err != nil {
		t.Fatal(err)
	}
	return db
}

func newRig(t *testing.T) *rig {
	dir := filepath.Join(t.TempDir(), "data")
	r := &rig{dir: dir, own: database(t, filepath.Join(dir, "landbridge.db")), bridge: database(t, filepath.Join(dir, "bridges", "irc", "bridge.db"))}
	database(t, filepath.Join(dir, "search.db"))
	for name, text := range map[string]string{"signing.key": "key", "lock": "", "media/aa/bb/file": "a file", "media/tmp/x": "under way", "media/thumbnails/y": "y",
		"backups/old": "an older backup", "bridges/irc/registration.yaml": "id: irc"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (r *rig) source() Source {
	return Source{Dir: r.dir, Database: filepath.Join(r.dir, "landbridge.db"), Media: filepath.Join(r.dir, "media"), Skip: []string{filepath.Join(r.dir, "backups")},
		ServerName: "test", Version: "1", Hold: func(_ context.Context, fn func() error) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			return fn()
		}}
}

// last is the newest number in a database file.
func last(t *testing.T, path string) (n int64) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), "SELECT coalesce(max(n), 0) FROM n").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func target(t *testing.T) Target {
	dir := filepath.Join(t.TempDir(), "restored")
	return Target{Dir: dir, Database: filepath.Join(dir, "landbridge.db"), Media: filepath.Join(dir, "media"), ServerName: "test"}
}

// TestUnderLoad: while two databases count in turns, each waiting for the other, backups show them
// at most one apart.
func TestUnderLoad(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, stop := context.WithCancel(t.Context())
	var count atomic.Int64
	done := make(chan error, 1)
	go func() {
		filler := make([]byte, 3000)
		for n := int64(1); ctx.Err() == nil; n++ {
			r.mu.Lock()
			_, err := r.own.Exec("INSERT INTO n VALUES (?, ?)", n, filler)
			r.mu.Unlock()
			if err == nil {
				_, err = r.bridge.Exec("INSERT INTO n VALUES (?, ?)", n, filler)
			}
			if err != nil {
				done <- err
				return
			}
			count.Store(n)
		}
		done <- nil
	}()
	for round := range 5 {
		for before := count.Load(); count.Load() < before+50; time.Sleep(time.Millisecond) {
			if ctx.Err() != nil || len(done) > 0 {
				t.Fatal("the writer has ended")
			}
		}
		var buf bytes.Buffer
		at := count.Load()
		sum, err := Write(ctx, &buf, r.source())
		if err != nil {
			t.Fatal(err)
		}
		to := target(t)
		restored, err := Restore(ctx, &buf, to)
		if err != nil {
			t.Fatal(err)
		}
		if restored.Files != sum.Files-1 || restored.ServerName != "test" || len(restored.Databases) != 2 {
			t.Errorf("written %+v, restored %+v", sum, restored)
		}
		own, bridge := last(t, to.Database), last(t, filepath.Join(to.Dir, "bridges", "irc", "bridge.db"))
		if own < at || own-bridge < 0 || own-bridge > 1 {
			t.Errorf("round %d: the backup has %d and %d, begun at %d", round, own, bridge, at)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func saved(t *testing.T) []byte {
	t.Helper()
	r := newRig(t)
	if _, err := r.own.ExecContext(t.Context(), "INSERT INTO n VALUES (7, zeroblob(100000))"); err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	if _, err := Write(t.Context(), &buf, r.source()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestContents(t *testing.T) {
	t.Parallel()
	raw := saved(t)
	to := target(t)
	if _, err := Restore(t.Context(), bytes.NewReader(raw), to); err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := filepath.WalkDir(to.Dir, func(p string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			rel, _ := filepath.Rel(to.Dir, p)
			got = append(got, filepath.ToSlash(rel))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	want := []string{"bridges/irc/bridge.db", "bridges/irc/registration.yaml", "landbridge.db", "media/aa/bb/file", "signing.key"}
	if !slices.Equal(got, want) {
		t.Errorf("restored %v, want %v", got, want)
	}
	if n := last(t, to.Database); n != 7 {
		t.Errorf("the database has %d", n)
	}
	if text, err := os.ReadFile(filepath.Join(to.Dir, "media/aa/bb/file")); err != nil || string(text) != "a file" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := Restore(t.Context(), bytes.NewReader(raw), to); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("restored over data: %v", err)
	}
}

// TestOutside: database, media and configuration may lie elsewhere.
func TestOutside(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.source()
	elsewhere := t.TempDir()
	s.Database, s.Media, s.Config = filepath.Join(elsewhere, "x.db"), filepath.Join(elsewhere, "m"), filepath.Join(elsewhere, "c.yaml")
	database(t, s.Database)
	if err := errors.Join(os.Mkdir(s.Media, 0o700), os.WriteFile(filepath.Join(s.Media, "f"), []byte("f"), 0o600), os.WriteFile(s.Config, []byte("conf"), 0o600)); err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	if _, err := Write(t.Context(), &buf, s); err != nil {
		t.Fatal(err)
	}
	to := target(t)
	out := t.TempDir()
	to.Database, to.Media, to.Config = filepath.Join(out, "y.db"), filepath.Join(out, "n"), filepath.Join(out, "d.yaml")
	if _, err := Restore(t.Context(), &buf, to); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{to.Database, filepath.Join(to.Media, "f"), to.Config, filepath.Join(to.Dir, "signing.key")} {
		if _, err := os.Stat(file); err != nil {
			t.Error(err)
		}
	}
	left, err := filepath.Glob(filepath.Join(out, "*"+staging))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// TestDamage: whatever is wrong with a backup is told, and nothing is left behind.
func TestDamage(t *testing.T) {
	t.Parallel()
	good := saved(t)
	flipped := bytes.Clone(good)
	for i := range 32 { // one bit alone may be one that means nothing
		flipped[len(flipped)/2+i] ^= 1
	}
	refusal := errors.New("not this one")
	for name, test := range map[string]struct {
		raw    []byte
		change func(*Target)
		want   string
	}{
		"empty":          {nil, nil, "damaged"},
		"something else": {[]byte(strings.Repeat("this is no backup", 100)), nil, "damaged"},
		"cut short":      {good[:len(good)-100], nil, "damaged"},
		"cut in half":    {good[:len(good)/2], nil, "damaged"},
		"bits flipped":   {flipped, nil, "damaged"},
		"another server": {good, func(t *Target) { t.ServerName = "other" }, "can't be renamed"},
		"not accepted":   {good, func(t *Target) { t.Accept = func(context.Context, string) error { return refusal } }, refusal.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			to := target(t)
			if test.change != nil {
				test.change(&to)
			}
			if _, err := Restore(t.Context(), bytes.NewReader(test.raw), to); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if left, err := filepath.Glob(filepath.Dir(to.Dir) + "/*"); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v %v", left, err)
			}
		})
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"data/a/b": true, "media/aa": true, "homeserver.db": true, "data/../x": false, "/etc/passwd": false, "data/": false, "data//x": false, "../x": false, "x": false, "media/a/../../b": false} {
		if goodName(name) != want {
			t.Errorf("%q", name)
		}
	}
}

// TestBusy: a bridge that holds its database for ever makes the backup fail with words, and does not
// keep the homeserver from writing for ever.
func TestBusy(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tx, err := r.bridge.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if _, err := Write(ctx, io.Discard, r.source()); err == nil || !strings.Contains(err.Error(), "nothing is written") {
		t.Errorf("%v", err)
	}
	if _, err := r.own.ExecContext(t.Context(), "INSERT INTO n VALUES (1, '')"); err != nil {
		t.Error(err)
	}
}

func TestSurplus(t *testing.T) {
	t.Parallel()
	day := func(n int) time.Time { return time.Date(2026, 3, 31, 3, 0, 0, 0, time.UTC).AddDate(0, 0, -n) }
	for name, test := range map[string]struct {
		days int
		keep Keep
		want []int
	}{
		"last":    {5, Keep{Last: 2}, []int{0, 1}},
		"at most": {1, Keep{Last: 7}, []int{0}},
		"none":    {3, Keep{}, []int{0}},
		// The 31st of March 2026 is a Tuesday.
		"weekly":  {20, Keep{Last: 3, Weekly: 3}, []int{0, 1, 2, 9}},
		"monthly": {70, Keep{Last: 1, Monthly: 3}, []int{0, 31, 59}},
	} {
		var list []Stored
		for n := range test.days {
			list = append(list, Stored{Path: fmt.Sprint(n), At: day(n)})
		}
		gone := surplus(list, test.keep)
		var kept []int
		for n, s := range list {
			if !slices.Contains(gone, s) {
				kept = append(kept, n)
			}
		}
		if !slices.Equal(kept, test.want) {
			t.Errorf("%s: kept %v, want %v", name, kept, test.want)
		}
	}
}

func TestFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if list, err := List(filepath.Join(dir, "none")); err != nil || list != nil {
		t.Errorf("%v %v", list, err)
	}
	r := newRig(t)
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for n := range 3 {
		if _, err := Save(t.Context(), filepath.Join(dir, Name(Scheduled, at.AddDate(0, 0, n))), r.source()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Save(t.Context(), filepath.Join(dir, Name(Upgrade, at)), r.source()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	gone, err := Prune(dir, Scheduled, Keep{Last: 1})
	if err != nil || len(gone) != 2 {
		t.Errorf("%v %v", gone, err)
	}
	list, err := List(dir)
	if err != nil || len(list) != 2 || list[0].Kind != Scheduled || !list[0].At.Equal(at.AddDate(0, 0, 2)) || list[1].Kind != Upgrade {
		t.Fatalf("%+v %v", list, err)
	}
	f, err := os.Open(list[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := Check(t.Context(), f); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Save(ctx, filepath.Join(dir, "failed"), r.source()); err == nil {
		t.Error("saved without time")
	}
	if _, err := os.Stat(filepath.Join(dir, "failed.part")); !errors.Is(err, os.ErrNotExist) {
		t.Error("what failed was left behind")
	}
}
