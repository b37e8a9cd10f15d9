package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Kind is why a backup was made. It is part of its file's name, and each kind is kept by itself.
type Kind string

// Kinds of backups.
const (
	Asked     Kind = "asked"     // by a command; never deleted
	Scheduled Kind = "scheduled" // by the clock
	Upgrade   Kind = "upgrade"   // before the program brings its databases up to date
)

// Stored is a backup in the folder of backups.
type Stored struct {
	Path  string
	Kind  Kind
	At    time.Time
	Bytes int64
}

// suffix is that of backups' files, and stamp the form of the time in their names.
const (
	suffix = ".tar.zst"
	stamp  = "20060102T150405Z"
)

// Name is the name of a backup's file.
func Name(k Kind, at time.Time) string {
	return fmt.Sprintf("landbridge-%s-%s%s", at.UTC().Format(stamp), k, suffix)
}

// List lists the backups in a folder, newest first. A folder that is not there has none.
func List(dir string) ([]Stored, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing backups: %w", err)
	}
	var out []Stored
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), "landbridge-")
		rest, isBackup := strings.CutSuffix(rest, suffix)
		when, kind, isNamed := strings.Cut(rest, "-")
		at, err := time.Parse(stamp, when)
		if !ok || !isBackup || !isNamed || err != nil {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // it has just gone
		}
		out = append(out, Stored{filepath.Join(dir, e.Name()), Kind(kind), at, info.Size()})
	}
	slices.SortFunc(out, func(a, b Stored) int { return b.At.Compare(a.At) })
	return out, nil
}

// Save makes a backup in a file. The file is there when it is whole, and not before.
func Save(ctx context.Context, file string, s Source) (sum Summary, err error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return sum, fmt.Errorf("making the folder of backups: %w", err)
	}
	part := file + ".part"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return sum, fmt.Errorf("writing the backup: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(part))
		}
	}()
	sum, err = Write(ctx, f, s)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return sum, err
	}
	if err := os.Rename(part, file); err != nil {
		return sum, fmt.Errorf("writing the backup: %w", err)
	}
	return sum, syncDir(filepath.Dir(file))
}

// Keep says how many backups are kept: the newest ones, and beside them the newest of each of so
// many weeks and months.
type Keep struct {
	Last, Weekly, Monthly int
}

// Prune deletes the backups of a kind that need not be kept, and gives their paths. The newest is
// always kept.
func Prune(dir string, kind Kind, keep Keep) (gone []string, err error) {
	list, err := List(dir)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(s Stored) bool { return s.Kind != kind })
	for _, s := range surplus(list, keep) {
		if err := os.Remove(s.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return gone, fmt.Errorf("deleting an old backup: %w", err)
		}
		gone = append(gone, s.Path)
	}
	return gone, nil
}

// surplus are those, newest first, that need not be kept.
func surplus(list []Stored, keep Keep) (out []Stored) {
	weeks, months := map[string]bool{}, map[string]bool{}
	for i, s := range list {
		year, week := s.At.ISOWeek()
		kept := i < max(keep.Last, 1)
		for _, period := range []struct {
			seen map[string]bool
			name string
			max  int
		}{{weeks, fmt.Sprint(year, " ", week), keep.Weekly}, {months, s.At.Format("2006-01"), keep.Monthly}} {
			if !period.seen[period.name] && len(period.seen) < period.max {
				period.seen[period.name] = true
				kept = true
			}
		}
		if !kept {
			out = append(out, s)
		}
	}
	return out
}
