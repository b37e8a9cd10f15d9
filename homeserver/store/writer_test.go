package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// recorder gathers what is published.
type recorder struct {
	mu      sync.Mutex
	entries []Entry
}

func (r *recorder) publish(e []Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries = append(r.entries, e...)
}

// upto is the newest published position.
func (r *recorder) upto() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.entries) == 0 {
		return 0
	}
	return r.entries[len(r.entries)-1].Pos
}

func onBothRecorded(t *testing.T, test func(t *testing.T, f *fixture, r *recorder)) {
	t.Parallel()
	for name, uri := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &recorder{}
			test(t, open(t, Options{URI: uri(t), Publish: r.publish}), r)
		})
	}
}

func note(key string) func(*Tx) error {
	return func(tx *Tx) error { return tx.SetMeta(key, "x") }
}

func (f *fixture) hasMeta(key string) bool {
	_, err := f.Meta(f.t.Context(), key)
	if err != nil && !errors.Is(err, ErrNotFound) {
		f.t.Fatal(err)
	}
	return err == nil
}

// hold keeps the writer busy until the returned function is called, so that what is submitted
// meanwhile becomes one group.
func (f *fixture) hold() (release func()) {
	started, end := make(chan struct{}), make(chan struct{})
	ended := make(chan error, 1)
	once := sync.OnceFunc(func() { close(started) })
	err := f.Submit(f.t.Context(), anyEpoch, func(*Tx) error { once(); <-end; return nil }, func(err error) { ended <- err })
	if err != nil {
		f.t.Fatal(err)
	}
	<-started
	return func() { close(end); <-ended }
}

// group submits writes as one group and returns their outcomes.
func (f *fixture) group(writes ...op) []error {
	f.t.Helper()
	errs := make([]error, len(writes))
	var wg sync.WaitGroup
	release := f.hold()
	for i, o := range writes {
		wg.Add(1)
		err := f.Submit(f.t.Context(), o.epoch, o.apply, func(err error) { errs[i] = err; wg.Done() })
		if err != nil {
			f.t.Fatal(err)
		}
	}
	release()
	wg.Wait()
	return errs
}

func TestConcurrentWritersAreGrouped(t *testing.T) {
	onBothRecorded(t, func(t *testing.T, f *fixture, r *recorder) {
		const writers, each = 32, 20
		var wg sync.WaitGroup
		// While the writer is held, the first writes gather, however slow the machine is.
		release := f.hold()
		for w := range writers {
			wg.Go(func() {
				for i := range each {
					var pos int64
					err := f.Write(t.Context(), func(tx *Tx) (err error) {
						pos, err = tx.Log(Entry{Kind: KindProfile, User: int64(w), Ref: int64(i)})
						return err
					})
					if err != nil {
						t.Error(err)
					}
					// The answer comes after the publication, and after Position says so.
					if got := r.upto(); got < pos {
						t.Errorf("answered at %d, published only up to %d", pos, got)
					}
					if got := f.Position(); got < pos {
						t.Errorf("answered at %d, Position is %d", pos, got)
					}
				}
			})
		}
		for f.WriterStats().Waiting < writers {
			time.Sleep(time.Millisecond)
		}
		release()
		wg.Wait()
		stored, err := f.Entries(t.Context(), 0, writers*each+1)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(stored, r.entries) {
			t.Errorf("%d entries in the log, %d published, or another order", len(stored), len(r.entries))
		}
		last := map[int64]int64{}
		for i, e := range stored {
			if e.Pos != int64(i+1) {
				t.Fatalf("entry %d has position %d", i, e.Pos)
			}
			if e.Ref != last[e.User] {
				t.Fatalf("writer %d: entry %d came before entry %d", e.User, e.Ref, last[e.User])
			}
			last[e.User]++
		}
		if st := f.WriterStats(); st.Writes != writers*each+1 || st.Groups > st.Writes-writers {
			t.Errorf("%d groups for %d writes", st.Groups, st.Writes)
		}
	})
}

