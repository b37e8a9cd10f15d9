package registration

import (
	"fmt"
	"slices"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Matcher answers which services are interested in identifiers of one kind. It looks up
// the literal beginnings of all namespaces at once, so that only those expressions are
// looked at which have a chance; of these, most are compared as plain text. Where an
// expression had to be run, the answer is kept for next time, in a bounded cache. It may
// be used concurrently.
type Matcher struct {
	index   trie
	entries []matchEntry
	regs    []*Registration
	cache   *lru.Cache[string, match]
}

type matchEntry struct {
	pattern   *pattern
	reg       int // index into regs
	exclusive bool
}

// match is what is known of an identifier.
type match struct {
	interested []*Registration
	owner      *Registration
}

// maxCachedLength is the longest identifier kept in the cache: as long as a valid one
// can be.
const maxCachedLength = 255

// newMatcher makes a matcher for one kind of namespace of the registrations.
func newMatcher(regs []*Registration, kind string, cacheSize int, compiled patterns) (*Matcher, error) {
	cache, err := lru.New[string, match](cacheSize)
	if err != nil {
		return nil, fmt.Errorf("make the cache for %s: %w", kind, err)
	}
	m := &Matcher{regs: regs, cache: cache}
	for i, r := range regs {
		for _, a := range r.areas() {
			if a.kind != kind {
				continue
			}
			for j, ns := range a.list {
				p, perr := compiled.compile(ns.Regex)
				if perr != nil {
					return nil, fmt.Errorf("registration %q: %s: %w", r.ID, a.key(j), perr)
				}
				for _, prefix := range p.prefixes {
					m.index.add(prefix, len(m.entries))
				}
				m.entries = append(m.entries, matchEntry{p, i, ns.Exclusive})
			}
		}
	}
	return m, nil
}

// Interested are the services with a namespace that id is in, in the order of the Set.
// The slice must not be changed.
func (m *Matcher) Interested(id string) []*Registration { return m.lookup(id).interested }

// Owner is the service with an exclusive namespace that id is in, or nil.
func (m *Matcher) Owner(id string) *Registration { return m.lookup(id).owner }

func (m *Matcher) lookup(id string) match {
	var buf [8]int
	candidates := buf[:0]
	costly := false
	m.index.prefixes(id, func(i int) {
		candidates = append(candidates, i)
		costly = costly || m.entries[i].pattern.plain == nil
	})
	if len(candidates) == 0 {
		return match{}
	}
	costly = costly && len(id) <= maxCachedLength
	if costly {
		if found, ok := m.cache.Get(id); ok {
			return found
		}
	}
	slices.Sort(candidates) // entries are in the order of the registrations
	var found match
	last := -1
	for _, i := range candidates {
		e := &m.entries[i]
		// One match a registration is enough, unless it could make it the owner.
		if e.reg == last && (!e.exclusive || found.owner != nil) || !e.pattern.match(id) {
			continue
		}
		if e.reg != last {
			last = e.reg
			found.interested = append(found.interested, m.regs[e.reg])
		}
		if e.exclusive && found.owner == nil {
			found.owner = m.regs[e.reg]
		}
	}
	found.interested = slices.Clip(found.interested)
	if costly {
		m.cache.Add(id, found)
	}
	return found
}
