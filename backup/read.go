package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json/v2"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// ErrDamaged reports a file that is no backup, or not a whole one.
var ErrDamaged = errors.New("the backup is damaged")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

// Bounds of what is kept in memory while reading.
const (
	maxAbout = 1 << 20
	maxSums  = 1 << 30
	maxNames = 20_000_000
)

// entry is one file of an archive.
type entry struct {
	name string
	size int64
	io.Reader
}

// Check reads a backup to its end and makes sure that it is whole.
func Check(ctx context.Context, r io.Reader) (Summary, error) {
	return read(ctx, r, func(About, entry) error { return nil })
}

// read goes through an archive and compares everything with its checksums. visit is called for each
// file but about.json and the checksums; what it leaves unread is read for it.
func read(ctx context.Context, r io.Reader, visit func(About, entry) error) (sum Summary, err error) {
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(256<<20))
	if err != nil {
		return sum, damaged("%v", err)
	}
	defer z.Close()
	t := tar.NewReader(z)
	have := map[string][sha256.Size]byte{}
	for {
		if err := ctx.Err(); err != nil {
			return sum, err
		}
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return sum, damaged("it was cut short: the checksums at its end are missing")
		}
		if err != nil {
			return sum, damaged("%v", err)
		}
		if _, twice := have[h.Name]; twice || h.Typeflag != tar.TypeReg || !goodName(h.Name) || len(have) > maxNames {
			return sum, damaged("%q does not belong into a backup", h.Name)
		}
		if h.Name == sumsName {
			break
		}
		hash := sha256.New()
		body := io.TeeReader(source{t, h.Name}, hash)
		switch {
		case sum.Format == 0:
			if sum.About, err = readAbout(h.Name, body); err != nil {
				return sum, err
			}
		default:
			if err := visit(sum.About, entry{h.Name, h.Size, body}); err != nil {
				return sum, err
			}
		}
		if _, err := io.Copy(io.Discard, body); err != nil {
			return sum, err
		}
		have[h.Name] = [sha256.Size]byte(hash.Sum(nil))
		sum.Files++
		sum.Bytes += h.Size
	}
	if err := compare(t, have); err != nil {
		return sum, err
	}
	for _, d := range append(sum.Databases, databaseName, dataPrefix+"signing.key") {
		if _, ok := have[d]; !ok {
			return sum, damaged("%s is missing", d)
		}
	}
	return sum, nil
}

// source is a file in an archive; what goes wrong in reading it is the archive's fault.
type source struct {
	io.Reader
	name string
}

// Read implements io.Reader.
func (s source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = damaged("%s: %v", s.name, err)
	}
	return n, err
}

// goodName tells whether a name can be that of a file in an archive, so that none leads out of the
// folder that is made.
func goodName(name string) bool {
	switch name {
	case aboutName, configName, databaseName, sumsName:
		return true
	}
	rest, isData := strings.CutPrefix(name, dataPrefix)
	if !isData {
		var isMedia bool
		if rest, isMedia = strings.CutPrefix(name, mediaPrefix); !isMedia {
			return false
		}
	}
	return filepath.IsLocal(rest) && rest == filepath.ToSlash(filepath.Clean(rest)) && rest != "."
}

func readAbout(name string, r io.Reader) (a About, err error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxAbout))
	if err != nil {
		return a, damaged("%v", err)
	}
	if name != aboutName || json.Unmarshal(raw, &a) != nil || a.Format <= 0 {
		return a, damaged("it is no backup of Landbridge")
	}
	if a.Format > format {
		return a, fmt.Errorf("the backup has format %d, and this program knows only up to %d: use the newer program that made it (%s)", a.Format, format, a.Version)
	}
	return a, nil
}

// compare compares what was read with the checksums.
func compare(r io.Reader, have map[string][sha256.Size]byte) error {
	raw, err := io.ReadAll(io.LimitReader(r, maxSums))
	if err != nil {
		return damaged("%v", err)
	}
	seen := 0
	for line := range bytes.Lines(raw) {
		want, name, ok := strings.Cut(strings.TrimSuffix(string(line), "\n"), "  ")
		got, there := have[name]
		switch {
		case !ok:
			return damaged("its checksums are illegible")
		case !there:
			return damaged("%s is missing", name)
		case fmt.Sprintf("%x", got) != want:
			return damaged("%s has changed since it was written", name)
		}
		seen++
	}
	if seen != len(have) {
		return damaged("it has files without a checksum")
	}
	return nil
}
