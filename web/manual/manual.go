package manual

import (
	"bytes"
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// Link is a page of the documentation in a list; Name is its path without ".md".
type Link struct{ Name, Title string }

// Manual is the documentation. It is safe for concurrent use.
type Manual struct {
	root  string // path of its pages in the web
	pages fs.FS
	files fs.FS
	md    goldmark.Markdown
}

// Configs is what the names of files begin with that are shown as they are.
const Configs = "configs/"

// New makes a Manual of pages in Markdown, and of the files that they speak of, which are found below Configs. root is
// the path of the pages in the web.
func New(root string, pages, files fs.FS) *Manual {
	return &Manual{root: root, pages: pages, files: files, md: goldmark.New(
		goldmark.WithExtensions(extension.Table, extension.Strikethrough, extension.Linkify),
		goldmark.WithParserOptions(parser.WithAutoHeadingID()),
		// HTML in the text is not shown, and addresses of scripts are no links: that is goldmark's way without WithUnsafe.
		goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(imageless{}, 100))),
	)}
}

// title is a page's first heading.
func title(raw []byte, name string) string {
	for line := range strings.Lines(string(raw)) {
		if t, ok := strings.CutPrefix(line, "# "); ok {
			return strings.TrimSpace(t)
		}
	}
	return name
}

// List names the pages that match a pattern of path.Match, in order.
func (m *Manual) List(pattern string) ([]Link, error) {
	names, err := fs.Glob(m.pages, pattern)
	if err != nil {
		return nil, err
	}
	var out []Link
	for _, name := range names {
		raw, err := fs.ReadFile(m.pages, name)
		if err != nil {
			return nil, err
		}
		out = append(out, Link{strings.TrimSuffix(name, ".md"), title(raw, name)})
	}
	return out, nil
}

// Page makes a page; at tells how a browser asks for a path of the server. The error is fs.ErrNotExist if there is no such
// page.
func (m *Manual) Page(name string, at func(string) string) (heading string, content template.HTML, err error) {
	name = path.Clean(name)
	raw, err := fs.ReadFile(m.pages, name+".md")
	if err != nil {
		return "", "", err
	}
	doc := m.md.Parser().Parse(text.NewReader(raw))
	err = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if link, ok := n.(*ast.Link); ok && entering {
			link.Destination = []byte(m.target(path.Dir(name), string(link.Destination), at))
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		return "", "", err
	}
	if h := doc.FirstChild(); h != nil && h.Kind() == ast.KindHeading {
		doc.RemoveChild(doc, h) // the page has it as its own
	}
	var out bytes.Buffer
	if err := m.md.Renderer().Render(&out, raw, doc); err != nil {
		return "", "", fmt.Errorf("rendering %s: %w", name, err)
	}
	// What is wider than the screen can be scrolled, by the keyboard too. All tags here are goldmark's.
	html := strings.NewReplacer("<pre>", `<pre class="code" tabindex="0">`, "<table>", `<div class="scroll" tabindex="0"><table>`, "</table>", "</table></div>",
		"<th></th>", "<td></td>").Replace(out.String())
	return title(raw, name), template.HTML(html), nil
}

// target is where a link of a page in a folder leads: within the documentation if that has it, or else as it is.
func (m *Manual) target(dir, to string, at func(string) string) string {
	rest, anchor, _ := strings.Cut(to, "#")
	if rest == "" || strings.Contains(rest, ":") {
		return to
	}
	if anchor != "" {
		anchor = "#" + anchor
	}
	name := path.Join("docs", dir, rest)
	if page, ok := strings.CutPrefix(name, "docs/"); ok && strings.HasSuffix(page, ".md") {
		if _, err := fs.Stat(m.pages, page); err == nil {
			return at(m.root+"/"+strings.TrimSuffix(page, ".md")) + anchor
		}
	}
	if info, err := fs.Stat(m.files, strings.TrimPrefix(name, Configs)); err == nil && strings.HasPrefix(name, Configs) && !info.IsDir() {
		return at(m.root+"/"+name) + anchor
	}
	return ""
}

// imageless shows links that lead nowhere as text, and pictures, of which the documentation has none, not at all.
type imageless struct{}

var _ renderer.NodeRenderer = imageless{}

// RegisterFuncs implements renderer.NodeRenderer.
func (imageless) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindImage, func(util.BufWriter, []byte, ast.Node, bool) (ast.WalkStatus, error) {
		return ast.WalkSkipChildren, nil
	})
	r.Register(ast.KindLink, func(w util.BufWriter, _ []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		to := n.(*ast.Link).Destination
		switch {
		case len(to) == 0, strings.HasPrefix(strings.ToLower(string(to)), "javascript:"), strings.HasPrefix(strings.ToLower(string(to)), "data:"):
			return ast.WalkContinue, nil
		case entering:
			_, _ = w.WriteString(`<a href="`)
			_, _ = w.Write(util.EscapeHTML(util.URLEscape(to, true)))
			_, _ = w.WriteString(`" rel="noreferrer">`)
		default:
			_, _ = w.WriteString("</a>")
		}
		return ast.WalkContinue, nil
	})
}

// File is a file that pages speak of; its name begins with Configs.
func (m *Manual) File(name string) ([]byte, error) {
	return fs.ReadFile(m.files, path.Clean(strings.TrimPrefix(name, Configs)))
}
