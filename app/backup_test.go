package app

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/backup"
)

// shortDir is a folder whose path leaves room for a socket's.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "lb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// served is a "landbridge serve" in this process.
type served struct {
	t        *testing.T
	conf     string
	dir      string // the data folder
	stop     func()
	ended    chan int
	out, err lockedBuffer
}

// confFile writes a configuration for a data folder, with further lines.
func confFile(t *testing.T, dir, more string) string {
	return writeFile(t, filepath.Join(dir, "c.yaml"), "server: {name: test, listen: [\"127.0.0.1:0\"]}\ndata_dir: "+filepath.Join(dir, "data")+"\nbridges: []\n"+more)
}

// serveIn starts a server with the configuration of confFile, and waits until it takes commands.
func serveIn(t *testing.T, dir, more string) *served {
	t.Helper()
	s := &served{t: t, conf: confFile(t, dir, more), dir: filepath.Join(dir, "data"), ended: make(chan int, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	s.stop = cancel
	go func() {
		s.ended <- run(ctx, []string{"serve", "-c", s.conf}, stdio{In: strings.NewReader(""), Out: &s.out, Err: &s.err, build: testBuild})
	}()
	t.Cleanup(s.end)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("unix", filepath.Join(s.dir, "console.sock")); err == nil {
			c.Close()
			return s
		}
		if len(s.ended) > 0 || time.Now().After(deadline) {
			t.Fatalf("the server has not started: %s", s.err.String())
		}
	}
}

// end stops the server. It may be called again.
func (s *served) end() {
	if s.stop == nil {
		return
	}
	s.stop()
	s.stop = nil
	select {
	case code := <-s.ended:
		if code != 0 {
			s.t.Errorf("serve: %d %s", code, s.err.String())
		}
	case <-time.After(time.Minute):
		s.t.Error("serve does not end")
	}
}

// TestBackupCommands: a backup of a running server, and of a stopped one, is restored elsewhere.
func TestBackupCommands(t *testing.T) {
	t.Parallel()
	s := serveIn(t, shortDir(t), "")
	must := func(conf, want string, args ...string) string {
		t.Helper()
		code, out, errOut := cli(t, append(args, "-c", conf)...)
		if code != 0 || !strings.Contains(out, want) {
			t.Fatalf("%q: %d %q %q, want %q", args, code, out, errOut, want)
		}
		return out
	}
	refused := func(conf, want string, args ...string) {
		t.Helper()
		code, out, errOut := cli(t, append(args, "-c", conf)...)
		if code == 0 || !strings.Contains(errOut, want) {
			t.Errorf("%q: %d %q %q, want %q", args, code, out, errOut, want)
		}
	}
	must(s.conf, "Made @anna:test", "user", "create", "anna")
	file := filepath.Join(filepath.Dir(s.dir), "anna.tar.zst")
	must(s.conf, "files of test", "backup", "create", "-o", file)
	refused(s.conf, "exists already", "backup", "create", "-o", file)
	refused(s.conf, "write -o x", "backup", "create", "x")
	must(s.conf, `"server_name":"test"`, "backup", "create", "-json", "-without-media")
	must(s.conf, " asked ", "backup", "list")
	must(s.conf, `"kind":"asked"`, "backup", "list", "-json")
	if code, out, errOut := cli(t, "backup", "check", file); code != 0 || !strings.Contains(out, "The backup is whole: test, as it was at") {
		t.Errorf("check: %d %q %q", code, out, errOut)
	}
	refused(s.conf, "is not empty", "restore", file)
	s.end()
	must(s.conf, "Made @berta:test", "user", "create", "berta")
	second := file + "2"
	must(s.conf, "files of test", "backup", "create", "-o", second)

	for backup, users := range map[string]string{file: "@anna", second: "@anna @berta"} {
		dir := shortDir(t)
		conf := confFile(t, dir, "")
		must(conf, "Restored to "+filepath.Join(dir, "data"), "restore", backup, "-write-config", filepath.Join(dir, "was.yaml"))
		list := must(conf, "USER", "user", "list")
		for _, name := range []string{"@anna", "@berta"} {
			if strings.Contains(list, name) != strings.Contains(users, name) {
				t.Errorf("%s: the accounts are %s", backup, list)
			}
		}
		if was, err := os.ReadFile(filepath.Join(dir, "was.yaml")); err != nil || !strings.Contains(string(was), "name: test") {
			t.Errorf("%q %v", was, err)
		}
		key, err1 := os.ReadFile(filepath.Join(dir, "data", "signing.key"))
		own, err2 := os.ReadFile(filepath.Join(s.dir, "signing.key"))
		if err1 != nil || err2 != nil || string(key) != string(own) {
			t.Errorf("the signing key: %v %v", err1, err2)
		}
	}
	other := shortDir(t)
	conf := writeFile(t, filepath.Join(other, "c.yaml"), "server: {name: other}\ndata_dir: "+filepath.Join(other, "data")+"\n")
	refused(conf, "can't be renamed", "restore", file)
	refused(conf, "damaged", "restore", conf)
	refused(writeFile(t, filepath.Join(other, "p.yaml"), "database: {uri: \"postgres://h/x\"}\n"), "PostgreSQL", "restore", file)
}

// raw opens the database of a data folder without the store.
func raw(t *testing.T, dir string) *sql.DB {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "landbridge.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// TestUpgrade: from each schema that was ever in use the server starts, and has made a backup before.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../homeserver/store/testdata/schema/*_sqlite.sql")
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	for i, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			dir := shortDir(t)
			schema, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			rows := fmt.Sprintf(`CREATE TABLE schema_version (version INTEGER NOT NULL); INSERT INTO schema_version (version) VALUES (%d);
				INSERT INTO meta (key, value) VALUES ('old', 'data');`, i+1)
			db := raw(t, filepath.Join(dir, "data"))
			if _, err := db.ExecContext(t.Context(), string(schema)+"\n;"+rows); err != nil {
				t.Fatal(err)
			}
			db.Close()
			writeFile(t, filepath.Join(dir, "data", "signing.key"), "ed25519 a_1 "+strings.Repeat("A", 43)+"\n")
			s := serveIn(t, dir, "")
			if _, errOut := s.out.String(), s.err.String(); !strings.Contains(errOut, "backup made") {
				t.Errorf("no backup was made: %s", errOut)
			}
			s.end()
			list, err := backup.List(filepath.Join(s.dir, "backups"))
			if err != nil || len(list) != 1 || list[0].Kind != backup.Upgrade {
				t.Fatalf("%+v %v", list, err)
			}
			// What was copied is the old schema.
			to := shortDir(t)
			if code, _, errOut := cli(t, "restore", list[0].Path, "-c", confFile(t, to, "")); code != 0 {
				t.Fatal(errOut)
			}
			var version int
			var old string
			if err := raw(t, filepath.Join(to, "data")).QueryRowContext(t.Context(), "SELECT version, (SELECT value FROM meta WHERE key = 'old') FROM schema_version").Scan(&version, &old); err != nil || version != i+1 || old != "data" {
				t.Errorf("version %d, %q, %v", version, old, err)
			}
			// Nothing has changed since, so the next start makes none.
			serveIn(t, dir, "").end()
			if list, err := backup.List(filepath.Join(s.dir, "backups")); err != nil || len(list) != 1 {
				t.Errorf("%+v %v", list, err)
			}
		})
	}
}

