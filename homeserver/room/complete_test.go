package room

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"maunium.net/go/mautrix/federation/pdu"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// learn makes outliers of events of another side that aren't known, and of what they rest on.
func (s *side) learn(of *side, ids ...string) {
	s.Helper()
	for _, x := range ids {
		if _, err := s.s.EventNID(s.Context(), x); err == nil {
			continue
		}
		e, err := of.s.EventByID(s.Context(), x)
		if err != nil {
			s.Fatal(err)
		}
		for _, a := range e.AuthEvents {
			s.learn(of, string(a))
		}
		if err := s.m.Outliers(s.Context(), s.room.NID, []Received{s.received(e)}); err != nil {
			s.Fatal(err)
		}
	}
}

// joinPartly is join without being told of the members.
func (s *side) joinPartly(of *side, user string) *event.Event {
	s.Helper()
	ctx := s.Context()
	proto, err := of.m.Prepare(ctx, of.room.NID, member(user, "join"))
	if err != nil {
		s.Fatal(err)
	}
	join, err := event.Build(proto, s.m.o.Signer)
	if err != nil {
		s.Fatal(err)
	}
	before := of.now()
	if out := of.take(join); out.Rejected != nil || out.SoftFailed != nil {
		s.Fatalf("%+v", out)
	}
	if s.room, err = s.m.NameRoom(ctx, of.room.ID, of.room.Version); err != nil {
		s.Fatal(err)
	}
	f := Foundation{Room: s.room, Partial: true, Via: of.server, Servers: []string{of.server, s.server}}
	for k, x := range before {
		if _, ok := cutMember(k); ok {
			continue
		}
		s.learn(of, x)
		nid, err := s.s.EventNID(ctx, x)
		if err != nil {
			s.Fatal(err)
		}
		f.State = append(f.State, nid)
	}
	for _, a := range join.AuthEvents {
		s.learn(of, string(a))
	}
	f.Join = s.received(join)
	for _, p := range join.PrevEvents {
		f.Join.Missing = append(f.Join.Missing, string(p))
	}
	if _, err := s.m.Found(ctx, f); err != nil {
		s.Fatal(err)
	}
	return join
}

// tell keeps the states that a side lacks.
func (s *side) tell(of *side) {
	s.Helper()
	ctx := s.Context()
	lacking, err := s.m.Lacking(ctx, s.room.NID)
	if err != nil {
		s.Fatal(err)
	}
	for _, x := range lacking {
		e, err := of.s.EventByID(ctx, x)
		if err != nil {
			s.Fatal(err)
		}
		var nids []int64
		for _, at := range of.stateOf(store.StateView{Root: e.Root}) {
			s.learn(of, at)
			nid, err := s.s.EventNID(ctx, at)
			if err != nil {
				s.Fatal(err)
			}
			nids = append(nids, nid)
		}
		root, packs, err := s.m.StateTree(ctx, nids)
		if err != nil {
			s.Fatal(err)
		}
		err = s.s.Write(ctx, func(t *store.Tx) error {
			return errors.Join(t.AddPacks(packs), t.SetToldState(s.room.NID, x, root))
		})
		if err != nil {
			s.Fatal(err)
		}
		s.s.State().Stored(packs)
	}
}

// after makes an event that follows some others, over the state there or, if that is given, at another
// event.
func (s *side) after(parents []*event.Event, p Proposal, claims *event.Event) *event.Event {
	s.Helper()
	if claims == nil {
		claims = parents[0]
	}
	proto := event.Proto{Version: s.room.Version, RoomID: s.room.ID, Type: p.Type, Sender: p.Sender, StateKey: p.StateKey, Content: p.Content, TS: 1}
	for _, x := range parents {
		proto.Prev, proto.Depth = append(proto.Prev, x.ID), max(proto.Depth, x.Depth+1)
	}
	at := s.stateOf(store.StateView{Root: claims.Root})
	shape := pdu.PDU{Type: p.Type, Sender: id.UserID(p.Sender), StateKey: p.StateKey, Content: p.Content}
	for _, k := range shape.AuthEventSelection(s.room.Version) {
		if x := at[k.Type+" "+k.StateKey]; x != "" && (k.Type != "m.room.create" || !s.room.Version.RoomIDIsCreateEventID()) {
			proto.Auth = append(proto.Auth, x)
		}
	}
	e, err := event.Build(proto, s.m.o.Signer)
	if err != nil {
		s.Fatal(err)
	}
	return e
}

