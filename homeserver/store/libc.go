package store

import (
	"fmt"
	"runtime/debug"
)

// The SQLite that is linked in is C translated to Go, on a C library translated to Go. Its authors
// test one version of the one with one version of the other, and say that others may corrupt data;
// yet the module system is free to choose a newer libc. These are the versions that go together.
const (
	sqliteModule, sqliteVersion = "modernc.org/sqlite", "v1.60.1"
	libcModule, libcVersion     = "modernc.org/libc", "v1.77.1"
)

// checkLibc refuses a build in which they do not go together.
func checkLibc(info *debug.BuildInfo) error {
	for _, d := range info.Deps {
		for d.Replace != nil {
			d = d.Replace
		}
		want := map[string]string{sqliteModule: sqliteVersion, libcModule: libcVersion}[d.Path]
		if want != "" && d.Version != want {
			return fmt.Errorf("this program was built with %s %s, but %s %s was tested with %s %s: other versions may damage data; pin them in go.mod",
				d.Path, d.Version, sqliteModule, sqliteVersion, libcModule, libcVersion)
		}
	}
	return nil
}
