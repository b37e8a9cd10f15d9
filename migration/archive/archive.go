package archive

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// Bounds of an archive.
const (
	// MaxEntries is how many files it may have.
	MaxEntries = 5_000_000
	// maxRatio is how far a file may be compressed, beyond smallSize: text reaches 30, a bomb 1000.
	maxRatio  = 200
	smallSize = 64 << 20
	maxDepth  = 12
)

// Errors of archives.
var (
	// ErrNotThere says that there is no such file in the archive.
	ErrNotThere = errors.New("it is not in the export")
	// ErrTooLarge says that a file is larger than the reader takes.
	ErrTooLarge = errors.New("it is too large")
)

// Archive is a ZIP file or a folder. It is safe for concurrent use.
type Archive struct {
	names []string
	files map[string]entry
	open  func(entry) (io.ReadCloser, error)
	close func() error
	notes []string
}

type entry struct {
	path string
	zip  *zip.File
	size int64
}

// Open opens a ZIP file, a folder, or one file of an export together with the folder of its media. If all that is in it is in one
// folder, that one is left out of the names.
func Open(name string) (*Archive, error) { return open(name, (*Archive).dropTop) }

// OpenWhole is Open, with the whole names.
func OpenWhole(name string) (*Archive, error) { return open(name, func(*Archive) {}) }

func open(name string, tidy func(*Archive)) (*Archive, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("opening the export: %w", err)
	}
	a := &Archive{files: map[string]entry{}}
	switch {
	case info.IsDir():
		err = a.openFolder(name, ".")
	case slices.Contains(single, strings.ToLower(filepath.Ext(name))):
		base := filepath.Base(name)
		err = a.openFolder(filepath.Dir(name), base, base+mediaSuffix)
	default:
		err = a.openZIP(name)
	}
	if err != nil {
		return nil, err
	}
	a.dropShadows()
	tidy(a)
	for n := range a.files {
		if strings.EqualFold(path.Ext(n), ".zip") && len(a.files) == 1 {
			a.note("%q is another archive, which is not looked into: unpack it", n)
		}
		a.names = append(a.names, n)
	}
	sort.Strings(a.names)
	return a, nil
}

// single are the endings of files that are an export by themselves: of one channel. mediaSuffix is what DiscordChatExporter adds to
// the name of such a file for the folder of its media.
var single = []string{".json", ".log", ".weechatlog", ".txt"}

const mediaSuffix = "_Files"

// packed are the endings of files that are packed in another way than ZIP.
var packed = regexp.MustCompile(`(?i)\.(?:tar|tgz|gz|xz|bz2|zst|7z|rar)$`)

func (a *Archive) openZIP(name string) error {
	r, err := zip.OpenReader(name)
	if errors.Is(err, zip.ErrFormat) && packed.MatchString(name) {
		return fmt.Errorf("%s is no ZIP file: unpack it, and give the folder", name)
	} else if errors.Is(err, zip.ErrFormat) {
		return fmt.Errorf("%s is neither a folder nor a ZIP file that can be read", name)
	} else if err != nil {
		return fmt.Errorf("opening the export: %w", err)
	}
	a.close = r.Close
	a.open = func(e entry) (io.ReadCloser, error) {
		rc, err := e.zip.Open()
		if err != nil {
			return nil, err
		}
		return &bounded{rc, e.size}, nil
	}
	if len(r.File) > MaxEntries {
		return errors.Join(fmt.Errorf("the export has %d files; at most %d are read", len(r.File), MaxEntries), r.Close())
	}
	for _, f := range r.File {
		clean, ok := cleanName(f.Name)
		if !ok {
			a.note("%q leads out of the export, or has an odd name, and is not read", f.Name)
			continue
		}
		mode := f.Mode()
		if mode.IsDir() || strings.HasSuffix(clean, "/") {
			continue
		}
		if !mode.IsRegular() {
			a.note("%q is no ordinary file, and is not read", clean)
			continue
		}
		size := int64(min(f.UncompressedSize64, 1<<62))
		if size > smallSize && size/maxRatio > int64(min(f.CompressedSize64, 1<<62)) {
			a.note("%q claims to be %d bytes out of %d, and is not read: no honest file is that small when compressed", clean, size, f.CompressedSize64)
			continue
		}
		a.add(clean, entry{path: clean, zip: f, size: size})
	}
	return nil
}

