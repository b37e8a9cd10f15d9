package room

import (
	"cmp"
	"context"
	"encoding/json/jsontext"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"maunium.net/go/mautrix/federation/pdu"
	"maunium.net/go/mautrix/id"

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
	view := store.StateView{Root: r.Before}
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

// TestForks lets two servers speak past each other, and a third take all in another order.
func TestForks(t *testing.T) {
	t.Parallel()
	for _, v := range []event.Version{"6", "10", "11", "12"} {
		for seed := range uint64(4) {
			t.Run(fmt.Sprintf("%s/%d", v, seed), func(t *testing.T) {
				t.Parallel()
				forks(t, v, rand.New(rand.NewPCG(seed, 7)))
			})
		}
	}
}

func forks(t *testing.T, v event.Version, random *rand.Rand) {
	a, b := pair(t, v)
	c := newSide(t, "three")
	join := c.join(a, c.user("carol"))
	b.take(join)
	sides := []*side{a, b}
	for round := range 8 {
		var made []*event.Event
		from := map[string]*side{}
		for _, s := range sides {
			user := s.user(map[*side]string{a: "alice", b: "bob"}[s])
			for i := range 1 + random.IntN(3) {
				var p Proposal
				switch random.IntN(6) {
				case 0:
					p = state(user, "m.room.name", "", fmt.Sprintf(`{"name":"%s %d %d"}`, s.server, round, i))
				case 1:
					p = state(user, "m.room.topic", "", fmt.Sprintf(`{"topic":"%s %d %d"}`, s.server, round, i))
				case 2:
					p = state(user, "m.room.join_rules", "", fmt.Sprintf(`{"join_rule":"public","n":"%s%d%d"}`, s.server, round, i))
				case 3:
					guest := s.user(fmt.Sprintf("guest%d", random.IntN(3)))
					p = member(guest, "join")
				default:
					p = text(user, fmt.Sprint(round, i))
				}
				e := s.send(s.room, p)
				if from[e.ID] == nil {
					from[e.ID] = s
					made = append(made, e)
				}
			}
		}
		// The third hears of them in any order that the graph allows.
		for rest := slices.Clone(made); len(rest) > 0; {
			i := random.IntN(len(rest))
			e := rest[i]
			if slices.ContainsFunc(rest, func(x *event.Event) bool {
				return slices.Contains(e.PrevEvents, id.EventID(x.ID)) || slices.Contains(e.AuthEvents, id.EventID(x.ID))
			}) {
				continue
			}
			c.take(e)
			rest = slices.Delete(rest, i, i+1)
		}
		for _, e := range made {
			for _, s := range sides {
				if from[e.ID] != s {
					if out := s.take(e); out.Rejected != nil || out.SoftFailed != nil {
						t.Fatalf("%s on %s: %+v", e.Type, s.server, out)
					}
				}
			}
		}
		same(t, a, b, c)
	}
	row, err := a.s.LoadRoom(t.Context(), a.room.NID)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d extremities", len(row.Extremities))
}

// TestStateReset: a ban and what the banned did meanwhile.
func TestBanWins(t *testing.T) {
	t.Parallel()
	a, b := pair(t, "11")
	d := b.user("dave")
	a.take(b.send(b.room, member(d, "join")))
	ban := a.send(a.room, state(a.user("alice"), "m.room.member", d, `{"membership":"ban"}`))
	said := b.send(b.room, text(d, "I am still here"))
	named := b.send(b.room, state(d, "m.room.member", d, `{"membership":"join","displayname":"Dave"}`))
	if out := a.take(said); out.SoftFailed == nil || out.Event.Pos != 0 || !out.Event.Has(event.SoftFailed) {
		t.Errorf("what a banned user said: %+v", out)
	}
	if out := a.take(named); out.SoftFailed == nil {
		t.Errorf("a banned user's new name: %+v", out)
	}
	if _, err := a.s.ClientEvent(t.Context(), said.ID); err == nil {
		t.Error("a soft-failed event is there for clients")
	}
	out := b.take(ban)
	if out.Rejected != nil || out.SoftFailed != nil {
		t.Fatalf("the ban: %+v", out)
	}
	same(t, a, b)
	// What follows both is taken in by both.
	e := b.send(b.room, text(b.user("bob"), "well"))
	if len(e.PrevEvents) != 2 {
		t.Errorf("after a fork there are %d previous events", len(e.PrevEvents))
	}
	a.take(e)
	same(t, a, b)
}

// TestTurn: an event that loses its key, and one that changes another key.
func TestTurn(t *testing.T) {
	t.Parallel()
	a, b := pair(t, "11")
	first := state(a.user("alice"), "m.room.topic", "", `{"topic":"one"}`)
	first.TS = 1000
	second := state(b.user("bob"), "m.room.topic", "", `{"topic":"two"}`)
	second.TS = 2000
	ea, eb := a.send(a.room, first), b.send(b.room, second)
	// By the mainline ordering the later one is applied last, and wins.
	won, lost := a.take(eb), b.take(ea)
	same(t, a, b)
	if a.now()["m.room.topic "] != eb.ID {
		t.Error("the earlier topic won")
	}
	if won.Event.Has(event.Turn) {
		t.Error("what won its own key is a turn")
	}
	if !lost.Event.Has(event.Turn) || lost.Event.Current == 0 {
		t.Errorf("what lost its key: flags %b, current %d", lost.Event.Flags, lost.Event.Current)
	}
	before := b.stateOf(b.s.StateBefore(lost.Event))
	if _, ok := before["m.room.topic "]; ok {
		t.Error("the state before the first topic has one")
	}
}

func TestRedactionsInEitherOrder(t *testing.T) {
	t.Parallel()
	a, b := pair(t, "11")
	said := a.send(a.room, text(a.user("alice"), "oops"))
	red := Proposal{Sender: a.user("alice"), Type: "m.room.redaction", Content: jsontext.Value(fmt.Sprintf(`{"redacts":%q}`, said.ID))}
	by := a.send(a.room, red)
	b.take(said)
	if b.take(by); true {
		e, err := b.s.EventByID(t.Context(), said.ID)
		if err != nil || !e.Has(event.Redacted) || len(e.Content) > 2 {
			t.Errorf("%s is %s, %v", said.ID, e.Content, err)
		}
	}
	// The other way round: the redaction hangs beside what it redacts.
	fork := b.send(b.room, text(b.user("bob"), "fork"))
	a.take(fork)
	target := a.send(a.room, text(a.user("alice"), "again"))
	proto := event.Proto{Version: "11", RoomID: a.room.ID, Type: "m.room.redaction", Sender: a.user("alice"), TS: 5, Depth: fork.Depth + 1,
		Content: []byte(fmt.Sprintf(`{"redacts":%q}`, target.ID)), Prev: []string{fork.ID}}
	for _, x := range target.AuthEvents {
		proto.Auth = append(proto.Auth, string(x))
	}
	early, err := event.Build(proto, a.m.o.Signer)
	if err != nil {
		t.Fatal(err)
	}
	if out := b.take(early); out.Rejected != nil || out.SoftFailed != nil {
		t.Fatalf("the redaction: %+v", out)
	}
	b.take(target)
	e, err := b.s.EventByID(t.Context(), target.ID)
	if err != nil || !e.Has(event.Redacted) {
		t.Errorf("%s is %s, %v", target.ID, e.Content, err)
	}
	if w, err := b.s.WaitingRedactions(t.Context(), b.room.NID, target.ID); err != nil || len(w) > 0 {
		t.Errorf("still waiting: %v, %v", w, err)
	}
}

// TestSendsBetween has local events sent in a pipeline while others come in.
func TestSendsBetween(t *testing.T) {
	t.Parallel()
	a, b := pair(t, "12")
	var theirs []*event.Event
	for i := range 20 {
		p := text(b.user("bob"), fmt.Sprint(i))
		if i%3 == 0 {
			p = state(b.user("bob"), "m.room.topic", "", fmt.Sprintf(`{"topic":"%d"}`, i))
		}
		theirs = append(theirs, b.send(b.room, p))
	}
	const n = 60
	errs := make(chan error, n)
	for i := range n {
		go func() {
			p := text(a.user("alice"), fmt.Sprint("mine", i))
			if i%7 == 0 {
				p = state(a.user("alice"), "m.room.name", "", fmt.Sprintf(`{"name":"%d"}`, i))
			}
			_, err := a.m.Send(context.WithoutCancel(t.Context()), a.room.NID, p)
			errs <- err
		}()
	}
	for _, e := range theirs {
		if out := a.take(e); out.Rejected != nil || out.SoftFailed != nil {
			t.Errorf("%+v", out)
		}
	}
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	all, err := a.s.TimelineForward(t.Context(), a.room.NID, 0, a.s.Position(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(all, func(x, y *event.Event) int { return cmp.Compare(x.NID, y.NID) })
	for _, e := range all {
		if string(e.Sender) == a.user("alice") {
			if _, err := b.s.EventNID(t.Context(), e.ID); err != nil {
				if out := b.take(e); out.Rejected != nil || out.SoftFailed != nil {
					t.Errorf("%s: %+v", e.Type, out)
				}
			}
		}
	}
	same(t, a, b)
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

// TestManyTips has a room with more ends than an event can cite.
func TestManyTips(t *testing.T) {
	t.Parallel()
	a, b := pair(t, "11")
	ctx := t.Context()
	row, err := b.s.LoadRoom(ctx, b.room.NID)
	if err != nil {
		t.Fatal(err)
	}
	end, err := b.s.Event(ctx, row.Extremities[0])
	if err != nil {
		t.Fatal(err)
	}
	const n = 70
	for i := range n {
		proto := event.Proto{Version: "11", RoomID: a.room.ID, Type: "m.room.topic", StateKey: str(""), Sender: b.user("bob"), TS: int64(1000 + i), Depth: end.Depth + 1,
			Content: fmt.Appendf(nil, `{"topic":"%d"}`, i), Prev: []string{end.ID}}
		for _, k := range []string{"m.room.create ", "m.room.power_levels ", "m.room.member " + b.user("bob")} {
			proto.Auth = append(proto.Auth, b.now()[k])
		}
		e, err := event.Build(proto, b.m.o.Signer)
		if err != nil {
			t.Fatal(err)
		}
		if out := a.take(e); out.Rejected != nil || out.SoftFailed != nil {
			t.Fatalf("%d: %+v", i, out)
		}
	}
	a.inStep()
	tips := func() int {
		row, err := a.s.LoadRoom(ctx, a.room.NID)
		if err != nil {
			t.Fatal(err)
		}
		return len(row.Extremities)
	}
	if tips() != tipsMax {
		t.Errorf("%d extremities", tips())
	}
	e := a.send(a.room, text(a.user("alice"), "hello"))
	if len(e.PrevEvents) != citeMax || tips() != tipsMax-citeMax+1 {
		t.Errorf("%d previous events, and %d extremities after", len(e.PrevEvents), tips())
	}
	for tips() > 1 {
		a.send(a.room, text(a.user("alice"), "and again"))
	}
	a.inStep()
	topic, err := a.s.EventByID(ctx, a.now()["m.room.topic "])
	if err != nil || topic.ContentString("topic") != fmt.Sprint(n-1) {
		t.Errorf("the topic is %s, %v", topic.Content, err)
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	a, b := pair(t, "11")
	a.m.o.MergeAfter = 1 // the actor that is there has the old one
	a.m.Close()
	a.m = NewManager(a.m.o)
	t.Cleanup(a.m.Close)
	fork := b.send(b.room, text(b.user("bob"), "fork"))
	a.take(fork)
	for range citeMax + 1 {
		proto := event.Proto{Version: "11", RoomID: a.room.ID, Type: "m.room.message", Sender: b.user("bob"), TS: rand.Int64N(1e9), Depth: fork.Depth + 1,
			Content: []byte(`{}`), Prev: []string{fork.ID}}
		for _, x := range fork.AuthEvents {
			proto.Auth = append(proto.Auth, string(x))
		}
		e, err := event.Build(proto, b.m.o.Signer)
		if err != nil {
			t.Fatal(err)
		}
		a.take(e)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		last, err := a.s.LastEvent(t.Context(), a.room.NID, 1<<62)
		if err != nil {
			t.Fatal(err)
		}
		if last.Type == mergeType {
			if len(last.PrevEvents) != citeMax || string(last.Sender) != a.user("alice") {
				t.Errorf("%s joins %d", last.Sender, len(last.PrevEvents))
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing joins the ends of the room")
		}
	}
}
