package stateres

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"maunium.net/go/mautrix/federation/pdu"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/homeserver/authrules"
)

// oracle is the algorithm word for word, with whole sets and maps, and nothing shared with the
// package but the authorisation rules.
type oracle struct {
	k  *kit
	v1 bool // version 2.1
	// borrowed counts the auth events that were taken from the events themselves, and power is
	// how many events step 1 picked.
	borrowed, power int
}

type set map[int64]bool

func (o *oracle) chain(nid int64, into set) {
	for _, a := range o.k.links[nid-1].Auth {
		if !into[a] {
			into[a] = true
			o.chain(a, into)
		}
	}
}

func (o *oracle) reaches(from, to int64) bool {
	c := set{}
	o.chain(from, c)
	return c[to]
}

func (o *oracle) resolve(states []state) state {
	// Unconflicted state map and conflicted state set.
	unconflicted, conflicted := state{}, set{}
	for _, s := range states {
		for key, nid := range s {
			same := true
			for _, other := range states {
				same = same && other[key] == nid
			}
			if same {
				unconflicted[key] = nid
			} else {
				conflicted[nid] = true
			}
		}
	}
	if len(conflicted) == 0 {
		return unconflicted
	}
	// Full conflicted set.
	full := maps.Clone(conflicted)
	count := map[int64]int{}
	for _, s := range states {
		c := set{}
		for _, nid := range s {
			c[nid] = true
			o.chain(nid, c)
		}
		for nid := range c {
			count[nid]++
		}
	}
	for nid, n := range count {
		if n < len(states) {
			full[nid] = true
		}
	}
	if o.v1 {
		for e := range o.k.events {
			nid := int64(e + 1)
			up, down := false, false
			for c := range conflicted {
				up = up || o.reaches(c, nid)
				down = down || o.reaches(nid, c)
			}
			if up && down {
				full[nid] = true
			}
		}
	}
	// Step 1.
	power := set{}
	var pull func(nid int64)
	pull = func(nid int64) {
		power[nid] = true
		for _, a := range o.k.links[nid-1].Auth {
			if full[a] && !power[a] {
				pull(a)
			}
		}
	}
	for nid := range full {
		if isPower(o.k.events[nid-1]) {
			pull(nid)
		}
	}
	o.power = len(power)
	resolved := state{}
	if !o.v1 {
		resolved = maps.Clone(unconflicted)
	}
	// Step 2.
	for _, nid := range o.topological(power) {
		o.apply(resolved, nid)
	}
	// Step 3.
	var rest []int64
	for nid := range full {
		if !power[nid] {
			rest = append(rest, nid)
		}
	}
	var mainline []int64
	for p := resolved[o.k.key("m.room.power_levels", "")]; p != 0; p = o.powerOf(p) {
		mainline = append(mainline, p)
	}
	position := func(nid int64) int {
		for p := o.powerOf(nid); p != 0; p = o.powerOf(p) {
			if i := slices.Index(mainline, p); i >= 0 {
				return i
			}
		}
		return math.MaxInt
	}
	slices.SortFunc(rest, func(a, b int64) int {
		return cmp.Or(cmp.Compare(position(b), position(a)), o.byAge(a, b))
	})
	// Steps 4 and 5.
	for _, nid := range rest {
		o.apply(resolved, nid)
	}
	maps.Copy(resolved, unconflicted)
	return resolved
}

func (o *oracle) byAge(a, b int64) int {
	x, y := o.k.events[a-1], o.k.events[b-1]
	return cmp.Or(cmp.Compare(x.OriginServerTS, y.OriginServerTS), cmp.Compare(x.ID, y.ID))
}

func (o *oracle) powerOf(nid int64) int64 {
	for _, a := range o.k.links[nid-1].Auth {
		if o.k.events[a-1].Is("m.room.power_levels", "") {
			return a
		}
	}
	return 0
}

func (o *oracle) level(nid int64) int64 {
	sender, create := string(o.k.events[nid-1].Sender), o.k.events[0]
	if o.k.version == id.RoomV12 && sender == string(create.Sender) {
		return math.MaxInt64
	}
	p := o.powerOf(nid)
	if p == 0 {
		if sender == string(create.Sender) && slices.Contains(o.k.links[nid-1].Auth, 1) {
			return 100
		}
		return 0
	}
	l := parseLevels(o.k.events[p-1].Content, true)
	if n, ok := l.users[sender]; ok {
		return n
	}
	return l.other
}

// topological takes the smallest event whose auth events in the set have all been taken.
func (o *oracle) topological(nids set) (out []int64) {
	left := maps.Clone(nids)
	for len(left) > 0 {
		var best int64
		for nid := range left {
			if slices.ContainsFunc(o.k.links[nid-1].Auth, func(a int64) bool { return left[a] }) {
				continue
			}
			if best == 0 || cmp.Or(cmp.Compare(o.level(best), o.level(nid)), o.byAge(nid, best)) < 0 {
				best = nid
			}
		}
		out = append(out, best)
		delete(left, best)
	}
	return out
}

func (o *oracle) apply(resolved state, nid int64) {
	e := o.k.events[nid-1]
	auth := []*pdu.PDU{}
	for _, want := range e.AuthEventSelection(o.k.version) {
		at := resolved[o.k.key(want.Type, want.StateKey)]
		for _, a := range o.k.links[nid-1].Auth {
			if at == 0 && o.k.events[a-1].Is(want.Type, want.StateKey) && !o.k.links[a-1].Rejected {
				at = a
				o.borrowed++
			}
		}
		if at != 0 {
			auth = append(auth, o.k.events[at-1].PDU)
		}
	}
	get := func([]id.EventID) ([]*pdu.PDU, error) { return []*pdu.PDU{o.k.events[0].PDU}, nil }
	if authrules.Authorize(o.k.version, e.PDU, auth, get, noKey) == nil {
		resolved[e.Key] = nid
	}
}
