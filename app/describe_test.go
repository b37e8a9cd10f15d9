package app

import (
	"os"
	"os/exec"
	"path/filepath"
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
	for line, want := range map[string]string{"landbridge us": "user", "landbridge user cr": "create", "landbridge user create -p": "-password-file", "landbridge user create anna -ad": "-admin", "landbridge backup ": "check create list"} {
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
