package registration

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// testRegistration makes a valid registration with exclusive user namespaces.
func testRegistration(id string, users ...string) *Registration {
	r := &Registration{ID: id, ASToken: "ast-of-service-" + id + "-0123456789", HSToken: "hst-of-service-" + id + "-0123456789", SenderLocalpart: id + "-sender"}
	for _, u := range users {
		r.Namespaces.Users = append(r.Namespaces.Users, Namespace{Regex: u, Exclusive: true})
	}
	return r
}

func mustSet(t testing.TB, regs ...*Registration) *Set {
	t.Helper()
	set, err := NewSet("example.org", regs...)
	if err != nil {
		t.Fatal(err)
	}
	if err := set.Problems().Err(); err != nil {
		t.Fatal(err)
	}
	return set
}

func ids(regs []*Registration) []string {
	out := []string{}
	for _, r := range regs {
		out = append(out, r.ID)
	}
	return out
}

func TestSetMatching(t *testing.T) {
	t.Parallel()
	irc := testRegistration("irc", `@irc_.*:example\.org$`)
	irc.Namespaces.Aliases = []Namespace{{`#irc_`, true}}
	irc.Namespaces.Rooms = []Namespace{{`!irc`, false}}
	digits := testRegistration("digits", `^@d[0-9]+:example\.org`)
	all := testRegistration("all")
	all.Namespaces.Users = []Namespace{{`@.*`, false}}
	set := mustSet(t, irc, digits, all)

	for _, tt := range []struct {
		user  string
		want  []string
		owner string
	}{
		{"@irc_anna:example.org", []string{"irc", "all"}, "irc"},
		{"@irc_anna:example.org.evil.example", []string{}, ""},
		{"@irc_anna:evil.example", []string{}, ""},
		{"@irc_anna:x:example.org", []string{}, ""},
		{"@irc-sender:example.org", []string{"all", "irc"}, "irc"},
		{"@irc-sender:evil.example", []string{}, ""},
		{"@d12:example.org", []string{"digits", "all"}, "digits"},
		{"@d12x:example.org", []string{"all"}, ""},
		{"@anna:example.org", []string{"all"}, ""},
		{"@all-sender:example.org", []string{"all"}, "all"},
		{"", []string{}, ""},
		{"@:example.org", []string{"all"}, ""}, // allowed of old
		{":example.org", []string{}, ""},
	} {
		for range 2 { // the second answer is from the cache
			if got := ids(set.InterestedInUser(tt.user)); !slices.Equal(got, tt.want) {
				t.Errorf("InterestedInUser(%q) = %q, want %q", tt.user, got, tt.want)
			}
			owner := ""
			if r := set.ExclusiveUser(tt.user); r != nil {
				owner = r.ID
			}
			if owner != tt.owner {
				t.Errorf("ExclusiveUser(%q) = %q, want %q", tt.user, owner, tt.owner)
			}
		}
	}
	if got := ids(set.InterestedInAlias("#irc_x:example.org")); !slices.Equal(got, []string{"irc"}) {
		t.Errorf("InterestedInAlias = %q", got)
	}
	if set.ExclusiveAlias("#irc_x:example.org") != irc || set.ExclusiveAlias("#other:example.org") != nil {
		t.Error("ExclusiveAlias is wrong")
	}
	if got := ids(set.InterestedInRoom("!irc:example.org")); !slices.Equal(got, []string{"irc"}) {
		t.Errorf("InterestedInRoom = %q", got)
	}
	if set.ByASToken(irc.ASToken) != irc || set.ByASToken(irc.HSToken) != nil || set.ByASToken("") != nil {
		t.Error("ByASToken is wrong")
	}
	if set.ByID("digits") != digits || set.ByID("none") != nil || len(set.All()) != 3 {
		t.Error("ByID or All is wrong")
	}
}

func TestNilSet(t *testing.T) {
	t.Parallel()
	var s *Set
	if s.All() != nil || s.ByID("x") != nil || s.ByASToken("x") != nil || s.InterestedInUser("@x:y") != nil ||
		s.ExclusiveUser("@x:y") != nil || s.ExclusiveAlias("#x:y") != nil || s.InterestedInAlias("#x:y") != nil ||
		s.InterestedInRoom("!x") != nil || s.Problems() != nil {
		t.Error("a nil Set is not empty")
	}
}

// patternsForFuzzing use every form that plainPattern and prefixesOf know, and others.
func patternsForFuzzing() []string {
	return []string{`@irc_.*`, `@irc_.+`, `^@irc_.*:example\.org$`, `@irc_.+:example\.org$`, `@irc_.+:example\.org`, `@.*`, `@.+$`,
		`.*`, `.+x`, `.*x$`, `@bot`, `^@bot$`, `@(a|bc)_.*`, `@[ab]c.*`, `@a?b`, `(?i)@irc_.*`, `@a+b`, `@(?:ab)*c`, `(?s)@.*$`,
		`(?m)^@a$`, `@\x{FFFD}.*`, `@é.*ü$`, `@a.*?b$`, `@[^a].*`, `@a|@b.*|c`, `\A@x\z`, `^^@x`, `@a.+b.+c`}
}

