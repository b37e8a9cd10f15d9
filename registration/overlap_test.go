package registration

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"regexp/syntax"
	"strings"
	"testing"
)

func TestOverlap(t *testing.T) {
	t.Parallel()
	tests := []struct {
		a, b string
		want verdict
	}{
		{`@irc_.*`, `@irc_.*`, overlaps},
		{`@irc_.*`, `@irc_x.*`, overlaps},
		{`@irc_.*`, `@ircbot`, disjoint},
		{`@irc_.*:example\.org`, `@xmpp_.*:example\.org`, disjoint},
		// Not bound at the end, but for identifiers of this server that changes nothing.
		{`@irc_.*:one\.example`, `@irc_.*:example\.org`, disjoint},
		{`@irc_.*`, `@irc_.*:example\.org$`, overlaps},
		{`@bot`, `@bot:example\.org$`, overlaps},
		{`@bot`, `@bottom:example\.org$`, overlaps},
		{`@bot:`, `@bottom:example\.org$`, disjoint},
		{`@[a-f]+:`, `@[f-k]+:`, overlaps},
		{`@[a-f]+:`, `@[g-k]+:`, disjoint},
		{`@(a|b)_.*`, `@(b|c)_.*`, overlaps},
		{`@(a|b)_.*`, `@(c|d)_.*`, disjoint},
		{`@a[0-9]{3}:`, `@a[0-9]{4}:`, disjoint},
		{`@a[0-9]{3}`, `@a[0-9]{4}`, overlaps},
		{`@(?i)IRC_.*`, `@irc_.*`, overlaps},
		{`@IRC_.*`, `@irc_.*`, disjoint},
		{`.*_bot:`, `@irc_.*`, overlaps},
		{`@.*_bot:`, `@irc[0-9]*:`, disjoint},
		{`^@a$`, `@a`, disjoint}, // a user id has a server name
		{`@a|@b`, `^@b`, overlaps},
		{`@a(?:$|:)`, `@a:`, overlaps},
		{`@irc\b.*`, `@irc_.*`, undecided},
		{`@irc\b.*`, `@xmpp_.*`, disjoint},
		{`@[a-z]{300}`, `@[a-z]{300}`, disjoint}, // longer than a user id may be
		{`@[a-z]*a[a-z]{100}`, `@[a-z]*b[a-z]{101}`, overlaps},
		{`@.*[ab].{150}[1x]`, `@.*[bc].{150}[2x]`, undecided},
	}
	u, err := universe("users", "example.org")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		got, example := overlapOf(t, tt.a, tt.b, u)
		if got != tt.want {
			t.Errorf("overlap(%s, %s) = %v (%q), want %v", tt.a, tt.b, got, example, tt.want)
		}
	}
}

func overlapOf(t *testing.T, a, b string, u *machine) (verdict, string) {
	t.Helper()
	var ms [2]*machine
	for i, source := range []string{a, b} {
		p, perr := compilePattern(source)
		if perr != nil {
			t.Fatal(source, perr)
		}
		m, err := newMachine(p.tree, true)
		if err != nil {
			t.Fatal(err)
		}
		ms[i] = m
	}
	budget := overlapStatesAll
	v, example := overlap(ms[0], ms[1], u, overlapStates, &budget)
	if v == overlaps {
		for _, source := range []string{a, b} {
			if !regexp.MustCompile(`\A(?:` + source + `)`).MatchString(example) {
				t.Errorf("%q is said to be covered by %s", example, source)
			}
		}
	}
	return v, example
}

// TestOverlapAgainstAllTexts compares the decision with trying every text up to a length,
// for expressions made by chance.
func TestOverlapAgainstAllTexts(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	var texts []string
	for _, n := range []int{1, 2, 3, 4, 5} {
		for i := range pow(3, n) {
			var b strings.Builder
			for range n {
				b.WriteByte("abc"[i%3])
				i /= 3
			}
			texts = append(texts, b.String())
		}
	}
	tree, err := syntax.Parse(`[abc]{1,5}\z`, syntax.Perl)
	if err != nil {
		t.Fatal(err)
	}
	u, err := newMachine(tree.Simplify(), false)
	if err != nil {
		t.Fatal(err)
	}
	both := 0
	for range 2000 {
		a, b := randomRegex(rng, 3), randomRegex(rng, 3)
		ra, rb := regexp.MustCompile(`\A(?:`+a+`)`), regexp.MustCompile(`\A(?:`+b+`)`)
		want := disjoint
		for _, text := range texts {
			if ra.MatchString(text) && rb.MatchString(text) {
				want = overlaps
				both++
				break
			}
		}
		if got, example := overlapOf(t, a, b, u); got != want {
			t.Errorf("overlap(%s, %s) = %v (%q), want %v", a, b, got, example, want)
		}
	}
	if both < 200 || both > 1800 {
		t.Errorf("%d of 2000 pairs overlap, which tests little", both)
	}
}

func pow(base, n int) int {
	p := 1
	for range n {
		p *= base
	}
	return p
}

func randomRegex(rng *rand.Rand, depth int) string {
	if depth == 0 {
		return []string{"a", "b", "c", ".", "[ab]", "[^a]", "(?i)B", "$", "^"}[rng.IntN(9)]
	}
	x, y := randomRegex(rng, depth-1), randomRegex(rng, depth-1)
	switch rng.IntN(8) {
	case 0:
		return fmt.Sprintf("(?:%s|%s)", x, y)
	case 1:
		return fmt.Sprintf("(?:%s)*%s", x, y)
	case 2:
		return fmt.Sprintf("(%s)?%s$", x, y)
	case 3:
		return fmt.Sprintf("(?:%s){2}", x)
	default:
		return x + y
	}
}
