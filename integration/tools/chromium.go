package tools

import (
	"os"
	"os/exec"
	"testing"
)

// Chromium is the path of a Chromium. If there is none it is installed as root, on Debian, and
// otherwise the test fails with what to install.
func Chromium(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Geteuid() != 0 {
		t.Fatal("Chromium is missing: install it with `apt-get install chromium`")
	}
	t.Log("installing Chromium")
	cmd := exec.Command("apt-get", "-o", "DPkg::Lock::Timeout=300", "install", "-y", "--no-install-recommends", "chromium")
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("Chromium is missing and `apt-get install chromium` failed (%v):\n%s", err, out)
	}
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal(err)
	}
	return path
}
