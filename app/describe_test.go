package app

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestDescribe: every command describes itself, and does nothing else when it is asked to.
func TestDescribe(t *testing.T) {
	t.Parallel()
	d, err := describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(d.all()); n < 30 {
		t.Errorf("only %d commands", n)
	}
	for _, c := range d.all() {
		if c.short == "" || !strings.HasPrefix(c.usage, c.name) {
			t.Errorf("%q: %q, %q", c.name, c.short, c.usage)
		}
		for _, f := range c.flags {
			if f.Usage == "" {
				t.Errorf("%s: -%s is not explained", c.name, f.Name)
			}
			if !strings.Contains(c.usage, "-"+f.Name) && !strings.Contains(c.usage, "[FLAGS]") {
				t.Errorf("%s: -%s is not in %q", c.name, f.Name, c.usage)
			}
		}
	}
}

// withoutJSON are commands whose output is a file of a form of its own, or that do not end by themselves.
var withoutJSON = map[string]bool{"landbridge serve": true, "landbridge bridge run": true, "landbridge completion": true, "landbridge man": true,
	"landbridge config example": true, "landbridge config show": true, "landbridge slack manifest": true, "landbridge bridge registration": true,
	"landbridge registration generate": true, "landbridge migrate registration": true}

// TestJSON: whatever a command tells, it tells programs too.
func TestJSON(t *testing.T) {
	t.Parallel()
	d, err := describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range d.all() {
		has := slices.ContainsFunc(c.flags, func(f *flag.Flag) bool { return f.Name == "json" })
		if len(c.subs) == 0 && !has && !withoutJSON[c.name] {
			t.Errorf("%s has no -json", c.name)
		}
		if has && withoutJSON[c.name] {
			t.Errorf("%s has -json", c.name)
		}
	}
}

// TestCompletion: bash completes with what is printed for it.
func TestCompletion(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Fatal(err)
	}
	code, script, errOut := cli(t, "completion", "bash")
	if code != 0 {
		t.Fatal(errOut)
	}
	file := writeFile(t, filepath.Join(t.TempDir(), "c"), script+`
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _landbridge; echo "${COMPREPLY[@]}"
`)
	for line, want := range map[string]string{"landbridge us": "user", "landbridge user cr": "create", "landbridge user create -p": "-password-file", "landbridge user create anna -ad": "-admin", "landbridge backup ": "check create list", "landbridge bridge dead-letters re": "retry", "landbridge bridge dead-letters retry irc -j": "-json"} {
		words := strings.Split(line, " ")
		out, err := exec.CommandContext(t.Context(), bash, append([]string{file}, words...)...).CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != want {
			t.Errorf("%q: %q %v, want %q", line, out, err, want)
		}
	}
	for _, shell := range []string{"zsh", "fish"} {
		if code, out, errOut := cli(t, "completion", shell); code != 0 || !strings.Contains(out, "password-file") {
			t.Errorf("%s: %d %s %s", shell, code, out, errOut)
		}
	}
	if code, _, errOut := cli(t, "completion", "csh"); code != exitUsage || !strings.Contains(errOut, "bash, zsh or fish") {
		t.Errorf("%d %s", code, errOut)
	}
}

func TestMan(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "man1")
	if code, _, errOut := cli(t, "man", "-o", dir); code != 0 {
		t.Fatal(errOut)
	}
	page, err := os.ReadFile(filepath.Join(dir, "landbridge-user.1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{".TH LANDBRIDGE\\-USER 1", ".SH LANDBRIDGE USER CREATE", `.BR \-password\-file " file"`, "landbridge\\-serve (1)"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("no %q in %s", want, page)
		}
	}
	if code, out, _ := cli(t, "man"); code != 0 || !strings.Contains(out, "LANDBRIDGE BACKUP CREATE") {
		t.Errorf("%d %s", code, out)
	}
}
