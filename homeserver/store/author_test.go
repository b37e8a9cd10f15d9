package store

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// member adds a membership event, by the room's author.
func (r *testRoom) member(user, membership string) *event.Event {
	r.t.Helper()
	key := StateKey{"m.room.member", user}
	k, err := r.NameStateKey(r.t.Context(), key)
	if err != nil {
		r.t.Fatal(err)
	}
	nid := r.NextEvent()
	e, err := event.Build(event.Proto{Version: r.name.Version, RoomID: r.name.ID, Type: key.Type, StateKey: &key.Key, Sender: "@a:x",
		Content: []byte(`{"membership":"` + membership + `"}`), TS: 1000 + nid, Depth: nid, Prev: []string{"$p"}, Auth: []string{"$a"}}, signer)
	if err != nil {
		r.t.Fatal(err)
	}
	e.NID, e.Room, e.Author, e.Key = nid, r.name.NID, r.author, k
	raw, err := e.JSON()
	if err != nil {
		r.t.Fatal(err)
	}
	r.write(func(tx *Tx) error { return tx.AddEvent(e, raw) })
	return e
}

func TestByAuthor(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		one, two := newTestRoom(f, "!one:x"), newTestRoom(f, "!two:x")
		joined := one.member("@a:x", "join")
		invited := one.member("@b:x", "invite")
		two.member("@a:x", "join")
		two.member("@a:x", "leave")
		first, second := one.relate(`{}`), one.relate(`{}`)
		for _, c := range []struct{ author, since, invites, joined int64 }{
			{one.author, 0, 1, 2}, {one.author, invited.OriginServerTS, 1, 1}, {one.author, invited.OriginServerTS + 1, 0, 1}, {one.author, 1 << 40, 0, 0}, {one.author + 1000, 0, 0, 0},
		} {
			if invites, joined, err := f.MembershipsSet(ctx, c.author, c.since); err != nil || invites != c.invites || joined != c.joined {
				t.Errorf("of %d since %d: %d invitations, %d rooms, %v", c.author, c.since, invites, joined, err)
			}
		}
		q := Authored{Room: one.name.NID, Author: one.author, Before: math.MaxInt64, ToTS: math.MaxInt64}
		page, last, err := f.EventsByAuthor(ctx, q, 3)
		if err != nil || !slices.Equal(page, nidsOf([]*event.Event{second, first, invited})) || last != invited.Pos {
			t.Errorf("the first page: %v up to %d, %v", page, last, err)
		}
		q.Before = last
		if page, _, err = f.EventsByAuthor(ctx, q, 3); err != nil || !slices.Equal(page, nidsOf([]*event.Event{joined})) {
			t.Errorf("the next page: %v, %v", page, err)
		}
		q.Before, q.FromTS, q.ToTS = math.MaxInt64, first.OriginServerTS, first.OriginServerTS
		if page, _, err = f.EventsByAuthor(ctx, q, 3); err != nil || !slices.Equal(page, nidsOf([]*event.Event{first})) {
			t.Errorf("of a moment: %v, %v", page, err)
		}
		if rooms, err := f.RoomsWithServer(ctx, "other.example"); err != nil || len(rooms) != 0 {
			t.Errorf("%v, %v", rooms, err)
		}
	})
}

func TestThreadReplies(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		r := newTestRoom(f, "!r:x")
		root := r.relate(`{}`)
		one, two := r.relate(related("m.thread", root.ID)), r.relate(related("m.thread", root.ID))
		r.relate(related("m.reference", root.ID))
		list, err := f.ThreadReplies(t.Context(), root.NID, End, 10)
		if want := []Thread{{root.NID, After(two), r.author}, {root.NID, After(one), r.author}}; err != nil || !slices.Equal(list, want) {
			t.Errorf("%v, %v, want %v", list, err, want)
		}
		if list, err = f.ThreadReplies(t.Context(), root.NID, After(two), 10); err != nil || len(list) != 1 {
			t.Errorf("before the newest: %v, %v", list, err)
		}
	})
}

func TestAccountEnds(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		if _, err := f.FirstAccountEnd(ctx); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
		f.write(func(tx *Tx) error {
			return errors.Join(tx.SetAccountEnd(1, 500), tx.SetAccountEnd(2, 300), tx.SetAccountEnd(3, 100), tx.SetAccountEnd(2, 50), tx.SetAccountEnd(3, 0))
		})
		if e, err := f.FirstAccountEnd(ctx); err != nil || e != (AccountEnd{2, 50}) {
			t.Errorf("%v, %v", e, err)
		}
		f.write(func(tx *Tx) error {
			return errors.Join(tx.SetTask(Task{ID: "b", ChangedTS: 2}), tx.SetTask(Task{ID: "a", ChangedTS: 1}))
		})
		if list, err := f.Tasks(ctx, 10); err != nil || len(list) != 2 || list[0].ID != "a" {
			t.Errorf("%v, %v", list, err)
		}
	})
}
