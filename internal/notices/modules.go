package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// program is the package whose dependencies are listed.
const program = "github.com/landbridge-im/landbridge/cmd/landbridge"

// goModule is the name under which the Go standard library is listed. Its version is that of
// the toolchain, and left out so that the file does not change with it.
const goModule = "Go standard library and runtime"

// target is a platform; the zero target is the one at hand.
type target struct{ os, arch string }

// module is a Go module that is linked into the program.
type module struct {
	Path, Version string
	// licences are the files with its terms, found beside the packages that are linked and
	// in the folders above them.
	licences map[string]string // by name, relative to the module
}

// listed is what "go list" tells of a package.
type listed struct {
	Dir      string
	Standard bool
	Module   *struct {
		Path, Version, Dir string
		Main               bool
		Replace            *struct{ Path, Version, Dir string }
	}
}

// linked lists the modules that the program is made of on any of the targets, by path; dir is
// a folder of the program's own module.
func linked(ctx context.Context, dir string, on []target) ([]module, error) {
	byPath := map[string]*module{}
	for _, t := range on {
		packages, err := list(ctx, dir, t)
		if err != nil {
			return nil, err
		}
		for _, p := range packages {
			if err := add(byPath, p); err != nil {
				return nil, err
			}
		}
	}
	var out []module
	for _, m := range byPath {
		out = append(out, *m)
	}
	slices.SortFunc(out, func(a, b module) int { return cmp.Compare(strings.ToLower(a.Path), strings.ToLower(b.Path)) })
	return out, nil
}

// list asks the go command for the packages of the program.
func list(ctx context.Context, dir string, t target) ([]listed, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-deps", "-json=Dir,Standard,Module", program)
	cmd.Dir = dir
	// What is linked depends on how the program is built: see the Makefile.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOEXPERIMENT=jsonv2", "GOFLAGS=-tags=goolm")
	if t != (target{}) {
		cmd.Env = append(cmd.Env, "GOOS="+t.os, "GOARCH="+t.arch)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list for %s/%s: %w: %s", t.os, t.arch, err, strings.TrimSpace(stderr.String()))
	}
	var packages []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading what go list says: %w", err)
		}
		packages = append(packages, p)
	}
}

// add takes a package's module and licences in.
func add(byPath map[string]*module, p listed) error {
	path, version, root := goModule, "", ""
	switch m := p.Module; {
	case p.Standard:
		// GOROOT/src/fmt: the licence lies above src.
		before, _, ok := strings.Cut(filepath.ToSlash(p.Dir), "/src/")
		if !ok {
			return nil
		}
		root = filepath.FromSlash(before)
		p.Dir = root
	case m == nil || m.Main:
		return nil
	case m.Replace != nil:
		path, version, root = m.Replace.Path, m.Replace.Version, m.Replace.Dir
	default:
		path, version, root = m.Path, m.Version, m.Dir
	}
	m := byPath[path]
	if m == nil {
		m = &module{Path: path, Version: version, licences: map[string]string{}}
		byPath[path] = m
	}
	for dir := p.Dir; ; dir = filepath.Dir(dir) {
		if err := m.addLicences(root, dir); err != nil {
			return err
		}
		if dir == root || !strings.HasPrefix(dir, root) {
			return nil
		}
	}
}

// addLicences takes in the files of one folder that state terms.
func (m *module) addLicences(root, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("looking for licences of %s: %w", m.Path, err)
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || !statesTerms(e.Name()) {
			continue
		}
		name, err := filepath.Rel(root, filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		if name = filepath.ToSlash(name); m.licences[name] != "" {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return fmt.Errorf("reading a licence of %s: %w", m.Path, err)
		}
		m.licences[name] = strings.TrimRight(strings.ReplaceAll(string(raw), "\r\n", "\n"), " \t\n")
	}
	return nil
}

// statesTerms tells by its name whether a file holds a licence or a notice.
func statesTerms(name string) bool {
	upper := strings.ToUpper(name)
	if strings.HasSuffix(upper, ".GO") {
		return false
	}
	for _, start := range []string{"LICENSE", "LICENCE", "COPYING", "NOTICE", "PATENTS", "UNLICENSE"} {
		if strings.HasPrefix(upper, start) {
			return true
		}
	}
	return false
}
