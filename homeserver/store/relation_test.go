package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"maunium.net/go/mautrix/federation/pdu"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// relate adds an event with this content as that of a message.
func (r *testRoom) relate(content string) *event.Event {
	r.t.Helper()
	e, raw := r.message(content)
	r.write(func(tx *Tx) error { return tx.AddEvent(e, raw) })
	return e
}

func (r *testRoom) message(content string) (*event.Event, []byte) {
	r.t.Helper()
	nid := r.NextEvent()
	e, err := event.Build(event.Proto{Version: r.name.Version, RoomID: r.name.ID, Type: "m.room.message", Sender: "@a:x",
		Content: []byte(content), TS: 1000 + nid, Depth: nid, Prev: []string{"$p"}, Auth: []string{"$a"}}, signer)
	if err != nil {
		r.t.Fatal(err)
	}
	e.NID, e.Room, e.Author = nid, r.name.NID, r.author
	raw, err := e.JSON()
	if err != nil {
		r.t.Fatal(err)
	}
	return e, raw
}

func related(relType, parent string) string {
	return fmt.Sprintf(`{"m.new_content":{},"m.relates_to":{"rel_type":%q,"event_id":%q,"key":"k"}}`, relType, parent)
}

func nidsOf(events []*event.Event) (out []int64) {
	for _, e := range events {
		out = append(out, e.NID)
	}
	return out
}

func TestRelations(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		r := newTestRoom(f, "!r:x")
		root := r.relate(`{}`)
		one := r.relate(related("m.thread", root.ID))
		two := r.relate(related("m.thread", root.ID))
		nested := r.relate(related("m.annotation", two.ID))
		edit1, edit2 := r.relate(related("m.replace", root.ID)), r.relate(related("m.replace", root.ID))
		ref := r.relate(related("m.reference", root.ID))
		const end = int64(1) << 40
		parents := []string{root.ID, two.ID, "$none"}
		counts, err := f.RelationCounts(ctx, parents, end)
		slices.SortFunc(counts, func(a, b RelationCount) int { return strings.Compare(a.Type, b.Type) })
		want := []RelationCount{{root.ID, "m.reference", r.name.NID, r.author, 1}, {root.ID, "m.replace", r.name.NID, r.author, 2}, {root.ID, "m.thread", r.name.NID, r.author, 2}}
		if err != nil || !slices.Equal(counts, want) {
			t.Errorf("counts %+v, %v", counts, err)
		}
		if got, err := f.NewestEdits(ctx, parents, end); err != nil || !slices.Equal(got, []int64{edit2.NID}) {
			t.Errorf("edits %v, %v", got, err)
		}
		if got, err := f.NewestEdits(ctx, parents, edit1.Pos); err != nil || !slices.Equal(got, []int64{edit1.NID}) {
			t.Errorf("edits as of before %v, %v", got, err)
		}
		if got, err := f.References(ctx, parents, end, 5); err != nil || len(got) != 1 || got[0].ID != ref.ID || got[0].Parent != root.ID || got[0].Room != r.name.NID {
			t.Errorf("references %+v, %v", got, err)
		}
		if got, err := f.NewestReplies(ctx, parents); err != nil || len(got) != 1 || got[0].NID != two.NID || got[0].Parent != root.ID {
			t.Errorf("replies %+v, %v", got, err)
		}
		if got, err := f.Replies(ctx, r.name.NID, root.ID, end, 5); err != nil || !slices.Equal(nidsOf(got), []int64{two.NID, one.NID}) {
			t.Errorf("thread %v, %v", nidsOf(got), err)
		}
		if got, err := f.Annotations(ctx, r.name.NID, r.author, two.ID, "m.room.message", "k"); err != nil || !slices.Equal(got, []int64{nested.NID}) {
			t.Errorf("annotations %v, %v", got, err)
		}
		q := Related{Room: r.name.NID, Parent: root.ID, Levels: 1, From: End, To: Beginning, Upto: end, Back: true, Limit: 10}
		for _, tc := range []struct {
			change func(*Related)
			want   []int64
		}{
			{func(*Related) {}, []int64{ref.NID, edit2.NID, edit1.NID, two.NID, one.NID}},
			{func(q *Related) { q.Levels = 3 }, []int64{ref.NID, edit2.NID, edit1.NID, nested.NID, two.NID, one.NID}},
			{func(q *Related) { q.RelType, q.Type = "m.thread", "m.room.message" }, []int64{two.NID, one.NID}},
			{func(q *Related) { q.RelType, q.Type, q.Levels = "m.thread", "m.room.message", 3 }, []int64{two.NID, one.NID}},
			{func(q *Related) { q.From, q.Limit = Before(edit2), 1 }, []int64{edit1.NID}},
			{func(q *Related) { q.Back, q.From, q.To = false, After(one), After(edit1) }, []int64{two.NID, edit1.NID}},
			{func(q *Related) { q.Back, q.From, q.To, q.Levels = false, After(one), After(edit1), 3 }, []int64{two.NID, nested.NID, edit1.NID}},
			{func(q *Related) { q.Room++ }, nil},
		} {
			q := q
			tc.change(&q)
			if got, err := f.Related(ctx, q); err != nil || !slices.Equal(nidsOf(got), tc.want) {
				t.Errorf("%+v: %v, %v, want %v", q, nidsOf(got), err, tc.want)
			}
		}
		threads := func() string {
			t.Helper()
			out, err := f.Threads(ctx, r.name.NID, End, 0, 5)
			theirs, err2 := f.Threads(ctx, r.name.NID, End, r.author, 5)
			others, err3 := f.Threads(ctx, r.name.NID, End, r.author+1, 5)
			if err := errors.Join(err, err2, err3); err != nil || !slices.Equal(out, theirs) || len(others) != 0 {
				t.Errorf("threads %v, %v and %v, %v", out, theirs, others, err)
			}
			return fmt.Sprint(out)
		}
		if got, want := threads(), fmt.Sprint([]Thread{{root.NID, After(two), two.Author}}); got != want {
			t.Errorf("threads %s, want %s", got, want)
		}
		prune := func(e *event.Event) {
			t.Helper()
			pruned := e.Pruned(99)
			raw, err := pruned.JSON()
			if err != nil {
				t.Fatal(err)
			}
			r.write(func(tx *Tx) error { return tx.PruneEvent(pruned, raw) })
		}
		prune(two)
		if got, want := threads(), fmt.Sprint([]Thread{{root.NID, After(one), one.Author}}); got != want {
			t.Errorf("after the newest was redacted: %s, want %s", got, want)
		}
		prune(one)
		if got := threads(); got != "[]" {
			t.Errorf("after all were redacted: %s", got)
		}
	})
}

