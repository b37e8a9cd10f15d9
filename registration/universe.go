package registration

import (
	"regexp"
	"regexp/syntax"
)

// universe is the automaton of the identifiers that can exist on this server: of one kind
// ("users", "aliases", "rooms"), made by this server. An empty server name stands for any
// server. What localparts may hold is taken widely, as the specification says for ids of
// old: "any legal non-surrogate Unicode code points except : and NUL".
func universe(kind, serverName string) (*machine, error) {
	const localpart = `[^:\x00\n]*`
	host := `[^\x00\n]+`
	if serverName != "" {
		host = regexp.QuoteMeta(serverName)
	}
	expr := `![^\x00\n]+\z` // room ids of version 12 have no server part
	switch kind {
	case "users":
		expr = `@` + localpart + `:` + host + `\z`
	case "aliases":
		expr = `#` + localpart + `:` + host + `\z`
	}
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil, err
	}
	return newMachine(tree.Simplify(), false)
}

// anything is the automaton that every text matches.
func anything() (*machine, error) {
	return newMachine(&syntax.Regexp{Op: syntax.OpEmptyMatch}, true)
}
