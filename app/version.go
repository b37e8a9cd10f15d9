package app

import (
	"context"
	"fmt"
	"runtime"
)

func runVersion(_ context.Context, args []string, std stdio) error {
	if _, err := parseFlags(newFlags("landbridge version"), "landbridge version", args, std); err != nil {
		return err
	}
	_, err := fmt.Fprintf(std.Out, "landbridge %s (%s, %s/%s)\n", std.build.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
