package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUpToDate compares the committed file with what is linked on this platform.
func TestUpToDate(t *testing.T) {
	t.Parallel()
	list, err := linked(t.Context(), ".", []target{{}})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 20 {
		t.Fatalf("only %d modules are linked, which can't be", len(list))
	}
	f, err := os.Open(filepath.Join("..", "..", "THIRD_PARTY_NOTICES"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	have, err := parse(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		switch version, ok := have[m.Path]; {
		case !ok:
			t.Errorf("%s %s is linked and not in THIRD_PARTY_NOTICES; run make notices", m.Path, m.Version)
		case version != m.Version:
			t.Errorf("%s is linked as %s, and THIRD_PARTY_NOTICES says %s; run make notices", m.Path, m.Version, version)
		}
		if len(m.licences) == 0 {
			t.Errorf("%s %s has no licence that could be found", m.Path, m.Version)
		}
	}
}

func TestWriteParse(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	err := write(&out, []module{
		{Path: "example.org/a", Version: "v1.0.0", licences: map[string]string{"LICENSE": "shared text", "sub/NOTICE": "a notice"}},
		{Path: "example.org/longer/name", Version: "v0.0.1", licences: map[string]string{"LICENSE": "shared text"}},
		{Path: goModule, licences: map[string]string{"LICENSE": "another text"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	text := out.String()
	if n := strings.Count(text, "shared text"); n != 1 {
		t.Errorf("a shared text is there %d times", n)
	}
	for _, want := range []string{"example.org/a: LICENSE\nexample.org/longer/name: LICENSE\n", "example.org/a: sub/NOTICE\n", "a notice", "another text"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	got, err := parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got["example.org/a"] != "v1.0.0" || got["example.org/longer/name"] != "v0.0.1" || got[goModule] != "" {
		t.Errorf("parsed %q", got)
	}
	if _, ok := got[goModule]; !ok {
		t.Error("the Go library is not listed")
	}
	if _, err := parse(strings.NewReader("something else")); err == nil {
		t.Error("a file without a list was accepted")
	}
	if err := write(&out, []module{{Path: "example.org/none"}}); err == nil {
		t.Error("a module without a licence was accepted")
	}
}

func TestStatesTerms(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"LICENSE": true, "license.md": true, "LICENSE-SQLITE": true, "COPYING": true, "NOTICE": true, "PATENTS": true,
		"notice.go": false, "licenses_test.go": false, "README.md": false, "main.go": false,
	} {
		if got := statesTerms(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
