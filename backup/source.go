package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Source is what is copied.
type Source struct {
	// Dir is the data folder.
	Dir string
	// Database is the homeserver's SQLite file. It need not be in Dir.
	Database string
	// Media is the folder of files that people sent; empty leaves them out. It need not be in Dir.
	Media string
	// Config is the configuration file; empty: there is none.
	Config string
	// Skip are files and folders in Dir that are not copied, such as the folder of backups.
	Skip []string
	// ServerName and Version are those of the server and of the program.
	ServerName, Version string
	// Hold calls fn while nothing is written to Database, and passes its error on. fn may be called
	// again. nil: nobody works on the data folder.
	Hold func(ctx context.Context, fn func() error) error
}

// About says what a backup is of.
type About struct {
	Format     int    `json:"format"`
	ServerName string `json:"server_name"`
	// Version is that of the program that made the backup.
	Version string `json:"version"`
	// CreatedTS is the moment that it shows, in milliseconds.
	CreatedTS int64 `json:"created_ts"`
	// Media tells whether files that people sent are in it.
	Media bool `json:"media"`
	// Databases are the names of the databases in it.
	Databases []string `json:"databases"`
}

// format is the version of the archive's layout.
const format = 1

// Names in an archive.
const (
	aboutName    = "about.json"
	configName   = "config.yaml"
	databaseName = "homeserver.db"
	dataPrefix   = "data/"
	mediaPrefix  = "media/"
	sumsName     = "SHA256SUMS"
)

// regenerated are files of a data folder that are made anew when they are missing, or mean nothing
// elsewhere.
var regenerated = []string{"lock", "console.sock", "debug.sock", "search.db"}

// maxPlain bounds the files beside databases and media, all of which are read at one moment.
const maxPlain = 64 << 20

// plain is a small file that is read while everybody holds still.
type plain struct {
	name string
	data []byte
}

// found is what a data folder consists of.
type found struct {
	databases []string // files, in Dir
	plain     []string // files, in Dir
}

// absolute makes all paths comparable.
func (s *Source) absolute() (err error) {
	paths := []*string{&s.Dir, &s.Database, &s.Media}
	s.Skip = slices.Clone(s.Skip)
	for i := range s.Skip {
		paths = append(paths, &s.Skip[i])
	}
	for _, p := range paths {
		if *p == "" {
			continue
		}
		if *p, err = filepath.Abs(*p); err != nil {
			return fmt.Errorf("where %s is: %w", *p, err)
		}
	}
	return nil
}

// find looks through the data folder.
func (s *Source) find() (f found, err error) {
	skip := make([]string, 0, len(s.Skip)+len(regenerated)+2)
	for _, name := range regenerated {
		skip = append(skip, filepath.Join(s.Dir, name))
	}
	// A media folder that is left out is not to come in as plain files.
	skip = append(skip, filepath.Join(s.Dir, "media"), s.Database)
	skip = append(append(skip, s.Skip...), s.Media)
	err = filepath.WalkDir(s.Dir, func(p string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // it has just gone
		case err != nil:
			return err
		case slices.Contains(skip, p) && e.IsDir():
			return fs.SkipDir
		case slices.Contains(skip, p), !e.Type().IsRegular():
			return nil
		case strings.HasSuffix(p, "-wal"), strings.HasSuffix(p, "-shm"), strings.HasSuffix(p, "-journal"):
			return nil // they are part of a database
		case strings.HasSuffix(p, ".db"):
			f.databases = append(f.databases, p)
		default:
			f.plain = append(f.plain, p)
		}
		return nil
	})
	if err != nil {
		return f, fmt.Errorf("looking through the data folder: %w", err)
	}
	return f, nil
}

// archived is the name that a file of the data folder has in the archive.
func (s *Source) archived(file string) (string, error) {
	rel, err := filepath.Rel(s.Dir, file)
	if err != nil {
		return "", err
	}
	return path.Join(dataPrefix, filepath.ToSlash(rel)), nil
}

// read reads small files whole.
func (s *Source) read(files []string) (out []plain, err error) {
	left := int64(maxPlain)
	for _, file := range files {
		info, err := os.Stat(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if left -= info.Size(); left < 0 {
			return nil, fmt.Errorf("%s: files in the data folder that are not Landbridge's own make more than %d MiB; move them elsewhere", file, maxPlain>>20)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		name, err := s.archived(file)
		if err != nil {
			return nil, err
		}
		out = append(out, plain{name, data})
	}
	return out, nil
}
