package room

import (
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"maunium.net/go/mautrix/federation/pdu"

	"github.com/landbridge-im/landbridge/homeserver/authrules"
	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// side is a server in a room that others are in: a store, a manager and a signer of its own.
type side struct {
	*rig
	server string
	room   store.RoomName
}

func newSide(t testing.TB, server string) *side {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	s, err := store.Open(t.Context(), store.Options{URI: filepath.Join(t.TempDir(), "hs.db"), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	signer := testSigner()
	signer.Server = server
	m := NewManager(Options{Store: s, Log: log, Signer: signer})
	t.Cleanup(func() {
		m.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &side{rig: &rig{t, s, m}, server: server}
}

func (s *side) user(name string) string { return "@" + name + ":" + s.server }

// received is an event of another side as the checks leave it.
func (s *side) received(e *event.Event) Received {
	s.Helper()
	raw, err := e.JSON()
	if err != nil {
		s.Fatal(err)
	}
	c, err := event.Parse(raw, e.ID, e.InRoom, e.Version)
	if err != nil {
		s.Fatal(err)
	}
	if _, err := s.m.Number(s.Context(), s.room.NID, c); err != nil {
		s.Fatal(err)
	}
	r := Received{Event: c, Raw: raw}
	for _, a := range c.AuthEvents {
		nid, err := s.s.EventNID(s.Context(), string(a))
		if err != nil {
			s.Fatalf("auth event %s of %s: %v", a, e.Type, err)
		}
		r.Auth = append(r.Auth, nid)
	}
	return r
}

// take checks an event as the intake does and takes it in.
func (s *side) take(e *event.Event) Outcome {
	s.Helper()
	ctx, r := s.Context(), s.received(e)
	for _, p := range r.Event.PrevEvents {
		nid, err := s.s.EventNID(ctx, string(p))
		if err != nil {
			s.Fatalf("previous event %s: %v", p, err)
		}
		r.Prev = append(r.Prev, nid)
	}
	var err error
	if r.Before, r.Packs, err = s.m.StateBefore(ctx, s.room.NID, r.Prev); err != nil {
		s.Fatal(err)
	}
	prevs, err := s.s.Events(ctx, r.Prev)
	if err != nil {
		s.Fatal(err)
	}
	r.Partial = slices.ContainsFunc(prevs, isPartial)
	view := store.StateView{Root: r.Before}
	if r.Partial {
		root, packs, err := s.m.StateClaimed(ctx, s.room.NID, r.Before, r.Auth)
		if err != nil {
			s.Fatal(err)
		}
		defer s.s.State().Dropped(packs)
		view.Root = root
	}
	create, err := s.s.StateOf(ctx, view, "m.room.create", "")
	if err != nil {
		s.Fatal(err)
	}
	claimed, err := s.s.Events(ctx, r.Auth)
	if err != nil {
		s.Fatal(err)
	}
	if r.Reject = authrules.AuthorizeOver(e.Version, r.Event.PDU, pdus(claimed), create); r.Reject != nil {
		r.ByAuth = true
	} else {
		var auth []*event.Event
		for _, k := range r.Event.AuthEventSelection(e.Version) {
			if x, err := s.s.StateOf(ctx, view, k.Type, k.StateKey); err == nil {
				auth = append(auth, x)
			}
		}
		r.Reject = authrules.AuthorizeOver(e.Version, r.Event.PDU, pdus(auth), create)
	}
	out, err := s.m.Receive(ctx, s.room.NID, []Received{r})
	if err != nil {
		s.Fatal(err)
	}
	return out[0]
}

func pdus(events []*event.Event) []*pdu.PDU {
	out := []*pdu.PDU{}
	for _, e := range events {
		out = append(out, e.PDU)
	}
	return out
}

// join lets a user of this side into a room of another: Prepare there, Adopt, Found here.
func (s *side) join(of *side, user string) *event.Event {
	s.Helper()
	ctx := s.Context()
	proto, err := of.m.Prepare(ctx, of.room.NID, member(user, "join"))
	if err != nil {
		s.Fatal(err)
	}
	e, err := event.Build(proto, s.m.o.Signer)
	if err != nil {
		s.Fatal(err)
	}
	if err := of.m.Vouch(ctx, of.room.NID, e); err != nil {
		s.Fatal(err)
	}
	r := of.received(e)
	for _, p := range e.PrevEvents {
		nid, err := of.s.EventNID(ctx, string(p))
		if err != nil {
			s.Fatal(err)
		}
		r.Prev = append(r.Prev, nid)
	}
	if r.Before, r.Packs, err = of.m.StateBefore(ctx, of.room.NID, r.Prev); err != nil {
		s.Fatal(err)
	}
	adopted, snap, err := of.m.Adopt(ctx, of.room.NID, r)
	if err != nil {
		s.Fatal(err)
	}
	return s.found(of, adopted, snap)
}

// found makes the room of another side out of a join.
func (s *side) found(of *side, join *event.Event, snap Snapshot) *event.Event {
	s.Helper()
	ctx := s.Context()
	var err error
	if s.room, err = s.m.NameRoom(ctx, of.room.ID, of.room.Version); err != nil {
		s.Fatal(err)
	}
	var want []int64
	if err := of.s.WalkState(ctx, snap.Before, func(_, nid int64) bool { want = append(want, nid); return true }); err != nil {
		s.Fatal(err)
	}
	all := map[int64]bool{}
	var chain func(nids []int64)
	chain = func(nids []int64) {
		links, err := of.s.Links(ctx, nids)
		if err != nil {
			s.Fatal(err)
		}
		for i, nid := range nids {
			if !all[nid] {
				all[nid] = true
				chain(links[i].Auth)
			}
		}
	}
	chain(want)
	state := []int64{}
	for _, nid := range slices.Sorted(maps.Keys(all)) {
		e, err := of.s.Event(ctx, nid)
		if err != nil {
			s.Fatal(err)
		}
		r := s.received(e)
		if err := s.m.Outliers(ctx, s.room.NID, []Received{r}); err != nil {
			s.Fatal(err)
		}
		if slices.Contains(want, nid) {
			state = append(state, r.Event.NID)
		}
	}
	r := s.received(join)
	for _, p := range join.PrevEvents {
		r.Missing = append(r.Missing, string(p))
	}
	if _, err := s.m.Found(ctx, Foundation{Room: s.room, Join: r, State: state}); err != nil {
		s.Fatal(err)
	}
	e, err := s.s.EventByID(ctx, join.ID)
	if err != nil {
		s.Fatal(err)
	}
	return e
}

// now is the current state: event ids by type and key.
func (s *side) now() map[string]string {
	s.Helper()
	row, err := s.s.LoadRoom(s.Context(), s.room.NID)
	if err != nil {
		s.Fatal(err)
	}
	return s.stateOf(store.StateView{Root: row.Root})
}

func (s *side) stateOf(v store.StateView) map[string]string {
	s.Helper()
	out := map[string]string{}
	var nids []int64
	if err := s.s.WalkState(s.Context(), v, func(_, nid int64) bool { nids = append(nids, nid); return true }); err != nil {
		s.Fatal(err)
	}
	events, err := s.s.Events(s.Context(), nids)
	if err != nil {
		s.Fatal(err)
	}
	for _, e := range events {
		out[e.Type+" "+*e.StateKey] = e.ID
	}
	return out
}

// inStep checks that what is derived from the current state is what it says.
func (s *side) inStep() {
	s.Helper()
	ctx, now := s.Context(), s.now()
	members, err := s.s.MembersOf(ctx, s.room.NID)
	if err != nil {
		s.Fatal(err)
	}
	standing := map[string]string{}
	joined := map[string]int64{}
	for _, m := range members {
		user, err := s.s.UserID(ctx, m.User)
		if err != nil {
			s.Fatal(err)
		}
		standing[user] = m.Membership
	}
	for k, eventID := range now {
		user, ok := cutMember(k)
		if !ok {
			continue
		}
		e, err := s.s.EventByID(ctx, eventID)
		if err != nil {
			s.Fatal(err)
		}
		if standing[user] != e.Membership() {
			s.Errorf("%s: %s is %q, and by the state %q", s.server, user, standing[user], e.Membership())
		}
		delete(standing, user)
		if e.Membership() == "join" {
			joined[store.ServerOf(user)]++
		}
	}
	for user, m := range standing {
		if m != "leave" {
			s.Errorf("%s: %s is %q, and the state has no such member", s.server, user, m)
		}
	}
	servers, err := s.s.RoomServers(ctx, s.room.NID)
	if err != nil {
		s.Fatal(err)
	}
	have := map[string]int64{}
	for _, x := range servers {
		name, err := s.s.ServerName(ctx, x.Server)
		if err != nil {
			s.Fatal(err)
		}
		if x.Joined != 0 {
			have[name] = x.Joined
		}
		if (x.Joined > 0) != (x.Until == 0) {
			s.Errorf("%s: %s has %d members until %d", s.server, name, x.Joined, x.Until)
		}
	}
	if !maps.Equal(have, joined) {
		s.Errorf("%s: members by server %v, and by the state %v", s.server, have, joined)
	}
	root, err := s.s.RootAt(ctx, s.room.NID, s.s.Position())
	if err != nil {
		s.Fatal(err)
	}
	if at := s.stateOf(store.StateView{Root: root}); !maps.Equal(at, now) {
		s.Errorf("%s: the state at the end of the log is %v, and the room's %v", s.server, at, now)
	}
}

func cutMember(k string) (string, bool) {
	const prefix = "m.room.member "
	if len(k) > len(prefix) && k[:len(prefix)] == prefix {
		return k[len(prefix):], true
	}
	return "", false
}

// pair are two servers in one room: each has a user with power.
func pair(t *testing.T, v event.Version) (a, b *side) {
	t.Helper()
	a, b = newSide(t, "one"), newSide(t, "two")
	a.room = a.rig.room(v, a.user("alice"))
	levels := `{"users":{"@alice:one":100,"@bob:two":100},"state_default":50}`
	if v.PrivilegedRoomCreators() {
		levels = `{"users":{"@bob:two":100},"state_default":50}`
	}
	a.send(a.room, state(a.user("alice"), "m.room.power_levels", "", levels))
	b.join(a, b.user("bob"))
	return a, b
}

func same(t *testing.T, sides ...*side) {
	t.Helper()
	for _, s := range sides {
		s.inStep()
		if got, want := s.now(), sides[0].now(); !maps.Equal(got, want) {
			t.Errorf("%s has %v\n%s has %v", s.server, got, sides[0].server, want)
		}
	}
}
