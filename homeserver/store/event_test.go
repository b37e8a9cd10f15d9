package store

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
)

var signer = event.Signer{Server: "x", KeyID: "ed25519:a", Key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}

// testRoom is a room row with events that nobody has checked.
type testRoom struct {
	*fixture
	name   RoomName
	author int64
	root   statetree.Ref
}

func newTestRoom(f *fixture, id string) *testRoom {
	f.t.Helper()
	r := &testRoom{fixture: f, name: RoomName{NID: f.NextRoom(), ID: id, Version: "11"}, author: f.user("@a:x")}
	f.write(func(tx *Tx) error { return tx.AddRoom(Room{NID: r.name.NID, ID: id, Version: "11", CreatedTS: 7}) })
	return r
}

// make builds an event; with a state key it becomes state of the room.
func (r *testRoom) make(body string, stateKey *string) (*event.Event, []byte, []statetree.Pack) {
	r.t.Helper()
	nid := r.NextEvent()
	e, err := event.Build(event.Proto{Version: r.name.Version, RoomID: r.name.ID, Type: "m.test", Sender: "@a:x", StateKey: stateKey,
		Content: []byte(fmt.Sprintf(`{"body":%q}`, body)), TS: 1234, Depth: nid, // so that no two are alike
		Prev: []string{"$p"}, Auth: []string{"$a"}}, signer)
	if err != nil {
		r.t.Fatal(err)
	}
	e.NID, e.Room, e.Author = nid, r.name.NID, r.author
	var packs []statetree.Pack
	if stateKey != nil {
		if e.Key, err = r.NameStateKey(r.t.Context(), StateKey{"m.test", *stateKey}); err != nil {
			r.t.Fatal(err)
		}
		edit := r.State().Edit(r.root)
		if err := edit.Put(r.t.Context(), e.Key, e.NID); err != nil {
			r.t.Fatal(err)
		}
		r.root, packs = edit.Finish()
	}
	e.Root = r.root
	raw, err := e.JSON()
	if err != nil {
		r.t.Fatal(err)
	}
	return e, raw, packs
}

func (r *testRoom) add(body string, stateKey *string) *event.Event {
	r.t.Helper()
	e, raw, packs := r.make(body, stateKey)
	r.write(func(tx *Tx) error { return errors.Join(tx.AddPacks(packs), tx.AddEvent(e, raw)) })
	r.State().Stored(packs)
	return e
}

func sameEvent(t *testing.T, got, want *event.Event) {
	t.Helper()
	gotRaw, err := got.JSON()
	wantRaw, wantErr := want.JSON()
	if err := errors.Join(err, wantErr); err != nil {
		t.Fatal(err)
	}
	if string(gotRaw) != string(wantRaw) {
		t.Errorf("read %s\nwrote %s", gotRaw, wantRaw)
	}
	// What an event keeps for itself alone is not stored.
	a, b := reflect.ValueOf(*got), reflect.ValueOf(*want)
	for i := range a.NumField() {
		f := a.Type().Field(i)
		if f.IsExported() && f.Name != "PDU" && !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			t.Errorf("read %s %v\nwrote %v", f.Name, a.Field(i), b.Field(i))
		}
	}
}

