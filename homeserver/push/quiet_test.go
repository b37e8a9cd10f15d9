package push

import "testing"

func TestQuietMembers(t *testing.T) {
	t.Parallel()
	put := func(id, body string) func(*Changes) error {
		return func(c *Changes) error { return c.Put(Override, rule(t, Override, id, body), "", "") }
	}
	enable := func(id string, on bool) func(*Changes) error {
		return func(c *Changes) error { return c.Enable(Override, id, on) }
	}
	for name, test := range map[string]struct {
		want bool
		do   []func(*Changes) error
	}{
		"the predefined":                 {true, nil},
		"nothing notifies":               {true, []func(*Changes) error{enable(master, true)}},
		"without the rule":               {false, []func(*Changes) error{enable(".m.rule.member_event", false)}},
		"one of messages":                {true, []func(*Changes) error{put("a", `{"actions":["notify"],"conditions":[{"kind":"event_match","key":"type","pattern":"m.room.mess*"}]}`)}},
		"one of all of rooms":            {false, []func(*Changes) error{put("a", `{"actions":["notify"],"conditions":[{"kind":"event_match","key":"type","pattern":"M.ROOM.*"}]}`)}},
		"one of somebody":                {false, []func(*Changes) error{put("a", `{"actions":["notify"],"conditions":[{"kind":"event_match","key":"sender","pattern":"@x:y"}]}`)}},
		"one that is off":                {true, []func(*Changes) error{put("a", `{"actions":["notify"],"conditions":[]}`), enable("a", false)}},
		"one of everything":              {false, []func(*Changes) error{put("a", `{"actions":["notify"],"conditions":[]}`)}},
		"one of everything, quiet":       {true, []func(*Changes) error{put("a", `{"actions":[],"conditions":[]}`)}},
		"somebody is quiet":              {true, []func(*Changes) error{put("a", `{"actions":[],"conditions":[{"kind":"event_match","key":"sender","pattern":"@x:y"}]}`)}},
		"a tweak alone":                  {true, []func(*Changes) error{put("a", `{"actions":[{"set_tweak":"highlight"}],"conditions":[{"kind":"event_match","key":"room_id","pattern":"!x"}]}`)}},
		"the rule itself notifies":       {false, []func(*Changes) error{func(c *Changes) error { return c.SetActions(Override, ".m.rule.member_event", list(`"notify"`)) }}},
		"notices and invitations notify": {false, []func(*Changes) error{func(c *Changes) error { return c.SetActions(Override, ".m.rule.suppress_notices", list(`"notify"`)) }}},
	} {
		c := &Changes{}
		for _, do := range test.do {
			if err := do(c); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if got := Compile(me, c).QuietMembers(); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
