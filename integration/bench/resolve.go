package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
)

// resolve measures state resolution by itself, by the benchmark of its package: a fork of a room of 10,000 members, on
// each side of which half of them came in.
func resolve(ctx context.Context, b *bench) error {
	cmd := exec.CommandContext(ctx, "go", "test", "./homeserver/stateres", "-run", "xxx", "-bench", "BenchmarkFork/version=(11|12)/members=10000$", "-benchtime", "3x")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("the benchmark of state resolution: %w\n%s", err, out)
	}
	found := regexp.MustCompile(`version=(\d+)/members=10000(?:-\d+)?\s+\d+\s+([\d.]+) ns/op`).FindAllSubmatch(out, -1)
	if len(found) != 2 {
		return fmt.Errorf("the benchmark of state resolution says %q", out)
	}
	for _, f := range found {
		ns, err := strconv.ParseFloat(string(f[2]), 64)
		if err != nil {
			return err
		}
		b.report.add(result{Key: "resolve_v" + string(f[1]) + "_ms", What: "resolving a fork of 10,000 members, room version " + string(f[1]), Value: ns / 1e6, Unit: "ms"})
	}
	return nil
}
