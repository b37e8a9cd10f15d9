package plan

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// Changes shows what is different in another mapping of the same export, as YAML with a sign before each line:
// + comes, - goes, a space stays. It is empty if nothing is different.
func (m *Mapping) Changes(next *Mapping) (string, error) {
	var b strings.Builder
	a, z := *m, *next
	a.People, a.Channels, z.People, z.Channels = nil, nil, nil, nil
	if err := change(&b, "", a, z); err != nil {
		return "", err
	}
	old := map[string]Person{}
	for _, p := range m.People {
		old[p.ID] = p
	}
	var people, channels strings.Builder
	for _, p := range next.People {
		if err := change(&people, "  ", []Person{old[p.ID]}, []Person{p}); err != nil {
			return "", err
		}
	}
	was := map[string]Channel{}
	for _, c := range m.Channels {
		was[c.ID] = c
	}
	for _, c := range next.Channels {
		if err := change(&channels, "  ", []Channel{was[c.ID]}, []Channel{c}); err != nil {
			return "", err
		}
	}
	for _, l := range []struct {
		name string
		text string
	}{{"people", people.String()}, {"channels", channels.String()}} {
		if l.text != "" {
			fmt.Fprintf(&b, "  %s:\n%s", l.name, l.text)
		}
	}
	return b.String(), nil
}

// change writes how one value differs from another, if it does.
func change(b *strings.Builder, indent string, old, next any) error {
	var text [2][]string
	for i, v := range []any{old, next} {
		var s strings.Builder
		enc := yaml.NewEncoder(&s)
		enc.SetIndent(2)
		if err := enc.Encode(v); err != nil {
			return fmt.Errorf("writing a part of the mapping: %w", err)
		}
		if err := enc.Close(); err != nil {
			return fmt.Errorf("writing a part of the mapping: %w", err)
		}
		for l := range strings.Lines(s.String()) {
			if l = strings.TrimRight(l, "\n"); l != "people: []" && l != "channels: []" {
				text[i] = append(text[i], l)
			}
		}
	}
	if strings.Join(text[0], "\n") == strings.Join(text[1], "\n") {
		return nil
	}
	for _, l := range lineChanges(text[0], text[1]) {
		fmt.Fprintf(b, "%c %s%s\n", l.sign, indent, l.text)
	}
	return nil
}

type changedLine struct {
	sign byte
	text string
}

// lineChanges compares two short texts by their longest common subsequence.
func lineChanges(a, b []string) (out []changedLine) {
	long := make([][]int, len(a)+1) // of what is left of both
	for i := range long {
		long[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if long[i][j] = max(long[i+1][j], long[i][j+1]); a[i] == b[j] {
				long[i][j] = 1 + long[i+1][j+1]
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, changedLine{' ', a[i]})
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && long[i+1][j] >= long[i][j+1]:
			out = append(out, changedLine{'-', a[i]})
			i++
		default:
			out = append(out, changedLine{'+', b[j]})
			j++
		}
	}
	return out
}
