package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Target is where a backup is restored to.
type Target struct {
	// Dir is the data folder. It must be empty, or not be there.
	Dir string
	// Database is the homeserver's SQLite file, and Media the folder of files; there must be none
	// yet.
	Database, Media string
	// ServerName, if not empty, is the server that the backup must be of.
	ServerName string
	// Config, if not empty, is where the configuration file goes. There must be none yet.
	Config string
	// Accept, if not nil, looks at the homeserver's database before anything is put into its place.
	Accept func(ctx context.Context, database string) error
}

// Restore makes a data folder of a backup. Everything is unpacked beside its place and checked
// first; only then is it moved there. If it fails, nothing is left behind.
func Restore(ctx context.Context, r io.Reader, t Target) (sum Summary, err error) {
	p, err := t.places()
	if err != nil {
		return sum, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.undo())
		}
	}()
	sum, err = read(ctx, r, func(a About, e entry) error {
		if t.ServerName != "" && a.ServerName != t.ServerName {
			return fmt.Errorf("the backup is of the server %q, and the configuration says %q: a server can't be renamed", a.ServerName, t.ServerName)
		}
		file := p.staged(e.name)
		if file == "" {
			return nil
		}
		return unpack(file, e)
	})
	if err != nil {
		return sum, err
	}
	for _, name := range sum.Databases {
		if err := checkDatabase(ctx, p.staged(name)); err != nil {
			return sum, damaged("%v", err)
		}
	}
	if t.Accept != nil {
		if err := t.Accept(ctx, p.staged(databaseName)); err != nil {
			return sum, err
		}
	}
	return sum, p.settle()
}

// staging is what the names of unpacked files have until they have been checked.
const staging = ".restoring"

// places say where what is unpacked goes.
type places struct {
	dir, database, media, config string
}

func (t Target) places() (p places, err error) {
	for from, to := range map[string]*string{t.Dir: &p.dir, t.Database: &p.database, t.Media: &p.media} {
		if *to, err = filepath.Abs(from); err != nil {
			return p, err
		}
	}
	if t.Config != "" {
		if p.config, err = filepath.Abs(t.Config); err != nil {
			return p, err
		}
	}
	for _, dir := range []string{p.dir, p.media} {
		switch list, err := os.ReadDir(dir); {
		case err == nil && len(list) > 0:
			return p, fmt.Errorf("%s is not empty: move it away first, so that nothing is mixed or lost", dir)
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return p, err
		}
	}
	for _, file := range []string{p.database, p.config} {
		if _, err := os.Lstat(file); file != "" && err == nil {
			return p, fmt.Errorf("%s is there already: move it away first", file)
		}
	}
	return p, p.undo() // what an attempt that was killed has left
}

// staged is where a file of the archive is unpacked; empty if it is not wanted.
func (p places) staged(name string) string {
	switch name {
	case databaseName:
		return p.stage(p.database)
	case configName:
		if p.config == "" {
			return ""
		}
		return p.config + staging
	}
	if rest, ok := strings.CutPrefix(name, dataPrefix); ok {
		return filepath.Join(p.dir+staging, filepath.FromSlash(rest))
	}
	rest, _ := strings.CutPrefix(name, mediaPrefix)
	return filepath.Join(p.stage(p.media), filepath.FromSlash(rest))
}

// stage is where something is unpacked that goes to a path: in the folder that becomes the data
// folder if the path is in that, else beside its place.
func (p places) stage(path string) string {
	if rel, ok := p.inside(path); ok {
		return filepath.Join(p.dir+staging, rel)
	}
	return path + staging
}

func (p places) inside(path string) (string, bool) {
	rel, err := filepath.Rel(p.dir, path)
	return rel, err == nil && filepath.IsLocal(rel)
}

// outside are the paths of what does not come with the data folder.
func (p places) outside() (out []string) {
	for _, path := range []string{p.database, p.media, p.config} {
		if path == "" {
			continue
		}
		if _, in := p.inside(path); !in || path == p.config {
			out = append(out, path)
		}
	}
	return out
}

// settle moves everything to its place; the data folder comes last.
func (p places) settle() error {
	for _, path := range append(p.outside(), p.dir) {
		if _, err := os.Lstat(path + staging); errors.Is(err, fs.ErrNotExist) {
			continue // no media, no configuration
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("making place: %w", err) // the folder is empty
		}
		if err := os.Rename(path+staging, path); err != nil {
			return fmt.Errorf("moving what was restored to its place: %w", err)
		}
		if err := syncDir(filepath.Dir(path)); err != nil {
			return err
		}
	}
	return nil
}

// undo removes what was unpacked.
func (p places) undo() error {
	var errs []error
	for _, path := range append(p.outside(), p.dir) {
		errs = append(errs, os.RemoveAll(path+staging))
	}
	return errors.Join(errs...)
}

// unpack writes a file to the disk.
func unpack(path string, e entry) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("unpacking: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("unpacking: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := io.Copy(f, e); err != nil {
		return fmt.Errorf("unpacking %s: %w", e.name, err)
	}
	return f.Sync()
}

func syncDir(dir string) (err error) {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return f.Sync()
}
