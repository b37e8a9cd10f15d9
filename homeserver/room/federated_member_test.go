package room

import (
	"fmt"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

func TestJoinAndSpeak(t *testing.T) {
	t.Parallel()
	for _, v := range event.Versions() {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel()
			a, b := pair(t, v)
			same(t, a, b)
			e := b.send(b.room, text(b.user("bob"), "hello"))
			if out := a.take(e); out.Rejected != nil || out.SoftFailed != nil || out.Event.Pos == 0 || out.Event.Depth != e.Depth {
				t.Errorf("taken in: %+v", out)
			}
			if out := a.take(e); !out.Known {
				t.Errorf("once more: %+v", out)
			}
			e = a.send(a.room, state(a.user("alice"), "m.room.name", "", `{"name":"x"}`))
			if out := b.take(e); out.Event.Current != 0 || out.Event.Has(event.Turn) {
				t.Errorf("in line, the current state is %d with flags %b", out.Event.Current, out.Event.Flags)
			}
			same(t, a, b)
		})
	}
}

func TestInvitedFromAfar(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	a, b := newSide(t, "one"), newSide(t, "two")
	a.room = a.rig.room("11", a.user("alice"))
	var err error
	if b.room, err = b.m.NameRoom(ctx, a.room.ID, a.room.Version); err != nil {
		t.Fatal(err)
	}
	if again, err := b.m.NameRoom(ctx, a.room.ID, a.room.Version); err != nil || again != b.room {
		t.Fatalf("named again: %v, %v", again, err)
	}
	bob := b.user("bob")
	invite := a.send(a.room, state(a.user("alice"), "m.room.member", bob, `{"membership":"invite"}`))
	raw, err := invite.JSON()
	if err != nil {
		t.Fatal(err)
	}
	e, err := event.Parse(raw, invite.ID, invite.InRoom, invite.Version)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.m.Number(ctx, b.room.NID, e); err != nil {
		t.Fatal(err)
	}
	if e, err = b.m.ReceiveMembership(ctx, b.room.NID, Received{Event: e, Stripped: []byte(`[{"type":"m.room.name"}]`)}); err != nil || e.Pos == 0 {
		t.Fatalf("invited: %+v, %v", e, err)
	}
	user, err := b.s.UserNID(ctx, bob)
	if err != nil {
		t.Fatal(err)
	}
	if m, err := b.s.Membership(ctx, b.room.NID, user); err != nil || m.Membership != "invite" || m.Event != e.NID {
		t.Errorf("standing: %+v, %v", m, err)
	}
	if raw, err := b.s.InviteState(ctx, b.room.NID, user); err != nil || string(raw) != `[{"type":"m.room.name"}]` {
		t.Errorf("stripped state: %s, %v", raw, err)
	}
	if _, err := b.m.Send(ctx, b.room.NID, text(bob, "hello")); err == nil {
		t.Error("somebody speaks in a room that their server is not in")
	}
	b.join(a, bob)
	same(t, a, b)
	if _, err := b.s.InviteState(ctx, b.room.NID, user); err == nil {
		t.Error("the stripped state is still there")
	}
	if e, err := b.s.EventByID(ctx, invite.ID); err != nil || !e.Has(event.Outlier) {
		t.Errorf("the invitation: %+v, %v", e, err)
	}
	// Leaves, is away, and comes back.
	a.take(b.send(b.room, member(bob, "leave")))
	a.send(a.room, state(a.user("alice"), "m.room.name", "", `{"name":"since then"}`))
	if e := a.send(a.room, text(a.user("alice"), "alone")); len(e.PrevEvents) != 1 {
		t.Errorf("%d previous events", len(e.PrevEvents))
	}
	b.join(a, bob)
	same(t, a, b)
	if missing, err := b.s.MissingPrevs(ctx, b.room.NID, 10); err != nil || len(missing) != 2 {
		t.Errorf("ends: %v, %v", missing, err)
	}
}

func TestRestrictedFromAfar(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	a, b := newSide(t, "one"), newSide(t, "two")
	space := a.rig.room("11", a.user("alice"))
	a.room = a.rig.room("11", a.user("alice"))
	a.send(a.room, state(a.user("alice"), "m.room.join_rules", "", fmt.Sprintf(`{"join_rule":"restricted","allow":[{"type":"m.room_membership","room_id":%q}]}`, space.ID)))
	bob := b.user("bob")
	if _, err := a.m.Prepare(ctx, a.room.NID, member(bob, "join")); err == nil {
		t.Error("a join of somebody who isn't in the space was prepared")
	}
	room := a.room
	a.room = space
	b.join(a, bob)
	a.room = room
	e := b.join(a, bob)
	if e.ContentString(viaKey) != a.user("alice") || len(e.Signatures) != 2 {
		t.Errorf("joined by %s, signed by %d", e.Content, len(e.Signatures))
	}
	same(t, a, b)
}