// openFolder opens a folder, or of what is in it only some things, which need not be there.
func (a *Archive) openFolder(name string, only ...string) error {
	root, err := os.OpenRoot(name)
	if err != nil {
		return fmt.Errorf("opening the export: %w", err)
	}
	a.close = root.Close
	a.open = func(e entry) (io.ReadCloser, error) { return root.Open(e.path) }
	for _, from := range only {
		if err := a.walk(root, from); err != nil {
			return errors.Join(fmt.Errorf("reading the folder: %w", err), root.Close())
		}
	}
	return nil
}

// walk adds what is in a folder below root, or one file.
func (a *Archive) walk(root *os.Root, from string) error {
	if _, err := root.Stat(from); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fs.WalkDir(root.FS(), from, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			a.note("%q can't be read: %v", p, err)
			return nil
		}
		if d.IsDir() {
			if strings.Count(p, "/") > maxDepth {
				return fs.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil || !info.Mode().IsRegular() {
			a.note("%q is no ordinary file, and is not read", p)
			return nil
		}
		clean, ok := cleanName(p)
		if !ok {
			a.note("%q has an odd name, and is not read", p)
			return nil
		}
		if len(a.files) >= MaxEntries {
			return fmt.Errorf("the export has more than %d files", MaxEntries)
		}
		a.add(clean, entry{path: p, size: info.Size()})
		return nil
	})
}

