package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// find looks for the two programs of PostgreSQL that are needed, and installs them where that
// is possible.
func find(ctx context.Context) (initdb, postgres string, err error) {
	if initdb, postgres, ok := look(); ok {
		return initdb, postgres, nil
	}
	apt, err := exec.LookPath("apt-get")
	if err != nil || os.Getuid() != 0 {
		return "", "", errors.New("initdb and postgres were not found in PATH, /usr/local/bin, /usr/local/pgsql/bin or /usr/lib/postgresql/*/bin; install the PostgreSQL server (Debian, Ubuntu: apt-get install postgresql)")
	}
	fmt.Fprintln(os.Stderr, "pgtest: installing PostgreSQL with apt-get ...")
	for _, args := range [][]string{{"update", "-q"}, {"install", "-q", "-y", "--no-install-recommends", "postgresql"}} {
		cmd := exec.CommandContext(ctx, apt, args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", "", fmt.Errorf("apt-get %s: %w\n%s", args[0], err, out)
		}
	}
	if initdb, postgres, ok := look(); ok {
		return initdb, postgres, nil
	}
	return "", "", errors.New("PostgreSQL was installed with apt-get, but initdb and postgres are not in /usr/lib/postgresql/*/bin")
}

func look() (initdb, postgres string, ok bool) {
	// Distributions keep each version in a folder of its own: the newest that has both.
	dirs, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", "", false
	}
	slices.Sort(dirs)
	slices.Reverse(dirs)
	dirs = append(filepath.SplitList(os.Getenv("PATH")), append(dirs, "/usr/local/bin", "/usr/local/pgsql/bin")...)
	for _, dir := range dirs {
		initdb, postgres = filepath.Join(dir, "initdb"), filepath.Join(dir, "postgres")
		if executable(initdb) && executable(postgres) {
			return initdb, postgres, true
		}
	}
	return "", "", false
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
