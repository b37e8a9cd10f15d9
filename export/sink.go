package export

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Sink is what an export is written to: files with names as in the package's documentation, one at a time. Close completes it.
type Sink interface {
	Create(name string) (io.WriteCloser, error)
	Close() error
}

// sumsName is the file of checksums.
const sumsName = "SHA256SUMS"

// Folder writes into a folder, which it makes; one with something in it is refused.
func Folder(dir string) (Sink, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder: %w", err)
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("looking into the folder: %w", err)
	}
	if len(list) > 0 {
		return nil, fmt.Errorf("%s has something in it already: %w", dir, fs.ErrExist)
	}
	return &folder{dir: dir}, nil
}

type folder struct {
	dir  string
	sums sums
}

var _ Sink = (*folder)(nil)

// Create implements Sink.
func (f *folder) Create(name string) (io.WriteCloser, error) {
	path := filepath.Join(f.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return f.sums.watch(name, out), nil
}

// Close implements Sink.
func (f *folder) Close() error { return f.sums.write(f.Create) }

// Zip writes a zip file to w, which is not closed. Nothing has to be kept of it: it can be sent on as it grows.
func Zip(w io.Writer) Sink { return &zipped{z: zip.NewWriter(w)} }

type zipped struct {
	z    *zip.Writer
	sums sums
	open bool
}

var _ Sink = (*zipped)(nil)

// packed are kinds of files that don't become smaller.
var packed = []string{".jpg", ".png", ".gif", ".webp", ".mp4", ".webm", ".zip", ".gz", ".ogg", ".mp3", ".pdf"}

// Create implements Sink.
func (s *zipped) Create(name string) (io.WriteCloser, error) {
	if s.open {
		return nil, errors.New("a zip file is written one file after the other")
	}
	h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Now()}
	for _, ext := range packed {
		if strings.HasSuffix(name, ext) {
			h.Method = zip.Store
		}
	}
	w, err := s.z.CreateHeader(h)
	if err != nil {
		return nil, err
	}
	s.open = true
	return s.sums.watch(name, closer{w, func() error { s.open = false; return nil }}), nil
}

// Close implements Sink.
func (s *zipped) Close() error {
	if err := s.sums.write(s.Create); err != nil {
		return err
	}
	return s.z.Close()
}

type closer struct {
	io.Writer
	close func() error
}

// Close implements io.Closer.
func (c closer) Close() error { return c.close() }

// sums collects the checksums of files.
type sums struct{ text strings.Builder }

func (s *sums) watch(name string, w io.WriteCloser) io.WriteCloser {
	return &watched{WriteCloser: w, hash: sha256.New(), done: func(sum []byte) {
		s.text.WriteString(hex.EncodeToString(sum) + "  " + name + "\n")
	}}
}

// write writes the checksums as the last file.
func (s *sums) write(create func(string) (io.WriteCloser, error)) error {
	text := s.text.String()
	w, err := create(sumsName)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, text)
	return errors.Join(err, w.Close())
}

type watched struct {
	io.WriteCloser
	hash hash.Hash
	done func([]byte)
}

// Write implements io.Writer.
func (w *watched) Write(p []byte) (int, error) {
	n, err := w.WriteCloser.Write(p)
	w.hash.Write(p[:n])
	return n, err
}

// Close implements io.Closer.
func (w *watched) Close() error {
	w.done(w.hash.Sum(nil))
	return w.WriteCloser.Close()
}
