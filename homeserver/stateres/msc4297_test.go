package stateres

import (
	"maps"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// story builds a room by hand.
type story struct {
	*kit
	t  *testing.T
	ts int64
}

func newStory(t *testing.T, v event.Version) *story {
	t.Helper()
	s := &story{kit: newKit(t, v), t: t}
	s.event("m.room.create", "", "@alice:a", `{"room_version":"`+string(v)+`"}`)
	return s
}

// event adds an event with these auth events, without asking the rules; in older versions the
// create event is among them.
func (s *story) event(typ, key, sender, content string, auth ...int64) int64 {
	s.t.Helper()
	if len(s.events) > 0 && !s.version.RoomIDIsCreateEventID() {
		auth = append([]int64{1}, auth...)
	}
	s.ts++
	p := proto{typ: typ, key: key, sender: sender, content: content, ts: s.ts, auth: auth}
	if len(s.events) > 0 {
		p.prev = []int64{int64(len(s.events))}
	}
	return s.add(s.make(s.t, p), auth)
}

// expect resolves states, given as lists of events, and compares with another list.
func (s *story) expect(name string, want []int64, states ...[]int64) {
	s.t.Helper()
	in := make([]state, len(states))
	for i, list := range states {
		in[i] = s.of(list)
	}
	if got := s.resolveStates(s.t, in...); !maps.Equal(got, s.of(want)) {
		s.t.Errorf("version %s, %s:\n got %s\nwant %s", s.version, name, s.show(got), s.show(s.of(want)))
	}
	o := &oracle{k: s.kit, v1: stateRes21(s.version)}
	if got := o.resolve(in); !maps.Equal(got, s.of(want)) {
		s.t.Errorf("version %s, %s: the oracle says %s", s.version, name, s.show(got))
	}
}

func (s *story) of(list []int64) state {
	out := state{}
	for _, nid := range list {
		out[s.events[nid-1].Key] = nid
	}
	return out
}

const joins = `{"membership":"join"}`

// TestUnconflictedStateForbids is problem A of MSC4297: one state was had by partial
// synchronisation and has outdated join rules, so that both join rules are replayed. "However, both
// forks also agreed that Alice had left the room. As such, the unconflicted state starts with Alice
// not being a member in the room. When the join rules events get replayed, both fail".
func TestUnconflictedStateForbids(t *testing.T) {
	t.Parallel()
	for _, v := range []event.Version{"11", "12"} {
		s := newStory(t, v)
		alice := s.event("m.room.member", "@alice:a", "@alice:a", joins)
		users := `{"users":{"@alice:a":100}}`
		if v == "12" {
			users = `{"users":{}}`
		}
		power := s.event("m.room.power_levels", "", "@alice:a", users, alice)
		invite := s.event("m.room.join_rules", "", "@alice:a", `{"join_rule":"invite"}`, alice, power)
		public := s.event("m.room.join_rules", "", "@alice:a", `{"join_rule":"public"}`, alice, power)
		bob := s.event("m.room.member", "@bob:b", "@bob:b", joins, power, public)
		gone := s.event("m.room.member", "@alice:a", "@alice:a", `{"membership":"leave"}`, alice, power)
		zara := s.event("m.room.member", "@zara:z", "@zara:z", joins, power, public)
		correct := []int64{1, gone, power, public, bob}
		outdated := []int64{1, gone, power, invite, bob, zara}
		want := []int64{1, gone, power, public, bob, zara}
		if v == "11" {
			// The reset that version 2.1 ends: there are no join rules, and so nobody can join.
			want = []int64{1, gone, power, bob, zara}
		}
		s.expect("problem A", want, correct, outdated)
		s.expect("problem A, turned", want, outdated, correct)
	}
}

// TestChainBetweenConflicts is problem B of MSC4297: "Alice is an Admin who promotes Bob. Bob then
// promotes Charlie. It is critical that Bob's promotion is applied before Charlie's promotion, or
// else it will be unauthorised. However, the auth difference calculation fails to include this
// event, leading to a state reset."
func TestChainBetweenConflicts(t *testing.T) {
	t.Parallel()
	for _, v := range []event.Version{"11", "12"} {
		s := newStory(t, v)
		alice := s.event("m.room.member", "@alice:a", "@alice:a", joins)
		admin := `"@alice:a":100`
		if v == "12" {
			admin = `"@nobody:a":0`
		}
		first := s.event("m.room.power_levels", "", "@alice:a", `{"users":{`+admin+`}}`, alice)
		rules := s.event("m.room.join_rules", "", "@alice:a", `{"join_rule":"public"}`, alice, first)
		bob := s.event("m.room.member", "@bob:b", "@bob:b", joins, first, rules)
		charlie := s.event("m.room.member", "@charlie:c", "@charlie:c", joins, first, rules)
		second := s.event("m.room.power_levels", "", "@alice:a", `{"users":{`+admin+`,"@bob:b":50}}`, alice, first)
		third := s.event("m.room.power_levels", "", "@bob:b", `{"users":{`+admin+`,"@bob:b":50,"@charlie:c":50}}`, bob, second)
		// Both sides have seen the third one through this event's auth chain.
		zara := s.event("m.room.member", "@zara:z", "@zara:z", joins, third, rules)
		eve := s.event("m.room.member", "@eve:e", "@eve:e", joins, third, rules)
		correct := []int64{1, alice, third, rules, bob, charlie, zara}
		outdated := []int64{1, alice, first, rules, bob, charlie, zara, eve}
		want := []int64{1, alice, third, rules, bob, charlie, zara, eve}
		if v == "11" {
			want[2] = first // the reset
		}
		s.expect("problem B", want, correct, outdated)
		s.expect("problem B, turned", want, outdated, correct)
	}
}

// TestBanWins has the ordinary fork: a ban on one side, and on the other what the banned user did
// meanwhile.
func TestBanWins(t *testing.T) {
	t.Parallel()
	for _, v := range event.Versions() {
		s := newStory(t, v)
		alice := s.event("m.room.member", "@alice:a", "@alice:a", joins)
		admin := `"@alice:a":100,`
		if v == "12" {
			admin = ""
		}
		power := s.event("m.room.power_levels", "", "@alice:a", `{"users":{`+admin+`"@bob:b":50}}`, alice)
		rules := s.event("m.room.join_rules", "", "@alice:a", `{"join_rule":"public"}`, alice, power)
		bob := s.event("m.room.member", "@bob:b", "@bob:b", joins, power, rules)
		topic := s.event("m.room.topic", "", "@bob:b", `{"topic":"Bob's"}`, bob, power)
		banned := s.event("m.room.member", "@bob:b", "@alice:a", `{"membership":"ban"}`, alice, bob, power)
		name := s.event("m.room.name", "", "@alice:a", `{"name":"Alice's"}`, alice, power)
		s.expect("a ban", []int64{1, alice, power, rules, banned, name},
			[]int64{1, alice, power, rules, banned, name}, []int64{1, alice, power, rules, bob, topic})
	}
}

// TestRestrictedJoin replays a join that another server vouched for. Its keys are not at hand, and
// needn't be.
func TestRestrictedJoin(t *testing.T) {
	t.Parallel()
	for _, v := range []event.Version{"8", "10", "12"} {
		s := newStory(t, v)
		alice := s.event("m.room.member", "@alice:a", "@alice:a", joins)
		power := s.event("m.room.power_levels", "", "@alice:a", `{"invite":0}`, alice)
		if v != "12" {
			power = s.event("m.room.power_levels", "", "@alice:a", `{"users":{"@alice:a":100},"invite":0}`, alice)
		}
		rules := s.event("m.room.join_rules", "", "@alice:a", `{"join_rule":"restricted","allow":[]}`, alice, power)
		via := `{"membership":"join","join_authorised_via_users_server":`
		bob := s.event("m.room.member", "@bob:b", "@bob:b", via+`"@alice:a"}`, alice, power, rules)
		carol := s.event("m.room.member", "@carol:c", "@carol:c", via+`"@stranger:a"}`, power, rules)
		want := s.of([]int64{1, alice, power, rules, bob})
		if got := s.resolveStates(t, want, s.of([]int64{1, alice, power, rules, carol})); !maps.Equal(got, want) {
			t.Errorf("version %s:\n got %s\nwant %s", v, s.show(got), s.show(want))
		}
	}
}
