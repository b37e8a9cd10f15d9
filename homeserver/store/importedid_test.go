package store

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// imported adds an event that was brought in: at the end, or (late) at its place by time.
func (r *testRoom) imported(content string, late bool) *event.Event {
	r.t.Helper()
	e, raw := r.message(content)
	e.Flags |= event.Imported
	r.write(func(tx *Tx) error {
		if late {
			return tx.AddLateEvent(e, raw)
		}
		return tx.AddEvent(e, raw)
	})
	return e
}

// TestImportedIDs: imported events are found by their ids, wherever these are: in memory, read again after a restart, filed,
// and while they are being filed.
func TestImportedIDs(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		r, ctx := newTestRoom(f, "!r:x"), t.Context()
		other := newTestRoom(f, "!s:x")
		plain := r.relate(`{"body":"plain"}`)
		root := r.imported(`{"body":"root"}`, false)
		past := r.imported(`{"body":"past"}`, true)
		reply := r.imported(related("m.thread", root.ID), false)
		edit := r.imported(related("m.replace", root.ID), false)
		events := []*event.Event{plain, root, past, reply, edit}
		found := func(when string) {
			t.Helper()
			var ids []string
			for _, e := range events {
				ids = append(ids, e.ID)
				if got, err := f.EventByID(ctx, e.ID); err != nil || got.NID != e.NID {
					t.Errorf("%s: %s is %v, %v", when, e.ID, got, err)
				}
				if nid, err := f.EventNID(ctx, e.ID); err != nil || nid != e.NID {
					t.Errorf("%s: %s has the number %d, %v", when, e.ID, nid, err)
				}
			}
			for _, id := range []string{"", "$", "$x", root.ID[:40], root.ID[:12] + "0000000000000000000000000000000"} {
				if _, err := f.EventByID(ctx, id); !errors.Is(err, ErrNotFound) {
					t.Errorf("%s: there is an event %q, %v", when, id, err)
				}
			}
			if nids, err := f.EventNIDs(ctx, r.name.NID, append(ids, "$none")); err != nil || len(nids) != len(events) || nids[past.ID] != past.NID || nids[plain.ID] != plain.NID {
				t.Errorf("%s: of the room are %v, %v", when, nids, err)
			}
			if nids, err := f.EventNIDs(ctx, other.name.NID, ids); err != nil || len(nids) > 0 {
				t.Errorf("%s: of another room are %v, %v", when, nids, err)
			}
			if edits, err := f.NewestEdits(ctx, ids, f.Position()); err != nil || !slices.Equal(edits, []int64{edit.NID}) {
				t.Errorf("%s: the edits are %v, %v", when, edits, err)
			}
		}
		found("fresh")
		f.reopen()
		if n := f.Store.imported.count(); n != 4 {
			t.Errorf("after a restart %d ids are known", n)
		}
		found("after a restart")
		// Who lists threads by their roots needs the ids in the database.
		for _, participant := range []int64{0, r.author} {
			if list, err := f.Threads(ctx, r.name.NID, End, participant, 10); err != nil || len(list) != 1 || list[0].Root != root.NID {
				t.Errorf("threads %v, %v", list, err)
			}
		}
		if n := f.Store.imported.count(); n != 0 {
			t.Errorf("%d ids are not filed", n)
		}
		found("filed")
		f.reopen()
		if n := f.Store.imported.count(); n != 0 {
			t.Errorf("after a restart %d ids are not filed", n)
		}
		found("filed, after a restart")
		fresh := r.imported(`{"body":"fresh"}`, false)
		f.write(func(tx *Tx) error {
			return tx.DropEvents([]Purged{{NID: past.NID, Pos: past.Pos}, {NID: fresh.NID, Pos: fresh.Pos}}, false)
		})
		for _, e := range []*event.Event{past, fresh} {
			if _, err := f.EventByID(ctx, e.ID); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s is purged, and found: %v", e.ID, err)
			}
			if _, err := f.EventNID(ctx, e.ID); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s is purged, and has a number: %v", e.ID, err)
			}
		}
		var n int
		if err := f.read.QueryRowContext(ctx, "SELECT count(*) FROM imported_id").Scan(&n); err != nil || n != 3 {
			t.Errorf("%d ids are filed, %v", n, err)
		}
	})
}

// TestImportedIDsWhileFiled: an event that is there is found at any moment.
func TestImportedIDsWhileFiled(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		r, ctx := newTestRoom(f, "!r:x"), t.Context()
		var wg sync.WaitGroup
		var done atomic.Bool
		ids := make(chan string, 1000)
		wg.Go(func() {
			for !done.Load() {
				if err := f.Store.imported.file(ctx); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			var seen []string
			for id := range ids {
				seen = append(seen, id)
				for _, id := range seen[max(0, len(seen)-20):] {
					if _, err := f.EventNID(ctx, id); err != nil {
						t.Errorf("%s: %v", id, err)
						return
					}
				}
			}
		})
		for i := range 300 {
			ids <- r.imported(fmt.Sprintf(`{"body":"%d"}`, i), false).ID
		}
		close(ids)
		done.Store(true)
		wg.Wait()
		f.reopen()
		if err := f.Store.imported.file(ctx); err != nil {
			t.Error(err)
		}
		var n int
		if err := f.read.QueryRowContext(ctx, "SELECT count(*) FROM imported_id").Scan(&n); err != nil || n != 300 {
			t.Errorf("%d ids are filed, %v", n, err)
		}
	})
}

// TestImportedIDsFarBehind: while nothing is imported, where a start has to begin to read the log goes on with it.
func TestImportedIDsFarBehind(t *testing.T) {
	t.Parallel()
	f := open(t, Options{URI: databases["sqlite"](t)}) // the other takes long for so many entries
	newTestRoom(f, "!r:x").imported(`{"body":"then"}`, false)
	was := f.Store.imported.filed.Load()
	eventually(t, "what is filed is noted", func() bool {
		f.write(func(tx *Tx) error {
			for range importedBehind / 4 {
				if _, err := tx.Log(Entry{Kind: KindProfile, User: 1}); err != nil {
					return err
				}
			}
			return nil
		})
		return f.Store.imported.filed.Load() > was+importedBehind
	})
}
