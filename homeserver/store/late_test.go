package store

import (
	"slices"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// TestLateEvents: events that are brought in late stand in the order of their times, whatever the order in which they come, in
// positions that no other room and no other history has.
func TestLateEvents(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		r, other, ctx := newTestRoom(f, "!r:x"), newTestRoom(f, "!o:x"), t.Context()
		live := r.add("live", nil)
		late := func(r *testRoom, body string, ts int64) *event.Event {
			e, raw, _ := r.make(body, nil)
			e.OriginServerTS, e.Depth = ts, live.Depth
			f.write(func(tx *Tx) error { return tx.AddLateEvent(e, raw) })
			return e
		}
		const at = 1_600_000_000_000
		c := late(r, "c", at+20)
		a := late(r, "a", at)
		b := late(r, "b", at) // after a, of the same time
		var many []*event.Event
		for range 3 * lateSlots {
			many = append(many, late(r, "many", at+10))
		}
		far := late(other, "far", at)
		old := late(r, "older than logs", 5)
		new := late(r, "newer than they can be", 1<<52)
		f.reopen()
		past, raw, _ := r.make("past", nil)
		f.write(func(tx *Tx) error { return tx.AddPastEvent(past, raw) })
		d := late(r, "d", at+1)
		if past.Pos != -1 {
			t.Errorf("other history has the position %d", past.Pos)
		}
		if got, err := f.PastEvents(ctx, 0, 10); err != nil || !slices.Equal(got, []int64{past.NID}) {
			t.Errorf("other history is %v, %v", got, err)
		}
		var want []int64
		for _, e := range slices.Concat([]*event.Event{old, a, b, d}, many, []*event.Event{c, new, live}) {
			want = append(want, e.NID)
		}
		all, err := f.HistoryForward(ctx, live.Room, Place{live.Depth - 1, 1 << 62}, End, 1<<62, 200)
		if err != nil {
			t.Fatal(err)
		}
		var got []int64
		for _, e := range all {
			if e.NID != past.NID {
				got = append(got, e.NID)
			}
		}
		// So many of one time take some places of later ones.
		if i := slices.Index(got, c.NID); i < 0 || !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) || got[0] != old.NID ||
			!slices.Equal(got[1:4], want[1:4]) || got[len(got)-1] != live.NID || i < slices.Index(got, many[0].NID) {
			t.Errorf("the order is\n%v, wanted\n%v", got, want)
		}
		if far.Pos >= old.Pos && far.Pos <= new.Pos {
			t.Error("two rooms share positions")
		}
		entries, err := f.Entries(ctx, 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		told := 0
		for _, e := range entries {
			if e.Kind == KindPast {
				told++
			}
		}
		if told != len(want) { // without live, and with far
			t.Errorf("the log tells of %d late events, wanted %d", told, len(want))
		}
		if e, err := f.NextTalk(ctx, live.Room, 0); err != nil || e.NID != live.NID {
			t.Errorf("what was said first is %v, %v", e, err)
		}
		if ts, err := f.NewestTalk(ctx, live.Room); err != nil || ts != live.OriginServerTS {
			t.Errorf("the newest is of %d, %v", ts, err)
		}
		if ok, err := f.HasTalk(ctx, live.Room); err != nil || !ok {
			t.Errorf("nothing is said to be said: %v", err)
		}
		if list, err := f.SaidBetween(ctx, live.Room, live.Author, live.OriginServerTS, live.OriginServerTS); err != nil || len(list) != 1 || list[0].NID != live.NID {
			t.Errorf("said: %v, %v", list, err)
		}
	})
}
