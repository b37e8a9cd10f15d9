package room

import (
	"cmp"
	"context"
	"encoding/json/jsontext"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

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
	// "they should not be sent to clients until both the redaction event and the event the redaction affects
	// have been received".
	if x, err := b.s.EventByID(t.Context(), early.ID); err != nil || !x.Has(event.Withheld) || x.Pos != 0 {
		t.Errorf("the redaction of what isn't here: %+v, %v", x, err)
	}
	b.take(target)
	if x, err := b.s.EventByID(t.Context(), early.ID); err != nil || x.Has(event.Withheld) || x.Pos == 0 {
		t.Errorf("the redaction of what is here now: %+v, %v", x, err)
	}
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
