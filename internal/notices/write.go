package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

const (
	listBegin = "MODULES"
	listEnd   = "LICENCES"
	rule      = "================================================================================"
)

const head = `Third-party notices of Landbridge

Landbridge itself is under the Apache License 2.0 (see LICENSE and NOTICE). The program
"landbridge" is linked statically with the Go modules that are listed here, each under
its own licence, whose text follows the list.

Modules under the Mozilla Public License 2.0 are used unchanged; their source is what the Go
module proxy serves under the path and version given here. Four files of Landbridge,
appservice/crypto/{helper,init,selfsign,store}.go, are derived from
maunium.net/go/mautrix and stay under that licence.

Written by "make notices". Do not edit.
`

// write writes the list of modules and the texts of their licences, a text that several
// modules share once.
func write(w io.Writer, list []module) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "%s\n%s\n\n", head, listBegin)
	width := 0
	for _, m := range list {
		width = max(width, len(m.Path))
	}
	type text struct {
		body  string
		names []string // who uses it
	}
	var texts []*text
	byBody := map[string]*text{}
	for _, m := range list {
		if len(m.licences) == 0 {
			return fmt.Errorf("%s %s has no licence that could be found", m.Path, m.Version)
		}
		fmt.Fprintln(out, strings.TrimRight(fmt.Sprintf("  %-*s  %s", width, m.Path, m.Version), " "))
		for _, name := range slices.Sorted(maps.Keys(m.licences)) {
			body := m.licences[name]
			t := byBody[body]
			if t == nil {
				t = &text{body: body}
				byBody[body] = t
				texts = append(texts, t)
			}
			t.names = append(t.names, fmt.Sprintf("%s: %s", m.Path, name))
		}
	}
	fmt.Fprintf(out, "\n%s\n", listEnd)
	for _, t := range texts {
		fmt.Fprintf(out, "\n%s\n", rule)
		for _, n := range t.names {
			fmt.Fprintln(out, n)
		}
		fmt.Fprintf(out, "%s\n\n%s\n", rule, t.body)
	}
	return out.Flush()
}

// parse reads the list of modules back: versions by path.
func parse(r io.Reader) (map[string]string, error) {
	versions := map[string]string{}
	inside := false
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		switch line := lines.Text(); {
		case line == listBegin:
			inside = true
		case line == listEnd:
			return versions, nil
		case inside && strings.HasPrefix(line, "  "):
			// Two spaces at least stand between path and version, and none in either.
			path, version, _ := strings.Cut(strings.TrimSpace(line), "  ")
			versions[path] = strings.TrimSpace(version)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading the notices: %w", err)
	}
	return nil, fmt.Errorf("reading the notices: no list of modules between %q and %q", listBegin, listEnd)
}
