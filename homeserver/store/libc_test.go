package store

import (
	"os"
	"os/exec"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"
)

func TestCheckLibc(t *testing.T) {
	t.Parallel()
	build := func(sqlite, libc string) *debug.BuildInfo {
		return &debug.BuildInfo{Deps: []*debug.Module{{Path: "example.org/other", Version: "v9.9.9"},
			{Path: sqliteModule, Version: sqlite}, {Path: libcModule, Version: "v0.0.1", Replace: &debug.Module{Path: libcModule, Version: libc}}}}
	}
	if err := checkLibc(build(sqliteVersion, libcVersion)); err != nil {
		t.Error(err)
	}
	for _, b := range []*debug.BuildInfo{build("v1.99.0", libcVersion), build(sqliteVersion, "v1.99.0")} {
		if err := checkLibc(b); err == nil || !strings.Contains(err.Error(), "v1.99.0") {
			t.Errorf("mismatch: %v", err)
		}
	}
}

// TestPinnedLibc holds the constants against the pinned SQLite's own go.mod and against ours.
func TestPinnedLibc(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Path}} {{.Version}} {{.GoMod}}", sqliteModule, libcModule).Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		want := map[string]string{sqliteModule: sqliteVersion, libcModule: libcVersion}[f[0]]
		if f[1] != want {
			t.Errorf("go.mod has %s %s, the check expects %s", f[0], f[1], want)
		}
		if f[0] != sqliteModule {
			continue
		}
		mod, err := os.ReadFile(f[2])
		if err != nil {
			t.Fatal(err)
		}
		m := regexp.MustCompile(libcModule + ` (\S+)`).FindSubmatch(mod)
		if m == nil || string(m[1]) != libcVersion {
			t.Errorf("%s %s asks for libc %s, the check expects %s", sqliteModule, sqliteVersion, m, libcVersion)
		}
	}
}
