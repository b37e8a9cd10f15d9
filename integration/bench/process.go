package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// rss is the memory that the process holds, in bytes.
func (b *bench) rss() (float64, error) { return b.status("VmRSS:") }

// resetPeak begins to look for the most memory that the process holds, and peak gives it.
func (b *bench) resetPeak() error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", b.PID()), []byte("5"), 0o200)
}

func (b *bench) peak() (float64, error) { return b.status("VmHWM:") }

// status is a size out of the process's status, in bytes.
func (b *bench) status(name string) (float64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.PID()))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(raw)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == name {
			kb, err := strconv.ParseFloat(f[1], 64)
			return kb * 1024, err
		}
	}
	return 0, fmt.Errorf("no %s in the status of process %d", name, b.PID())
}

// cpu is the processor time that the server has used. The kernel counts it in hundredths of a
// second.
func (b *bench) cpu() (time.Duration, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", b.PID()))
	if err != nil {
		return 0, err
	}
	// The name in brackets may hold spaces; utime and stime are the 12th and 13th after it.
	f := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	if len(f) < 13 {
		return 0, fmt.Errorf("odd /proc/%d/stat", b.PID())
	}
	user, err1 := strconv.Atoi(f[11])
	system, err2 := strconv.Atoi(f[12])
	if err1 != nil || err2 != nil {
		return 0, fmt.Errorf("odd /proc/%d/stat", b.PID())
	}
	return time.Duration(user+system) * 10 * time.Millisecond, nil
}

// disk is the size of the database. The server is restarted, so that its write-ahead log has been
// taken over.
func (b *bench) disk(ctx context.Context) (float64, error) {
	if err := b.Restart(ctx); err != nil {
		return 0, err
	}
	sum := 0.0
	files, err := filepath.Glob(b.Database() + "*")
	if err != nil {
		return 0, err
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			return 0, err
		}
		sum += float64(info.Size())
	}
	return sum, nil
}

// profiler records what a process does with perf(1), if a folder is given.
func profiler(dir string) func(context.Context, string, int) func() {
	if dir == "" {
		return func(context.Context, string, int) func() { return func() {} }
	}
	return func(ctx context.Context, name string, pid int) func() {
		cmd := exec.CommandContext(ctx, "perf", "record", "-q", "-F", "499", "-g", "-p", strconv.Itoa(pid), "-o", filepath.Join(dir, name+".perf"))
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			fmt.Fprintln(os.Stderr, "bench: perf:", err)
			return func() {}
		}
		return func() {
			if cmd.Process.Signal(os.Interrupt) == nil {
				_ = cmd.Wait() // it ends by the signal
			}
		}
	}
}
