package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/landbridge-im/landbridge/config"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// compacted is what became of a file.
type compacted struct {
	Path   string `json:"path"`
	Before int64  `json:"before"`
	After  int64  `json:"after"`
}

// runCompact is "landbridge compact".
func runCompact(ctx context.Context, args []string, std stdio) error {
	flags := newFlags("landbridge compact")
	path := configFlag(flags)
	asJSON := flags.Bool("json", false, "print JSON")
	rest, err := parseFlags(flags, "landbridge compact [-json] [-c FILE]", args, std)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usageError("landbridge compact: unexpected argument %q", rest[0])
	}
	cfg, err := config.Load(configPath(*path), os.Environ())
	if err != nil {
		return err
	}
	database := store.SQLitePath(cfg.DatabaseURI().Reveal())
	if database == "" {
		return &exitError{exitFailure, "the database is PostgreSQL: VACUUM FULL does the same there"}
	}
	unlock, err := lockDir(cfg.DataDir)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(database); err != nil {
		return fmt.Errorf("compacting the database: %w", err)
	}
	files := []string{database}
	if index := filepath.Join(cfg.DataDir, "search.db"); exists(index) {
		files = append(files, index)
	}
	var all []compacted
	for _, f := range files {
		c := compacted{Path: f, Before: sizeOf(f)}
		if err := store.Compact(ctx, f); err != nil {
			return err
		}
		c.After = sizeOf(f)
		if all = append(all, c); !*asJSON {
			fmt.Fprintf(std.Out, "%s: %d bytes, and %d before\n", c.Path, c.After, c.Before)
		}
	}
	if *asJSON {
		return printJSON(std, all)
	}
	return nil
}

// exists tells whether there is such a file.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// sizeOf is how much a database takes, with what was not yet brought into its file; 0 if that can't be found out.
func sizeOf(path string) (n int64) {
	for _, f := range []string{path, path + "-wal"} {
		if info, err := os.Stat(f); err == nil {
			n += info.Size()
		}
	}
	return n
}
