package tools

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// Script is a program beside a test that says what it does, a line each, and may be told what to do.
type Script struct {
	// In is what the script reads.
	In io.WriteCloser
	// Lines are what it says, of up to a megabyte each.
	Lines *bufio.Scanner

	wait func() error
}

// Start runs a script until it ends, or ctx or the test does.
func Start(ctx context.Context, t testing.TB, program string, args ...string) *Script {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, program, args...)
	complaints := new(strings.Builder)
	cmd.Stderr = complaints
	cmd.WaitDelay = 5 * time.Second
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	s := &Script{In: in, Lines: bufio.NewScanner(out)}
	s.Lines.Buffer(nil, 1<<20)
	s.wait = sync.OnceValue(func() error {
		defer cancel()
		if err := cmd.Wait(); err != nil {
			text := complaints.String()
			return fmt.Errorf("%w\n%s", err, text[max(0, len(text)-4000):])
		}
		return nil
	})
	t.Cleanup(func() {
		cancel()
		s.wait()
	})
	return s
}

// Wait waits until the script has ended, which it does when it has nothing more to read and to do. Its lines must have been read. An
// error has the end of what it complained of.
func (s *Script) Wait() error {
	s.In.Close()
	return s.wait()
}
