package format

import (
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Slack says what is meant in a message from Matrix. Its fields may be nil.
type Slack struct {
	// User returns the Slack id of a Matrix user who is somebody of the workspace.
	User func(matrixID string) (slackID string, ok bool)
	// Channel returns the Slack id of the channel of a room, by its id or alias.
	Channel func(room string) (slackID string, ok bool)
	// Group returns the id of the user group with a handle.
	Group func(handle string) (slackID string, ok bool)
	// CustomEmoji reports whether the workspace has a custom emoji of a name.
	CustomEmoji func(name string) bool
	// Room is what @room becomes: here, channel, everyone, or "" for text.
	Room string
}

// maxHTML bounds the nesting of HTML that is read.
const maxHTML = 100

// FromHTML reads a Matrix message. Of what is more deeply nested than anybody
// writes, the text alone remains.
func FromHTML(source string, to Slack) []Element {
	root, err := html.ParseWithOptions(strings.NewReader(source), html.ParseOptionEnableScripting(false))
	if err != nil {
		return FromText(source, to)
	}
	p := htmlReader{to: to}
	p.children(root, Style{}, 0)
	p.flush()
	return trim(p.out)
}

// FromText reads a Matrix message without formatting.
func FromText(text string, to Slack) []Element {
	p := htmlReader{to: to}
	p.pieces(strings.Trim(strings.ReplaceAll(text, "\r\n", "\n"), "\n"), Style{})
	p.flush()
	return trim(p.out)
}

type htmlReader struct {
	to  Slack
	out []Element
	cur []Inline // not yet in an element

	quote int // how many quotes are open
	lists []string
	gap   bool // a paragraph has ended
}

// flush makes an element of the text so far.
func (p *htmlReader) flush() {
	cur := p.cur
	p.cur = nil
	cur = stripEnds(cur)
	if len(cur) == 0 {
		return
	}
	if p.quote > 0 {
		if n := len(p.out); n > 0 && p.out[n-1].Type == Quote && p.gap {
			p.out[n-1].Inlines = append(join(p.out[n-1].Inlines, Inline{Type: "text", Text: "\n\n"}), cur...)
		} else {
			p.out = append(p.out, Element{Type: Quote, Inlines: cur})
		}
		return
	}
	if n := len(p.out); n > 0 && p.out[n-1].Type == Section {
		sep := "\n"
		if p.gap {
			sep = "\n\n"
		}
		last := &p.out[n-1]
		last.Inlines = join(last.Inlines, Inline{Type: "text", Text: sep})
		for _, in := range cur {
			last.Inlines = join(last.Inlines, in)
		}
		return
	}
	p.out = append(p.out, Element{Type: Section, Inlines: cur})
}

// stripEnds removes white space at both ends.
func stripEnds(list []Inline) []Inline {
	for len(list) > 0 && list[0].Type == "text" {
		list[0].Text = strings.TrimLeft(list[0].Text, " \n\t")
		if list[0].Text != "" {
			break
		}
		list = list[1:]
	}
	for n := len(list); n > 0 && list[n-1].Type == "text"; n = len(list) {
		list[n-1].Text = strings.TrimRight(list[n-1].Text, " \n\t")
		if list[n-1].Text != "" {
			break
		}
		list = list[:n-1]
	}
	return list
}

func (p *htmlReader) children(n *html.Node, style Style, depth int) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		p.node(c, style, depth+1)
	}
}

func (p *htmlReader) node(n *html.Node, style Style, depth int) {
	switch n.Type {
	case html.TextNode:
		p.text(n.Data, style)
		return
	case html.ElementNode:
	default:
		p.children(n, style, depth)
		return
	}
	if depth > maxHTML {
		return
	}
	switch n.DataAtom {
	case atom.Head, atom.Script, atom.Style, atom.Title:
		return
	case atom.B, atom.Strong:
		style.Bold = true
	case atom.I, atom.Em:
		style.Italic = true
	case atom.Del, atom.S, atom.Strike:
		style.Strike = true
	case atom.U:
		style.Underline = true
	case atom.Code:
		style.Code = true
	case atom.Br:
		p.cur = join(p.cur, Inline{Type: "text", Text: "\n"})
		return
	case atom.Hr:
		p.flush()
		p.cur = []Inline{{Type: "text", Text: "———"}}
		p.flush()
		return
	case atom.Img:
		p.img(n, style)
		return
	case atom.A:
		p.anchor(n, style)
		return
	case atom.Pre:
		p.pre(n)
		return
	case atom.Blockquote:
		p.flush()
		p.gap = false
		p.quote++
		p.children(n, style, depth)
		p.flush()
		p.quote--
		p.gap = false
		return
	case atom.Ul, atom.Ol:
		p.list(n, style, depth)
		return
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		p.flush()
		style.Bold = true
		p.children(n, style, depth)
		p.flush()
		p.gap = false
		return
	case atom.P:
		p.flush()
		p.children(n, style, depth)
		p.flush()
		p.gap = true
		return
	case atom.Div, atom.Tr, atom.Table, atom.Details, atom.Summary, atom.Caption:
		p.flush()
		p.gap = false
		p.children(n, style, depth)
		p.flush()
		return
	case atom.Td, atom.Th:
		if n.PrevSibling != nil && len(p.cur) > 0 {
			p.cur = join(p.cur, Inline{Type: "text", Text: " | "})
		}
	case atom.Span:
		if hasAttr(n, "data-mx-spoiler") {
			// Slack has no spoilers; what was hidden must not show at once.
			p.cur = join(p.cur, Inline{Type: "text", Text: "[spoiler] ", Style: styled(style)})
			style.Strike = true
		}
	default:
		if n.Data == "mx-reply" { // the quote of a reply, for clients that know no replies
			return
		}
	}
	p.children(n, style, depth)
}