func TestFailuresInAGroup(t *testing.T) {
	bad := func(tx *Tx) error {
		tx.SetRoom(Room{NID: 1, Depth: 666})
		if _, err := tx.Log(Entry{Kind: KindProfile, Ref: 666}); err != nil {
			return err
		}
		if err := tx.SetMeta("bad", "x"); err != nil {
			return err
		}
		return tx.exec("room_insert", 1) // too few parameters
	}
	refusal := errors.New("that is taken")
	onBothRecorded(t, func(t *testing.T, f *fixture, r *recorder) {
		f.write(func(tx *Tx) error { return tx.AddRoom(Room{NID: 1, ID: "!r", Version: "12"}) })
		epoch := f.Epoch()
		logged := func(ref int64) func(tx *Tx) error {
			return func(tx *Tx) error {
				tx.SetRoom(Room{NID: 1, Depth: ref})
				_, err := tx.Log(Entry{Kind: KindProfile, Ref: ref})
				return err
			}
		}

		t.Run("refusals", func(t *testing.T) {
			errs := f.group(op{epoch: epoch, apply: logged(1)},
				op{epoch: epoch, apply: func(tx *Tx) error { return errors.Join(logged(2)(tx), Refuse(refusal)) }},
				op{epoch: epoch, apply: note("after refusal")})
			if errs[0] != nil || errs[1] != refusal || errs[2] != nil {
				t.Errorf("outcomes: %v", errs)
			}
			if f.Epoch() != epoch {
				t.Error("a refusal began an epoch")
			}
			if !f.hasMeta("after refusal") {
				t.Error("a refusal took another write with it")
			}
		})
		t.Run("failure", func(t *testing.T) {
			errs := f.group(op{epoch: epoch, apply: logged(3)}, op{epoch: epoch, apply: bad},
				op{epoch: epoch, apply: note("stale")}, op{epoch: anyEpoch, apply: note("independent")})
			if errs[0] != nil || errs[1] == nil || errs[1] == ErrStale || errs[2] != ErrStale || errs[3] != nil {
				t.Errorf("outcomes: %v", errs)
			}
			if f.Epoch() == epoch {
				t.Error("a failure began no epoch")
			}
			for key, want := range map[string]bool{"bad": false, "stale": false, "independent": true} {
				if f.hasMeta(key) != want {
					t.Errorf("%s is there: %v", key, !want)
				}
			}
			// What was built before the failure is still built upon the old epoch.
			if errs := f.group(op{epoch: epoch, apply: note("late")}); errs[0] != ErrStale {
				t.Errorf("a write of the past epoch: %v", errs[0])
			}
		})
		t.Run("alone", func(t *testing.T) {
			epoch := f.Epoch()
			if err := f.Submit(t.Context(), epoch, bad, func(err error) {
				if err == nil || errors.Is(err, ErrStale) {
					t.Errorf("outcome: %v", err)
				}
			}); err != nil {
				t.Fatal(err)
			}
			if err := f.Write(t.Context(), func(*Tx) error { return Refuse(refusal) }); err != refusal {
				t.Errorf("a lone refusal: %v", err)
			}
			if f.Epoch() != epoch+1 {
				t.Errorf("epoch %d became %d", epoch, f.Epoch())
			}
		})
		t.Run("swallowed", func(t *testing.T) {
			err := f.Write(t.Context(), func(tx *Tx) error {
				bad(tx)
				return nil
			})
			if err == nil {
				t.Error("a write whose statement failed was acknowledged")
			}
		})
		room, err := f.LoadRoom(t.Context(), 1)
		if err != nil || room.Depth != 3 {
			t.Errorf("the room is at depth %d, %v; want 3, of the last write that succeeded", room.Depth, err)
		}
		stored, err := f.Entries(t.Context(), 0, 10)
		if err != nil || len(stored) != 2 || stored[0].Ref != 1 || stored[1].Ref != 3 || stored[1].Pos != 2 {
			t.Errorf("the log holds %v, %v", stored, err)
		}
		if !reflect.DeepEqual(stored, r.entries) {
			t.Errorf("published: %v", r.entries)
		}
	})
}

// TestEpochIsSeenAfterTheCommit: whoever sees a new epoch and reads anew must find all that the
// group of the failed write has written.
func TestEpochIsSeenAfterTheCommit(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		for i := range 20 {
			key, epoch := fmt.Sprint("before", i), f.Epoch()
			seen := make(chan bool, 1)
			go func() {
				for f.Epoch() == epoch {
					if t.Context().Err() != nil {
						return
					}
				}
				_, err := f.Meta(t.Context(), key)
				seen <- err == nil
			}()
			f.group(op{epoch: epoch, apply: note(key)},
				op{epoch: epoch, apply: func(tx *Tx) error { return errors.New("broken") }},
				op{epoch: anyEpoch, apply: note("and another")})
			if !<-seen {
				t.Fatal("the epoch began before the writes of the old one were durable")
			}
		}
	})
}

func TestClose(t *testing.T) {
	t.Parallel()
	for name, uri := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := open(t, Options{URI: uri(t)})
			release := f.hold()
			var done atomic.Int64
			const waiting = 50
			for i := range waiting {
				if err := f.Submit(t.Context(), anyEpoch, note(fmt.Sprint(i)), func(err error) {
					if err == nil {
						done.Add(1)
					}
				}); err != nil {
					t.Fatal(err)
				}
			}
			release()
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			if done.Load() != waiting {
				t.Errorf("%d of %d writes were done before Close returned", done.Load(), waiting)
			}
			if err := f.Write(t.Context(), note("late")); !errors.Is(err, ErrClosed) {
				t.Errorf("a write after Close: %v", err)
			}
			s, err := Open(t.Context(), f.options)
			if err != nil {
				t.Fatal(err)
			}
			f.Store = s
		})
	}
}

func TestWriteWithoutContext(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx, cancel := context.WithCancel(t.Context())
		// Once it is queued, it happens, and the caller learns how it ended.
		if err := f.Write(ctx, func(tx *Tx) error { cancel(); return tx.SetMeta("k", "v") }); err != nil {
			t.Errorf("a write whose caller gave up: %v", err)
		}
		if !f.hasMeta("k") {
			t.Error("the write was dropped")
		}
		if _, err := f.Meta(ctx, "k"); !errors.Is(err, context.Canceled) {
			t.Errorf("a read without context: %v", err)
		}
	})
}

