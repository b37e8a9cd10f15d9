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
	"testing"
)

// Venv is the Python of a virtual environment with the packages that a requirements file names, each
// with its version. It is kept in the user's cache folder and made if it is not there yet, from wheels of the
// package index; if that fails the test does.
func Venv(t testing.TB, requirements string) (python string) {
	t.Helper()
	python, err := venv(t.Context(), t.Logf, requirements)
	if err != nil {
		t.Fatal(err)
	}
	return python
}

func venv(ctx context.Context, logf func(string, ...any), requirements string) (string, error) {
	raw, err := os.ReadFile(requirements)
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("where Python's packages are to be kept: %w", err)
	}
	dir := filepath.Join(cache, "landbridge-tests", fmt.Sprintf("venv-%x", sha256.Sum256(raw))[:21])
	program := filepath.Join(dir, "bin", "python")
	if _, err := os.Stat(filepath.Join(dir, "whole")); errors.Is(err, fs.ErrNotExist) {
		logf("installing the packages of %s into %s", requirements, dir)
		if err := makeVenv(ctx, requirements, dir); err != nil {
			return "", err
		}
	} else if err != nil {
		return "", err
	}
	if out, err := exec.CommandContext(ctx, program, "--version").CombinedOutput(); err != nil {
		return "", fmt.Errorf("the Python in %s does not run (remove the folder to have it installed anew): %w %s", dir, err, out)
	}
	return program, nil
}

// makeVenv makes a virtual environment. These can't be renamed, so that a file tells whether it is whole.
func makeVenv(ctx context.Context, requirements, dir string) error {
	unlock, err := lockFile(dir + ".lock")
	if err != nil {
		return err
	}
	defer unlock()
	whole := filepath.Join(dir, "whole")
	if _, err := os.Stat(whole); err == nil {
		return nil // another test was faster
	}
	ctx, cancel := context.WithTimeout(ctx, installTime)
	defer cancel()
	if out, err := exec.CommandContext(ctx, python, "-m", "venv", "--clear", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("making a virtual environment (on Debian it needs python3-venv): %w\n%s", err, out)
	}
	// Wheels alone: nothing is compiled.
	cmd := exec.CommandContext(ctx, filepath.Join(dir, "bin", "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
		"--no-input", "--only-binary", ":all:", "-r", requirements)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("the tests need packages from the Python package index, once, and pip could not get them (no network?): %w\n%s", err, out)
	}
	return os.WriteFile(whole, nil, 0o644)
}
