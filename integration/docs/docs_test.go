package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/integration/testserver"
)

func TestMain(m *testing.M) { os.Exit(testserver.Main(m)) }

// blocks are the commands of a page, without the indentation that they have in lists.
func blocks(text string) (out []string) {
	var block []string
	inside, indent := false, ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		bare := strings.TrimLeft(line, " ")
		switch {
		case !inside && bare == "```sh run":
			inside, indent, block = true, line[:len(line)-len(bare)], nil
		case inside && bare == "```":
			inside = false
			out = append(out, strings.Join(block, "\n"))
		case inside:
			block = append(block, strings.TrimPrefix(line, indent))
		}
	}
	return out
}

// TestCommands runs them.
func TestCommands(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(os.Getenv("LANDBRIDGE"), filepath.Join(bin, "landbridge")); err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	run := 0
	for _, page := range pages {
		raw, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		list := blocks(string(raw))
		if len(list) == 0 {
			continue
		}
		run++
		t.Run(filepath.Base(page), func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), bash, "-euxo", "pipefail", "-c", strings.Join(list, "\n"))
			cmd.Dir = t.TempDir()
			// The tests' own variables are none of the configuration.
			env := slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "LANDBRIDGE") })
			cmd.Env = append(env, "PATH="+bin+":"+os.Getenv("PATH"))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	if run < 2 {
		t.Errorf("only %d pages have commands", run)
	}
}

// TestLinks: links within the documentation lead somewhere.
func TestLinks(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, "../../README.md", "../../CONTRIBUTING.md") {
		raw, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split(string(raw), "](")[1:] {
			target, _, _ := strings.Cut(part, ")")
			if target, _, _ = strings.Cut(target, "#"); target == "" || strings.Contains(target, ":") || strings.ContainsAny(target, " \n") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), target)); err != nil {
				t.Errorf("%s links to %s: %v", page, target, err)
			}
		}
	}
}
