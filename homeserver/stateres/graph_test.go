package stateres

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
)

// graph is a room that several servers write to without waiting for each other.
type graph struct {
	*kit
	rng   *rand.Rand
	after []statetree.Ref // by number less one
	tips  []int64         // what nothing follows
	calm  bool            // nobody leaves, is kicked or invited, and bans and power levels are rare
}

var people = []string{"@alice:a", "@bob:b", "@carol:c", "@dave:d", "@eve:a"}

// newGraph makes a random room of about so many events. It is the same for the same seed.
func newGraph(t testing.TB, k *kit, seed uint64, size int) *graph {
	t.Helper()
	return (&graph{kit: k, rng: rand.New(rand.NewPCG(seed, 7))}).fill(t, size)
}

// begin makes the room's first events.
func (g *graph) begin(t testing.TB, version string) *graph {
	t.Helper()
	g.version = event.Version(version)
	if g.rng == nil {
		g.rng = rand.New(rand.NewPCG(1, 7))
	}
	alice := people[0]
	create := fmt.Sprintf(`{"room_version":%q,"creator":%q}`, version, alice)
	g.append(t, proto{typ: "m.room.create", sender: alice, content: create, ts: 1}, 0)
	g.append(t, proto{typ: "m.room.member", key: alice, sender: alice, content: `{"membership":"join"}`, ts: 2}, g.after[0], 1)
	g.follow(t, proto{typ: "m.room.power_levels", sender: alice, content: g.levels(), ts: 3}, []int64{2})
	g.follow(t, proto{typ: "m.room.join_rules", sender: alice, content: `{"join_rule":"public"}`, ts: 4}, []int64{int64(len(g.events))})
	return g
}

// fill goes on until the room has so many events, or nothing more is allowed.
func (g *graph) fill(t testing.TB, size int) *graph {
	t.Helper()
	g.begin(t, string(g.version))
	for try := 0; len(g.events) < size && try < size*4; try++ {
		// Mostly at an end of the room, sometimes somewhere before, and sometimes joining ends.
		prev := []int64{g.tips[g.rng.IntN(len(g.tips))]}
		switch n := g.rng.IntN(10); {
		case n < 2:
			prev[0] = int64(g.rng.IntN(len(g.events)-3) + 4)
		case n < 5:
			for _, tip := range g.tips {
				if tip != prev[0] && len(prev) < 3 {
					prev = append(prev, tip)
				}
			}
		}
		g.follow(t, g.random(), prev)
	}
	return g
}

// random is something that somebody may try.
func (g *graph) random() proto {
	pick := func() string { return people[g.rng.IntN(len(people))] }
	p := proto{sender: pick(), ts: int64(10 + len(g.events)*3 + g.rng.IntN(40))}
	if g.rng.IntN(3) == 0 {
		p.sender = people[0]
	}
	n := g.rng.IntN(14)
	if g.calm && n >= 3 && n <= 10 && n != 5 && n != 8 {
		n += 9 // a topic or name
	}
	switch n {
	case 0, 1, 2:
		p.typ, p.key, p.content = "m.room.member", p.sender, `{"membership":"join"}`
	case 3:
		p.typ, p.key, p.content = "m.room.member", p.sender, `{"membership":"leave"}`
	case 4:
		p.typ, p.key, p.content = "m.room.member", pick(), `{"membership":"leave"}`
	case 5, 6:
		p.typ, p.key, p.content = "m.room.member", pick(), `{"membership":"ban"}`
	case 7:
		p.typ, p.key, p.content = "m.room.member", pick(), `{"membership":"invite"}`
	case 8, 9, 10:
		p.typ, p.content = "m.room.power_levels", g.levels()
	case 11:
		p.typ, p.content = "m.room.join_rules", fmt.Sprintf(`{"join_rule":%q}`, []string{"public", "invite", "knock"}[g.rng.IntN(3)])
	case 12, 13, 14, 15:
		p.typ, p.content = "m.room.topic", fmt.Sprintf(`{"topic":"%d"}`, g.rng.IntN(1000))
	default:
		p.typ, p.content = "m.room.name", fmt.Sprintf(`{"name":"%d"}`, g.rng.IntN(1000))
	}
	return p
}

func (g *graph) levels() string {
	users := fmt.Sprintf(`%q:100`, people[0])
	if g.version.PrivilegedRoomCreators() {
		users = `"@nobody:a":0`
	}
	for _, p := range people[1:] {
		if n := g.rng.IntN(4); n > 0 {
			users += fmt.Sprintf(`,%q:%d`, p, []int{0, 50, 50, 100}[n])
		}
	}
	return fmt.Sprintf(`{"users":{%s},"state_default":50,"ban":50,"kick":50,"events":{"m.room.topic":%d}}`, users, g.rng.IntN(2)*50)
}

// follow adds an event after others, if the rules allow it there.
func (g *graph) follow(t testing.TB, p proto, prev []int64) {
	t.Helper()
	roots := make([]statetree.Ref, len(prev))
	for i, nid := range prev {
		roots[i] = g.after[nid-1]
	}
	before := g.resolve(t, roots...)
	p.prev = prev
	p.auth = g.selectAuth(t, p, func(key int64) int64 {
		nid, _, err := g.forest.Get(t.Context(), before, key)
		if err != nil {
			t.Fatal(err)
		}
		return nid
	})
	if e := g.make(t, p); g.byID[e.ID] == 0 && g.allows(e, p.auth) {
		g.append(t, p, before)
	}
}

func (g *graph) append(t testing.TB, p proto, before statetree.Ref, auth ...int64) {
	t.Helper()
	if p.auth == nil && !g.version.RoomIDIsCreateEventID() {
		p.auth = auth
	}
	if p.prev == nil && len(g.events) > 0 {
		p.prev = []int64{int64(len(g.events))}
	}
	e := g.make(t, p)
	if len(g.events) > 0 && !g.allows(e, p.auth) {
		t.Fatalf("%s by %s is not allowed", p.typ, p.sender)
	}
	nid := g.add(e, p.auth)
	edit := g.forest.Edit(before)
	if err := edit.Put(t.Context(), e.Key, nid); err != nil {
		t.Fatal(err)
	}
	root, packs := edit.Finish()
	g.store(packs)
	g.after = append(g.after, root)
	left := []int64{nid}
	for _, tip := range g.tips {
		cited := false
		for _, prev := range p.prev {
			cited = cited || prev == tip
		}
		if !cited {
			left = append(left, tip)
		}
	}
	g.tips = left
}

// fork picks the states of some ends of the room. A rogue fork has states that no honest server
// would have: older events for some keys, or none.
func (g *graph) fork(t testing.TB, rogue bool) []state {
	t.Helper()
	var states []state
	for range 2 + g.rng.IntN(3) {
		nid := g.rng.IntN(len(g.events))
		if !rogue && g.rng.IntN(2) == 0 {
			nid = int(g.tips[g.rng.IntN(len(g.tips))] - 1)
		}
		s := g.state(t, g.after[nid])
		if rogue {
			for range g.rng.IntN(4) {
				old := g.events[g.rng.IntN(len(g.events)-1)+1]
				if g.rng.IntN(5) == 0 {
					delete(s, old.Key)
				} else {
					s[old.Key] = old.NID
				}
			}
		}
		states = append(states, s)
	}
	return states
}
