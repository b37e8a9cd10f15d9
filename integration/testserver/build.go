package testserver

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// binaryEnv names the binary to run.
const binaryEnv = "LANDBRIDGE"

// Main builds the binary, runs the tests and gives the exit code.
func Main(m *testing.M) int {
	if os.Getenv(binaryEnv) == "" {
		dir, err := os.MkdirTemp("", "landbridge-test-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		bin := filepath.Join(dir, "landbridge")
		if err := Build(context.Background(), bin); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		os.Setenv(binaryEnv, bin)
	}
	return m.Run()
}

// Build builds the binary as it is shipped: static, also when the tests themselves are built with
// cgo for the race detector. The working folder must be within the module.
func Build(ctx context.Context, out string, flags ...string) error {
	args := append([]string{"build", "-trimpath", "-o", out}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, "github.com/landbridge-im/landbridge/cmd/landbridge")...)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "CGO_ENABLED=") }),
		"CGO_ENABLED=0", "GOEXPERIMENT=jsonv2", "GOFLAGS=-tags=goolm")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building landbridge: %w\n%s", err, text)
	}
	return nil
}

// Binary is the binary that Main has built, for commands.
func Binary() string { return os.Getenv(binaryEnv) }
