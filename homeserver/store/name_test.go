package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
)

func TestOneNumberForOneName(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		const names, callers = 20, 8
		var mu sync.Mutex
		users, keys := map[string]int64{}, map[string]int64{}
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				for i := range names {
					name := fmt.Sprintf("@u%d:x", i)
					nid, err := f.NameUser(t.Context(), name)
					key, keyErr := f.NameStateKey(t.Context(), StateKey{"m.room.member", name})
					if err := errors.Join(err, keyErr); err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					for _, m := range []struct {
						of  map[string]int64
						nid int64
					}{{users, nid}, {keys, key}} {
						if have, ok := m.of[name]; ok && have != m.nid {
							t.Errorf("%s is %d and %d", name, have, m.nid)
						}
						m.of[name] = m.nid
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		f.write(func(*Tx) error { return nil }) // behind the names in the queue
		f.reopen()
		for name, nid := range users {
			if got, err := f.UserNID(t.Context(), name); err != nil || got != nid {
				t.Errorf("after reopening, %s is %d, %v; was %d", name, got, err, nid)
			}
			if got, err := f.UserID(t.Context(), nid); err != nil || got != name {
				t.Errorf("after reopening, user %d is %s, %v", nid, got, err)
			}
			if got, err := f.StateKey(t.Context(), keys[name]); err != nil || got != (StateKey{"m.room.member", name}) {
				t.Errorf("after reopening, state key %d is %v, %v", keys[name], got, err)
			}
		}
		fresh, err := f.NameUser(t.Context(), "@new:x")
		if err != nil || fresh <= names-1 {
			t.Errorf("after reopening, a new user got number %d, %v", fresh, err)
		}
		if _, err := f.UserNID(t.Context(), "@unheard:x"); !errors.Is(err, ErrNotFound) {
			t.Errorf("an unheard name: %v", err)
		}
	})
}

func TestNameInTransaction(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		release := f.hold()
		// The name is numbered while the writer is busy, and once more within a write that was
		// queued first.
		var inside int64
		done := make(chan error, 1)
		err := f.Submit(t.Context(), anyEpoch, func(tx *Tx) (err error) {
			inside, err = tx.NameUser("@a:x")
			return err
		}, func(err error) { done <- err })
		if err != nil {
			t.Fatal(err)
		}
		outside, err := f.NameUser(t.Context(), "@a:x")
		if err != nil {
			t.Fatal(err)
		}
		release()
		if err := <-done; err != nil || inside != outside {
			t.Errorf("inside %d, %v, outside %d", inside, err, outside)
		}
		f.write(func(tx *Tx) error {
			again, err := tx.NameUser("@a:x")
			if again != outside {
				t.Errorf("again: %d, not %d", again, outside)
			}
			return err
		})
	})
}

// TestFailurePurgesNames: a number that did not become durable must not be handed out again.
func TestFailurePurgesNames(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		release := f.hold()
		epoch := f.Epoch()
		broken := make(chan error, 1)
		if err := f.Submit(t.Context(), epoch, func(*Tx) error { return errors.New("broken") }, func(err error) { broken <- err }); err != nil {
			t.Fatal(err)
		}
		first, err := f.NameUser(t.Context(), "@a:x")
		if err != nil {
			t.Fatal(err)
		}
		release()
		if <-broken == nil {
			t.Fatal("the write succeeded")
		}
		eventually(t, "the new epoch", func() bool { return f.Epoch() != epoch })
		if nid, err := f.UserNID(t.Context(), "@a:x"); !errors.Is(err, ErrNotFound) {
			t.Errorf("a name that was never written is %d, %v", nid, err)
		}
		if id, err := f.UserID(t.Context(), first); !errors.Is(err, ErrNotFound) {
			t.Errorf("its number is %s, %v", id, err)
		}
		second, err := f.NameUser(t.Context(), "@a:x")
		if err != nil || second == first {
			t.Errorf("the second number is %d, %v; the first was %d", second, err, first)
		}
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := f.NameUser(cancelled, "@b:x"); !errors.Is(err, context.Canceled) {
			t.Errorf("without context: %v", err)
		}
	})
}

// TestUnusedStateKeys: that a pair has no number is remembered only until it gets one.
func TestUnusedStateKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx, k := t.Context(), StateKey{"m.room.policy", ""}
		for range 2 { // from the database, and from memory
			if nid, err := f.StateKeyNID(ctx, k); !errors.Is(err, ErrNotFound) {
				t.Fatalf("%d, %v", nid, err)
			}
		}
		want, err := f.NameStateKey(ctx, k)
		if err != nil {
			t.Fatal(err)
		}
		f.write(func(*Tx) error { return nil }) // the number is written ahead of this
		for range 2 {
			if nid, err := f.StateKeyNID(ctx, k); err != nil || nid != want {
				t.Errorf("%d instead of %d, %v", nid, want, err)
			}
			f.names.keys.Purge()
		}
	})
}