// TestFullDisk makes SQLite refuse to grow.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	f := open(t, Options{URI: databases["sqlite"](t)})
	limit := func(tx *Tx, pages int) (got int) {
		row := tx.w.conn.QueryRowContext(tx.ctx, fmt.Sprintf("PRAGMA max_page_count = %d", pages))
		if err := row.Scan(&got); err != nil {
			t.Error(err)
		}
		return got
	}
	f.write(func(tx *Tx) error { limit(tx, 1); return nil }) // SQLite takes the present size
	big := make([]byte, 1<<20)
	for i := range big {
		big[i] = 'x'
	}
	epoch := f.Epoch()
	errs := f.group(op{epoch: anyEpoch, apply: note("small")},
		op{epoch: epoch, apply: func(tx *Tx) error { return tx.SetMeta("big", string(big)) }},
		op{epoch: epoch, apply: note("stale")})
	if errs[1] == nil || errors.Is(errs[1], ErrStale) {
		t.Errorf("a write beyond the end of the disk: %v", errs[1])
	}
	if errs[2] != ErrStale {
		t.Errorf("what was built upon it: %v", errs[2])
	}
	if (errs[0] == nil) != f.hasMeta("small") {
		t.Errorf("another of the group was answered with %v, and is there: %v", errs[0], f.hasMeta("small"))
	}
	if f.hasMeta("big") {
		t.Error("it is there nevertheless")
	}
	f.write(func(tx *Tx) error { limit(tx, 1<<30); return nil })
	f.write(func(tx *Tx) error { return tx.SetMeta("big", string(big)) })
	if !f.hasMeta("big") {
		t.Error("after the disk grew, a write did not take")
	}
}

// TestLostConnection ends the store's connections from outside, as a restart of PostgreSQL does.
func TestLostConnection(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	uri := pg.Database(t)
	f := open(t, Options{URI: uri, Publish: r.publish})
	admin, err := sql.Open("postgres", uri)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	kill := func() {
		rows, err := admin.Query(`SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		if err != nil {
			t.Error(err)
			return
		}
		for rows.Next() {
		}
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
	}
	logged := func(ref int64) func(tx *Tx) error {
		return func(tx *Tx) error { _, err := tx.Log(Entry{Kind: KindProfile, Ref: ref}); return err }
	}
	f.write(logged(1))
	kill()
	f.write(logged(2)) // an idle connection was lost: nobody need know
	epoch := f.Epoch()
	once := sync.OnceFunc(kill)
	// Lost in mid-write, nothing is committed; the second attempt of a group succeeds.
	errs := f.group(op{epoch: anyEpoch, apply: logged(3)},
		op{epoch: anyEpoch, apply: func(tx *Tx) error { once(); return logged(4)(tx) }})
	if errs[0] != nil || errs[1] != nil {
		t.Errorf("a group whose connection was lost: %v", errs)
	}
	if f.Epoch() != epoch {
		t.Error("an epoch began although nothing failed")
	}
	if err := f.Write(t.Context(), func(tx *Tx) error { kill(); return logged(666)(tx) }); err == nil {
		t.Error("a write without connection was acknowledged")
	}
	f.write(logged(5))
	if name, err := f.Meta(t.Context(), "none"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a read after the loss: %q, %v", name, err)
	}
	stored, err := f.Entries(t.Context(), 0, 10)
	if err != nil || len(stored) != 5 || !reflect.DeepEqual(stored, r.entries) {
		t.Errorf("the log holds %v, %v; published: %v", stored, err, r.entries)
	}
}

// TestLostAnswer is about a COMMIT that took place although its answer was lost: what the log
// has gained then is found when the writer connects anew.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	f := open(t, Options{URI: pg.Database(t), Publish: r.publish})
	f.write(func(tx *Tx) error { _, err := tx.Log(Entry{Kind: KindProfile, Ref: 1}); return err })
	// As it is when the connection was lost and could not be made again at once.
	f.write(func(tx *Tx) error {
		_, err := tx.Log(Entry{Kind: KindProfile, Ref: 2})
		return err
	})
	done := make(chan struct{})
	if err := f.Submit(t.Context(), anyEpoch, func(*Tx) error { return nil }, func(error) {
		f.writer.disconnect()
		f.counters.pos, r.entries = 1, r.entries[:1]
		f.counters.published.Store(1)
		close(done)
	}); err != nil {
		t.Fatal(err)
	}
	<-done
	f.write(func(tx *Tx) error { _, err := tx.Log(Entry{Kind: KindProfile, Ref: 3}); return err })
	stored, err := f.Entries(t.Context(), 0, 10)
	if err != nil || len(stored) != 3 || !reflect.DeepEqual(stored, r.entries) {
		t.Errorf("the log holds %v, %v; published: %v", stored, err, r.entries)
	}
}
