package registration

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestMistakes loads a folder of mistakes beside good files: each mistake has its clear
// message, and the good files are served.
func TestMistakes(t *testing.T) {
	set, err := Load("example.org", []string{"testdata/good", "testdata/mistakes/*.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	got := set.Problems().Error() + "\n"
	golden := filepath.Join("testdata", "mistakes.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("problems differ from %s (go test -update writes it anew); got:\n%s", golden, got)
	}
	var served []string
	for _, r := range set.All() {
		served = append(served, r.ID)
	}
	if want := []string{"irc", "discord", "doubtful"}; !slices.Equal(served, want) {
		t.Errorf("served %q, want %q", served, want)
	}
	// Each mistaken file is named, with a line if it has any.
	files, err := filepath.Glob("testdata/mistakes/*.yaml")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files of mistakes, %v", len(files), err)
	}
	for _, file := range files {
		found := slices.ContainsFunc(set.Problems(), func(p Problem) bool {
			return p.File == file && (p.Severity == 0) == (filepath.Base(file) != "doubtful.yaml")
		})
		if !found {
			t.Errorf("no problem names %s", file)
		}
	}
	for _, secret := range []string{"with a space in it", "987654321", "irc-ast-", "irc-hst-"} {
		if strings.Contains(got, secret) {
			t.Errorf("a token is shown: %s", secret)
		}
	}
}

func TestProblemIsFoundByErrorsAs(t *testing.T) {
	t.Parallel()
	_, err := ParseFile("testdata/mistakes/url-without-scheme.yaml")
	var p Problem
	if !errors.As(err, &p) {
		t.Fatalf("no Problem in %v", err)
	}
	if p.Line != 2 || p.Column != 6 || p.Key != "url" || p.Fix == "" {
		t.Errorf("got %+v", p)
	}
}
