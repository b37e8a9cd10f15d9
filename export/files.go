package export

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// address is an mxc URI, anywhere in an event.
var address = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`mxc://([A-Za-z0-9.\-:\[\]]{1,255})/([A-Za-z0-9_\-]{1,255})`)
})

// files are the files that events speak of.
type files struct {
	list  map[string]*File
	taken map[string]bool
}

func newFiles() *files { return &files{map[string]*File{}, map[string]bool{}} }

// find notes the files that an event speaks of.
func (f *files) find(event []byte) {
	for _, m := range address().FindAll(event, -1) {
		f.add(string(m))
	}
}

func (f *files) add(uri string) {
	if f.list[uri] == nil {
		f.list[uri] = &File{URI: uri}
	}
}

// path is where a file is in the export; empty if it is not there.
func (f *files) path(uri string) string {
	if file := f.list[uri]; file != nil {
		return file.Path
	}
	return ""
}

// name gives a file its place. Ids differ in their letters' case, which some systems don't tell apart.
func (f *files) name(file *File) string {
	m := address().FindStringSubmatch(file.URI)
	origin := strings.NewReplacer(":", "_", "[", "_", "]", "_").Replace(strings.ToLower(m[1]))
	base := "media/" + origin + "/" + m[2]
	lower := strings.ToLower(base)
	for n := 2; f.taken[lower]; n++ {
		base = fmt.Sprintf("media/%s/%s-%d", origin, m[2], n)
		lower = strings.ToLower(base)
	}
	f.taken[lower] = true
	return base + extension(file)
}

// media writes the files and their list.
func (w *writer) media(ctx context.Context) error {
	list := make([]*File, 0, len(w.files.list))
	for _, f := range w.files.list {
		list = append(list, f)
	}
	slices.SortFunc(list, func(a, b *File) int { return cmp.Compare(a.URI, b.URI) })
	for _, f := range list {
		if w.o.NoMedia {
			f.Missing = "files were left out"
			continue
		}
		if err := w.file(ctx, f); err != nil {
			return fmt.Errorf("file %s: %w", f.URI, err)
		}
		w.progress(w.about.Rooms)
	}
	return w.json("media.json", list)
}

func (w *writer) file(ctx context.Context, f *File) (err error) {
	known, in, err := w.src.Open(ctx, f.URI)
	if errors.Is(err, ErrNoFile) {
		f.Missing = err.Error()
		w.about.Missing++
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	f.Type, f.Name, f.TS = known.Type, known.Name, known.TS
	path := w.files.name(f)
	if f.Size, err = w.copy(path, io.Reader(in)); err != nil {
		return err
	}
	f.Path = path
	w.about.Files++
	w.about.Bytes += f.Size
	return nil
}
