package registration

import (
	"fmt"
	"strings"

	"github.com/landbridge-im/landbridge/config/diag"
)

// Lint lists what is allowed in a registration but probably not meant, for a server of
// that name; without a name, what depends on it is left out.
func (r *Registration) Lint(serverName string) Problems {
	l, err := newLinter(serverName, patterns{})
	if err != nil {
		return Problems{r.problem(diag.Warning, "", err.Error(), "")}
	}
	ps := l.lint(r)
	ps.Sort()
	return ps
}

type linter struct {
	serverName string
	patterns   patterns
	any        *machine
	existing   map[string]*machine // ids that can exist on this server, by kind
	wellFormed map[string]*machine // and on any server
	sample     string              // stands for any server, or is the name of this one
	budget     int                 // of automaton steps, for one registration
}

func newLinter(serverName string, compiled patterns) (*linter, error) {
	l := &linter{serverName: serverName, patterns: compiled, sample: serverName,
		existing: map[string]*machine{}, wellFormed: map[string]*machine{}}
	if l.sample == "" {
		l.sample = "landbridge.invalid"
	}
	var err error
	if l.any, err = anything(); err != nil {
		return nil, err
	}
	for _, kind := range []string{"users", "aliases", "rooms"} {
		if l.existing[kind], err = universe(kind, serverName); err != nil {
			return nil, fmt.Errorf("server name %q: %w", serverName, err)
		}
		if l.wellFormed[kind], err = universe(kind, ""); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func (l *linter) lint(r *Registration) Problems {
	var ps Problems
	if r.origin != nil {
		ps = append(ps, r.origin.warnings...)
	}
	l.budget = lintSteps
	warn := func(key, message, fix string) {
		ps = append(ps, r.problem(diag.Warning, key, message, fix))
	}
	for _, t := range []struct{ key, token string }{{"as_token", r.ASToken}, {"hs_token", r.HSToken}} {
		const fix = "`landbridge registration generate` makes strong tokens"
		switch {
		case looksLikePlaceholder(t.token):
			warn(t.key, "looks like the placeholder of an example", fix)
		case len(t.token) < minTokenLength:
			warn(t.key, fmt.Sprintf("has only %d characters and could be guessed", len(t.token)), fix)
		}
	}
	if r.ASToken == r.HSToken && r.ASToken != "" {
		warn("hs_token", "is the same as as_token: each side could pretend to be the other", "make a token for each")
	}
	if strings.Trim(strings.ToLower(r.SenderLocalpart), "abcdefghijklmnopqrstuvwxyz0123456789._=-/+") != "" {
		warn("sender_localpart", diag.Quote(r.SenderLocalpart)+" has characters that user ids should no longer hold", "use a-z, 0-9 and . _ = - / +")
	}
	if r.MSC3202 && !r.ReceiveEphemeral {
		warn("org.matrix.msc3202", "encryption needs to-device messages too, which are not asked for", "add receive_ephemeral: true")
	}
	for _, a := range r.areas() {
		for i, ns := range a.list {
			key := a.key(i)
			if a.kind == "rooms" && ns.Exclusive {
				warn(key+".exclusive", "means nothing for rooms, nobody chooses the id of a room", "write exclusive: false")
			}
			if message, fix := l.namespace(a.kind, ns); message != "" {
				warn(key+".regex", diag.QuoteRaw(ns.Regex)+" "+message, fix)
			}
		}
	}
	return ps
}

// namespace says the weightiest thing about a namespace, if there is any.
func (l *linter) namespace(kind string, ns Namespace) (message, fix string) {
	p, perr := l.patterns.compile(ns.Regex)
	if perr != nil {
		return perr.message, perr.fix
	}
	m, err := newMachine(p.tree, true)
	if err != nil {
		return err.Error(), ""
	}
	sigil := map[string]string{"users": "@", "aliases": "#", "rooms": "!"}[kind]
	name := map[string]string{"users": "user id", "aliases": "alias", "rooms": "room id"}[kind]
	meets := func(universe *machine) bool {
		v, _ := overlap(m, l.any, universe, overlapStates, &l.budget)
		return v != disjoint
	}
	if !meets(l.wellFormed[kind]) {
		return fmt.Sprintf("matches no %s at all", name), fmt.Sprintf("begin it with %s and mind that it is matched from the first character on", sigil)
	}
	if kind == "rooms" {
		return "", ""
	}
	if !meets(l.existing[kind]) {
		return fmt.Sprintf("matches no %s of this server, whose name is %s", name, l.serverName), "check the part behind the colon"
	}
	stranger := func(localpart string) bool { return p.match(sigil + localpart + ":" + l.sample) }
	if ns.Exclusive && stranger("zq7-lint") && stranger("anna.lint") && stranger("x1") {
		return fmt.Sprintf("covers every %s of this server, and being exclusive keeps people from making any", name),
			"begin it with a prefix that only the bridge uses, or write exclusive: false"
	}
	return l.loose(sigil, p)
}

// loose finds patterns that end early: they match from the first character on, and
// whatever follows.
func (l *linter) loose(sigil string, p *pattern) (message, fix string) {
	if p.plain == nil || p.plain.end {
		return "", ""
	}
	host := l.serverName
	if host == "" {
		host = "example.org"
	}
	end := ":" + strings.ReplaceAll(host, ".", `\.`) + "$"
	text := p.plain.prefix
	switch {
	case !p.plain.rest && strings.Contains(text, ":"):
		return "is not bound at its end, so it goes on to match whatever is added", "add $ at the end"
	case !p.plain.rest && strings.ContainsAny(text[max(len(text)-1, 0):], "_-./=#@"):
		return "names no server, so it speaks of all of them", "add .*" + end + " at the end"
	case !p.plain.rest:
		return fmt.Sprintf("matches every name that begins so, %s too", diag.QuoteRaw(text+"x:"+host)), "add " + end + " at the end if one name is meant"
	case p.plain.suffix == "":
		return "names no server, so it speaks of all of them", "add " + end + " at the end"
	}
	return "", ""
}

func looksLikePlaceholder(token string) bool {
	t := strings.ToLower(token)
	for _, mark := range []string{"changeme", "change_me", "change-me", "<", "your_", "your-", "as_token", "hs_token", "as-token", "hs-token", "secret-token", "generated when", "placeholder", "xxxxxxxx"} {
		if strings.Contains(t, mark) {
			return true
		}
	}
	return false
}
