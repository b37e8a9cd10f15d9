package web

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/tools"
	"github.com/landbridge-im/landbridge/web/page"
	"github.com/landbridge-im/landbridge/web/page/pagetest"
)

// browser is headless Chromium, driven by browser.mjs.
type browser struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Scanner
	// pseudo tells that pages are asked for in the language in which what can't be translated stands out, and known
	// is what they show by right: names, and what people have said.
	pseudo bool
	known  []string
}

// how says how a browser is used.
type how struct {
	// Keyboard is for hands that use nothing else.
	Keyboard bool
	// Known are names and other data on the pages; with it, pages are asked for in the language page.Pseudo, unless
	// pictures are wanted.
	Known []string
	// Beyond are other sites to which links lead.
	Beyond []string
}

// step is one thing that the browser does; see browser.mjs.
type step struct {
	Do     string `json:"do"`
	Path   string `json:"path,omitempty"`
	At     string `json:"at,omitempty"`
	Text   string `json:"text,omitempty"`
	Status int    `json:"status,omitempty"`
}

// browserTime bounds all that is done with one browser.
const browserTime = 8 * time.Minute

// newBrowser starts a browser for the pages of a server. LANDBRIDGE_TEST_SCREENSHOTS names a folder for
// pictures of what was looked at.
func newBrowser(t *testing.T, origin string) *browser {
	t.Helper()
	return newBrowserWith(t, origin, how{})
}

func newBrowserWith(t *testing.T, origin string, h how) *browser {
	t.Helper()
	node := tools.NewNode(t, ".")
	program := tools.Chromium(t)
	dir := t.TempDir()
	script, err := os.ReadFile("browser.mjs")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "browser.mjs"), script, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(node.Modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), browserTime)
	shots, language := os.Getenv("LANDBRIDGE_TEST_SCREENSHOTS"), page.Pseudo
	if shots != "" || h.Known == nil {
		language = "en"
	}
	given, err := json.Marshal(map[string]any{"program": program, "origin": origin, "shots": shots, "language": language, "keyboard": h.Keyboard, "beyond": append([]string{}, h.Beyond...)})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, node.Program, filepath.Join(dir, "browser.mjs"), string(given))
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = 5 * time.Second
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the browser: %v", err)
		}
		cancel()
	})
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 8<<20)
	return &browser{t: t, in: in, out: lines, pseudo: language == page.Pseudo, known: h.Known}
}

// do does a step, and fails the test if it can't be done or the browser or the checker of
// accessibility complain.
func (b *browser) do(s step) string {
	b.t.Helper()
	raw, err := json.Marshal(s)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.in.Write(append(raw, '\n')); err != nil {
		b.t.Fatalf("%s: %v", raw, err)
	}
	if !b.out.Scan() {
		b.t.Fatalf("%s: the browser has ended: %v", raw, b.out.Err())
	}
	var answer struct{ Failed, Text string }
	if err := json.Unmarshal(b.out.Bytes(), &answer); err != nil {
		b.t.Fatalf("%s: %v", b.out.Bytes(), err)
	}
	if answer.Failed != "" {
		b.t.Errorf("%s: %s", raw, answer.Failed)
	}
	return answer.Text
}

// look looks at the page in each width and scheme, as a screen reader does, with the keyboard, and for what can't be
// translated.
func (b *browser) look(name string) {
	b.t.Helper()
	b.do(step{Do: "look", Text: name})
	if !b.pseudo || strings.HasPrefix(name, "docs") { // the documentation is in English
		return
	}
	for _, s := range pagetest.Untranslated(b.do(step{Do: "html"}), append(b.known, "Element X", "Element", "Cinny", "FluffyChat", "Nheko", "localhost", "test")...) {
		b.t.Errorf("%s: %q can't be translated", name, s)
	}
}

func (b *browser) goTo(path string)       { b.t.Helper(); b.do(step{Do: "go", Path: path}) }
func (b *browser) fill(at, text string)   { b.t.Helper(); b.do(step{Do: "fill", At: at, Text: text}) }
func (b *browser) click(at string)        { b.t.Helper(); b.do(step{Do: "click", At: at}) }
func (b *browser) see(text string)        { b.t.Helper(); b.do(step{Do: "see", Text: text}) }
func (b *browser) visit(path, see string) { b.t.Helper(); b.goTo(path); b.see(see) }
