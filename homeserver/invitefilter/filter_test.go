package invitefilter

import "testing"

func TestJudge(t *testing.T) {
	t.Parallel()
	const alice, evil = "@alice:good.example", "@evil:bad.example:8448"
	for _, tc := range []struct {
		name, typ, content string
		alice, evil        Verdict
	}{
		{"nothing", Stable, `{}`, Allow, Allow},
		{"block", Stable, `{"default_action":"block"}`, Block, Block},
		{"unknown action", Stable, `{"default_action":"ignore"}`, Allow, Allow},
		{"action of another type", Stable, `{"default_action":true}`, Allow, Allow},
		{"lists are unstable", Stable, `{"blocked_users":["*"]}`, Allow, Allow},
		{"user", Unstable, `{"blocked_users":["@evil:bad.example:8448"]}`, Allow, Block},
		{"server", Unstable, `{"ignored_servers":["bad.example"]}`, Allow, Ignore},
		{"server with port", Unstable, `{"ignored_servers":["bad.example:8448"]}`, Allow, Ignore},
		{"globs", Unstable, `{"blocked_servers":["*d.example"],"allowed_users":["@al?ce:*"]}`, Allow, Block},
		{"ignored before blocked", Unstable, `{"blocked_users":["*"],"ignored_users":["@evil*"]}`, Block, Ignore},
		{"users before servers", Unstable, `{"blocked_servers":["*"],"allowed_users":["@evil:*"]}`, Block, Allow},
		{"nonsense", Unstable, `{"blocked_users":"*","ignored_users":[1,{}]}`, Allow, Allow},
	} {
		var f Filter
		f.add(tc.typ, tc.content)
		if a, e := f.Judge(alice), f.Judge(evil); a != tc.alice || e != tc.evil {
			t.Errorf("%s: %d and %d, want %d and %d", tc.name, a, e, tc.alice, tc.evil)
		}
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("a*b?c", "axxbyc")
	f.Fuzz(func(t *testing.T, p, s string) {
		glob(p, s) // ends
		if !glob("*", s) {
			t.Errorf("* does not match %q", s)
		}
	})
}
