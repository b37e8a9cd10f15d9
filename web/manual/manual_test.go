package manual

import (
	"errors"
	"io/fs"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/landbridge-im/landbridge/configs"
	"github.com/landbridge-im/landbridge/docs"
)

func at(path string) string { return "/base" + path }

// TestPage: HTML and scripts of a page do nothing, and links lead where they should.
func TestPage(t *testing.T) {
	t.Parallel()
	m := New("/docs", fstest.MapFS{
		"a.md": {Data: []byte("# The *title*\n\n<script>alert(1)</script> and <b>bold</b>\n\n[other](d/b.md#place) [top](#top) [out](https://example.org/?a=b&c)\n" +
			"[bad](javascript:alert(1)) [data](data:text/html,x) [gone](gone.md) [up](../configs/f.txt) [above](../../etc/passwd) ![picture](https://evil.example/x.png)\n\n| a | |\n|---|---|\n| `<i>` | 2 |\n\n```sh run\nls <x>\n```\n")},
		"d/b.md": {Data: []byte("no heading [back](../a.md)")},
	}, fstest.MapFS{"f.txt": {Data: []byte("file")}})
	heading, content, err := m.Page("a", at)
	if err != nil || heading != "The *title*" {
		t.Fatalf("%q %v", heading, err)
	}
	html := string(content)
	for _, want := range []string{`<a href="/base/docs/d/b#place" rel="noreferrer">other</a>`, `href="#top"`, `<a href="https://example.org/?a=b&amp;c" rel="noreferrer">`,
		`<a href="/base/docs/configs/f.txt" rel="noreferrer">up</a>`, "gone", "above", `<div class="scroll" tabindex="0"><table>`, "<code>&lt;i&gt;</code>", "<td></td>", `<pre class="code" tabindex="0">`, "ls &lt;x&gt;"} {
		if !strings.Contains(html, want) {
			t.Errorf("no %q in %s", want, html)
		}
	}
	for _, bad := range []string{"<script", "<b>", "javascript:", "data:", "evil", "passwd", "gone.md", "<img", "<h1", "title"} {
		if strings.Contains(html, bad) {
			t.Errorf("%q is in %s", bad, html)
		}
	}
	if heading, content, err = m.Page("d/b", at); err != nil || heading != "d/b" || !strings.Contains(string(content), `href="/base/docs/a"`) {
		t.Errorf("%q %s %v", heading, content, err)
	}
	for _, name := range []string{"", "x", "../a", "/a", "d", "a.md"} {
		if _, _, err := m.Page(name, at); err == nil {
			t.Errorf("there is a page %q", name)
		}
	}
	if raw, err := m.File("configs/f.txt"); err != nil || string(raw) != "file" {
		t.Errorf("%q %v", raw, err)
	}
	if _, err := m.File("configs/../a.md"); err == nil {
		t.Error("a file above the folder")
	}
}

// TestAll: each page of the documentation can be made, and its links within the documentation lead to what is there.
func TestAll(t *testing.T) {
	t.Parallel()
	m := New("/docs", docs.Pages, configs.Files)
	var all []Link
	for _, pattern := range []string{"*.md", "decisions/*.md", "conformance/*.md"} {
		list, err := m.List(pattern)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, list...)
	}
	if len(all) < 50 {
		t.Errorf("only %d pages", len(all))
	}
	ids := map[string]string{}
	for _, l := range all {
		heading, content, err := m.Page(l.Name, at)
		if err != nil || heading == "" || heading != l.Title || len(content) < 100 {
			t.Errorf("%s: %q, %d bytes, %v", l.Name, heading, len(content), err)
		}
		ids["/base/docs/"+l.Name] = string(content)
	}
	for name, html := range ids {
		for _, to := range regexp.MustCompile(`href="(/base/docs/[^"]*)"`).FindAllStringSubmatch(html, -1) {
			page, anchor, _ := strings.Cut(to[1], "#")
			if file, ok := strings.CutPrefix(page, "/base/docs/configs/"); ok {
				if _, err := fs.Stat(configs.Files, file); errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s links to %s", name, page)
				}
				continue
			}
			if ids[page] == "" || anchor != "" && !strings.Contains(ids[page], `id="`+anchor+`"`) {
				t.Errorf("%s links to %s", name, to[1])
			}
		}
	}
}