func TestEvents(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		r, ctx := newTestRoom(f, "!r:x"), t.Context()
		state := ""
		first := r.add("state", &state)
		plain, raw, _ := r.make("hello", nil)
		plain.TxnScope, plain.Txn, plain.Replaces, plain.Flags = 3, event.TxnKey("send", "t1"), 77, event.SoftFailed
		f.write(func(tx *Tx) error { return tx.AddEvent(plain, raw) })
		past, raw, _ := r.make("long ago", nil)
		f.write(func(tx *Tx) error { return tx.AddPastEvent(past, raw) })
		if first.Pos != 1 || plain.Pos != 2 || past.Pos != -1 {
			t.Errorf("positions %d, %d, %d", first.Pos, plain.Pos, past.Pos)
		}
		for before, want := range map[int64]int{0: 1, 100: 1, -1: 0} {
			if got, err := f.PastEvents(ctx, before, 10); err != nil || len(got) != want || want == 1 && got[0] != past.NID {
				t.Errorf("history before %d: %v, %v", before, got, err)
			}
		}
		// A repeated transaction id must not make another event.
		twin, raw, _ := r.make("hello", nil)
		twin.TxnScope, twin.Txn = plain.TxnScope, plain.Txn
		if err := f.Write(ctx, func(tx *Tx) error { return tx.AddEvent(twin, raw) }); err == nil {
			t.Error("one transaction id made two events")
		}
		for _, from := range []string{"memory", "disk"} {
			t.Run(from, func(t *testing.T) {
				if from == "disk" {
					f.reopen()
				}
				for _, want := range []*event.Event{first, plain, past} {
					got, err := f.Event(ctx, want.NID)
					if err != nil {
						t.Fatal(err)
					}
					sameEvent(t, got, want)
					if got, err = f.EventByID(ctx, want.ID); err != nil {
						t.Fatal(err)
					}
					sameEvent(t, got, want)
				}
				got, err := f.EventByTxn(ctx, 3, plain.Txn, r.name.NID)
				if err != nil {
					t.Fatal(err)
				}
				sameEvent(t, got, plain)
				if got, err = f.StateEvent(ctx, first.Root, "m.test", ""); err != nil {
					t.Fatal(err)
				}
				sameEvent(t, got, first)
				if got, err = f.LastEvent(ctx, r.name.NID, 1); err != nil {
					t.Fatal(err)
				}
				sameEvent(t, got, first)
			})
		}
		for what, err := range map[string]error{
			"Event":      errOf(f.Event(ctx, 999)),
			"EventByID":  errOf(f.EventByID(ctx, "$none")),
			"EventByTxn": errOf(f.EventByTxn(ctx, 3, "none", r.name.NID)),
			"LastEvent":  errOf(f.LastEvent(ctx, 99, 100)),
			"StateEvent": errOf(f.StateEvent(ctx, first.Root, "m.test", "none")),
			"Events":     errOf(f.Events(ctx, []int64{first.NID, 999})),
		} {
			if !errors.Is(err, ErrNotFound) {
				t.Errorf("%s of what is not there: %v", what, err)
			}
		}
	})
}

func errOf[T any](_ T, err error) error { return err }

func TestTimeline(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		r, other := newTestRoom(f, "!r:x"), newTestRoom(f, "!other:x")
		var positions []int64
		const n = 3*eventBatch/2 + 1 // more than one query's worth
		key := ""
		for i := range n {
			positions = append(positions, r.add(fmt.Sprint(i), &key).Pos)
			other.add("elsewhere", nil)
		}
		past, raw, _ := r.make("long ago", nil)
		f.write(func(tx *Tx) error { return tx.AddPastEvent(past, raw) })
		positions = append([]int64{past.Pos}, positions...)
		f.reopen() // so that they are read from the disk, in batches
		const beginning, end = -1 << 40, 1 << 40
		for _, test := range []struct {
			after, upto int64
			limit       int
			from, to    int // of positions
			back        bool
		}{
			{beginning, end, 1000, 0, n + 1, false},
			{beginning, end, 1000, 0, n + 1, true},
			{0, end, 1000, 1, n + 1, true},
			{positions[5], positions[8], 1000, 6, 9, false},
			{positions[5], positions[8], 2, 6, 8, false},
			{positions[5], positions[8], 2, 7, 9, true},
			{positions[8], positions[5], 10, 0, 0, true},
		} {
			read := f.TimelineForward
			if test.back {
				read = f.Timeline
			}
			events, err := read(ctx, r.name.NID, test.after, test.upto, test.limit)
			if err != nil {
				t.Fatal(err)
			}
			var got []int64
			for _, e := range events {
				got = append(got, e.Pos)
			}
			want := slices.Clone(positions[test.from:test.to])
			if test.back {
				slices.Reverse(want)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%+v: %v, not %v", test, got, want)
			}
		}
		if pos, err := f.LastPosition(ctx, r.name.NID); err != nil || pos != positions[n] {
			t.Errorf("LastPosition: %d, %v", pos, err)
		}
		if root, err := f.RootAt(ctx, r.name.NID, positions[n]); err != nil || root != r.root {
			t.Errorf("RootAt: %d, %v; want %d", root, err, r.root)
		}
		if root, err := f.RootAt(ctx, 99, end); err != nil || root != 0 {
			t.Errorf("RootAt of no room: %d, %v", root, err)
		}
	})
}

