package app

import (
	"database/sql"
	"encoding/json/v2"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"
)

// TestCompact: a database that was made before space could be given back is small afterwards, and whole.
func TestCompact(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	s := serveIn(t, dir, "")
	if code, _, errOut := cli(t, "user", "create", "anna", "-password-file", writeFile(t, filepath.Join(dir, "password"), "long enough"), "-c", s.conf); code != 0 {
		t.Fatal(errOut)
	}
	if code, _, errOut := cli(t, "compact", "-c", s.conf); code == 0 || !strings.Contains(errOut, "lock") && !strings.Contains(errOut, "runs") && !strings.Contains(errOut, "use") {
		t.Errorf("beside a running server: %d %s", code, errOut)
	}
	s.end()
	path := filepath.Join(s.dir, "landbridge.db")
	old := func(do string) {
		t.Helper()
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		db.SetMaxOpenConns(1)
		if _, err := db.Exec(do); err != nil {
			t.Fatal(err)
		}
	}
	old("PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = 0; VACUUM; PRAGMA journal_mode = WAL")
	old("CREATE TABLE much (x BLOB); INSERT INTO much VALUES (zeroblob(10000000)); DROP TABLE much")
	code, out, errOut := cli(t, "compact", "-json", "-c", s.conf)
	var got []compacted
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 {
		t.Fatalf("%d %v %s%s", code, err, out, errOut)
	}
	if len(got) != 2 || got[0].Path != path || got[0].Before < 10_000_000 || got[0].After > 5_000_000 {
		t.Errorf("%s", out)
	}
	again := serveIn(t, dir, "")
	if code, out, errOut := cli(t, "user", "list", "-c", again.conf); code != 0 || !strings.Contains(out, "@anna:test") {
		t.Errorf("%d %s%s", code, out, errOut)
	}
	for conf, want := range map[string]string{
		writeFile(t, filepath.Join(dir, "p.yaml"), "database: {uri: \"postgres://h/x\"}\n"): "VACUUM FULL",
		writeFile(t, filepath.Join(dir, "n.yaml"), "data_dir: "+filepath.Join(dir, "none")): "no such file",
	} {
		if code, _, errOut := cli(t, "compact", "-c", conf); code == 0 || !strings.Contains(errOut, want) {
			t.Errorf("%s: %d %s", want, code, errOut)
		}
	}
}
