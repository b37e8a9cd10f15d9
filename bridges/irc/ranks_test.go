package irc_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/landbridge-im/landbridge/bridges/irc/demonet"
	"github.com/landbridge-im/landbridge/integration/ircd"
)

// levels matches power levels in which users have certain ones; 0 is none.
func levels(want map[string]int) func(*fakeEvent) bool {
	return func(e *fakeEvent) bool {
		if e.Type != "m.room.power_levels" {
			return false
		}
		var content struct {
			Users map[string]int `json:"users"`
		}
		raw, err := json.Marshal(e.Content)
		if err != nil || json.Unmarshal(raw, &content) != nil {
			return false
		}
		for user, level := range want {
			if content.Users[user] != level {
				return false
			}
		}
		return true
	}
}

// Ranks in a channel are power levels in its room.
func TestRanks(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, addr string) {
		alice, bob := ircd.Dial(t, addr, "alice"), ircd.Dial(t, addr, "bob")
		alice.Join("#room")         // the first is the operator
		alice.Send("MODE #room +t") // as the room is made, so that nothing else changes its power levels
		bob.Join("#room")
		r := newRig(t, networkConfig(addr, ""))
		room := r.hs.byAlias("irc_net_#room")
		_, at := r.hs.await(room, 0, "an operator", levels(map[string]int{ghostAlice: 50, ghostBob: 0}))
		r.hs.give(room, user, 60)
		alice.Send("MODE #room +ov bob bob")
		alice.Send("MODE #room -o bob")
		_, at = r.hs.await(room, at, "a voice", levels(map[string]int{ghostAlice: 50, ghostBob: 1, user: 60}))
		alice.Send("MODE #room +o bob")
		_, at = r.hs.await(room, at, "two operators", levels(map[string]int{ghostAlice: 50, ghostBob: 50}))
		// Who goes takes no rank along.
		alice.Send("PART #room :bye")
		_, at = r.hs.await(room, at, "one operator", levels(map[string]int{ghostAlice: 0, ghostBob: 50, user: 60}))
		alice.Send("JOIN #room")
		bob.Send("NICK robert")
		bob.Expect("NICK")
		bob.Send("MODE #room +v alice")
		_, at = r.hs.await(room, at, "an operator with a new name", levels(map[string]int{ghostAlice: 1, ghostBob: 50}))
		bob.Send("MODE #room -o robert")
		r.hs.await(room, at, "no operator", levels(map[string]int{ghostAlice: 1, ghostBob: 1, user: 60, "@ircbot:test.example": 100}))
	}
	t.Run("demonet", func(t *testing.T) {
		t.Parallel()
		d, err := demonet.Start(demonet.Options{Listen: "127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		run(t, d.Addr())
	})
	withServers(t, func(t *testing.T, s *ircd.Server, _ bool) { run(t, s.Addr) })
}

// A network has ranks of its own, and the configuration levels of its own.
func TestRanksOfNetworks(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, extra string
		want        [7]int // of !~&@%+ and none
	}{
		{"as it is", "", [7]int{75, 90, 75, 50, 25, 1, 0}},
		{"configured", "    power_levels: {Y: 99, o: 40, v: 0}", [7]int{99, 90, 75, 40, 25, 0, 0}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newStandin(t, "multi-prefix", map[string]string{"#room": "!a ~+b &c @+d %e +f g"})
			r := newRig(t, networkConfig(s.addr, tc.extra))
			want := map[string]int{}
			for i, level := range tc.want {
				want[fmt.Sprintf("@irc_net.%c:test.example", 'a'+i)] = level
			}
			r.hs.await(r.hs.byAlias("irc_net_#room"), 0, "power levels", levels(want))
		})
	}
}

// A channel that not everybody can join is a room that not everybody can join.
func TestDoor(t *testing.T) {
	t.Parallel()
	withServers(t, func(t *testing.T, s *ircd.Server, _ bool) {
		alice := ircd.Dial(t, s.Addr, "alice")
		alice.Join("#room")
		r := newRig(t, networkConfig(s.Addr, ""))
		room := r.hs.byAlias("irc_net_#room")
		rule := func(want string) func(*fakeEvent) bool {
			return func(e *fakeEvent) bool { return e.Type == "m.room.join_rules" && e.Content["join_rule"] == want }
		}
		_, at := r.hs.await(room, 0, "join of alice", memberEvent(ghostAlice, "join"))
		alice.Send("MODE #room +i")
		_, at = r.hs.await(room, at, "a closed room", rule("invite"))
		// Whom IRC lets in, comes in.
		bob := ircd.Dial(t, s.Addr, "bob")
		alice.Send("INVITE bob #room")
		bob.Expect("INVITE")
		bob.Join("#room")
		_, at = r.hs.await(room, at, "join of bob", memberEvent(ghostBob, "join"))
		alice.Send("MODE #room +k-i sesame")
		alice.Expect("sesame")
		alice.Send("MODE #room -k sesame")
		_, at = r.hs.await(room, at, "an open room", rule("public"))
		// What an administrator has chosen stays.
		r.hs.setState(room, "@admin:test.example", "m.room.join_rules", obj{"join_rule": "knock"})
		alice.Send("MODE #room +i")
		alice.Expect("+i")
		alice.Send("MODE #room +v bob")
		r.hs.await(room, at, "what comes after", levels(map[string]int{ghostBob: 1}))
		r.hs.mu.Lock()
		defer r.hs.mu.Unlock()
		if now := room.state[[2]string{"m.room.join_rules", ""}]; !rule("knock")(now) {
			t.Errorf("the administrator's rule became %v", now.Content)
		}
	})
}
