package store

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

func TestPartialRooms(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		servers := func() []string {
			t.Helper()
			list, err := f.JoinedServers(ctx, 3)
			if err != nil {
				t.Fatal(err)
			}
			return list
		}
		f.write(func(tx *Tx) error {
			return errors.Join(tx.MoveMembers(3, "a", 1, 8), tx.SetRoomPartial(RoomPartial{Room: 3, Join: 4, Via: "a", Servers: []string{"a", "b"}, Since: 9}))
		})
		if got := servers(); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("servers %v", got)
		}
		// Its one known member leaves: it may have others.
		f.write(func(tx *Tx) error { return tx.MoveMembers(3, "a", -1, 10) })
		if got := servers(); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("servers after a leave %v", got)
		}
		// Joined anew, by way of another server.
		f.write(func(tx *Tx) error {
			return errors.Join(tx.SetRoomPartial(RoomPartial{Room: 3, Join: 5, Via: "c", Servers: []string{"b", "c"}, Since: 11}),
				tx.SetToldState(3, "$x", 77), tx.SetToldState(3, "$x", 78), tx.PokeLater(3, 1), tx.PokeLater(3, 1), tx.PokeLater(3, 2))
		})
		if got := servers(); !slices.Equal(got, []string{"b", "c"}) {
			t.Errorf("servers the second time %v", got)
		}
		for _, from := range []string{"memory", "disk"} {
			if from == "disk" {
				f.reopen()
			}
			if p, err := f.RoomPartial(ctx, 3); err != nil || p.Via != "c" || p.Since != 9 || p.Join != 5 || !f.Incomplete(3) || f.Incomplete(4) {
				t.Errorf("%s: %+v, %v", from, p, err)
			}
			if all, err := f.PartialRooms(ctx); err != nil || len(all) != 1 {
				t.Errorf("%s: %v, %v", from, all, err)
			}
			if told, err := f.ToldStates(ctx, 3); err != nil || len(told) != 1 || told["$x"] != 78 {
				t.Errorf("%s: told %v, %v", from, told, err)
			}
		}
		if s := f.Span(3); s.At(8) || !s.At(9) || !s.At(1000) || s.Ends(0, 1000) {
			t.Errorf("span %+v", s)
		}
		short, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		if err := f.WaitComplete(short, 3); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting: %v", err)
		}
		done := make(chan error, 1)
		go func() { done <- f.WaitComplete(ctx, 3) }()
		f.write(func(tx *Tx) error {
			users, err := tx.Pokes(3)
			if !slices.Equal(users, []int64{1, 2}) {
				t.Errorf("pokes %v", users)
			}
			return errors.Join(err, tx.MoveMembers(3, "c", 2, 20), tx.CompleteRoom(3, 20, 99))
		})
		if err := <-done; err != nil {
			t.Error(err)
		}
		if got := servers(); !slices.Equal(got, []string{"c"}) {
			t.Errorf("servers of the complete room %v", got)
		}
		for range 2 {
			if s := f.Span(3); s != (Span{9, 20, 99}) || s.At(20) || !s.At(19) || !s.Ends(19, 20) || s.Ends(20, 30) {
				t.Errorf("span %+v", s)
			}
			if _, err := f.RoomPartial(ctx, 3); !errors.Is(err, ErrNotFound) {
				t.Error(err)
			}
			if told, err := f.ToldStates(ctx, 3); err != nil || len(told) != 0 {
				t.Errorf("told %v, %v", told, err)
			}
			f.reopen()
		}
		f.write(func(tx *Tx) error { return tx.DeleteRoomPartial(3) })
		if s := f.Span(3); s != (Span{}) {
			t.Errorf("span %+v", s)
		}
	})
}

// TestCompleteIsPublished: who waited for a room finds in the log that it is complete.
func TestCompleteIsPublished(t *testing.T) {
	t.Parallel()
	for name, uri := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var f *fixture
			told := false
			f = open(t, Options{URI: uri(t), Publish: func(entries []Entry) {
				for _, e := range entries {
					if e.Kind != KindComplete {
						continue
					}
					told = true
					given, cancel := context.WithCancel(context.Background())
					cancel()
					if err := f.WaitComplete(given, 3); !errors.Is(err, context.Canceled) {
						t.Errorf("waiting while it is published: %v", err)
					}
					if f.Incomplete(3) || !f.Span(3).Ends(e.Pos-1, e.Pos) {
						t.Errorf("span %+v while it is published", f.Span(3))
					}
				}
			}})
			f.write(func(tx *Tx) error {
				return tx.SetRoomPartial(RoomPartial{Room: 3, Join: 4, Via: "a", Servers: []string{"a"}, Since: 9})
			})
			done := make(chan error, 1)
			go func() { done <- f.WaitComplete(t.Context(), 3) }()
			f.write(func(tx *Tx) error {
				pos, err := tx.Log(Entry{Kind: KindComplete, Room: 3})
				return errors.Join(err, tx.CompleteRoom(3, pos, 0))
			})
			if err := <-done; err != nil || !told {
				t.Errorf("waiting: %v, published: %v", err, told)
			}
			// Joined anew, without its state again: who waits then waits for that.
			f.write(func(tx *Tx) error {
				return errors.Join(tx.DeleteRoomPartial(3), tx.SetRoomPartial(RoomPartial{Room: 3, Join: 5, Via: "a", Servers: []string{"a"}, Since: 99}))
			})
			short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			if err := f.WaitComplete(short, 3); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("waiting anew: %v", err)
			}
		})
	}
}

func TestMend(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		r := newTestRoom(f, "!r:x")
		e, raw, _ := r.make("one", nil)
		e.Flags |= event.Partial
		f.write(func(tx *Tx) error { return tx.AddEvent(e, raw) })
		if nids, err := f.PartialEvents(ctx, e.Room); err != nil || !slices.Equal(nids, []int64{e.NID}) {
			t.Errorf("partial events %v, %v", nids, err)
		}
		if have, err := f.EventNIDs(ctx, e.Room, []string{e.ID, "$none"}); err != nil || len(have) != 1 || have[e.ID] != e.NID {
			t.Errorf("numbers %v, %v", have, err)
		}
		if have, err := f.EventNIDs(ctx, e.Room+1, []string{e.ID}); err != nil || len(have) != 0 {
			t.Errorf("numbers in another room %v, %v", have, err)
		}
		gone := *e
		gone.Flags, gone.Pos, gone.Root, gone.Replaces = event.Rejected, 0, 55, 44
		f.write(func(tx *Tx) error { return tx.Mend(&gone) })
		for range 2 {
			if got, err := f.Event(ctx, e.NID); err != nil || got.Pos != 0 || got.Root != 55 || got.Replaces != 44 || got.Flags != event.Rejected {
				t.Errorf("%+v, %v", got, err)
			}
			if nids, err := f.PartialEvents(ctx, e.Room); err != nil || len(nids) != 0 {
				t.Errorf("partial events %v, %v", nids, err)
			}
			f.reopen()
		}
	})
}
