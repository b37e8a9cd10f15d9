package irc_test

import (
	"fmt"
)

// modes: ranks on IRC are power levels, and a channel that is not open to everybody is
// a room that is not.
func (k *talk) modes() {
	if k.network == "demo" {
		return // bob is no operator there
	}
	t := k.t
	level := func(want int) {
		t.Helper()
		waitFor(k.ctx, t, fmt.Sprintf("bob has power level %d", want), func() bool {
			var levels struct {
				Users map[string]int `json:"users"`
			}
			if err := k.anna.Do(k.ctx, "GET", "/v3/rooms/"+k.room+"/state/m.room.power_levels", nil, &levels); err != nil {
				t.Fatal(err)
			}
			return levels.Users[k.ghost("bob")] == want
		})
	}
	rule := func(want string) {
		t.Helper()
		waitFor(k.ctx, t, "join rule "+want, func() bool {
			var rules struct {
				Rule string `json:"join_rule"`
			}
			if err := k.anna.Do(k.ctx, "GET", "/v3/rooms/"+k.room+"/state/m.room.join_rules", nil, &rules); err != nil {
				t.Fatal(err)
			}
			return rules.Rule == want
		})
	}
	level(50)
	for range 2 {
		k.bob.Send("MODE " + k.channel + " +i")
		rule("invite")
		k.bob.Send("MODE " + k.channel + " -i")
		rule("public")
	}
}
