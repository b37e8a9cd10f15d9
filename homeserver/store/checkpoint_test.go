package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCheckpoint: the log of SQLite is brought into the database beside the writer and begun anew, so that it does not grow, also while
// others read.
func TestCheckpoint(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	f := open(t, Options{URI: "sqlite:" + path})
	size := func() int64 {
		info, err := os.Stat(path + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	n := 0
	fill := func() {
		for range 10 {
			f.write(func(tx *Tx) error {
				for range 100 {
					n++
					if err := tx.SetMeta(fmt.Sprint(n), strings.Repeat("x", 2000)); err != nil {
						return err
					}
				}
				return nil
			})
		}
	}
	fill()
	one := size()
	if one < 2_000_000 {
		t.Fatalf("the log has %d bytes", one)
	}
	for range 5 {
		// Somebody reads what is there now, and is done when the writer waits for them.
		rows, err := f.read.QueryContext(t.Context(), "SELECT key FROM meta")
		if err != nil {
			t.Fatal(err)
		}
		rows.Next()
		if err := f.checkpointer.checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
		if err := f.checkpointer.checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
		fill()
	}
	if now := size(); now > one*3/2 {
		t.Errorf("the log has grown from %d to %d bytes", one, now)
	}
	f.reopen()
	for i := range n {
		if v, err := f.Meta(t.Context(), fmt.Sprint(i+1)); err != nil || len(v) != 2000 {
			t.Fatalf("value %d: %d bytes, %v", i+1, len(v), err)
		}
	}
}