// text adds text in which white space means nothing.
func (p *htmlReader) text(s string, style Style) {
	var b strings.Builder
	space := p.atBlank()
	for _, r := range s {
		if r == ' ' || r == '\n' || r == '\t' || r == '\r' {
			if !space {
				b.WriteByte(' ')
			}
			space = true
			continue
		}
		space = false
		b.WriteRune(r)
	}
	p.pieces(b.String(), style)
}

// atBlank reports whether white space would be superfluous.
func (p *htmlReader) atBlank() bool {
	if len(p.cur) == 0 {
		return true
	}
	last := p.cur[len(p.cur)-1]
	return last.Type == "text" && (strings.HasSuffix(last.Text, " ") || strings.HasSuffix(last.Text, "\n"))
}

// pieces adds text, with the mentions and emoji codes that are in it as such. Links
// Slack finds itself only in its own markup, so they are marked.
func (p *htmlReader) pieces(s string, style Style) {
	add := func(in Inline) {
		in.Style = styled(style)
		p.cur = join(p.cur, in)
	}
	if style.Code {
		add(Inline{Type: "text", Text: s})
		return
	}
	plain := 0
	emit := func(upTo int) {
		if upTo > plain {
			add(Inline{Type: "text", Text: s[plain:upTo]})
		}
	}
	for i := 0; i < len(s); {
		n, in := p.piece(s, i)
		if n == 0 {
			i++
			continue
		}
		emit(i)
		add(in)
		i += n
		plain = i
	}
	emit(len(s))
}

// piece returns what begins at i and is more than text, and its length, or 0.
func (p *htmlReader) piece(s string, i int) (int, Inline) {
	switch s[i] {
	case '@':
		if !edgeBefore(s, i) {
			return 0, Inline{}
		}
		word := s[i+1:]
		if end := strings.IndexFunc(word, func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '-' && r != '.'
		}); end >= 0 {
			word = word[:end]
		}
		word = strings.TrimRight(word, ".-")
		if word == "room" && p.to.Room != "" {
			return len("@room"), Inline{Type: "broadcast", Range: p.to.Room}
		}
		if p.to.Group != nil && word != "" {
			if group, ok := p.to.Group(word); ok {
				return 1 + len(word), Inline{Type: "usergroup", UsergroupID: group}
			}
		}
	case ':':
		name, n := emojiCode(s[i:])
		if n > 0 && edgeBefore(s, i) {
			base, _, _ := strings.Cut(name, "::")
			if known(base) || p.to.CustomEmoji != nil && p.to.CustomEmoji(base) {
				return n, Inline{Type: "emoji", Name: name}
			}
		}
	case 'h':
		if !edgeBefore(s, i) || !strings.HasPrefix(s[i:], "http://") && !strings.HasPrefix(s[i:], "https://") {
			return 0, Inline{}
		}
		address := s[i:]
		if end := strings.IndexFunc(address, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("<>\"", r) }); end >= 0 {
			address = address[:end]
		}
		address = strings.TrimRight(address, ".,;:!?'")
		if strings.HasSuffix(address, ")") && !strings.Contains(address, "(") {
			address = strings.TrimRight(address, ")")
		}
		if u, err := url.Parse(address); err == nil && u.Host != "" {
			return len(address), Inline{Type: "link", URL: address}
		}
	}
	return 0, Inline{}
}

func (p *htmlReader) img(n *html.Node, style Style) {
	alt := attr(n, "alt")
	if alt == "" {
		alt = attr(n, "title")
	}
	name := strings.Trim(alt, ":")
	if p.to.CustomEmoji != nil && name != "" && p.to.CustomEmoji(name) {
		p.cur = join(p.cur, Inline{Type: "emoji", Name: name})
		return
	}
	if alt != "" {
		p.pieces(alt, style)
	}
}

