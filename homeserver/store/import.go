package store

import (
	"context"
	"errors"
)

// Imported is one item of imported history: what it is called at its source, and the event that
// it is here.
type Imported struct {
	Remote      string
	Room, Event int64
	EventID     string
}

// ImportSource finds the number of a source of history, or allots one.
func (s *Store) ImportSource(ctx context.Context, name string) (nid int64, err error) {
	err = s.row(ctx, "import_source_get", name).Scan(&nid)
	if !errors.Is(err, ErrNotFound) {
		return nid, err
	}
	if err := s.Write(ctx, func(t *Tx) error { return t.exec("import_source_insert", name) }); err != nil {
		return 0, err
	}
	return nid, s.row(ctx, "import_source_get", name).Scan(&nid)
}

// ImportSources lists the names of all sources of history.
func (s *Store) ImportSources(ctx context.Context) ([]string, error) {
	return collect(ctx, s, "import_source_list", func(r scanner) (name string, err error) { return name, r.Scan(&name) })
}

// importBatch is how many items one query is about.
const importBatch = 64

func scanImported(r scanner) (i Imported, err error) {
	return i, r.Scan(&i.Remote, &i.Room, &i.Event, &i.EventID)
}

// Imported finds those of the named items that are here, by name.
func (s *Store) Imported(ctx context.Context, source int64, remotes []string) (map[string]Imported, error) {
	out := make(map[string]Imported, len(remotes))
	for len(remotes) > 0 {
		chunk := remotes[:min(importBatch, len(remotes))]
		remotes = remotes[len(chunk):]
		args := make([]any, 1+importBatch)
		args[0] = source
		for i := range importBatch {
			args[1+i] = "" // no item's name
			if i < len(chunk) {
				args[1+i] = chunk[i]
			}
		}
		err := s.each(ctx, "import_item_get", func(r scanner) error {
			i, err := scanImported(r)
			out[i.Remote] = i
			return err
		}, args...)
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ImportedAfter lists a source's items in the order of their names, from after one of them.
func (s *Store) ImportedAfter(ctx context.Context, source int64, after string, limit int) ([]Imported, error) {
	return collect(ctx, s, "import_item_after", scanImported, source, after, limit)
}

// AddImported records that an item is here, also one that was here before and has been purged.
func (t *Tx) AddImported(source int64, i Imported) error {
	return t.exec("import_item_insert", source, i.Remote, i.Room, i.Event)
}
