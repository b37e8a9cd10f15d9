package registration

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/landbridge-im/landbridge/config/diag"
)

// admission takes registrations one after another and refuses those that contradict one
// taken before.
type admission struct {
	serverName string
	regs       []*Registration
	ids        map[string]*Registration
	senders    map[string]*Registration
	tokens     map[[sha256.Size]byte]tokenUse
	exclusive  map[string]*exclusives // by kind: users, aliases
	patterns   patterns
	budget     int // of automaton steps, for all pairs
}

type tokenUse struct {
	reg *Registration
	key string
}

// exclusives are the exclusive namespaces of one kind that were taken.
type exclusives struct {
	universe *machine
	index    trie
	list     []claim
}

// claim is one exclusive namespace.
type claim struct {
	reg     *Registration
	key     string
	pattern *pattern
	machine *machine
}

func newAdmission(serverName string) (*admission, error) {
	a := &admission{
		serverName: serverName,
		ids:        map[string]*Registration{},
		senders:    map[string]*Registration{},
		tokens:     map[[sha256.Size]byte]tokenUse{},
		exclusive:  map[string]*exclusives{},
		patterns:   patterns{},
		budget:     overlapStatesAll,
	}
	for _, kind := range []string{"users", "aliases"} {
		u, err := universe(kind, serverName)
		if err != nil {
			return nil, fmt.Errorf("server name %q: %w", serverName, err)
		}
		a.exclusive[kind] = &exclusives{universe: u}
	}
	return a, nil
}

// admit takes a registration if nothing in the problems is an error.
func (a *admission) admit(r *Registration) Problems {
	if r.origin == nil { // else Parse has done it, and named better places
		if err := r.Validate(); err != nil {
			return asProblems(err)
		}
	}
	ps := a.identity(r)
	claims, more := a.claims(r)
	ps = append(ps, more...)
	if ps.Err() != nil {
		return ps
	}
	a.regs = append(a.regs, r)
	a.ids[r.ID] = r
	a.senders[r.SenderID(a.serverName)] = r
	a.tokens[sha256.Sum256([]byte(r.HSToken))] = tokenUse{r, "hs_token"}
	a.tokens[sha256.Sum256([]byte(r.ASToken))] = tokenUse{r, "as_token"}
	for kind, list := range claims {
		e := a.exclusive[kind]
		for _, c := range list {
			for _, prefix := range c.pattern.prefixes {
				e.index.add(prefix, len(e.list))
			}
			e.list = append(e.list, c)
		}
	}
	return ps
}

// identity compares id, tokens and sender.
func (a *admission) identity(r *Registration) Problems {
	var ps Problems
	refuse := func(key, message, fix string) {
		ps = append(ps, r.problem(diag.Error, key, message, fix))
	}
	if other := a.ids[r.ID]; other != nil {
		refuse("id", fmt.Sprintf("%s is also the id in %s", diag.Quote(r.ID), where(other, "id")),
			"give each registration an id of its own, and list each file once")
	}
	for _, t := range []struct{ key, token string }{{"as_token", r.ASToken}, {"hs_token", r.HSToken}} {
		if use, ok := a.tokens[sha256.Sum256([]byte(t.token))]; ok {
			refuse(t.key, fmt.Sprintf("is the same as %s of %q in %s", use.key, use.reg.ID, where(use.reg, use.key)),
				"`landbridge registration generate` makes fresh tokens")
		}
	}
	sender := r.SenderID(a.serverName)
	if a.serverName != "" && len(sender) > maxUserIDLength {
		refuse("sender_localpart", fmt.Sprintf("makes a user id of %d bytes on %s, more than the %d that are allowed", len(sender), a.serverName, maxUserIDLength), "choose a shorter name")
	}
	if other := a.senders[sender]; other != nil {
		refuse("sender_localpart", fmt.Sprintf("%s is also the sender of %q in %s", diag.Quote(r.SenderLocalpart), other.ID, where(other, "sender_localpart")),
			"give each bridge a bot of its own")
	} else {
		a.exclusive["users"].index.prefixes(sender, func(i int) {
			if c := a.exclusive["users"].list[i]; c.pattern.match(sender) {
				refuse("sender_localpart", fmt.Sprintf("%s lies in the exclusive namespace %s of %q in %s", diag.Quote(r.SenderLocalpart), diag.QuoteRaw(c.pattern.source), c.reg.ID, where(c.reg, c.key+".regex")),
					"choose a name outside of it")
			}
		})
	}
	return ps
}

