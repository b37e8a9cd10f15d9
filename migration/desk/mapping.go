package desk

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/landbridge-im/landbridge/internal/sentence"
	"github.com/landbridge-im/landbridge/migration/plan"
)

// ErrNoPlan says that a migration was not planned yet.
var ErrNoPlan = sentence.Errorf("the export was not looked at yet")

// Mapping gives the mapping of a migration, and the text of its file. ErrNoPlan if there is none yet.
func (d *Desk) Mapping(id string) (m *plan.Mapping, text []byte, err error) {
	if _, err := d.Get(id); err != nil {
		return nil, nil, err
	}
	text, err = os.ReadFile(d.mappingFile(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, ErrNoPlan
	}
	if err != nil {
		return nil, nil, sentence.Errorf("reading the mapping: %s", err)
	}
	m, err = plan.Parse(mappingFile, text)
	return m, text, err
}

func (d *Desk) mappingFile(id string) string { return filepath.Join(d.folder(id), mappingFile) }

// SetMapping checks a mapping and puts it into the place of the one that there is.
func (d *Desk) SetMapping(id string, text []byte) error {
	next, err := plan.Parse(mappingFile, text)
	if err != nil {
		return err
	}
	return d.change(id, func(e *entry) error {
		raw, err := os.ReadFile(d.mappingFile(id))
		if err != nil {
			return sentence.Errorf("reading the mapping: %s", err)
		}
		old, err := plan.Parse(mappingFile, raw)
		if err != nil {
			return err
		}
		if old.Source != next.Source {
			return sentence.Errorf("the mapping is of %s, and the export of %s", next.Source, old.Source)
		}
		if bytes.Equal(raw, text) {
			return nil
		}
		return write(d.mappingFile(id), text)
	})
}

// Report gives what the plan has found; without the mapping. ErrNoPlan if there is none yet.
func (d *Desk) Report(id string) (*plan.Report, error) {
	if _, err := d.Get(id); err != nil {
		return nil, err
	}
	r := &plan.Report{}
	err := readJSON(filepath.Join(d.folder(id), reportFile), r)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoPlan
	}
	return r, err
}
