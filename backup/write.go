package backup

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/json/v2"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Summary is what a backup turned out to be.
type Summary struct {
	About
	// Files and Bytes are what is in it, before compression.
	Files int64 `json:"files"`
	Bytes int64 `json:"bytes"`
	// Held is how long nothing could be written.
	Held time.Duration `json:"-"`
}

// attempts is how often a moment is looked for in which all databases can be held.
const attempts = 10

// Write copies the source to w. Files and databases are as they were at one moment; see the
// package's documentation.
func Write(ctx context.Context, w io.Writer, s Source) (sum Summary, err error) {
	if err := s.absolute(); err != nil {
		return sum, err
	}
	m, err := s.moment(ctx)
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return sum, err
	}
	a := &archiver{tar: tar.NewWriter(z), at: m.at}
	sum.About = About{Format: format, ServerName: s.ServerName, Version: s.Version, CreatedTS: m.at.UnixMilli(), Media: s.Media != ""}
	for _, d := range m.databases {
		sum.Databases = append(sum.Databases, d.name)
	}
	if err := a.writeAll(ctx, s, m, sum.About); err != nil {
		return sum, errors.Join(err, z.Close())
	}
	sum.Files, sum.Bytes, sum.Held = a.files, a.bytes, m.held
	return sum, z.Close()
}

// moment is what was fixed while everybody held still.
type moment struct {
	at        time.Time
	held      time.Duration
	databases []*snapshot
	plain     []plain
}

func (m *moment) close() error {
	var errs []error
	for _, d := range m.databases {
		errs = append(errs, d.close())
	}
	return errors.Join(errs...)
}

// moment fixes what is copied.
func (s *Source) moment(ctx context.Context) (_ *moment, err error) {
	m := &moment{}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.close())
		}
	}()
	f, err := s.find()
	if err != nil {
		return nil, err
	}
	own, err := openSnapshot(ctx, databaseName, s.Database)
	if err != nil {
		return nil, err
	}
	m.databases = append(m.databases, own)
	for _, file := range f.databases {
		name, err := s.archived(file)
		if err != nil {
			return nil, err
		}
		d, err := openSnapshot(ctx, name, file)
		if err != nil {
			return nil, err
		}
		m.databases = append(m.databases, d)
	}
	hold := s.Hold
	if hold == nil {
		hold = func(_ context.Context, fn func() error) error { return fn() }
	}
	for try := 1; ; try++ {
		err = hold(ctx, func() error { return s.fix(ctx, m, f.plain) })
		if err == nil {
			return m, nil
		}
		if try == attempts || ctx.Err() != nil {
			return nil, fmt.Errorf("finding a moment in which nothing is written: %w", err)
		}
		// Whoever had a lock may have been waiting for what was held.
		select {
		case <-time.After(time.Duration(try) * 100 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// fix is called while the homeserver holds still.
func (s *Source) fix(ctx context.Context, m *moment, files []string) (err error) {
	begin := time.Now()
	bridges := m.databases[1:] // the first is the homeserver's, which is held
	for i, d := range bridges {
		if err := d.hold(ctx); err != nil {
			for _, held := range bridges[:i] {
				err = errors.Join(err, held.release())
			}
			return err
		}
	}
	defer func() {
		for _, d := range bridges {
			err = errors.Join(err, d.release())
		}
		m.held = time.Since(begin)
	}()
	for _, d := range m.databases {
		if err := d.begin(ctx); err != nil {
			return err
		}
	}
	m.at = time.Now()
	m.plain, err = s.read(files)
	return err
}

// archiver writes the archive and remembers what is in it.
type archiver struct {
	tar   *tar.Writer
	at    time.Time
	sums  strings.Builder
	files int64
	bytes int64
}

func (a *archiver) writeAll(ctx context.Context, s Source, m *moment, about About) error {
	raw, err := json.Marshal(about, json.Deterministic(true))
	if err != nil {
		return err
	}
	if err := a.data(aboutName, raw); err != nil {
		return err
	}
	if s.Config != "" {
		raw, err := os.ReadFile(s.Config)
		if err != nil {
			return fmt.Errorf("reading the configuration: %w", err)
		}
		if err := a.data(configName, raw); err != nil {
			return err
		}
	}
	for _, p := range m.plain {
		if err := a.data(p.name, p.data); err != nil {
			return err
		}
	}
	for _, d := range m.databases {
		if err := a.add(d.name, d.bytes(), func(w io.Writer) error { return d.writeTo(ctx, w) }); err != nil {
			return err
		}
		d.end() // so that its write-ahead log can be cut short again
	}
	if s.Media != "" {
		if err := a.media(ctx, s.Media); err != nil {
			return err
		}
	}
	if err := a.data(sumsName, []byte(a.sums.String())); err != nil {
		return err
	}
	return a.tar.Close()
}

// data adds a small file.
func (a *archiver) data(name string, data []byte) error {
	return a.add(name, int64(len(data)), func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// add adds a file of a size that is known.
func (a *archiver) add(name string, size int64, write func(io.Writer) error) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: a.at, Format: tar.FormatPAX}
	if err := a.tar.WriteHeader(h); err != nil {
		return fmt.Errorf("writing the backup: %w", err)
	}
	hash := sha256.New()
	if err := write(io.MultiWriter(a.tar, hash)); err != nil {
		return fmt.Errorf("copying %s: %w", name, err)
	}
	if err := a.tar.Flush(); err != nil { // fails if the file was shorter than it was
		return fmt.Errorf("copying %s: %w", name, err)
	}
	if name != sumsName {
		fmt.Fprintf(&a.sums, "%x  %s\n", hash.Sum(nil), name)
	}
	a.files++
	a.bytes += size
	return nil
}

// media adds the files that people sent, but not thumbnails and uploads under way.
func (a *archiver) media(ctx context.Context, dir string) error {
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		if rel = filepath.ToSlash(rel); e.IsDir() && (rel == "tmp" || rel == "thumbnails") {
			return fs.SkipDir
		}
		if !e.Type().IsRegular() {
			return nil
		}
		return a.mediaFile(p, path.Join(mediaPrefix, rel))
	})
	if err != nil {
		return fmt.Errorf("copying media: %w", err)
	}
	return nil
}

func (a *archiver) mediaFile(p, name string) error {
	f, err := os.Open(p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // deleted since the folder was listed
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return a.add(name, info.Size(), func(w io.Writer) error {
		_, err := io.CopyN(w, f, info.Size())
		return err
	})
}