// FuzzMatch compares the fast ways of matching with running the expression.
func FuzzMatch(f *testing.F) {
	for i, id := range []string{"@irc_anna:example.org", "@irc_:example.org", "@bot", "@a\nb", "@irc_\xff:example.org", "@éxü", "", "@\xff", "@ac_:x", "@irc_é:example.org"} {
		f.Add(i, id)
	}
	f.Fuzz(func(t *testing.T, i int, id string) {
		list := patternsForFuzzing()
		p, perr := compilePattern(list[uint(i)%uint(len(list))])
		if perr != nil {
			t.Fatal(perr)
		}
		want := p.re.MatchString(id)
		if got := p.match(id); got != want {
			t.Errorf("match(%s, %q) = %v, want %v", p.source, id, got, want)
		}
		if want && !slices.ContainsFunc(p.prefixes, func(prefix string) bool { return strings.HasPrefix(id, prefix) }) {
			t.Errorf("%q matches %s but has none of the prefixes %q", id, p.source, p.prefixes)
		}
	})
}

func TestMatchForms(t *testing.T) {
	t.Parallel()
	pieces := []string{"@", "irc_", "a", "b", "x", ":example.org", "\n", "é", "\xff", "\uFFFD"}
	for _, source := range patternsForFuzzing() {
		p, perr := compilePattern(source)
		if perr != nil {
			t.Fatal(perr)
		}
		for i := range pow(len(pieces), 4) {
			var id string
			for n := i; n > 0; n /= len(pieces) {
				id += pieces[n%len(pieces)]
			}
			want := p.re.MatchString(id)
			if got := p.match(id); got != want {
				t.Fatalf("match(%s, %q) = %v, want %v", source, id, got, want)
			}
			if want && !slices.ContainsFunc(p.prefixes, func(prefix string) bool { return strings.HasPrefix(id, prefix) }) {
				t.Fatalf("%q matches %s but has none of the prefixes %q", id, source, p.prefixes)
			}
		}
	}
}

func TestPrefixes(t *testing.T) {
	t.Parallel()
	for source, want := range map[string][]string{
		`^@irc_.*`:         {"@irc_"},
		`@(discord|irc)_x`: {"@discord_x", "@irc_x"},
		`@[ab]_.*`:         {"@a_", "@b_"},
		`.*`:               {""},
		`@a?b`:             {"@"},
		`(?i)@irc`:         {"@"},
		`@x|@xy`:           {"@x"},
	} {
		p, perr := compilePattern(source)
		if perr != nil {
			t.Fatal(perr)
		}
		got := slices.Clone(p.prefixes)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("prefixes of %s are %q, want %q", source, got, want)
		}
	}
}

// benchmarkSet has a thousand services of which most use plain prefixes, some not.
func benchmarkSet(b *testing.B) *Set {
	var regs []*Registration
	for i := range 1000 {
		id := fmt.Sprintf("net%03d", i)
		expr := `^@` + id + `_.*:example\.org$`
		if i%4 == 0 {
			expr = `@` + id + `_[a-z0-9._=/-]+:example\.org`
		}
		r := testRegistration(id, expr)
		r.Namespaces.Aliases = []Namespace{{`#` + id + `_.*`, true}}
		regs = append(regs, r)
	}
	return mustSet(b, regs...)
}

func benchmarkUsers() []string {
	users := make([]string, 100_000)
	for i := range users {
		if i%10 == 0 {
			users[i] = fmt.Sprintf("@person%d:example.org", i)
		} else {
			users[i] = fmt.Sprintf("@net%03d_user%d:example.org", i%1000, i)
		}
	}
	return users
}

// BenchmarkInterestedInUser is one look-up among 1,000 registrations, over 100,000 users.
func BenchmarkInterestedInUser(b *testing.B) {
	set, users := benchmarkSet(b), benchmarkUsers()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		set.InterestedInUser(users[i%len(users)])
		i++
	}
}

// BenchmarkInterestedInUserParallel is the same from several goroutines.
func BenchmarkInterestedInUserParallel(b *testing.B) {
	set, users := benchmarkSet(b), benchmarkUsers()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			set.InterestedInUser(users[i%len(users)])
		}
	})
}

// BenchmarkEveryExpression is what matching without an index would cost.
func BenchmarkEveryExpression(b *testing.B) {
	set, users := benchmarkSet(b), benchmarkUsers()
	i := 0
	for b.Loop() {
		for _, e := range set.users.entries {
			e.pattern.re.MatchString(users[i%len(users)])
		}
		i++
	}
}

// BenchmarkNewSet is checking 1,000 registrations against each other.
func BenchmarkNewSet(b *testing.B) {
	regs := benchmarkSet(b).All()
	for b.Loop() {
		if _, err := NewSet("example.org", regs...); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkByASToken(b *testing.B) {
	set := benchmarkSet(b)
	for b.Loop() {
		set.ByASToken("ast-of-service-net500-0123456789")
	}
}
