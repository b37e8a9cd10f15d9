package diag

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"id", "url", "as_token", "hs_token", "sender_localpart", "namespaces", "io.element.msc4190"}
	for name, want := range map[string]string{
		"as-token": "as_token", "AsToken": "as_token", "as_tokne": "as_token", "sender_localpat": "sender_localpart",
		"uri": "url", "URL": "url", "namespace": "namespaces", "IO.element.msc4190": "io.element.msc4190",
		"io.element.msc4191": "", "something": "", "x": "", "": "", "de.id": "", "token": "", strings.Repeat("id", 50): "",
	} {
		if got := Nearest(name, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                    "f: error: the file is empty",
		"# only":                              "f: error: the file is empty",
		"null":                                "f: error: the file is empty",
		"- a":                                 "f:1:1: error: the file holds a list of 1",
		"text":                                `f:1:1: error: the file holds the text "text"`,
		"a: 1\na: 2":                          "f:2:1: error: a: this key stands already in line 1",
		"a: {b: 1, b: 2}":                     "f:1:11: error: a.b: this key stands already in line 1",
		"a: [{b: 1, b: 2}]":                   "f:1:12: error: a[0].b: this key stands already in line 1",
		"a: 1\n\tb: 2":                        "f:2:1: error: not valid YAML: found",
		"a: 1\n---\nb: 1":                     "f:2:1: error: a second YAML document",
		"a: 1\nb:\n  - c: 1\n   d: 2\ne: 3\n": "f:4: error: not valid YAML: did not find expected",
		"a: b: c":                             "f:1: error: not valid YAML: mapping values are not allowed",
		"a: \"\\.\"":                          "f:1: error: not valid YAML: found unknown escape character; use single quotes",
		"a: @x":                               "f:1: error: not valid YAML: found character that cannot start any token; put the value in quotes",
		"a: &x [*x]":                          "levels of nesting",
		"a: [[[[[[]]]]]]":                     "levels of nesting",
		"a: [1,2,3,4,5,6,7]":                  "more than 8 values",
		"a: *none":                            "f: error: not valid YAML: unknown anchor 'none'",
		"? [a]\n: b":                          "a list of 1 is used as a key",
		"x: {<<: {a: 1}}":                     "f:1:5: error: x.<<: merge keys",
		"a\xff: 1":                            "f:1: error: the file is not valid UTF-8",
		strings.Repeat("#", 200):              "f: error: the file has 200 bytes, more than the limit of 100",
	} {
		_, problems := Parse("f", []byte(text), Limits{Bytes: 100, Depth: 4, Nodes: 8})
		if len(problems) == 0 || !strings.Contains(problems.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, problems, want)
		}
	}
	root, problems := Parse("f", []byte("a: &x 1\nb: *x\n"), DefaultLimits())
	if problems != nil || Resolve(root.Content[3]).Value != "1" {
		t.Errorf("got %v", problems)
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	ps := Problems{{File: "a", Line: 2, Message: "two"}, {File: "a", Line: 1, Severity: Warning, Message: "one"}}
	ps.Sort()
	if ps[0].Message != "one" || len(ps.Errors()) != 1 || len(ps.Warnings()) != 1 {
		t.Errorf("got %v", ps)
	}
	if ps[:1].Err() != nil || Problems(nil).Err() != nil {
		t.Error("warnings alone are no error")
	}
	var p Problem
	if err := fmt.Errorf("x: %w", ps.Err()); !errors.As(err, &p) || p.Message != "two" {
		t.Errorf("found %v", p)
	}
}
