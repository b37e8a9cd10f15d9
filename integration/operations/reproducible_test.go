package operations

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// copySources copies what the program is built of into a folder.
func copySources(t *testing.T, to string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", "-C", "../..", "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Fatalf("listing the sources: %v", err)
	}
	for _, name := range strings.Split(strings.TrimRight(string(out), "\x00"), "\x00") {
		if strings.HasSuffix(name, "_test.go") || strings.Contains(name, "/testdata/") {
			continue
		}
		raw, err := os.ReadFile(filepath.Join("../..", name))
		if os.IsNotExist(err) {
			continue // removed, and not yet from git
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, raw, 0o755); err != nil { // scripts are run
			t.Fatal(err)
		}
	}
}

// TestReproducible: the same sources give the same program and the same package, in whatever folder they are built and by
// whom.
func TestReproducible(t *testing.T) {
	t.Parallel()
	var first map[string][]byte
	for _, dir := range []string{filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "another", "place")} {
		copySources(t, dir)
		cmd := exec.CommandContext(t.Context(), tool(t, "make"), "-C", dir, "deb", "VERSION=v1.2.3", "ARCH=amd64")
		cmd.Env = append(slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "LANDBRIDGE") || strings.HasPrefix(kv, "MAKE") }),
			"SOURCE_DATE_EPOCH=1700000000", "USER="+filepath.Base(dir))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		made := map[string][]byte{}
		for _, name := range []string{"bin/landbridge", "dist/landbridge_amd64.deb"} {
			raw, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if made[name] = raw; bytes.Contains(raw, []byte(dir)) {
				t.Errorf("%s names the folder in which it was built", name)
			}
			if first != nil && !bytes.Equal(first[name], raw) {
				t.Errorf("%s is another one when it is built elsewhere", name)
			}
		}
		first = made
	}
}