// TestComplete lets one server know a room from the start, and another one join it without its members
// and learn of them later: in the end they must agree about every event.
func TestComplete(t *testing.T) {
	t.Parallel()
	for seed := range uint64(24) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			testComplete(t, rand.New(rand.NewPCG(seed, 7)), []event.Version{"6", "11", "12"}[seed%3])
		})
	}
}

func testComplete(t *testing.T, random *rand.Rand, v event.Version) {
	ctx := t.Context()
	a, b := newSide(t, "one"), newSide(t, "two")
	a.room = a.rig.room(v, a.user("alice"))
	levels := `{"users":{"@alice:one":100,"@bob:two":100,"@u0:one":100,"@u1:one":50},"state_default":50}`
	if v.PrivilegedRoomCreators() {
		levels = `{"users":{"@bob:two":100,"@u0:one":100,"@u1:one":50},"state_default":50}`
	}
	a.send(a.room, state(a.user("alice"), "m.room.power_levels", "", levels))
	a.send(a.room, state(a.user("alice"), "m.room.join_rules", "", `{"join_rule":"public"}`))
	users := []string{a.user("alice")}
	for i := range 5 {
		users = append(users, a.user(fmt.Sprint("u", i)))
	}
	var events []*event.Event // since the join, as a has them
	for range 12 {
		u := users[1+random.IntN(5)]
		_, _ = a.m.Send(ctx, a.room.NID, member(u, []string{"join", "join", "leave"}[random.IntN(3)]))
	}
	early, err := a.s.TimelineForward(ctx, a.room.NID, 0, 1<<62, 1000)
	if err != nil {
		t.Fatal(err)
	}
	join := b.joinPartly(a, b.user("bob"))
	known := func(id string) *event.Event {
		e, err := a.s.EventByID(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	events = append(events, known(join.ID))
	soft := false
	complete := 10 + random.IntN(30)
	for step := range 40 {
		if step == complete {
			b.tell(a)
			if err := b.m.Complete(ctx, b.room.NID); err != nil {
				t.Fatal(err)
			}
		}
		sender := users[random.IntN(len(users))]
		var p Proposal
		switch random.IntN(6) {
		case 0, 1:
			p = member(sender, []string{"join", "join", "leave"}[random.IntN(3)])
		case 2:
			target := users[1+random.IntN(5)]
			p = state(sender, "m.room.member", target, `{"membership":"`+[]string{"ban", "leave", "invite"}[random.IntN(3)]+`"}`)
		case 3, 4:
			p = state(sender, []string{"m.room.topic", "m.room.name", "x"}[random.IntN(3)], "", fmt.Sprintf(`{"n":%d}`, step))
		default:
			p = text(sender, fmt.Sprint(step))
		}
		if random.IntN(8) == 0 {
			// Somebody here says something meanwhile.
			if e, err := b.m.Send(ctx, b.room.NID, state(b.user("bob"), "m.room.topic", "", fmt.Sprintf(`{"topic":"%d"}`, step))); err == nil {
				a.learnAll(b, e)
				out := a.take(e)
				soft = soft || out.SoftFailed != nil
				events = append(events, known(e.ID))
			}
			continue
		}
		parents := []*event.Event{events[len(events)-1]}
		if random.IntN(3) == 0 {
			if other := events[random.IntN(len(events))]; other.ID != parents[0].ID {
				parents = append(parents, other)
			}
		}
		var claims *event.Event
		if random.IntN(4) == 0 {
			claims = early[len(early)-1-random.IntN(min(6, len(early)-3))]
		}
		e := a.after(parents, p, claims)
		if _, err := a.s.EventNID(ctx, e.ID); err == nil {
			continue
		}
		out := a.take(e)
		soft = soft || out.SoftFailed != nil
		events = append(events, known(e.ID))
		for _, x := range e.AuthEvents {
			b.learn(a, string(x))
		}
		out = b.take(e)
		soft = soft || out.SoftFailed != nil
	}
	if complete >= 40 || b.s.Incomplete(b.room.NID) {
		t.Fatal("the room was not completed")
	}
	for _, e := range events {
		want, got := known(e.ID), (*event.Event)(nil)
		if got, err = b.s.EventByID(ctx, e.ID); err != nil {
			t.Fatal(err)
		}
		if got.Has(event.Partial) || got.Has(event.Rejected) != want.Has(event.Rejected) {
			t.Errorf("%s %s by %s: flags %b, want %b", e.ID, e.Type, e.Sender, got.Flags, want.Flags)
		}
		if x, y := b.stateOf(b.s.StateBefore(got)), a.stateOf(a.s.StateBefore(want)); !maps.Equal(x, y) {
			t.Errorf("before %s %s by %s the state is\n%v, want\n%v", e.ID, e.Type, e.Sender, x, y)
		}
		if got.Has(event.Rejected) != (got.Pos == 0) && !got.Has(event.SoftFailed) {
			t.Errorf("%s has the position %d and flags %b", e.ID, got.Pos, got.Flags)
		}
	}
	b.inStep()
	if !soft {
		if x, y := b.now(), a.now(); !maps.Equal(x, y) {
			t.Errorf("the state is\n%v, want\n%v", x, y)
		}
	}
}

// learnAll is learn for what an event rests on.
func (s *side) learnAll(of *side, e *event.Event) {
	s.Helper()
	for _, x := range e.AuthEvents {
		s.learn(of, string(x))
	}
}

// TestCompleteTwice completes a room that is complete, and one that was left and joined again meanwhile.
func TestCompleteTwice(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	a, b := newSide(t, "one"), newSide(t, "two")
	a.room = a.rig.room("11", a.user("alice"))
	a.send(a.room, state(a.user("alice"), "m.room.join_rules", "", `{"join_rule":"public"}`))
	a.send(a.room, member(a.user("carol"), "join"))
	b.joinPartly(a, b.user("bob"))
	if err := b.m.Complete(ctx, b.room.NID); !errors.Is(err, ErrLacking) {
		t.Errorf("completing without the rest: %v", err)
	}
	if servers, err := b.s.JoinedServers(ctx, b.room.NID); err != nil || !slices.Equal(servers, []string{"one", "two"}) {
		t.Errorf("servers %v, %v", servers, err)
	}
	leave := b.send(b.room, member(b.user("bob"), "leave"))
	b.learnAll(a, leave)
	a.take(leave)
	b.joinPartly(a, b.user("bob"))
	a.take(b.send(b.room, text(b.user("bob"), "back")))
	b.tell(a)
	for range 2 {
		if err := b.m.Complete(ctx, b.room.NID); err != nil {
			t.Fatal(err)
		}
	}
	same(t, a, b)
	if span := b.s.Span(b.room.NID); span.Since == 0 || span.Done <= span.Since || span.At(span.Done) || !span.At(span.Since) {
		t.Errorf("span %+v", span)
	}
	// A room that nobody tells of any more is left as it is known.
	c := newSide(t, "three")
	c.joinPartly(a, c.user("dora"))
	if err := c.m.GiveUp(ctx, c.room.NID); err != nil {
		t.Fatal(err)
	}
	if c.s.Incomplete(c.room.NID) {
		t.Error("the room still waits")
	}
	if servers, err := c.s.JoinedServers(ctx, c.room.NID); err != nil || !slices.Equal(servers, []string{"three"}) {
		t.Errorf("servers %v, %v", servers, err)
	}
}
