package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, "THIRD_PARTY_NOTICES")
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "notices:", err)
		os.Exit(1)
	}
}

// targets are the platforms that programs are built for. Each links a few modules that the
// others do not.
var targets = []target{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "arm64"}}

// run writes the notices to a file.
func run(ctx context.Context, file string) error {
	list, err := linked(ctx, ".", targets)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := write(&out, list); err != nil {
		return err
	}
	if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
		return fmt.Errorf("writing the notices: %w", err)
	}
	return nil
}