// claims are the exclusive namespaces of a registration, compared with those taken.
func (a *admission) claims(r *Registration) (map[string][]claim, Problems) {
	out := map[string][]claim{}
	var ps Problems
	for _, area := range r.areas() {
		taken := a.exclusive[area.kind]
		if taken == nil {
			continue // nobody makes rooms with an id of their choice
		}
		for i, ns := range area.list {
			if !ns.Exclusive {
				continue
			}
			key := area.key(i)
			p, perr := a.patterns.compile(ns.Regex)
			if perr != nil {
				ps = append(ps, r.problem(diag.Error, key+".regex", perr.message, perr.fix))
				continue
			}
			m, err := newMachine(p.tree, true)
			if err != nil {
				ps = append(ps, r.problem(diag.Error, key+".regex", err.Error(), ""))
				continue
			}
			c := claim{r, key, p, m}
			ps = append(ps, a.compare(taken, c)...)
			if area.kind == "users" {
				ps = append(ps, a.foreignSender(c)...)
			}
			out[area.kind] = append(out[area.kind], c)
		}
	}
	return out, ps
}

// compare reports the taken namespaces that overlap with a new one.
func (a *admission) compare(taken *exclusives, c claim) Problems {
	var near []int
	for _, prefix := range c.pattern.prefixes {
		taken.index.related(prefix, func(i int) { near = append(near, i) })
	}
	slices.Sort(near)
	var ps Problems
	for _, i := range slices.Compact(near) {
		other := taken.list[i]
		whose := fmt.Sprintf("%s of %q in %s", diag.QuoteRaw(other.pattern.source), other.reg.ID, where(other.reg, other.key+".regex"))
		const fix = "let the names begin differently, or make one of the two exclusive: false"
		switch v, example := overlap(c.machine, other.machine, taken.universe, overlapStates, &a.budget); {
		case v == overlaps:
			ps = append(ps, c.reg.problem(diag.Error, c.key+".regex",
				fmt.Sprintf("the exclusive namespace %s overlaps with %s: both cover %s, for example", diag.QuoteRaw(c.pattern.source), whose, diag.Shorten(example, 100)), fix))
		case v == undecided && c.pattern.source == other.pattern.source:
			ps = append(ps, c.reg.problem(diag.Error, c.key+".regex",
				fmt.Sprintf("the exclusive namespace %s is the same as %s", diag.QuoteRaw(c.pattern.source), whose), fix))
		case v == undecided:
			ps = append(ps, c.reg.problem(diag.Warning, c.key+".regex",
				fmt.Sprintf("the exclusive namespace %s may overlap with %s: the expressions are too involved to tell", diag.QuoteRaw(c.pattern.source), whose), "use plain prefixes such as '@irc_.*'"))
		}
		if len(ps) >= 3 {
			break // one bridge too wide meets all others; three examples make the point
		}
	}
	return ps
}

// foreignSender reports the senders of other services in an exclusive namespace.
func (a *admission) foreignSender(c claim) Problems {
	for _, other := range a.regs {
		if sender := other.SenderID(a.serverName); c.pattern.match(sender) {
			return Problems{c.reg.problem(diag.Error, c.key+".regex",
				fmt.Sprintf("the exclusive namespace %s covers %s, the sender of %q in %s", diag.QuoteRaw(c.pattern.source), sender, other.ID, where(other, "sender_localpart")),
				"let the names begin differently")}
		}
	}
	return nil
}

// where is the file and line of a key of a registration.
func where(r *Registration, key string) string {
	p := r.problem(diag.Error, key, "", "")
	switch {
	case r.origin == nil:
		return "the configuration of this server"
	case p.Line > 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return p.File
}
