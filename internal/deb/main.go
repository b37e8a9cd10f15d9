// Command deb makes a package for Debian and its like of a binary: the program, its manual pages and
// completions, the systemd unit and an example of a configuration. The same input gives the same
// bytes. "make deb" runs it.
//
// What must not live here: anything that the program itself needs.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	binary := flag.String("binary", "bin/landbridge", "the program")
	version := flag.String("version", "0", "version")
	arch := flag.String("arch", "amd64", "architecture as Debian calls it")
	out := flag.String("o", "", "the package to write")
	flag.Parse()
	if err := run(*binary, *version, *arch, *out); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// file is a file of the package.
type file struct {
	name string // without a leading slash
	mode int64
	data []byte
}

func run(binary, version, arch, out string) error {
	files, err := contents(binary)
	if err != nil {
		return err
	}
	raw, err := build(files, debianVersion(version), arch)
	if err != nil {
		return err
	}
	return os.WriteFile(out, raw, 0o644)
}

// debianVersion makes a version of Debian's form of what git describes.
func debianVersion(s string) string {
	s = strings.NewReplacer("-", ".", "_", ".").Replace(strings.TrimPrefix(s, "v"))
	if s == "" || s[0] < '0' || s[0] > '9' {
		s = "0." + s
	}
	return s
}

// contents gathers what goes into the package. The binary itself makes its manual pages.
func contents(binary string) ([]file, error) {
	var files []file
	for name, from := range map[string]string{"usr/bin/landbridge": binary, "lib/systemd/system/landbridge.service": "configs/systemd/landbridge.service",
		"etc/landbridge/landbridge.yaml": "configs/landbridge.example.yaml", "usr/share/doc/landbridge/copyright": "THIRD_PARTY_NOTICES", "usr/share/doc/landbridge/LICENSE": "LICENSE", "usr/share/doc/landbridge/NOTICE": "NOTICE"} {
		data, err := os.ReadFile(from)
		if err != nil {
			return nil, err
		}
		mode := int64(0o644)
		switch name {
		case "usr/bin/landbridge":
			mode = 0o755
		case "etc/landbridge/landbridge.yaml":
			mode = 0o640
		}
		files = append(files, file{name, mode, data})
	}
	program, err := filepath.Abs(binary)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "landbridge-deb-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if text, err := exec.Command(program, "man", "-o", dir).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("making the manual pages: %w\n%s", err, text)
	}
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		packed, err := compress(data)
		files = append(files, file{"usr/share/man/man1/" + e.Name() + ".gz", 0o644, packed})
		return err
	})
	if err != nil {
		return nil, err
	}
	for shell, name := range map[string]string{"bash": "usr/share/bash-completion/completions/landbridge", "fish": "usr/share/fish/vendor_completions.d/landbridge.fish"} {
		data, err := exec.Command(program, "completion", shell).Output()
		if err != nil {
			return nil, fmt.Errorf("making the completion for %s: %w", shell, err)
		}
		files = append(files, file{name, 0o644, data})
	}
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	return files, nil
}

const postinst = `#!/bin/sh
set -e
if [ "$1" = configure ]; then
	if ! getent passwd landbridge >/dev/null; then
		useradd --system --home-dir /var/lib/landbridge --no-create-home --shell /usr/sbin/nologin landbridge
	fi
	chgrp landbridge /etc/landbridge/landbridge.yaml
	if [ -d /run/systemd/system ]; then
		systemctl daemon-reload
		if [ -n "$2" ]; then systemctl try-restart landbridge.service; fi
		echo "Edit /etc/landbridge/landbridge.yaml (server.name!), then: systemctl enable --now landbridge"
	fi
fi
`

const prerm = `#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then systemctl stop landbridge.service || true; fi
`

// build makes the package: an ar archive of two tar archives.
func build(files []file, version, arch string) ([]byte, error) {
	var size int64
	var sums strings.Builder
	for _, f := range files {
		size += int64(len(f.data))
		fmt.Fprintf(&sums, "%x  %s\n", md5.Sum(f.data), f.name)
	}
	control := fmt.Sprintf(`Package: landbridge
Version: %s
Architecture: %s
Maintainer: Landbridge <landbridge@landbridge.im>
Installed-Size: %d
Depends: passwd
Recommends: ca-certificates
Section: net
Priority: optional
Homepage: https://github.com/landbridge-im/landbridge
Description: Matrix homeserver and host of bridges
 One program: a compact Matrix homeserver with SQLite inside, and bridges to
 IRC, Slack and Discord that run in the same process.
`, version, arch, (size+1023)/1024)
	meta, err := archive([]file{{"control", 0o644, []byte(control)}, {"md5sums", 0o644, []byte(sums.String())}, {"conffiles", 0o644, []byte("/etc/landbridge/landbridge.yaml\n")},
		{"postinst", 0o755, []byte(postinst)}, {"prerm", 0o755, []byte(prerm)}}, false)
	if err != nil {
		return nil, err
	}
	data, err := archive(files, true)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString("!<arch>\n")
	for _, m := range []file{{"debian-binary", 0o644, []byte("2.0\n")}, {"control.tar.gz", 0o644, meta}, {"data.tar.gz", 0o644, data}} {
		fmt.Fprintf(&out, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", m.name, epoch().Unix(), 0, 0, "100"+strconv.FormatInt(m.mode, 8), len(m.data))
		out.Write(m.data)
		if len(m.data)%2 == 1 {
			out.WriteByte('\n')
		}
	}
	return out.Bytes(), nil
}

// epoch is the time that all files have.
func epoch() time.Time {
	if n, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
		return time.Unix(n, 0)
	}
	return time.Unix(0, 0)
}

// archive makes a compressed tar archive; with folders, those that the files are in.
func archive(files []file, folders bool) ([]byte, error) {
	var raw bytes.Buffer
	w := tar.NewWriter(&raw)
	seen := map[string]bool{".": true}
	var dirs func(string) error
	dirs = func(dir string) error {
		if seen[dir] {
			return nil
		}
		seen[dir] = true
		if err := dirs(filepath.Dir(dir)); err != nil {
			return err
		}
		return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "./" + dir + "/", Mode: 0o755, ModTime: epoch(), Uname: "root", Gname: "root"})
	}
	for _, f := range files {
		if folders {
			if err := dirs(filepath.Dir(f.name)); err != nil {
				return nil, err
			}
		}
		err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "./" + f.name, Mode: f.mode, Size: int64(len(f.data)), ModTime: epoch(), Uname: "root", Gname: "root"})
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return compress(raw.Bytes())
}

func compress(data []byte) ([]byte, error) {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	_, err = z.Write(data)
	if err := errors.Join(err, z.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
