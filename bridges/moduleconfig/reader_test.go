package moduleconfig

import (
	"errors"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

type settings struct {
	name, trimmed, kind string
	on                  bool
	count               int
	rate                float64
	wait                time.Duration
	list                []string
	inner               string
}

func read(text string) (s settings, err error) {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		return s, err
	}
	err = Top(doc.Content[0], "the test configuration", map[string]Reader{
		"name": Text(&s.name), "trimmed": Trimmed(&s.trimmed), "kind": OneOf(&s.kind, "a", "b"), "on": Bool(&s.on),
		"count": Int(&s.count, 1, 10), "rate": Float(&s.rate, 0, 1), "wait": Duration(&s.wait),
		"list": func(n *yaml.Node, key string) error {
			return Sequence(n, key, func(item *yaml.Node, key string) error {
				var one string
				err := Text(&one)(item, key)
				s.list = append(s.list, one)
				return err
			})
		},
		"part": func(n *yaml.Node, key string) error {
			return Mapping(n, key, map[string]Reader{"inner": Text(&s.inner)})
		},
	})
	return s, err
}

func TestRead(t *testing.T) {
	t.Parallel()
	s, err := read("name: &n x\ntrimmed: ' y '\nkind: b\non: true\ncount: 3\nrate: 0.5\nwait: 2m\nlist: [*n, z]\npart: {inner: i}\n")
	if err != nil {
		t.Fatal(err)
	}
	if s.name != "x" || s.trimmed != "y" || s.kind != "b" || !s.on || s.count != 3 || s.rate != 0.5 || s.wait != 2*time.Minute ||
		strings.Join(s.list, ",") != "x,z" || s.inner != "i" {
		t.Errorf("%+v", s)
	}
	if s, err := read("name:\nlist:\npart:\n"); err != nil || s.name != "" || s.list != nil {
		t.Errorf("nulls: %+v, %v", s, err)
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"- a":                   "line 1: the test configuration: must be a mapping of keys to values",
		"\nstrange: 1":          "line 2: strange: is not a known key; known are count, kind, list, name, on, part, rate, trimmed, wait",
		"name: [a]":             "line 1: name: must be a text",
		"kind: c":               `line 1: kind: is "c", but must be one of a, b`,
		"on: maybe":             `line 1: on: is "maybe", but must be true or false`,
		"count: 11":             `line 1: count: is "11", but must be a whole number from 1 to 10`,
		"count: [1]":            `line 1: count: is "", but must be a whole number from 1 to 10`,
		"rate: .nan":            `line 1: rate: is ".nan", but must be a number from 0 to 1`,
		"wait: -1s":             `line 1: wait: is "-1s", but must be a duration such as 30s or 5m`,
		"list: x":               "line 1: list: must be a list",
		"list: [a, {}]":         "line 1: list[1]: must be a text",
		"part:\n  other: 1":     "line 2: part.other: is not a known key; known are inner",
		"part: x":               "line 1: part: must be a mapping of keys to values",
		"count: 0\nkind: other": "line 1: count: is \"0\", but must be a whole number from 1 to 10\nline 2: kind: is \"other\", but must be one of a, b",
	} {
		_, err := read(text)
		if err == nil || err.Error() != want {
			t.Errorf("%q: %v\nwant %s", text, err, want)
		}
		var mistake *Error
		if !errors.As(err, &mistake) || mistake.Line == 0 {
			t.Errorf("%q: no line in %v", text, err)
		}
	}
}
