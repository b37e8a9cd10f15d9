package push

import (
	"strings"
	"testing"
)

// FuzzGlob compares with a slow and simple matcher.
func FuzzGlob(f *testing.F) {
	for _, s := range []string{"ex*ple|an example", "*|x", "?|☕", "a*b?*c|aabbccabc", "**|", "|", "a|b a", "aa|aaa aa", "?a*|ba c", "*?|x", "a*a|a"} {
		p, text, _ := strings.Cut(s, "|")
		f.Add(p, text)
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 12 || len(text) > 24 {
			return
		}
		pattern, text = strings.ToValidUTF8(pattern, "x"), strings.ToLower(strings.ToValidUTF8(text, "x"))
		g, p := compileGlob(pattern), []rune(strings.ToLower(pattern))
		b := evaluationBudget
		if got, want := g.whole(text, &b), slow(p, []rune(text)); got != want {
			t.Errorf("whole %q on %q: %v", pattern, text, got)
		}
		want := false
		for i := 0; i <= len(text); i = next(text, i) {
			for j := i; j <= len(text); j = next(text, j) {
				want = want || boundary(text, i) && boundary(text, j) && slow(p, []rune(text[i:j]))
			}
		}
		if got := g.word(text, &b); got != want {
			t.Errorf("word %q on %q: %v", pattern, text, got)
		}
		if b < 0 {
			t.Error("the budget is spent")
		}
	})
}

func slow(p, s []rune) bool {
	// m[j] tells whether the pattern so far matches s[:j].
	m := make([]bool, len(s)+1)
	m[0] = true
	for _, c := range p {
		n := make([]bool, len(s)+1)
		for j := range n {
			switch {
			case c == '*':
				n[j] = m[j] || j > 0 && n[j-1]
			case j > 0:
				n[j] = m[j-1] && (c == '?' || c == s[j-1])
			}
		}
		m = n
	}
	return m[len(s)]
}