// TestRelationsBackfill: what was said before there was an index is in it afterwards.
func TestRelationsBackfill(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		r := newTestRoom(f, "!r:x")
		root := r.relate(`{}`)
		var children []int64
		for range 3 {
			children = append(children, r.relate(related("m.thread", root.ID)).NID)
		}
		r.relate(`{"body":"\u0000 m.relates_to"}`)
		r.relate(`{"m.relates_to":"nonsense"}`)
		_, db := dialectOf(t, f.options.URI)
		before, err := f.Threads(t.Context(), r.name.NID, End, 0, 5)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.ExecContext(t.Context(), "DELETE FROM relation"); err != nil {
			t.Fatal(err)
		}
		if _, err := db.ExecContext(t.Context(), "DELETE FROM thread"); err != nil {
			t.Fatal(err)
		}
		conn, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := fillRelations(t.Context(), conn, f.loc.param); err != nil {
			t.Fatal(err)
		}
		got, err := f.Replies(t.Context(), r.name.NID, root.ID, 1<<40, 5)
		slices.Reverse(children)
		if err != nil || !slices.Equal(nidsOf(got), children) {
			t.Errorf("replies %v, %v, want %v", nidsOf(got), err, children)
		}
		if after, err := f.Threads(t.Context(), r.name.NID, End, 0, 5); err != nil || !slices.Equal(after, before) {
			t.Errorf("threads %v, %v, want %v", after, err, before)
		}
	})
}

