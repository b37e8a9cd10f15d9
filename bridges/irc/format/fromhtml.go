package format

import (
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Options is what FromHTML needs to know of the world outside.
type Options struct {
	// Mention returns how a Matrix user is called on the network; ok is false for
	// users whose link text is kept. It may be nil.
	Mention func(userID string) (nick string, ok bool)
}

// maxDepth bounds how deep elements may nest: the specification asks clients to
// nest no more than 100 deep. What is deeper is taken as text.
const maxDepth = 100

// FromText returns the lines of a plain text, cleaned, without empty ones.
func FromText(text string) []string {
	var lines []string
	for line := range strings.Lines(strings.ReplaceAll(text, "\r", "\n")) {
		if line = strings.TrimRight(clean(strings.TrimRight(line, "\n")), " "); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// FromHTML returns the lines of formatted text as IRC text, without empty ones.
func FromHTML(source string, opts Options) []string {
	context := &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body}
	nodes, err := html.ParseFragment(strings.NewReader(source), context)
	if err != nil {
		return FromText(source) // only if reading fails, and strings do not
	}
	w := &walker{opts: opts}
	for _, n := range nodes {
		w.node(n, style{}, 0)
	}
	w.breakLine()
	return w.lines
}

// walker gathers the lines of a document.
type walker struct {
	opts  Options
	lines []string
	cur   []segment
	space bool     // white space is due before the next text
	pre   int      // depth of pre elements
	quote []string // prefixes of the lines inside quotes and lists
	mark  string   // prefix of the next line only, instead of quote[markAt]
	lists []list

	markAt int
}

type list struct {
	ordered bool
	next    int
}

// breakLine ends the current line, if it has any text.
func (w *walker) breakLine() {
	w.space = false
	line := strings.TrimRight(render(w.cur), " ")
	w.cur = w.cur[:0]
	if Plain(line) == "" {
		return
	}
	prefix := strings.Join(w.quote, "")
	if w.mark != "" {
		// The mark stands in the place of the item's own indentation.
		prefix = strings.Join(w.quote[:w.markAt], "") + w.mark + strings.Join(w.quote[w.markAt+1:], "")
		w.mark = ""
	}
	w.lines = append(w.lines, prefix+line)
}

func (w *walker) text(text string, s style) {
	if w.pre > 0 {
		for i, line := range strings.Split(text, "\n") {
			if i > 0 {
				w.breakLine()
			}
			w.add(clean(line), s)
		}
		return
	}
	for text != "" {
		word := strings.IndexFunc(text, isSpace)
		switch {
		case word < 0:
			w.add(clean(text), s)
			return
		case word > 0:
			w.add(clean(text[:word]), s)
			text = text[word:]
		default:
			w.space = true
			text = strings.TrimLeftFunc(text, isSpace)
		}
	}
}

// isSpace is white space that HTML collapses; a no-break space is none.
func isSpace(r rune) bool {
	return r == ' ' || r == '\t' || r == '\n' || r == '\r' || r == '\f'
}

func (w *walker) add(text string, s style) {
	if text == "" {
		return
	}
	if w.space && len(w.cur) > 0 {
		between := style{} // a space between styles belongs to neither
		if w.cur[len(w.cur)-1].style == s {
			between = s
		}
		w.cur = append(w.cur, segment{" ", between})
	}
	w.space = false
	w.cur = append(w.cur, segment{text, s})
}

func (w *walker) children(n *html.Node, s style, depth int) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		w.node(c, s, depth+1)
	}
}

func (w *walker) node(n *html.Node, s style, depth int) {
	if depth > maxDepth {
		return
	}
	if n.Type == html.TextNode {
		w.text(n.Data, s)
		return
	}
	if n.Type != html.ElementNode {
		w.children(n, s, depth)
		return
	}
	if n.Data == "mx-reply" {
		return
	}
	switch n.DataAtom {
	case atom.Script, atom.Style, atom.Head, atom.Title, atom.Template:
		return
	case atom.B, atom.Strong:
		s.bold = true
	case atom.I, atom.Em, atom.Cite, atom.Dfn, atom.Var:
		s.italic = true
	case atom.U, atom.Ins:
		s.underline = true
	case atom.S, atom.Del, atom.Strike:
		s.strike = true
	case atom.Code, atom.Tt, atom.Kbd, atom.Samp:
		s.mono = true
	case atom.Span, atom.Font:
		w.span(n, s, depth)
		return
	case atom.A:
		w.link(n, s, depth)
		return
	case atom.Img:
		w.image(n, s)
		return
	case atom.Br:
		w.breakLine()
		return
	case atom.Hr:
		w.breakLine()
		w.add("———", s)
		w.breakLine()
		return
	case atom.Td, atom.Th:
		w.cell(n, s, depth)
		return
	case atom.Ul, atom.Ol, atom.Li, atom.Blockquote, atom.Pre:
		w.block(n, s, depth)
		return
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Summary:
		s.bold = true
		w.paragraph(n, s, depth)
		return
	case atom.P, atom.Div, atom.Tr, atom.Table, atom.Details, atom.Dl, atom.Dt, atom.Dd, atom.Caption,
		atom.Section, atom.Article, atom.Header, atom.Footer:
		w.paragraph(n, s, depth)
		return
	}
	w.children(n, s, depth)
}

