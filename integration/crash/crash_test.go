package crash

import (
	"context"
	"database/sql"
	"flag"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/landbridge-im/landbridge/integration/testserver"
)

var (
	rounds = flag.Int("crashes", number("CRASHES", 10), "how often the server is killed; also CRASHES in the environment")
	seed   = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of the moments and the traffic")
)

func number(env string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(env)); err == nil {
		return n
	}
	return otherwise
}

func TestMain(m *testing.M) { os.Exit(testserver.Main(m)) }

// TestCrashes kills the server at random moments while all sources work.
func TestCrashes(t *testing.T) {
	t.Parallel()
	t.Logf("-seed %d -crashes %d", *seed, *rounds)
	rng := rand.New(rand.NewPCG(*seed, 0))
	s := testserver.New(t, testserver.Options{})
	sources := []source{&talk{}, &files{}}
	ctx := t.Context()
	if err := each(sources, func(src source) error { return src.prepare(ctx, s) }); err != nil {
		t.Fatal(err)
	}
	for i := range *rounds {
		life := time.Duration(rng.Int64N(int64(700 * time.Millisecond)))
		if err := runAll(ctx, sources, rng.Uint64(), life, s.Kill); err != nil {
			t.Fatalf("crash %d, after %v: %v", i, life, err)
		}
		integrity(t, s.Database())
		if err := s.Start(ctx); err != nil {
			t.Fatalf("starting after crash %d: %v", i, err)
		}
		settled, cancel := context.WithTimeout(ctx, patience)
		err := each(sources, func(src source) error { return src.settle(settled) })
		cancel()
		if err != nil {
			t.Fatalf("after crash %d: %v", i, err)
		}
	}
	if err := each(sources, func(src source) error { return src.finish(ctx) }); err != nil {
		t.Fatal(err)
	}
}

// integrity lets SQLite look at what the crash left.
func integrity(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var verdict string
	if err := db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict); err != nil {
		t.Fatal(err)
	}
	if verdict != "ok" {
		t.Fatalf("the database is damaged: %s", verdict)
	}
	rows, err := db.QueryContext(t.Context(), "PRAGMA foreign_key_check")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if rows.Next() {
		t.Fatal("the database has references to nothing")
	}
}
