package app

import (
	"context"
	"runtime"
)

func runVersion(_ context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge version")
	asJSON := fs.Bool("json", false, "print JSON")
	if _, err := parseFlags(fs, "landbridge version [-json]", args, std); err != nil {
		return err
	}
	return tell(std, *asJSON, map[string]string{"version": std.build.Version, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH},
		"landbridge %s (%s, %s/%s)", std.build.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