func (w *walker) paragraph(n *html.Node, s style, depth int) {
	w.breakLine()
	w.children(n, s, depth)
	w.breakLine()
}

func (w *walker) block(n *html.Node, s style, depth int) {
	w.breakLine()
	switch n.DataAtom {
	case atom.Pre:
		s.mono = true
		w.pre++
		w.children(n, s, depth)
		w.breakLine()
		w.pre--
	case atom.Blockquote:
		w.indent("> ", func() { w.children(n, s, depth) })
	case atom.Ul, atom.Ol:
		l := list{ordered: n.DataAtom == atom.Ol, next: 1}
		if start, err := strconv.Atoi(attr(n, "start")); err == nil && start >= 0 && start < 1e6 {
			l.next = start
		}
		w.lists = append(w.lists, l)
		w.children(n, s, depth)
		w.breakLine()
		w.lists = w.lists[:len(w.lists)-1]
	case atom.Li:
		mark := "• "
		if k := len(w.lists); k > 0 && w.lists[k-1].ordered {
			mark = strconv.Itoa(w.lists[k-1].next) + ". "
			w.lists[k-1].next++
		}
		w.indent("  ", func() {
			w.mark, w.markAt = mark, len(w.quote)-1
			w.children(n, s, depth)
		})
	}
}

func (w *walker) indent(prefix string, inside func()) {
	if len(w.quote) < 20 {
		w.quote = append(w.quote, prefix)
		defer func() { w.quote = w.quote[:len(w.quote)-1] }()
	}
	inside()
	w.breakLine()
	w.mark = ""
}

func (w *walker) cell(n *html.Node, s style, depth int) {
	if n.DataAtom == atom.Th {
		s.bold = true
	}
	if len(w.cur) > 0 {
		w.space = false
		w.add(" | ", style{})
	}
	w.children(n, s, depth)
}

func (w *walker) span(n *html.Node, s style, depth int) {
	if fg := parseColor(attr(n, "data-mx-color")); fg != "" {
		s.fg = fg
	} else if fg := parseColor(attr(n, "color")); fg != "" {
		s.fg = fg
	}
	if bg := parseColor(attr(n, "data-mx-bg-color")); bg != "" {
		s.bg = bg
	}
	if reason, ok := lookup(n, "data-mx-spoiler"); ok {
		label := "(spoiler) "
		if reason = clean(strings.TrimSpace(reason)); reason != "" {
			label = "(spoiler: " + reason + ") "
		}
		w.add(label, style{})
		// Black on black is how text is hidden on IRC.
		s.fg, s.bg = "#000000", "#000000"
	}
	w.children(n, s, depth)
}

func (w *walker) image(n *html.Node, s style) {
	for _, name := range []string{"alt", "title"} {
		if text := strings.TrimSpace(clean(attr(n, name))); text != "" {
			w.add(text, s)
			return
		}
	}
}

func (w *walker) link(n *html.Node, s style, depth int) {
	href := strings.TrimSpace(clean(attr(n, "href")))
	if user, ok := mentioned(href); ok && w.opts.Mention != nil {
		if nick, ok := w.opts.Mention(user); ok {
			w.add(clean(nick), s)
			return
		}
	}
	text := strings.Join(strings.Fields(textOf(n, 0)), " ")
	_, pill := mentioned(href)
	w.children(n, s, depth)
	if pill || !shown(href) || sameLink(text, href) {
		return
	}
	if text != "" {
		w.add(" ("+href+")", style{})
	} else {
		w.add(href, s)
	}
}

// mentioned returns the user that a matrix.to or matrix: link names.
func mentioned(href string) (string, bool) {
	id, ok := strings.CutPrefix(href, "https://matrix.to/#/")
	if !ok {
		if id, ok = strings.CutPrefix(href, "matrix:u/"); !ok {
			return "", false
		}
		id = "@" + id
	}
	id, _, _ = strings.Cut(id, "?")
	if unescaped, err := url.PathUnescape(id); err == nil {
		id = unescaped
	}
	return id, strings.HasPrefix(id, "@") && strings.Contains(id, ":")
}

// shown reports whether a link's address is worth showing.
func shown(href string) bool {
	for _, scheme := range []string{"https://", "http://", "ftp://", "mailto:", "magnet:"} {
		if len(href) > len(scheme) && strings.EqualFold(href[:len(scheme)], scheme) {
			return true
		}
	}
	return false
}

// sameLink reports whether the text says what the address says.
func sameLink(text, href string) bool {
	trim := func(s string) string {
		for _, prefix := range []string{"https://", "http://", "mailto:"} {
			s = strings.TrimPrefix(s, prefix)
		}
		return strings.TrimSuffix(s, "/")
	}
	if trim(text) == trim(href) {
		return true
	}
	unescaped, err := url.PathUnescape(href)
	return err == nil && trim(text) == trim(unescaped)
}

func textOf(n *html.Node, depth int) string {
	if n.Type == html.TextNode {
		return n.Data
	}
	if depth > maxDepth {
		return ""
	}
	var b strings.Builder
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		b.WriteString(textOf(c, depth+1))
	}
	return b.String()
}

func attr(n *html.Node, name string) string {
	value, _ := lookup(n, name)
	return value
}

func lookup(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}
