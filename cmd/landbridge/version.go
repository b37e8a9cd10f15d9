package main

import (
	"context"
	"fmt"
	"runtime"
)

// version is set when a release is built (see the Makefile).
var version = "dev"

func runVersion(_ context.Context, args []string, std stdio) error {
	if _, err := parseFlags(newFlags("landbridge version"), "landbridge version", args, std); err != nil {
		return err
	}
	_, err := fmt.Fprintf(std.Out, "landbridge %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
