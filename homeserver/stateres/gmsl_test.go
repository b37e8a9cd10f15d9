package stateres

import (
	"maps"
	"math/rand/v2"
	"testing"

	gmsl "github.com/matrix-org/gomatrixserverlib"
	"github.com/matrix-org/gomatrixserverlib/spec"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// other resolves with gomatrixserverlib.
func other(t testing.TB, k *kit, states []state) state {
	t.Helper()
	version := gmsl.MustGetRoomVersion(gmsl.RoomVersion(k.version))
	all := make([]gmsl.PDU, len(k.events))
	for i, e := range k.events {
		raw, err := e.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if all[i], err = version.NewEventFromTrustedJSONWithEventID(e.ID, raw, false); err != nil {
			t.Fatal(err)
		}
	}
	sets := make([][]gmsl.PDU, len(states))
	for i, s := range states {
		for _, nid := range s {
			sets[i] = append(sets[i], all[nid-1])
		}
	}
	resolved, err := gmsl.ResolveConflictsNew(gmsl.RoomVersion(k.version), sets, all,
		func(_ spec.RoomID, sender spec.SenderID) (*spec.UserID, error) {
			return spec.NewUserID(string(sender), true)
		},
		func(eventID string) bool { return k.links[k.byID[eventID]-1].Rejected })
	if err != nil {
		t.Fatal(err)
	}
	out := state{}
	for _, e := range resolved {
		nid := k.byID[e.EventID()]
		out[k.events[nid-1].Key] = nid
	}
	return out
}

// TestGMSL compares version 2 with gomatrixserverlib where that library does as the specification
// says. Left out are forks that meet its faults: where an auth event has to come from the event
// itself, it takes the event instead; it orders more than one power event from the wrong end, and
// forgets how many times it has counted one; and it lets somebody leave who has left. The oracle
// has no such gaps.
func TestGMSL(t *testing.T) {
	t.Parallel()
	for _, v := range []event.Version{"6", "10", "11"} {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel()
			compared := 0
			for seed := range uint64(max(*graphs/raceFactor, 20)) {
				g := (&graph{kit: newKit(t, v), rng: rand.New(rand.NewPCG(seed, 7)), calm: true}).fill(t, 14+int(seed%26))
				for i := range 4 {
					states := g.fork(t, false)
					o := &oracle{k: g.kit}
					if o.resolve(states); o.borrowed > 0 || o.power > 1 || maps.Equal(states[0], states[len(states)-1]) {
						continue
					}
					compared++
					got := g.resolveStates(t, states...)
					if want := other(t, g.kit, states); !maps.Equal(got, want) {
						t.Errorf("seed %d, fork %d:\n got %s\nwant %s", seed, i, g.show(got), g.show(want))
					}
				}
			}
			if compared < *graphs/raceFactor/8 {
				t.Errorf("only %d forks were compared: the test shows nothing", compared)
			}
		})
	}
}