func (p *htmlReader) anchor(n *html.Node, style Style) {
	label := strings.Join(strings.Fields(textOf(n)), " ")
	href := attr(n, "href")
	if target, ok := matrixTo(href); ok {
		switch {
		case strings.HasPrefix(target, "@"):
			if p.to.User != nil {
				if user, ok := p.to.User(target); ok {
					p.cur = join(p.cur, Inline{Type: "user", UserID: user, Style: styled(style)})
					return
				}
			}
			p.cur = join(p.cur, Inline{Type: "text", Text: label, Style: styled(style)})
			return
		case strings.HasPrefix(target, "#") || strings.HasPrefix(target, "!"):
			if p.to.Channel != nil && !strings.Contains(target, "/") {
				if channel, ok := p.to.Channel(target); ok {
					p.cur = join(p.cur, Inline{Type: "channel", ChannelID: channel, Style: styled(style)})
					return
				}
			}
		}
	}
	if !safeURL(href) {
		p.children(n, style, 0)
		return
	}
	in := Inline{Type: "link", URL: href, Text: label, Style: styled(style)}
	if label == "" || label == href {
		in.Text = ""
	}
	p.cur = join(p.cur, in)
}

// matrixTo returns what a matrix.to link or matrix: URI means: a user, room or alias.
func matrixTo(href string) (string, bool) {
	rest, ok := strings.CutPrefix(href, "https://matrix.to/#/")
	if ok {
		rest, _, _ = strings.Cut(rest, "?")
		target, err := url.PathUnescape(rest)
		return target, err == nil
	}
	rest, ok = strings.CutPrefix(href, "matrix:")
	if !ok {
		return "", false
	}
	rest, _, _ = strings.Cut(rest, "?")
	for prefix, sigil := range map[string]string{"u/": "@", "r/": "#", "roomid/": "!"} {
		if id, ok := strings.CutPrefix(rest, prefix); ok {
			target, err := url.PathUnescape(id)
			return sigil + target, err == nil
		}
	}
	return "", false
}

func (p *htmlReader) pre(n *html.Node) {
	text := strings.Trim(textOf(n), "\n")
	if text == "" {
		return
	}
	p.flush()
	p.out = append(p.out, Element{Type: Preformatted, Inlines: []Inline{{Type: "text", Text: text}}, Border: min(p.quote, 1)})
	p.gap = false
}

// list reads a list. Slack nests lists by indents: what follows a nested list in the
// same item becomes text of the item before.
func (p *htmlReader) list(n *html.Node, style Style, depth int) {
	p.flush()
	tag, offset := "bullet", 0
	if n.DataAtom == atom.Ol {
		tag = "ordered"
		if start, err := strconv.Atoi(attr(n, "start")); err == nil && start > 1 && start < 1_000_000 {
			offset = start - 1
		}
	}
	p.lists = append(p.lists, tag)
	indent := min(len(p.lists)-1, 8) // as deep as Slack goes
	count := offset
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type != html.ElementNode {
			continue
		}
		if c.DataAtom != atom.Li {
			p.node(c, style, depth+1)
			continue
		}
		outer, quote := p.out, p.quote
		p.out, p.cur, p.quote = nil, nil, 0
		p.children(c, style, depth+1)
		p.flush()
		inner := p.out
		p.out, p.quote = outer, quote
		item := Element{Type: Section}
		var nested []Element
		for _, e := range inner {
			if e.Type == List {
				nested = append(nested, e)
				continue
			}
			if len(item.Inlines) > 0 {
				item.Inlines = join(item.Inlines, Inline{Type: "text", Text: "\n"})
			}
			for _, in := range e.Inlines {
				if e.Type == Preformatted {
					in.Style = &Style{Code: true}
				}
				item.Inlines = join(item.Inlines, in)
			}
		}
		border := min(p.quote, 1)
		if k := len(p.out); k > 0 && p.out[k-1].Type == List && p.out[k-1].Indent == indent && p.out[k-1].Style == tag && count > offset {
			p.out[k-1].Items = append(p.out[k-1].Items, item)
		} else {
			first := count
			if tag != "ordered" {
				first = 0
			}
			p.out = append(p.out, Element{Type: List, Style: tag, Indent: indent, Offset: first, Border: border, Items: []Element{item}})
		}
		count++
		for _, e := range nested {
			e.Border = border
			p.out = append(p.out, e)
		}
	}
	p.lists = p.lists[:len(p.lists)-1]
	p.gap = false
}

func textOf(n *html.Node) string {
	var b strings.Builder
	var walk func(*html.Node, int)
	walk = func(n *html.Node, depth int) {
		if depth > maxHTML {
			return
		}
		switch {
		case n.Type == html.TextNode:
			b.WriteString(n.Data)
		case n.DataAtom == atom.Br:
			b.WriteByte('\n')
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c, depth+1)
		}
	}
	walk(n, 0)
	return b.String()
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func hasAttr(n *html.Node, key string) bool {
	for _, a := range n.Attr {
		if a.Key == key {
			return true
		}
	}
	return false
}
