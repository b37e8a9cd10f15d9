package federation

import (
	"fmt"
	"slices"
	"testing"

	"github.com/landbridge-im/landbridge/integration/client"
)

// TestAway has one of the servers killed while the other goes on for hundreds of events, in rooms that both
// are in; each in turn. Afterwards both have all of it and the same state.
func TestAway(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	syn := newSynapse(t, a)
	own := landbridge(t, a)
	ours := &server{make: "landbridge", name: own.Name(), url: own.URL()}
	theirs := &server{make: "synapse", name: syn.name, url: "http://" + syn.client}
	alice, bob := ours.user(t), theirs.user(t)
	room := alice.room(t, "12", m{"power_level_content_override": m{"users": m{bob.UserID: 50}}})
	bob.joins(t, room, ours)
	alice.finds(t, room, bob, "join")
	quiet := bob.room(t, "11", nil)
	alice.joins(t, quiet, theirs)
	bob.finds(t, quiet, alice, "join")
	total := 0
	for _, turn := range []struct {
		name       string
		here, away *someone
		stop       func()
		start      func()
	}{
		{"landbridge is away", bob, alice, func() { ok(t, own.Kill()) }, func() { ok(t, own.Start(t.Context())) }},
		{"synapse is away", alice, bob, func() { syn.kill(t) }, func() { syn.start(t) }},
	} {
		t.Run(turn.name, func(t *testing.T) {
			turn.stop()
			here, away := turn.here, turn.away
			fresh := here.on.user(t)
			ok(t, fresh.Join(t.Context(), room))
			for i := range 300 {
				here.say(t, room, fmt.Sprint(turn.name, " ", i))
				total++
				if i%100 == 50 {
					here.set(t, room, "m.room.topic", "", m{"topic": fmt.Sprint(turn.name, i)})
					here.set(t, room, "m.room.member", here.UserID, m{"membership": "join", "displayname": fmt.Sprint(i)})
				}
			}
			ok(t, fresh.Leave(t.Context(), room))
			once := here.say(t, quiet, "only this")
			device := fmt.Sprint("d", txns.Add(1))
			ok(t, here.Do(t.Context(), "PUT", client.Path("sendToDevice", "m.test", device), nil, m{"messages": m{away.UserID: m{away.DeviceID: m{"while": "away"}}}}, nil))
			turn.start()
			// Whoever hears from a server knows that it is back, and needn't wait until it is time to try.
			ok(t, away.Do(t.Context(), "GET", client.Path("profile", here.UserID), nil, nil, nil))
			away.sees(t, quiet, once)
			eventually(t, "all to be there", func() error {
				if b := away.bodies(t, room); len(b) != total || !slices.Equal(b[len(b)-1:], []string{fmt.Sprint(turn.name, " ", 299)}) {
					return fmt.Errorf("there are %d of %d", len(b), total)
				}
				return nil
			})
			if got, want := away.bodies(t, room), here.bodies(t, room); !slices.Equal(got, want) {
				t.Errorf("they read different things:\n%q\n%q", got, want)
			}
			same(t, room, here, away)
			away.syncs(t, "the message to the device", func(s *client.Sync) bool {
				return anyOf(s.ToDevice, func(e client.Event) bool { return e.Type == "m.test" && contains(e.Content, "away") })
			})
			here.sees(t, room, away.say(t, room, "back"))
			total++
			here.sees(t, quiet, away.say(t, quiet, "back here too"))
		})
	}
}
