package store

import (
	"slices"
	"testing"
)

func TestImported(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		r := newTestRoom(f, "!r:x")
		a, b := r.add("a", nil), r.add("b", nil)
		one, err := f.ImportSource(ctx, "slack:one")
		if err != nil {
			t.Fatal(err)
		}
		two, err := f.ImportSource(ctx, "slack:two")
		if again, err2 := f.ImportSource(ctx, "slack:one"); err != nil || err2 != nil || again != one || two == one {
			t.Fatalf("sources %d, %d and %d, %v, %v", one, two, again, err, err2)
		}
		if names, err := f.ImportSources(ctx); err != nil || !slices.Equal(names, []string{"slack:one", "slack:two"}) {
			t.Errorf("sources %q, %v", names, err)
		}
		f.write(func(tx *Tx) error {
			if err := tx.AddImported(one, Imported{Remote: "c/1", Room: r.name.NID, Event: a.NID}); err != nil {
				return err
			}
			return tx.AddImported(one, Imported{Remote: "c/2", Room: r.name.NID, Event: b.NID})
		})
		want := Imported{Remote: "c/1", Room: r.name.NID, Event: a.NID, EventID: a.ID}
		got, err := f.Imported(ctx, one, append(make([]string, 70), "c/1", "c/3"))
		if err != nil || len(got) != 1 || got["c/1"] != want {
			t.Errorf("imported %v, %v", got, err)
		}
		if got, err := f.Imported(ctx, two, []string{"c/1"}); err != nil || len(got) != 0 {
			t.Errorf("of another source: %v, %v", got, err)
		}
		if list, err := f.ImportedAfter(ctx, one, "c/1", 10); err != nil || len(list) != 1 || list[0].Remote != "c/2" {
			t.Errorf("after: %v, %v", list, err)
		}
		// An item that was purged can come again.
		f.write(func(tx *Tx) error {
			return tx.AddImported(one, Imported{Remote: "c/1", Room: r.name.NID, Event: b.NID})
		})
		if got, err := f.Imported(ctx, one, []string{"c/1"}); err != nil || got["c/1"].Event != b.NID {
			t.Errorf("again: %v, %v", got, err)
		}
	})
}
