package plan

import "testing"

func TestChanges(t *testing.T) {
	t.Parallel()
	old := func() *Mapping {
		return &Mapping{Source: "slack:x", Name: "Acme", Admins: []string{}, People: []Person{{ID: "U1", Name: "Ann"}, {ID: "U2", Name: "Bob", Without: true}},
			Channels: []Channel{{ID: "C1", Name: "general", Audience: Space}}}
	}
	for _, test := range []struct {
		change func(*Mapping)
		want   string
	}{
		{func(*Mapping) {}, ""},
		{func(m *Mapping) { m.People[0].Account = "@ann:x" }, "  people:\n    - id: U1\n      name: Ann\n+     account: '@ann:x'\n"},
		{func(m *Mapping) { m.People[1].Without = false }, "  people:\n    - id: U2\n      name: Bob\n-     leave_out: true\n"},
		{func(m *Mapping) { m.Channels[0].Audience = Anyone }, "  channels:\n    - id: C1\n      name: general\n-     audience: space\n+     audience: anyone\n"},
	} {
		next := old()
		test.change(next)
		got, err := old().Changes(next)
		if err != nil || got != test.want {
			t.Errorf("%v\n%s, not\n%s", err, got, test.want)
		}
	}
	next := old()
	next.Name = "Acme & friends"
	if got, err := old().Changes(next); err != nil || got == "" || got[0] != ' ' {
		t.Errorf("%q %v", got, err)
	}
}
