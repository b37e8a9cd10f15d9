package desk

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/landbridge-im/landbridge/internal/sentence"
)

// PartMax is the most bytes that one call of Put takes.
const PartMax = 16 << 20

// uploadTypes are the names' ends of files that can be an export.
var uploadTypes = []string{".zip", ".json", ".log", ".txt", ".weechatlog"}

// Receive begins a migration of a file that is going to be uploaded in parts.
func (d *Desk) Receive(name string, size int64, c Choice) (Migration, error) {
	name = filepath.Base(filepath.ToSlash(name))
	if !slices.Contains(uploadTypes, strings.ToLower(filepath.Ext(name))) || len(name) > 200 {
		return Migration{}, sentence.Errorf("an export is a file whose name ends with one of %s; pack a folder into a ZIP file", strings.Join(uploadTypes, ", "))
	}
	if size <= 0 {
		return Migration{}, sentence.Errorf("the file is empty")
	}
	all := size
	for _, m := range d.List() {
		if m.Uploaded {
			all += m.Size
		}
	}
	if limit := d.o.MaxUpload(); all > limit {
		return Migration{}, sentence.Errorf("with it, uploaded exports would be %d MiB, and %d MiB are allowed (migration.max_upload). Remove a migration, or put the export into %s",
			all>>20, limit>>20, d.o.Exports)
	}
	return d.add(Migration{File: name, Uploaded: true, Size: size, Choice: c, State: Receiving})
}

// Put adds the next part of an upload, at most PartMax bytes, and tells how many bytes are here then.
// offset must be how many there were before; if it is not, Put tells what it should have been, and
// takes nothing. What came before an error is kept.
func (d *Desk) Put(id string, offset int64, part io.Reader) (have int64, err error) {
	m, err := d.beginPut(id)
	if err != nil {
		return m.Have, err
	}
	have = m.Have
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		e := d.of[id]
		e.putting = false
		if e.Have = have; have == e.Size {
			e.State = Ready
		}
		err = errors.Join(err, d.save(e))
	}()
	if offset != have {
		return have, sentence.Errorf("the next part begins at byte %d", have)
	}
	f, err := os.OpenFile(d.export(m), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return have, sentence.Errorf("keeping a part of the export: %s", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Seek(have, io.SeekStart); err != nil {
		return have, sentence.Errorf("keeping a part of the export: %s", err)
	}
	n, err := io.Copy(f, io.LimitReader(part, min(PartMax, m.Size-have)))
	if err = errors.Join(err, f.Sync()); err != nil {
		err = sentence.Errorf("keeping a part of the export: %s", err)
	}
	have += n
	return have, err
}

func (d *Desk) beginPut(id string) (Migration, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, ok := d.of[id]
	switch {
	case !ok:
		return Migration{}, ErrUnknown
	case e.State != Receiving:
		return e.Migration, sentence.Errorf("the whole export is here already")
	case e.putting:
		return e.Migration, sentence.Errorf("another part is on its way")
	}
	e.putting = true
	return e.Migration, nil
}
