package media

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

// Blobs keeps files by a key, which is the hex form of the SHA-256 of their bytes. It is safe for
// concurrent use; for one key, the Repo makes one change at a time.
type Blobs interface {
	// Put takes the bytes of a file over, durably; the file is whole, and on the disk. The caller
	// closes it, and removes its name if that is still there. A key that has bytes already
	// gets the new ones, which are the same.
	Put(ctx context.Context, key string, file *os.File, size int64) error
	// Open reads a file. An error that is fs.ErrNotExist means that the key has none.
	Open(ctx context.Context, key string) (io.ReadSeekCloser, error)
	// Delete removes a file. A key without one is no error.
	Delete(ctx context.Context, key string) error
	// List calls fn for the keys, in order, until it fails.
	List(ctx context.Context, fn func(key string, size int64) error) error
}

// disk keeps blobs in a folder.
type disk struct{ dir string }

var _ Blobs = disk{}

// keyLength is that of a hex SHA-256.
const keyLength = 64

// path spreads the files over folders, so that none grows huge.
func (d disk) path(key string) string { return filepath.Join(d.dir, spread(key)) }

func spread(key string) string { return filepath.Join(key[:2], key[2:4], key) }

// Put implements Blobs. The file moves to its place.
func (d disk) Put(_ context.Context, key string, file *os.File, _ int64) error {
	return settle(file, d.path(key))
}

// Open implements Blobs.
func (d disk) Open(_ context.Context, key string) (io.ReadSeekCloser, error) {
	f, err := os.Open(d.path(key))
	if err != nil {
		return nil, err // not f: a nil *os.File is no nil interface
	}
	return f, nil
}

// Delete implements Blobs.
func (d disk) Delete(_ context.Context, key string) error {
	if err := os.Remove(d.path(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing a media file: %w", err)
	}
	return nil
}

// List implements Blobs.
func (d disk) List(ctx context.Context, fn func(key string, size int64) error) error {
	err := filepath.WalkDir(d.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		rel, err := filepath.Rel(d.dir, path)
		if err != nil {
			return err
		}
		if e.IsDir() {
			if rel == tempName || rel == thumbnailDir {
				return filepath.SkipDir
			}
			return nil
		}
		if name := e.Name(); isKey(name) && rel == spread(name) {
			info, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			return fn(name, info.Size())
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("listing the media folder: %w", err)
	}
	return nil
}

func isKey(name string) bool {
	return len(name) == keyLength && strings.Trim(name, "0123456789abcdef") == ""
}

// settle moves a whole temporary file to its place, durably.
func settle(temp *os.File, path string) error {
	if err := temp.Sync(); err != nil {
		return fmt.Errorf("flushing a media file: %w", err)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making a media folder: %w", err)
	}
	// A file that is there already has the same content: its name says so. To replace it is as
	// good as to keep it, and mends one that a disk error has cut short.
	if err := os.Rename(temp.Name(), path); err != nil {
		return fmt.Errorf("storing a media file: %w", err)
	}
	// The names of file and folders have to reach the disk, too.
	for range 3 {
		if err := syncDir(dir); err != nil {
			return fmt.Errorf("flushing a media folder: %w", err)
		}
		dir = filepath.Dir(dir)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
