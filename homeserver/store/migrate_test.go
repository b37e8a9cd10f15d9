package store

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// update rewrites the frozen schemas. It is for the time before a release; afterwards a schema
// file never changes again, and each change is a new file.
var update = flag.Bool("update", false, "rewrite testdata/schema")

// frozen is the file with a schema version as databases in the field have it.
func frozen(dialect string, version int) string {
	return filepath.Join("testdata", "schema", fmt.Sprintf("%03d_%s.sql", version, dialect))
}

// dialectOf opens a database without the store.
func dialectOf(t *testing.T, uri string) (location, *sql.DB) {
	t.Helper()
	loc, err := parseURI(uri, false)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open(loc.driver, loc.dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return loc, db
}

// TestFrozenSchema starts from each schema that was ever in use, with rows in it, as it was
// written down then, and brings it up to date: the result must be the schema of a new database,
// and the rows must be there.
func TestFrozenSchema(t *testing.T) {
	t.Parallel()
	steps, err := loadMigrations(schemaFiles)
	if err != nil {
		t.Fatal(err)
	}
	for name, uri := range databases {
		for _, step := range steps {
			t.Run(fmt.Sprintf("%s/%d", name, step.number), func(t *testing.T) {
				t.Parallel()
				uri := uri(t)
				loc, db := dialectOf(t, uri)
				file := frozen(name, step.number)
				if *update {
					text := ""
					for _, s := range steps[:step.number] {
						text += loc.schema.Replace(s.sql)
					}
					if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				schema, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				rows := `CREATE TABLE schema_version (version INTEGER NOT NULL);
					INSERT INTO schema_version (version) VALUES (%d);
					INSERT INTO user_name (nid, id) VALUES (41, '@old:x');
					INSERT INTO meta (key, value) VALUES ('old', 'data');
					INSERT INTO log (pos, kind, room_nid, user_nid, ref) VALUES (17, 6, 0, 41, 0);`
				if _, err := db.ExecContext(t.Context(), string(schema)+"\n;"+fmt.Sprintf(rows, step.number)); err != nil {
					t.Fatal(err)
				}
				f := open(t, Options{URI: uri})
				if v, err := f.Meta(t.Context(), "old"); err != nil || v != "data" {
					t.Errorf("the old row: %q, %v", v, err)
				}
				if nid, err := f.NameUser(t.Context(), "@new:x"); err != nil || nid != 42 || f.Position() != 17 {
					t.Errorf("user %d, position %d, %v", nid, f.Position(), err)
				}
				fresh := databases[name](t)
				open(t, Options{URI: fresh})
				_, freshDB := dialectOf(t, fresh)
				got, want := describe(t, loc, db), describe(t, loc, freshDB)
				if !slices.Equal(got, want) {
					t.Errorf("brought up from version %d the schema is\n%s\na new one is\n%s", step.number, strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			})
		}
	}
}

// TestSchemaFilesAreFrozen: a schema file that has been in use must not change.
func TestSchemaFilesAreFrozen(t *testing.T) {
	if *update {
		return // the other test writes what is compared here
	}
	t.Parallel()
	steps, err := loadMigrations(schemaFiles)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []dialect{sqliteDialect(), postgresDialect()} {
		text := ""
		for _, step := range steps {
			text += d.schema.Replace(step.sql)
			want, err := os.ReadFile(frozen(d.name, step.number))
			if err != nil {
				t.Fatalf("%v (a new schema file is written down by go test -run FrozenSchema -update)", err)
			}
			if text != string(want) {
				t.Errorf("%s: the schema files up to %s no longer make what %s holds; databases in the field have that. Add a new schema file instead", d.name, step.name, frozen(d.name, step.number))
			}
		}
	}
}

// describe lists all that a schema consists of, in a form that doesn't depend on how it came
// about.
func describe(t *testing.T, loc location, db *sql.DB) []string {
	t.Helper()
	query := `SELECT m.type || ' ' || m.name || ' ' || coalesce(c.name || ' ' || c.type || ' ' || c."notnull" || ' ' || coalesce(c.dflt_value, '-') || ' ' || c.pk, '')
		|| coalesce((SELECT group_concat(x.name || x.desc) FROM pragma_index_xinfo(m.name) x), '')
		|| CASE WHEN m.sql LIKE '% WHERE %' THEN substr(m.sql, instr(m.sql, ' WHERE ')) ELSE '' END
		|| CASE WHEN m.sql LIKE '%WITHOUT ROWID%' THEN ' without rowid' ELSE '' END
		FROM sqlite_master m LEFT JOIN pragma_table_info(m.name) c ON m.type = 'table' ORDER BY 1`
	if loc.name == "postgres" {
		query = `SELECT 'column ' || table_name || ' ' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || coalesce(column_default, '-')
			FROM information_schema.columns WHERE table_schema = 'public'
			UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1`
	}
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		out = append(out, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if len(out) < 50 {
		t.Fatalf("the schema has only %d parts", len(out))
	}
	return out
}

// TestNewerDatabase: a database of a later program is refused, and nothing in it changes.
func TestNewerDatabase(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		loc, db := dialectOf(t, f.options.URI)
		if _, err := db.ExecContext(t.Context(), "UPDATE schema_version SET version = 9999"); err != nil {
			t.Fatal(err)
		}
		before := describe(t, loc, db)
		s, err := Open(t.Context(), Options{URI: f.options.URI, Log: slog.New(slog.DiscardHandler)})
		if err == nil {
			s.Close()
			t.Fatal("a newer database was opened")
		}
		if !strings.Contains(err.Error(), "9999") {
			t.Errorf("the error does not name the version: %v", err)
		}
		if after := describe(t, loc, db); !slices.Equal(before, after) {
			t.Errorf("the refusal changed the schema:\n%v", after)
		}
		var version int
		if err := db.QueryRowContext(t.Context(), "SELECT version FROM schema_version").Scan(&version); err != nil || version != 9999 {
			t.Errorf("version %d, %v", version, err)
		}
	})
}

// TestFailingStep: a step that fails halfway leaves nothing behind.
func TestFailingStep(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		loc, db := dialectOf(t, f.options.URI)
		before := describe(t, loc, db)
		conn, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		err = f.step(t.Context(), conn, migration{number: 2, name: "002_bad.sql", sql: "CREATE TABLE half (n INTEGER); CREATE TABLE half (n INTEGER);"})
		if err == nil {
			t.Fatal("the step succeeded")
		}
		if after := describe(t, loc, db); !slices.Equal(before, after) {
			t.Errorf("it left something behind:\n%v", after)
		}
	})
}

func TestMigrationFiles(t *testing.T) {
	t.Parallel()
	for name, files := range map[string][]string{
		"a gap":     {"001_a.sql", "003_b.sql"},
		"no number": {"a.sql"},
		"twice":     {"001_a.sql", "001_b.sql"},
	} {
		fsys := fstest.MapFS{}
		for _, file := range files {
			fsys["schema/"+file] = &fstest.MapFile{Data: []byte("SELECT 1")}
		}
		if _, err := loadMigrations(fsys); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	for name, text := range map[string]string{"twice": "-- name: a\nSELECT 1\n-- name: a\nSELECT 2", "before a name": "SELECT 1"} {
		if _, err := loadQueries(fstest.MapFS{"queries/q.sql": &fstest.MapFile{Data: []byte(text)}}); err == nil {
			t.Errorf("a query %s was accepted", name)
		}
	}
	if _, err := fs.Stat(queryFiles, "queries"); err != nil {
		t.Error(err)
	}
}

func TestOpenFailure(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("this is no database", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range map[string]struct {
		ctx context.Context
		uri string
	}{
		"garbage": {t.Context(), garbage}, "a folder": {t.Context(), dir}, "no server": {t.Context(), "postgres:///x?host=" + dir},
		"no context": {cancelled, filepath.Join(dir, "x.db")},
	} {
		s, err := Open(test.ctx, Options{URI: test.uri, Log: slog.New(slog.DiscardHandler)})
		if err == nil {
			t.Errorf("%s was opened", name)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if raw, err := os.ReadFile(garbage); err != nil || !strings.HasPrefix(string(raw), "this is no database") {
		t.Error("a file that is no database was overwritten")
	}
}
