package store

import (
	"os"
	"strings"
	"testing"
)

// TestGiveBack: what is removed makes the file smaller, once it is asked for.
func TestGiveBack(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		f.write(func(tx *Tx) error { return tx.SetMeta("much", strings.Repeat("x", 20<<20)) })
		f.write(func(tx *Tx) error { return tx.SetMeta("much", "") })
		if f.loc.name != "sqlite" {
			if n, err := f.GiveBack(ctx); err != nil || n != 0 {
				t.Errorf("%d pages, %v", n, err)
			}
			return
		}
		free, err := f.FreePages(ctx)
		if err != nil || free < 5000 {
			t.Fatalf("%d pages are free, %v", free, err)
		}
		if n, err := f.GiveBack(ctx); err != nil || n != free {
			t.Errorf("%d of %d pages were given back, %v", n, free, err)
		}
		if n, err := f.FreePages(ctx); err != nil || n != 0 {
			t.Errorf("%d pages are free afterwards, %v", n, err)
		}
		if _, err := f.read.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(f.loc.path)
		if err != nil || info.Size() > 4<<20 {
			t.Errorf("the file has %d bytes, %v", info.Size(), err)
		}
	})
}