// TestPruneIsSeen reads an event all the time while it is pruned: once the writer has answered,
// nobody may get the old form, not even out of a cache that is far too small.
func TestPruneIsSeen(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.events = newEventCache(1)
		r := newTestRoom(f, "!r:x")
		for i := range 30 {
			e := r.add(fmt.Sprint("secret", i), nil)
			r.add("pushes the other out of the cache", nil)
			stop := make(chan struct{})
			var wg sync.WaitGroup
			for range 2 {
				wg.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
						}
						if _, err := f.Event(t.Context(), e.NID); err != nil {
							t.Error(err)
						}
					}
				})
			}
			pruned := e.Pruned(1)
			raw, err := pruned.JSON()
			if err != nil {
				t.Fatal(err)
			}
			f.write(func(tx *Tx) error { return tx.PruneEvent(pruned, raw) })
			got, err := f.Event(t.Context(), e.NID)
			close(stop)
			wg.Wait()
			if err != nil || !got.Has(event.Redacted) || strings.Contains(string(got.Content), "secret") {
				t.Fatalf("after the redaction: %s, %v", got.Content, err)
			}
		}
	})
}

func TestCacheKeepsNoOldForm(t *testing.T) {
	t.Parallel()
	c := newEventCache(1) // room for one
	old, pruned := &event.Event{NID: 1}, &event.Event{NID: 1, Flags: event.Redacted}
	mark := c.pruned()
	// The reader has read the old form, and is overtaken.
	c.prune(pruned, 1)
	if got := c.keep(old, 1, mark); got != pruned {
		t.Error("the old form was given although the new one is there")
	}
	mark = c.pruned() - 1
	c.add(&event.Event{NID: 2}, 1)
	if _, ok := c.get(1); ok {
		t.Fatal("the cache holds more than it may")
	}
	c.keep(old, 1, mark)
	if _, ok := c.get(1); ok {
		t.Error("the old form was kept after the new one had gone")
	}
	if got := c.keep(pruned, 1, c.pruned()); got != pruned {
		t.Error("another event came back")
	}
	if _, ok := c.get(1); !ok {
		t.Error("what was read in peace was not kept")
	}
}

// TestCountersAfterReopen: nothing may get a number twice.
func TestCountersAfterReopen(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		r := newTestRoom(f, "!r:x")
		key := "k"
		e := r.add("a", &key)
		past, raw, _ := r.make("p", nil)
		var d Device
		f.write(func(tx *Tx) (err error) {
			if err := tx.AddPastEvent(past, raw); err != nil {
				return err
			}
			d, _, err = tx.EnsureDevice(Device{User: r.author, ID: "D"})
			return err
		})
		f.reopen()
		if f.Position() != e.Pos {
			t.Errorf("the position was %d and is %d", e.Pos, f.Position())
		}
		r.fixture = f
		if got := f.NextRoom(); got <= r.name.NID {
			t.Errorf("room %d again", got)
		}
		next := r.add("b", &key)
		if next.NID <= past.NID || next.Pos != e.Pos+1 || next.Root == e.Root {
			t.Errorf("event %d, position %d, root %d after %d, %d, %d", next.NID, next.Pos, next.Root, past.NID, e.Pos, e.Root)
		}
		older, raw, _ := r.make("pp", nil)
		f.write(func(tx *Tx) error {
			if err := tx.AddPastEvent(older, raw); err != nil {
				return err
			}
			d2, _, err := tx.EnsureDevice(Device{User: r.author, ID: "E"})
			if d2.NID <= d.NID {
				t.Errorf("device %d after %d", d2.NID, d.NID)
			}
			return err
		})
		if older.Pos != past.Pos-1 {
			t.Errorf("past position %d after %d", older.Pos, past.Pos)
		}
	})
}
