package irc

import (
	"slices"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

// Nothing that the two ears of a channel hear comes twice or gets lost, in whatever order they hear it. In a story, a lower-case letter
// is heard by the listener and its upper case by the standby; "-" is the end of the listener's connection, "+" the standby's
// sight of its next join. "!" is the listener's sight of the join of who is to be the standby, "*" when that has come, and "/" when
// another one takes its place. What comes is written as its first hearing was.
func TestStandby(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, story, want string }{
		{"both alike", "aAbBcC", "abc"},
		{"the listener first", "abcABC", "abc"},
		{"the standby first", "ABCabc", "abc"},
		{"the listener dies", "aA-BC+dD", "aBCd"},
		{"it was dead already", "aABC-D+eE", "aBCDe"},
		{"the listener was ahead", "abc-ABCD+eE", "abcDe"},
		{"it was ahead when it came back, and dies again", "aA-B+cC-D+", "aBcD"},
		{"it hears before the standby sees it come, and dies again", "aA-Bc+C-D+", "aBcD"},
		{"it hears much before the standby sees it come, and dies again", "aA-Bcde+CDE-F+", "aBcdeF"},
		{"it comes, and is late", "x!ab*ABcC-D+", "xabcD"},
		{"it comes, and is late, and the listener dies", "x!ab-*ABC+dD", "xabCd"},
		{"it comes, and the same was said before", "a!*-A+", "aA"},
		{"it comes first", "x*!aAB-C+", "xaBC"},
		{"another one takes its place, and is late", "*abA/ABcC-D+", "abcD"},
		{"another one takes its place, and is not late", "*abAB/cC-D+", "abcD"},
		{"another one takes its place while the listener is dead", "*aAB/C-D+", "aBCD"},
		{"what it was ahead with does not count for its next connection", "ab-A+B-C+", "abBC"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s, got := &standby{by: new(puppet)}, ""
			if strings.Contains(tc.story, "*") {
				s.by = nil
			}
			take := func(list pending) {
				for _, h := range list {
					got += strings.ToUpper(h.Text)
				}
			}
			for _, r := range tc.story {
				e := session.Message{Channel: "#x", From: session.User{Nick: "ann"}, Text: strings.ToLower(string(r))}
				switch {
				case r == '-':
					take(s.listenerGone())
				case r == '+':
					take(s.listenerJoined())
				case r == '!':
					s.comes()
				case r == '*':
					s.by = new(puppet)
				case r == '/':
					s.change(new(puppet))
				case strings.ToLower(string(r)) == string(r):
					if !s.listenerHears(e) {
						got += string(r)
					}
				case s.hears(e):
					got += string(r)
				}
			}
			// What the standby has taken while the listener was away is told when it is heard, or with the rest.
			if order := func(text string) string { l := strings.Split(text, ""); slices.Sort(l); return strings.Join(l, "") }; order(got) != order(tc.want) {
				t.Errorf("it came as %q, not %q", got, tc.want)
			}
		})
	}
}