// cleanName makes a name that is relative and has no way up. ok is false if that can't be.
func cleanName(name string) (string, bool) {
	name = strings.ToValidUTF8(name, "\uFFFD")
	if strings.ContainsRune(name, 0) || len(name) > 1000 {
		return "", false
	}
	name = strings.ReplaceAll(name, `\`, "/") // as some programs for Windows write
	if strings.HasPrefix(name, "/") || len(name) >= 2 && name[1] == ':' {
		return "", false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", false
		}
	}
	if strings.Count(name, "/") > maxDepth {
		return "", false
	}
	dir := strings.HasSuffix(name, "/")
	name = path.Clean(name)
	if dir {
		name += "/"
	}
	return name, name != "." && name != ""
}

func (a *Archive) add(name string, e entry) {
	base := path.Base(name)
	if base == ".DS_Store" || strings.HasPrefix(name, "__MACOSX/") || strings.Contains(name, "/__MACOSX/") {
		return
	}
	if _, dup := a.files[name]; dup {
		a.note("%q is there twice; the first one is read", name)
		return
	}
	a.files[name] = e
}

// maxNotes bounds what is noted of odd files.
const maxNotes = 1000

func (a *Archive) note(format string, args ...any) {
	if len(a.notes) < maxNotes {
		a.notes = append(a.notes, fmt.Sprintf(format, args...))
	}
}

// dropShadows leaves out what a Mac keeps beside files on disks and in archives of others: ._name beside name.
func (a *Archive) dropShadows() {
	for n := range a.files {
		dir, base := path.Split(n)
		if of, ok := strings.CutPrefix(base, "._"); ok && a.Has(dir+of) {
			delete(a.files, n)
		}
	}
}

// dropTop leaves folders out that hold everything.
func (a *Archive) dropTop() {
	for {
		top := ""
		for n := range a.files {
			first, _, ok := strings.Cut(n, "/")
			if !ok || top != "" && first != top {
				return
			}
			top = first
		}
		if top == "" {
			return
		}
		files := make(map[string]entry, len(a.files))
		for n, e := range a.files {
			files[n[len(top)+1:]] = e
		}
		a.files = files
	}
}

// Close closes the archive.
func (a *Archive) Close() error { return a.close() }

// Notes say what is odd about the archive itself.
func (a *Archive) Notes() []string { return a.notes }

// Names lists all files in order. Nobody may write to it.
func (a *Archive) Names() []string { return a.names }

// Has tells whether there is a file.
func (a *Archive) Has(name string) bool { _, ok := a.files[name]; return ok }

// Size is how many bytes a file has, as far as the archive says; 0 if there is none.
func (a *Archive) Size(name string) int64 { return a.files[name].size }

// Under lists the files in a folder and below it, in order. Nobody may write to it.
func (a *Archive) Under(dir string) []string {
	dir += "/"
	from, _ := slices.BinarySearch(a.names, dir)
	to := from
	for to < len(a.names) && strings.HasPrefix(a.names[to], dir) {
		to++
	}
	return a.names[from:to]
}

// Open opens a file.
func (a *Archive) Open(name string) (io.ReadCloser, error) {
	e, ok := a.files[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, ErrNotThere)
	}
	r, err := a.open(e)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", name, err)
	}
	return r, nil
}

// Read reads a file of at most limit bytes.
func (a *Archive) Read(name string, limit int64) ([]byte, error) {
	if size := a.Size(name); size > limit {
		return nil, fmt.Errorf("%s has %d bytes, and at most %d are read: %w", name, size, limit, ErrTooLarge)
	}
	r, err := a.Open(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	raw, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if int64(len(raw)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes: %w", name, limit, ErrTooLarge)
	}
	return raw, nil
}

// bounded gives at most as many bytes as the archive says that there are.
type bounded struct {
	io.ReadCloser
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		// One byte more than was said is a lie; the end of the file is checked by zip.
		var one [1]byte
		n, err := b.ReadCloser.Read(one[:])
		if n > 0 {
			return 0, fmt.Errorf("there is more in it than it says: %w", ErrTooLarge)
		}
		return 0, err
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	return n, err
}

// Text makes text readable: without a byte order mark, and in UTF-8. converted tells that it was in
// another encoding.
func Text(raw []byte) (text []byte, converted bool) {
	switch {
	case len(raw) >= 3 && raw[0] == 0xEF && raw[1] == 0xBB && raw[2] == 0xBF:
		raw = raw[3:]
	case len(raw) >= 2 && raw[0] == 0xFF && raw[1] == 0xFE:
		return utf16(raw[2:], false), true
	case len(raw) >= 2 && raw[0] == 0xFE && raw[1] == 0xFF:
		return utf16(raw[2:], true), true
	}
	if utf8.Valid(raw) {
		return raw, false
	}
	return latin(raw), true
}

// utf16 decodes UTF-16, with the high byte of each pair first if big.
func utf16(raw []byte, big bool) []byte {
	out := make([]byte, 0, len(raw))
	unit := func(i int) rune { return rune(raw[i+1])<<8 | rune(raw[i]) }
	if big {
		unit = func(i int) rune { return rune(raw[i])<<8 | rune(raw[i+1]) }
	}
	for i := 0; i+1 < len(raw); i += 2 {
		u := unit(i)
		if u >= 0xD800 && u < 0xDC00 && i+3 < len(raw) {
			if v := unit(i + 2); v >= 0xDC00 && v < 0xE000 {
				u = (u-0xD800)<<10 + (v - 0xDC00) + 0x10000
				i += 2
			}
		}
		out = utf8.AppendRune(out, u)
	}
	return out
}

// latin reads the bytes that are no UTF-8 as those of ISO 8859-1.
func latin(raw []byte) []byte {
	out := make([]byte, 0, len(raw)+16)
	for len(raw) > 0 {
		r, n := utf8.DecodeRune(raw)
		if r == utf8.RuneError && n == 1 {
			r = rune(raw[0])
		}
		out = utf8.AppendRune(out, r)
		raw = raw[n:]
	}
	return out
}
