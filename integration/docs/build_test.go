package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func sources(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("../..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestSettings: what CONTRIBUTING.md has one set in a shell is what the Makefile sets.
func TestSettings(t *testing.T) {
	t.Parallel()
	said := regexp.MustCompile(`(?m)^export (.*)$`).FindStringSubmatch(sources(t, "CONTRIBUTING.md"))
	if said == nil {
		t.Fatal("nothing is set")
	}
	for _, kv := range strings.Fields(said[1]) {
		key, value, _ := strings.Cut(kv, "=")
		if !regexp.MustCompile(`(?m)^export ` + key + ` [?:]?= ` + regexp.QuoteMeta(value) + `(?: -trimpath)?$`).MatchString(sources(t, "Makefile")) {
			t.Errorf("the Makefile does not set %s", kv)
		}
	}
}

// TestModuleBuild: a program with a module of one's own is built as the page says: the main function and the command as they
// stand there, in a Go module elsewhere.
func TestModuleBuild(t *testing.T) {
	t.Parallel()
	page := sources(t, "docs/write-a-module.md")
	main := regexp.MustCompile("(?s)```go\n(package main\n.*?)```").FindStringSubmatch(page)
	build := regexp.MustCompile("(?s)```sh\n(.*?)```").FindStringSubmatch(page)
	if main == nil || build == nil {
		t.Fatal("the page has no main function, or no command")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// The same versions as the project's, so that nothing has to be fetched.
	mod := strings.Replace(sources(t, "go.mod"), "module github.com/landbridge-im/landbridge", "module example.org/mybridge", 1)
	mod = regexp.MustCompile(`(?ms)^tool \(.*?^\)$|^tool .*?$`).ReplaceAllString(mod, "")
	write("go.mod", mod+"\nrequire github.com/landbridge-im/landbridge v0.0.0\nreplace github.com/landbridge-im/landbridge => "+root+"\n")
	write("go.sum", sources(t, "go.sum"))
	// The module is the example, as the page has one copy it.
	files, err := filepath.Glob(filepath.Join(root, "examples/linechat/*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text := sources(t, filepath.Join("examples/linechat", filepath.Base(name)))
		write(filepath.Base(name), regexp.MustCompile(`(?m)^package linechat$`).ReplaceAllString(text, "package mybridge"))
	}
	write("cmd/mine/main.go", main[1])
	cmd := exec.CommandContext(t.Context(), tool(t, "bash"), "-euc", build[1])
	cmd.Dir = filepath.Join(dir, "cmd/mine")
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, "GOFLAGS=") || strings.HasPrefix(kv, "CGO_ENABLED=") || strings.HasPrefix(kv, "GOEXPERIMENT=")
	}), "GOFLAGS=-mod=mod -trimpath")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(dir, "cmd/mine/mine"), "version").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "1.0") {
		t.Errorf("%v %s", err, out)
	}
}