func TestDelayedRows(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx, key := t.Context(), "k"
		d := Delayed{ID: "d1", User: 1, Room: 2, Type: "m.test", StateKey: &key, Content: "{}", Delay: 5, StartedTS: 10, DueTS: 15, TxnScope: 3, Txn: "t"}
		f.write(func(tx *Tx) error { return tx.AddDelayed(d) })
		f.write(func(tx *Tx) error {
			have, err := tx.DelayedByTxn(3, "t", 2)
			n, err2 := tx.DelayedCount(1)
			if have.ID != "d1" || n != 1 {
				t.Errorf("%+v, %d", have, n)
			}
			return errors.Join(err, err2)
		})
		if due, err := f.DelayedDue(ctx, 15, 5); err != nil || len(due) != 1 || *due[0].StateKey != key || due[0].State != DelayedScheduled {
			t.Errorf("due %+v, %v", due, err)
		}
		if next, err := f.DelayedNext(ctx); err != nil || next != 15 {
			t.Errorf("next %d, %v", next, err)
		}
		if list, err := f.DelayedOf(ctx, 1, false, 0, "", 5); err != nil || len(list) != 1 {
			t.Errorf("scheduled %v, %v", list, err)
		}
		f.write(func(tx *Tx) error {
			ok, err := tx.RestartDelayed("d1", 20, 25)
			own := tx.cancelDelayed(&event.Event{PDU: mustEvent(t, key), Room: 2, Author: 1})
			ended, err2 := tx.EndDelayed("d1", DelayedSent, 30, "$e", "")
			again, err3 := tx.EndDelayed("d1", DelayedCancelled, 31, "", "")
			if !ok || !ended || again {
				t.Errorf("restarted %v, ended %v and %v", ok, ended, again)
			}
			return errors.Join(err, own, err2, err3)
		})
		if list, err := f.DelayedOf(ctx, 1, true, 0, "", 5); err != nil || len(list) != 1 || list[0].EventID != "$e" || list[0].StartedTS != 20 {
			t.Errorf("ended %v, %v", list, err)
		}
		f.write(func(tx *Tx) error { return tx.ForgetDelayed(31) })
		if _, err := f.Delayed(ctx, "d1"); !errors.Is(err, ErrNotFound) {
			t.Errorf("not forgotten: %v", err)
		}
		d.Txn = ""
		f.write(func(tx *Tx) error {
			return errors.Join(tx.AddDelayed(d), tx.cancelDelayed(&event.Event{PDU: mustEvent(t, key), Room: 2, Author: 9}))
		})
		if got, err := f.Delayed(ctx, "d1"); err != nil || got.State != DelayedCancelled {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestLookUps(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		r := newTestRoom(f, "!r:x")
		a, b := r.relate(`{}`), r.relate(`{}`)
		if got, err := f.EventsByTime(ctx, r.name.NID, 1<<40, Timed{TS: a.OriginServerTS}, false, 5); err != nil || len(got) != 2 || got[0].NID != a.NID {
			t.Errorf("forward %v, %v", got, err)
		}
		if got, err := f.EventsByTime(ctx, r.name.NID, 1<<40, Timed{b.NID, b.OriginServerTS}, true, 5); err != nil || len(got) != 1 || got[0].NID != a.NID {
			t.Errorf("back %v, %v", got, err)
		}
		f.write(func(tx *Tx) error {
			return errors.Join(tx.SetMembership(Membership{Room: 5, User: 1, Membership: "join"}), tx.SetMembership(Membership{Room: 5, User: 2, Membership: "join"}),
				tx.SetMembership(Membership{Room: 6, User: 1, Membership: "join"}), tx.SetMembership(Membership{Room: 6, User: 2, Membership: "leave"}),
				tx.SetNetworkRoom("s", "n", 5, true), tx.SetNetworkRoom("s", "n", 5, true), tx.SetNetworkRoom("s", "m", 6, true), tx.SetNetworkRoom("s", "m", 6, false),
				tx.SetNoticeRoom(1, 5), tx.SetNoticeRoom(1, 6), tx.SetPublic(5, true), tx.MoveRoom(5, 7),
				tx.AddReport(Report{Kind: ReportRoom, Room: 5, Reporter: 1, Reason: "r"}), tx.AddReport(Report{Kind: ReportUser, User: 5, Reporter: 1, Score: -3}),
				tx.SetAccountData(1, AccountData{Type: "m.push_rules", Content: `{"x":"!five:x"}`}))
		})
		if got, err := f.MutualRooms(ctx, 1, 2, 0, 5); err != nil || !slices.Equal(got, []int64{5}) {
			t.Errorf("mutual %v, %v", got, err)
		}
		if n, err := f.MutualRoomCount(ctx, 1, 2); err != nil || n != 1 {
			t.Errorf("mutual %d, %v", n, err)
		}
		if got, err := f.NetworkRooms(ctx, "s", "n"); err != nil || !slices.Equal(got, []int64{5}) {
			t.Errorf("network %v, %v", got, err)
		}
		if got, err := f.NetworkRooms(ctx, "", ""); err != nil || !slices.Equal(got, []int64{5}) {
			t.Errorf("networks %v, %v", got, err)
		}
		if got, err := f.NoticeRoom(ctx, 1); err != nil || got != 6 {
			t.Errorf("notices %d, %v", got, err)
		}
		if ok, err := f.IsPublic(ctx, 7); err != nil || !ok {
			t.Errorf("not moved: %v", err)
		}
		if got, err := f.MembersWithPushRules(ctx, 5, "!five:x"); err != nil || !slices.Equal(got, []int64{1}) {
			t.Errorf("members %v, %v", got, err)
		}
		if got, err := f.Reports(ctx, 0, "", 5); err != nil || len(got) != 2 || got[0].ID != 2 || got[0].Score != -3 {
			t.Errorf("reports %+v, %v", got, err)
		}
		f.write(func(tx *Tx) error { return tx.DeleteReport(1) })
		if n, err := f.ReportCount(ctx); err != nil || n != 1 {
			t.Errorf("%d reports, %v", n, err)
		}
		if _, err := f.Report(ctx, 1); !errors.Is(err, ErrNotFound) {
			t.Errorf("the deleted report: %v", err)
		}
	})
}

func mustEvent(t *testing.T, key string) *pdu.PDU {
	t.Helper()
	e, err := event.Build(event.Proto{Version: "11", RoomID: "!r:x", Type: "m.test", Sender: "@a:x", StateKey: &key, Content: []byte("{}"), TS: 1, Depth: 1}, signer)
	if err != nil {
		t.Fatal(err)
	}
	return e.PDU
}
