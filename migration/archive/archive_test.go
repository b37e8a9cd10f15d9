package archive

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// zipped makes a ZIP file. Names are written as they are.
func zipped(t *testing.T, files [][2]string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "export.zip")
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		e, err := w.CreateHeader(&zip.FileHeader{Name: f[0], Method: zip.Deflate})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(e, f[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		files [][2]string
		want  []string
		notes int
	}{
		{"plain", [][2]string{{"a.json", "1"}, {"b/c.json", "2"}}, []string{"a.json", "b/c.json"}, 0},
		{"a folder around all", [][2]string{{"top/a.json", "1"}, {"top/b/c.json", "2"}}, []string{"a.json", "b/c.json"}, 0},
		{"ways out", [][2]string{{"../evil", "1"}, {"a/../../evil", "1"}, {"/etc/passwd", "1"}, {`C:\evil`, "1"}, {`..\evil`, "1"}, {"a\x00b", "1"}, {"a.json", "1"}}, []string{"a.json"}, 6},
		{"names of Windows", [][2]string{{`a\b.json`, "1"}, {"c.json", "1"}}, []string{"a/b.json", "c.json"}, 0},
		{"twice", [][2]string{{"a.json", "1"}, {"a.json", "2"}}, []string{"a.json"}, 1},
		{"leftovers of a Mac", [][2]string{{"__MACOSX/._a", "1"}, {"a.json", "1"}, {".DS_Store", "1"}}, []string{"a.json"}, 0},
		{"leftovers of a Mac beside", [][2]string{{"._a.json", "1"}, {"a.json", "1"}, {"b/._c.json", "1"}, {"b/c.json", "1"}, {"b/._alone", "1"}}, []string{"a.json", "b/._alone", "b/c.json"}, 0},
		{"not UTF-8", [][2]string{{"gr\xfc\xdfe/a.json", "1"}, {"b", "1"}}, []string{"b", "gr\uFFFDe/a.json"}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			a, err := Open(zipped(t, tc.files))
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			if !slices.Equal(a.Names(), tc.want) || len(a.Notes()) != tc.notes {
				t.Errorf("names %q, notes %q", a.Names(), a.Notes())
			}
		})
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	a, err := Open(zipped(t, [][2]string{{"a", "12345"}, {"b", ""}}))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if raw, err := a.Read("a", 5); err != nil || string(raw) != "12345" {
		t.Errorf("read %q, %v", raw, err)
	}
	if _, err := a.Read("a", 4); !errors.Is(err, ErrTooLarge) {
		t.Errorf("reading too much: %v", err)
	}
	if _, err := a.Read("c", 4); !errors.Is(err, ErrNotThere) {
		t.Errorf("reading what is not there: %v", err)
	}
}

// TestLies reads a file that has more in it than its size says.
func TestLies(t *testing.T) {
	t.Parallel()
	name := zipped(t, [][2]string{{"a", strings.Repeat("x", 5000)}, {"b", "1"}})
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	// The size in the directory at the end, 5000, becomes 10.
	dir := bytes.LastIndex(raw[:bytes.LastIndex(raw, []byte("PK\x01\x02"))], []byte("PK\x01\x02"))
	copy(raw[dir+24:dir+28], []byte{10, 0, 0, 0})
	if err := os.WriteFile(name, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if got, err := a.Read("a", 1<<20); err == nil {
		t.Errorf("%d bytes were read", len(got))
	}
}

func TestBomb(t *testing.T) {
	t.Parallel()
	var zeros bytes.Buffer
	zeros.Write(make([]byte, smallSize+1))
	a, err := Open(zipped(t, [][2]string{{"bomb.json", zeros.String()}, {"a.json", "1"}}))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if a.Has("bomb.json") || len(a.Notes()) != 1 {
		t.Errorf("the bomb is read; notes %q", a.Notes())
	}
}

func TestFolder(t *testing.T) {
	t.Parallel()
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"users.json": "[]", "general/2020-01-01.json": "[]"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link.json")); err != nil {
		t.Fatal(err)
	}
	a, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if !slices.Equal(a.Names(), []string{"general/2020-01-01.json", "users.json"}) || len(a.Notes()) != 1 {
		t.Errorf("names %q, notes %q", a.Names(), a.Notes())
	}
	if got := a.Under("general"); len(got) != 1 {
		t.Errorf("under general: %q", got)
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		raw, want string
		converted bool
	}{
		{"plain ü", "plain ü", false},
		{"\xEF\xBB\xBFü", "ü", false},
		{"\xFF\xFEa\x00\xFC\x00", "aü", true},
		{"\xFE\xFF\x00a\xD8\x3D\xDE\x00", "a😀", true},
		{"gr\xFC\xDFe", "grüße", true},
		{"", "", false},
	} {
		if got, converted := Text([]byte(tc.raw)); string(got) != tc.want || converted != tc.converted {
			t.Errorf("Text(%q) = %q, %v", tc.raw, got, converted)
		}
	}
}

func FuzzOpen(f *testing.F) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	if e, err := w.Create("a/b.json"); err == nil {
		_, _ = e.Write([]byte("[]")) // into memory
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte("PK"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		name := filepath.Join(t.TempDir(), "x.zip")
		if err := os.WriteFile(name, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		a, err := Open(name)
		if err != nil {
			return
		}
		defer a.Close()
		for _, n := range a.Names() {
			if strings.HasPrefix(n, "/") || slices.Contains(strings.Split(n, "/"), "..") {
				t.Errorf("the name %q leads out", n)
			}
			if raw, err := a.Read(n, 1<<20); err == nil && int64(len(raw)) != a.Size(n) {
				t.Errorf("%d bytes instead of %d", len(raw), a.Size(n))
			}
		}
	})
}

// TestSingle opens the export of one channel, which is a file with a folder beside it; what else is there is not its.
func TestSingle(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"general.json": "{}", "general.json_Files/cat.png": "cat", "other.json": "{}", "general.json_Files2/dog.png": "dog"} {
		name = filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string][]string{"general.json": {"general.json", "general.json_Files/cat.png"}, "other.json": {"other.json"}} {
		a, err := Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(a.Names(), want) {
			t.Errorf("%s has %q", name, a.Names())
		}
		if raw, err := a.Read(want[len(want)-1], 10); err != nil || len(raw) == 0 {
			t.Errorf("%q, %v", raw, err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestPacked: what is packed in another way than ZIP is told what to do with.
func TestPacked(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"export.tar.gz", "export.7Z", "export.rar", "export.tgz"} {
		name = filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(name); err == nil || !strings.Contains(err.Error(), "unpack it") {
			t.Errorf("%s: %v", name, err)
		}
	}
	a, err := Open(zipped(t, [][2]string{{"export.zip", "x"}}))
	if err != nil {
		t.Fatal(err)
	}
	if notes := a.Notes(); len(notes) != 1 || !strings.Contains(notes[0], "export.zip") {
		t.Errorf("notes %q", notes)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}
