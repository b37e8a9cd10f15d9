package stateres

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

var graphs = flag.Int("graphs", 220, "how many random rooms of each version to resolve")

// TestRandom makes random rooms and resolves forks of them: like the oracle, whatever the order of
// the states, and leaving alone what is resolved already.
func TestRandom(t *testing.T) {
	t.Parallel()
	for _, v := range []event.Version{"3", "6", "9", "10", "11", "12"} {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel()
			conflicts := 0
			n := max(*graphs/raceFactor, 1)
			for seed := range uint64(n) {
				conflicts += checkGraph(t, v, seed)
				if t.Failed() {
					return
				}
			}
			if conflicts < n {
				t.Errorf("only %d forks had a conflict: the test shows nothing", conflicts)
			}
		})
	}
}

func checkGraph(t *testing.T, v event.Version, seed uint64) (conflicts int) {
	t.Helper()
	g := newGraph(t, newKit(t, v), seed, 14+int(seed%26))
	o := &oracle{k: g.kit, v1: v == id.RoomV12}
	for i := range 6 {
		if i == 3 {
			// From here on, some auth events count as rejected.
			for range 3 {
				g.links[2+g.rng.IntN(len(g.links)-2)].Rejected = true
			}
		}
		states := g.fork(t, i >= 3)
		want := o.resolve(states)
		got := g.resolveStates(t, states...)
		if !maps.Equal(got, want) {
			t.Errorf("version %s, seed %d, fork %d:\n got %s\nwant %s", v, seed, i, g.show(got), g.show(want))
			return
		}
		rand.New(rand.NewPCG(seed, 1)).Shuffle(len(states), func(a, b int) { states[a], states[b] = states[b], states[a] })
		if again := g.resolveStates(t, states...); !maps.Equal(again, want) {
			t.Errorf("version %s, seed %d, fork %d: depends on the order of the states", v, seed, i)
		}
		if again := g.resolveStates(t, got, got); !maps.Equal(again, got) {
			t.Errorf("version %s, seed %d, fork %d: resolving the result once more changes it", v, seed, i)
		}
		same := true
		for _, s := range states {
			same = same && maps.Equal(s, states[0])
		}
		if !same {
			conflicts++
		}
	}
	return conflicts
}

// TestNoConflict resolves states that differ in nothing that anybody disputes.
func TestNoConflict(t *testing.T) {
	t.Parallel()
	g := newGraph(t, newKit(t, "11"), 1, 40)
	s := g.state(t, g.after[len(g.after)-1])
	res, err := Resolver{Trees: g.forest, Source: g}.Resolve(t.Context(), Fork{Version: "11", Create: g.events[0], Roots: slices.Repeat(g.after[len(g.after)-1:], 3)})
	if err != nil || len(res.Changes) != 0 || res.Visited != 0 {
		t.Errorf("one state three times: %+v, %v", res, err)
	}
	// Equal states in different trees.
	if got := g.resolveStates(t, s, maps.Clone(s)); !maps.Equal(got, s) {
		t.Errorf("got %s", g.show(got))
	}
}

func FuzzResolve(f *testing.F) {
	f.Add(uint64(1), uint8(9))
	f.Fuzz(func(t *testing.T, seed uint64, version uint8) {
		v := event.Version(fmt.Sprint(3 + version%10))
		if !event.Supported(v) {
			return
		}
		checkGraph(t, v, seed)
	})
}
