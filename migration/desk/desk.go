package desk

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/landbridge-im/landbridge/internal/sentence"
	"github.com/landbridge-im/landbridge/migration/model"
	"github.com/landbridge-im/landbridge/migration/plan"
	"github.com/landbridge-im/landbridge/migration/run"
	"github.com/landbridge-im/landbridge/migration/verify"
)

// Opened is an export together with where it goes.
type Opened struct {
	Export  model.Export
	Mapping *plan.Mapping
	Clashes []string
	// Bridge is the configured bridge that can go on; "" if there is none.
	Bridge string
}

// Server is where migrations go to; run.Console is one.
type Server interface {
	run.Target
	verify.Server
}

// Options say what the desk works with.
type Options struct {
	// Dir is where migrations are kept, and Exports the folder in which an administrator puts exports.
	Dir, Exports string
	// MaxUpload bounds the exports that are being or were uploaded, in bytes, all together.
	MaxUpload func() int64
	// Open opens an export. mapping is a file, or "" for the default.
	Open   func(path, mapping string, c Choice) (*Opened, error)
	Server Server
	// HTTP fetches files that are not in the export.
	HTTP *http.Client
	// Recorder tells the bridge that goes on what is brought in; done is called at the end, with the
	// context of Work. It is not called where Opened.Bridge is "".
	Recorder func(ctx context.Context, o *Opened) (r run.Recorder, done func(life context.Context) error, err error)
	Log      *slog.Logger
}

// Desk keeps migrations. It is safe for concurrent use.
type Desk struct {
	o     Options
	tasks chan string
	mu    sync.Mutex
	of    map[string]*entry
}

// entry is a migration; it is guarded by the desk's mu.
type entry struct {
	Migration
	// putting says that a part of the upload is being written.
	putting bool
	// cancel stops the work; not nil in Working.
	cancel context.CancelFunc
	watch  watched
}

// migrationsMax bounds how many migrations are kept.
const migrationsMax = 50

// New makes a desk of what is in its folder.
func New(o Options) (*Desk, error) {
	if o.Dir == "" || o.Open == nil || o.Server == nil || o.Log == nil || o.MaxUpload == nil {
		return nil, errors.New("desk: options are missing")
	}
	d := &Desk{o: o, tasks: make(chan string, migrationsMax), of: map[string]*entry{}}
	found, err := filepath.Glob(filepath.Join(o.Dir, "*", stateFile))
	if err != nil {
		return nil, err
	}
	for _, name := range found {
		e := &entry{}
		if err := readJSON(name, &e.Migration); err != nil {
			o.Log.Error("a migration can't be read", "err", err)
			continue
		}
		if e.ID != filepath.Base(filepath.Dir(name)) {
			continue // a folder that somebody has copied
		}
		if e.Busy() {
			e.State = Stopped
		}
		d.of[e.ID] = e
	}
	return d, nil
}

// List gives all migrations, the newest first.
func (d *Desk) List() (out []Migration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.of {
		out = append(out, e.Migration)
	}
	slices.SortFunc(out, func(a, b Migration) int { return cmp.Compare(b.ID, a.ID) })
	return out
}

// Get gives a migration; ErrUnknown if there is none.
func (d *Desk) Get(id string) (Migration, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, ok := d.of[id]
	if !ok {
		return Migration{}, ErrUnknown
	}
	return e.Migration, nil
}

// Found is an export that lies in the folder for them.
type Found struct {
	Name   string
	Folder bool
	Bytes  int64 // of a file
}

// exportsShown bounds the list of exports.
const exportsShown = 200

// Exports lists what lies in the folder for exports; nothing if there is none.
func (d *Desk) Exports() (out []Found, err error) {
	list, err := os.ReadDir(d.o.Exports)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, sentence.Errorf("looking for exports: %s", err)
	}
	for _, e := range list[:min(len(list), exportsShown)] {
		info, err := e.Info()
		if err != nil || strings.HasPrefix(e.Name(), ".") || !e.IsDir() && !e.Type().IsRegular() {
			continue
		}
		f := Found{Name: e.Name(), Folder: e.IsDir()}
		if !f.Folder {
			f.Bytes = info.Size()
		}
		out = append(out, f)
	}
	return out, nil
}

// Add begins a migration of an export that lies in the folder for them.
func (d *Desk) Add(name string, c Choice) (Migration, error) {
	list, err := d.Exports()
	if err != nil {
		return Migration{}, err
	}
	i := slices.IndexFunc(list, func(f Found) bool { return f.Name == name })
	if i < 0 {
		return Migration{}, sentence.Errorf("there is no export %q in %s", name, d.o.Exports)
	}
	return d.add(Migration{File: name, Choice: c, State: Ready})
}

func (d *Desk) add(m Migration) (Migration, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.of) >= migrationsMax {
		return m, sentence.Errorf("there are %d migrations already; remove one", len(d.of))
	}
	m.ID = newID()
	if err := os.MkdirAll(d.folder(m.ID), 0o700); err != nil {
		return m, sentence.Errorf("making a folder for the migration: %s", err)
	}
	e := &entry{Migration: m}
	if err := d.save(e); err != nil {
		return m, errors.Join(err, os.RemoveAll(d.folder(m.ID)))
	}
	d.of[m.ID] = e
	return m, nil
}

func newID() string { return strings.ToLower(rand.Text()[:10]) }

func (d *Desk) folder(id string) string { return filepath.Join(d.o.Dir, id) }

// save writes what a migration is. mu is held.
func (d *Desk) save(e *entry) error {
	if err := writeJSON(filepath.Join(d.folder(e.ID), stateFile), e.Migration); err != nil {
		return sentence.Errorf("writing down the migration: %s", err)
	}
	return nil
}

// change changes a migration that nobody works on, and writes it down.
func (d *Desk) change(id string, do func(*entry) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, ok := d.of[id]
	switch {
	case !ok:
		return ErrUnknown
	case e.Busy() || e.putting:
		return ErrBusy
	}
	if err := do(e); err != nil {
		return err
	}
	return d.save(e)
}

// Remove forgets a migration, and an export that was uploaded for it. What it has brought in stays.
func (d *Desk) Remove(id string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, ok := d.of[id]
	switch {
	case !ok:
		return ErrUnknown
	case e.Busy() || e.putting:
		return ErrBusy
	}
	delete(d.of, id)
	return os.RemoveAll(d.folder(id))
}

// export is where the export of a migration lies.
func (d *Desk) export(m Migration) string {
	if m.Uploaded {
		return filepath.Join(d.folder(m.ID), exportFile+filepath.Ext(m.File))
	}
	return filepath.Join(d.o.Exports, m.File)
}

// Folder is where exports are looked for.
func (d *Desk) Folder() string { return d.o.Exports }
