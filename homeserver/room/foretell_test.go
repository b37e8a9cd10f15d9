package room

import (
	"errors"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// TestForetell has the memberships of an incomplete room written before it is complete: some come true, one
// changes meanwhile, and one turns out never to have been. Then a room that won't be complete takes them back.
func TestForetell(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	a, b, c := newSide(t, "one"), newSide(t, "two"), newSide(t, "three")
	a.room = a.rig.room("11", a.user("alice"))
	a.send(a.room, state(a.user("alice"), "m.room.join_rules", "", `{"join_rule":"public"}`))
	for _, name := range []string{"carol", "dora", "eve"} {
		a.send(a.room, member(a.user(name), "join"))
	}
	standing := func(s *side, name string) string {
		t.Helper()
		user, err := s.s.UserNID(ctx, a.user(name))
		if errors.Is(err, store.ErrNotFound) {
			return ""
		} else if err != nil {
			t.Fatal(err)
		}
		m, err := s.s.Membership(ctx, s.room.NID, user)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
		return m.Membership
	}
	foretell := func(s *side) {
		t.Helper()
		s.joinPartly(a, s.user("bob"))
		s.tell(a)
		if got := standing(s, "carol"); got != "" {
			t.Fatalf("carol is %q before anything was told", got)
		}
		for range 2 {
			if err := s.m.foretell(ctx, s.room.NID); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"carol", "eve"} {
			if got := standing(s, name); got != "join" {
				t.Fatalf("%s is %q", name, got)
			}
		}
	}
	foretell(b)
	// Only servers that are counted have members: nobody is told twice.
	if servers, err := b.s.RoomServers(ctx, b.room.NID); err != nil || len(servers) != 2 {
		t.Fatalf("servers %v, %v", servers, err)
	}
	b.take(a.send(a.room, member(a.user("dora"), "leave")))
	if got := standing(b, "dora"); got != "leave" {
		t.Errorf("dora is %q after she left", got)
	}
	// Another server tells of a state without eve.
	told, err := b.s.ToldStates(ctx, b.room.NID)
	if err != nil || len(told) == 0 {
		t.Fatal(told, err)
	}
	for id, root := range told {
		var nids []int64
		eve, err := b.s.StateKeyNID(ctx, store.StateKey{Type: "m.room.member", Key: a.user("eve")})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.s.State().Walk(ctx, root, func(key, nid int64) bool {
			if key != eve {
				nids = append(nids, nid)
			}
			return true
		}); err != nil {
			t.Fatal(err)
		}
		other, packs, err := b.m.StateTree(ctx, nids)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.s.Write(ctx, func(t *store.Tx) error {
			return errors.Join(t.AddPacks(packs), t.SetToldState(b.room.NID, id, other))
		}); err != nil {
			t.Fatal(err)
		}
		b.s.State().Stored(packs)
	}
	if err := b.m.Complete(ctx, b.room.NID); err != nil {
		t.Fatal(err)
	}
	b.inStep()
	for name, want := range map[string]string{"alice": "join", "carol": "join", "dora": "leave", "eve": "leave"} {
		if got := standing(b, name); got != want {
			t.Errorf("%s is %q in the complete room, not %q", name, got, want)
		}
	}
	// Alice and carol are left of the first server.
	servers, err := b.s.RoomServers(ctx, b.room.NID)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range servers {
		name, err := b.s.ServerName(ctx, x.Server)
		if err != nil {
			t.Fatal(err)
		}
		if want := map[string]int64{"one": 2, "two": 1}[name]; x.Joined != want {
			t.Errorf("%d members of %s, not %d", x.Joined, name, want)
		}
	}
	foretell(c)
	if err := c.m.GiveUp(ctx, c.room.NID); err != nil {
		t.Fatal(err)
	}
	if got := standing(c, "carol"); got != "" {
		t.Errorf("carol is %q in a room that was given up", got)
	}
}
