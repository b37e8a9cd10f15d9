package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestBuild: Debian's own tool understands the package, and the same input gives the same bytes.
func TestBuild(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "0") // make sets it for the whole build
	files := []file{{"etc/landbridge/landbridge.yaml", 0o640, []byte("{}\n")}, {"usr/bin/landbridge", 0o755, []byte("#!/bin/sh\n")}}
	raw, err := build(files, debianVersion("v1.2-3-gabc"), "amd64")
	if err != nil {
		t.Fatal(err)
	}
	again, err := build(files, debianVersion("v1.2-3-gabc"), "amd64")
	if err != nil || !bytes.Equal(raw, again) {
		t.Error("another package the second time")
	}
	tool, err := exec.LookPath("dpkg-deb")
	if err != nil {
		t.Fatal("dpkg-deb is missing: the tests are for Debian and its like")
	}
	path := filepath.Join(t.TempDir(), "x.deb")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ arg, want string }{{"--info", "Version: 1.2.3.gabc"}, {"--contents", "-rwxr-xr-x root/root        10 1970-01-01 00:00 ./usr/bin/landbridge"}, {"--contents", "-rw-r----- root/root"}} {
		out, err := exec.CommandContext(t.Context(), tool, test.arg, path).CombinedOutput()
		if err != nil || !strings.Contains(string(out), test.want) {
			t.Errorf("%s: %v %s", test.arg, err, out)
		}
	}
	for version, want := range map[string]string{"01d08e8": "01d08e8", "dev": "0.dev", "v1.0": "1.0", "": "0."} {
		if got := debianVersion(version); got != want {
			t.Errorf("%q is %q", version, got)
		}
	}
}