// TestUpgradeByCommand: a command that works on the folder of a server that is stopped makes the backup, too, and the server
// then makes none; nor does it after a command has made the database.
func TestUpgradeByCommand(t *testing.T) {
	t.Parallel()
	old, err := os.ReadFile("../homeserver/store/testdata/schema/009_sqlite.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, schema := range []int{0, 9} {
		dir := shortDir(t)
		want := 0
		if schema > 0 {
			want = 1
			db := raw(t, filepath.Join(dir, "data"))
			rows := fmt.Sprintf(`CREATE TABLE schema_version (version INTEGER NOT NULL); INSERT INTO schema_version (version) VALUES (%d);`, schema)
			if _, err := db.ExecContext(t.Context(), string(old)+"\n;"+rows); err != nil {
				t.Fatal(err)
			}
			db.Close()
			writeFile(t, filepath.Join(dir, "data", "signing.key"), "ed25519 a_1 "+strings.Repeat("A", 43)+"\n")
		} else if err := os.MkdirAll(filepath.Join(dir, "data"), 0o700); err != nil {
			t.Fatal(err)
		}
		if code, _, errOut := cli(t, "user", "list", "-c", confFile(t, dir, "")); code != 0 {
			t.Fatal(errOut)
		}
		s := serveIn(t, dir, "")
		s.end()
		list, err := backup.List(filepath.Join(s.dir, "backups"))
		if err != nil || len(list) != want {
			t.Fatalf("from schema %d: %+v %v", schema, list, err)
		}
		if want == 0 {
			continue
		}
		to := shortDir(t)
		if code, _, errOut := cli(t, "restore", list[0].Path, "-c", confFile(t, to, "")); code != 0 {
			t.Fatal(errOut)
		}
		var version int
		if err := raw(t, filepath.Join(to, "data")).QueryRowContext(t.Context(), "SELECT version FROM schema_version").Scan(&version); err != nil || version != schema {
			t.Errorf("the backup has schema %d, %v", version, err)
		}
	}
}

// TestDowngrade: an older program refuses what a newer one has written, with words, and changes
// nothing; neither does it restore such a thing.
func TestDowngrade(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	s := serveIn(t, dir, "")
	s.end()
	db := raw(t, s.dir)
	if _, err := db.ExecContext(t.Context(), "UPDATE schema_version SET version = 9999"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	const want = "the database has schema version 9999, and this program knows only up to"
	if code, _, errOut := cli(t, "serve", "-c", s.conf); code == 0 || !strings.Contains(errOut, want) || !strings.Contains(errOut, "landbridge backup list") {
		t.Errorf("serve: %d %q", code, errOut)
	}
	file := filepath.Join(dir, "new.tar.zst")
	if code, _, errOut := cli(t, "backup", "create", "-o", file, "-c", s.conf); code != 0 {
		t.Fatal(errOut)
	}
	to := shortDir(t)
	if code, _, errOut := cli(t, "restore", file, "-c", confFile(t, to, "")); code == 0 || !strings.Contains(errOut, want) {
		t.Errorf("restore: %d %q", code, errOut)
	}
	if _, err := os.Stat(filepath.Join(to, "data")); !os.IsNotExist(err) {
		t.Errorf("something was left behind: %v", err)
	}
}

// TestScheduledBackups: the clock makes backups, and old ones go.
func TestScheduledBackups(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	folder := filepath.Join(dir, "backups")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		writeFile(t, filepath.Join(folder, backup.Name(backup.Scheduled, time.Now().AddDate(0, 0, -40-n))), "old")
	}
	s := serveIn(t, dir, "backup: {folder: "+folder+", every: 10m, keep: 2, keep_weekly: 0}\n")
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		list, err := backup.List(folder)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 2 && time.Since(list[0].At) < time.Hour {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v\n%s", list, s.err.String())
		}
	}
}
