package store

import (
	"slices"
	"testing"
)

// TestForSync covers what only sync asks for.
func TestForSync(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		r, empty := newTestRoom(f, "!r:x"), newTestRoom(f, "!empty:x")
		first := r.add("one", nil)
		last := r.add("two", new(string))
		for i, m := range []string{"join", "invite", "leave", "ban", "join"} {
			f.write(func(tx *Tx) error {
				return tx.SetMembership(Membership{Room: r.name.NID, User: int64(i + 1), Membership: m, Event: int64(20 + i), Pos: int64(200 - i)})
			})
		}
		f.write(func(tx *Tx) error {
			return tx.SetMembership(Membership{Room: empty.name.NID, User: 1, Membership: "join", Event: 30, Pos: 300})
		})
		got, err := f.RoomsAndEndsOf(ctx, 1)
		slices.SortFunc(got, func(a, b MembershipAndEnd) int { return int(a.Pos - b.Pos) })
		if err != nil || len(got) != 2 || got[0].Last != last.Pos || got[0].Root != last.Root || got[0].Event != 20 || got[1].Last != 0 {
			t.Errorf("rooms and their ends: %+v, %v; the end is %d", got, err, last.Pos)
		}
		if l, err := f.FirstMembers(ctx, r.name.NID, 2); err != nil || !slices.Equal(l, []int64{5, 2}) {
			t.Errorf("first members: %v, %v", l, err)
		}
		if l, err := f.FormerMembers(ctx, r.name.NID, 4); err != nil || !slices.Equal(l, []int64{3}) {
			t.Errorf("former members: %v, %v", l, err)
		}
		for _, tc := range []struct {
			a, b int64
			want bool
		}{{1, 5, true}, {1, 2, false}, {1, 3, false}, {5, 9, false}} {
			if ok, err := f.ShareRoom(ctx, tc.a, tc.b); err != nil || ok != tc.want {
				t.Errorf("%d and %d share a room: %t, %v", tc.a, tc.b, ok, err)
			}
		}
		move := func(to int64, pos int64, id string) {
			t.Helper()
			f.write(func(tx *Tx) error {
				return tx.MoveReceipt(Receipt{Room: r.name.NID, User: 1, Kind: "m.read", EventID: id, Event: to}, pos)
			})
		}
		move(last.NID, last.Pos, "$last")
		before := f.Position()
		move(first.NID, first.Pos, "$first")
		move(last.NID, last.Pos, "$last")
		if all, err := f.ReceiptsOf(ctx, r.name.NID, 1); err != nil || len(all) != 1 || all[0].EventID != "$last" || f.Position() != before {
			t.Errorf("a receipt went back: %+v, %v", all, err)
		}
		was := f.KeyChanges()
		d := DeviceName{User: 1, ID: "D"}
		f.write(func(tx *Tx) error {
			_, err := tx.AddOneTimeKey(d, OneTimeKey{Algorithm: "a", ID: "1", JSON: "{}"})
			return err
		})
		if f.KeyChanges() == was {
			t.Error("a new key was not noticed")
		}
	})
}
