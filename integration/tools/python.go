package tools

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// python is Debian's, which has the packages.
const python = "/usr/bin/python3"

// Nio is a Python that has Debian's matrix-nio. If it is missing it is installed as root, and
// otherwise the test fails with what to install.
func Nio(t testing.TB) string {
	t.Helper()
	if exec.Command(python, "-c", "import nio.crypto, olm").Run() == nil {
		return python
	}
	packages := []string{"python3-matrix-nio", "python3-olm", "python3-peewee", "python3-cachetools", "python3-atomicwrites"}
	if os.Geteuid() != 0 {
		t.Fatalf("matrix-nio is missing: install it with `apt-get install %s`", strings.Join(packages, " "))
	}
	t.Log("installing matrix-nio")
	cmd := exec.Command("apt-get", append([]string{"-o", "DPkg::Lock::Timeout=300", "install", "-y", "--no-install-recommends"}, packages...)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("matrix-nio is missing and `apt-get install %s` failed (%v):\n%s", strings.Join(packages, " "), err, out)
	}
	return python
}
