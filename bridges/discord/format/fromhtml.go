package format

import (
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Targets finds what links and images in Matrix messages mean on Discord. Each may
// be nil; one that does not know answers "".
type Targets struct {
	// User gives the Discord user that a Matrix user stands for.
	User func(mxid string) (id string)
	// Room gives the channel of a room, named by its id or an alias.
	Room func(room string) (channel string)
	// Emoji gives the form in Discord's markdown of a custom emoji.
	Emoji func(mxc, alt string) (markdown string)
}

// Markdown is a message for Discord.
type Markdown struct {
	Text string
	// Users are the ids of those who are mentioned.
	Users []string
}

// FromHTML converts the formatted body of a Matrix message.
func FromHTML(body string, to Targets) Markdown {
	w := &writer{to: to}
	if len(body) > maxHTML {
		body = strings.ToValidUTF8(body[:maxHTML], "")
	}
	nodes, err := html.ParseFragment(strings.NewReader(body), &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body})
	if err != nil {
		return FromText(body)
	}
	text := w.children(nodes, ctx{})
	return Markdown{Text: strings.ReplaceAll(tidy(text), hardSpace, " "), Users: w.users}
}

// maxHTML is the most that is read of a formatted body, in bytes; a whole event is
// at most 64 KiB.
const maxHTML = 128 << 10

// FromText converts a body without formatting: Discord must not see any in it.
func FromText(body string) Markdown {
	body = strings.ReplaceAll(body, "\r\n", "\n")
	lines := strings.Split(body, "\n")
	for i, line := range lines {
		lines[i] = escapeStart(Escape(line))
	}
	return Markdown{Text: strings.Trim(strings.Join(lines, "\n"), "\n")}
}

// writer makes the markdown of one message.
type writer struct {
	to    Targets
	users []string
}

// ctx is where in a document a node is.
type ctx struct {
	open   style // formatting that is on already
	pre    bool  // white space is kept
	indent int   // of lists
	depth  int
}

// maxHTMLDepth bounds how deep elements are followed; Matrix allows 100.
const maxHTMLDepth = 100

// Marks for what is put together at the end: a line break that is there once, and
// one that is there in any case.
const (
	softBreak = "\x01"
	hardBreak = "\x02"
	// paragraph is an empty line, if something follows.
	paragraph = "\x03"
	// startMark stands before what means something at the beginning of a line.
	startMark = "\x06"
	// hardSpace is one that is kept wherever it stands.
	hardSpace = "\x07"
)

func (w *writer) children(nodes []*html.Node, c ctx) string {
	var b strings.Builder
	for _, n := range nodes {
		b.WriteString(w.node(n, c))
	}
	return b.String()
}

func kids(n *html.Node) []*html.Node {
	var list []*html.Node
	for k := n.FirstChild; k != nil; k = k.NextSibling {
		list = append(list, k)
	}
	return list
}

func (w *writer) node(n *html.Node, c ctx) string {
	if n.Type == html.TextNode {
		return w.text(n.Data, c)
	}
	if n.Type != html.ElementNode || c.depth > maxHTMLDepth {
		return ""
	}
	c.depth++
	inner := func() string { return w.children(kids(n), c) }
	switch n.Data {
	case "mx-reply", "script", "style", "head", "title":
		return ""
	case "br":
		return hardBreak
	case "hr":
		return softBreak + "⸻" + softBreak
	case "p", "div", "section", "details", "summary", "table", "thead", "tbody", "tr", "caption", "article":
		s := inner()
		if n.Data == "p" {
			return softBreak + s + softBreak + paragraph
		}
		return softBreak + s + softBreak
	case "td", "th":
		if n.NextSibling == nil {
			return inner()
		}
		return inner() + " \\| "
	case "h1", "h2", "h3", "h4", "h5", "h6":
		level := min(int(n.Data[1]-'0'), 3)
		s := oneLine(inner())
		if s == "" {
			return ""
		}
		return softBreak + strings.Repeat("#", level) + " " + s + softBreak
	case "b", "strong":
		return w.wrap("**", styleStrong, n, c)
	case "i", "em":
		return w.wrap("*", styleEm, n, c)
	case "u", "ins":
		return w.wrap("__", styleUnderline, n, c)
	case "s", "del", "strike":
		return w.wrap("~~", styleStrike, n, c)
	case "span":
		if reason, ok := attribute(n, "data-mx-spoiler"); ok {
			s := w.wrap("||", styleSpoiler, n, c)
			if reason != "" {
				s = "(" + Escape(reason) + ") " + s
			}
			return s
		}
		return inner()
	case "code":
		return w.code(plainText(n))
	case "pre":
		return w.fence(n)
	case "blockquote":
		s := tidy(inner())
		if s == "" {
			return ""
		}
		return softBreak + "> " + strings.ReplaceAll(s, "\n", hardBreak+"> ") + softBreak
	case "ul", "ol":
		return w.list(n, c)
	case "li":
		return softBreak + inner() + softBreak
	case "a":
		return w.anchor(n, c)
	case "img":
		return w.image(n)
	}
	return inner()
}

// text writes text, escaped.
func (w *writer) text(s string, c ctx) string {
	if !c.pre {
		// White space in HTML is one space.
		lead, trail := startsSpace(s), endsSpace(s)
		s = strings.Join(strings.Fields(s), " ")
		if s == "" {
			if lead {
				return " "
			}
			return ""
		}
		if lead {
			s = " " + s
		}
		if trail {
			s += " "
		}
	}
	return markStart(Escape(control(s)))
}

// markStart marks what has to be escaped if it comes to stand at the beginning of a
// line.
func markStart(s string) string {
	escaped := escapeStart(s)
	if len(escaped) == len(s) {
		return s
	}
	for i := range escaped {
		if i >= len(s) || escaped[i] != s[i] {
			return s[:i] + startMark + s[i:]
		}
	}
	return s
}

func startsSpace(s string) bool { return s != "" && strings.ContainsRune(" \t\r\n", rune(s[0])) }
func endsSpace(s string) bool   { return s != "" && strings.ContainsRune(" \t\r\n", rune(s[len(s)-1])) }

// control takes out what the writer uses for its own marks.
func control(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s)
}

// wrap puts marks around content, but not around the white space and the breaks at
// its ends, where Discord would not know them, and around each line by itself.
func (w *writer) wrap(mark string, s style, n *html.Node, c ctx) string {
	if c.open&s != 0 {
		return w.children(kids(n), c)
	}
	c.open |= s
	inner := w.children(kids(n), c)
	core := strings.Trim(inner, " \n\t"+softBreak+hardBreak+paragraph)
	if core == "" {
		return inner
	}
	at := strings.Index(inner, core)
	lead, trail := inner[:at], inner[at+len(core):]
	core = strings.TrimRight(core, joinMark)
	// Two marks of a kind that meet would be read as one.
	if mark == "*" && (strings.HasPrefix(core, "*") || strings.HasSuffix(core, "*") || strings.HasSuffix(core, "\\")) {
		mark = "_"
	}
	if strings.HasSuffix(core, "\\") && !strings.HasSuffix(core, "\\\\") {
		core += joiner
	}
	return lead + mark + core + mark + joinMark + trail
}

// joiner is a zero-width space, which keeps marks apart; joinMark is one that is put
// in only where it is needed.
const (
	joiner   = "\u200b"
	joinMark = "\x04"
)

func (w *writer) code(s string) string {
	s = strings.ReplaceAll(control(s), "\n", " ")
	if strings.TrimSpace(s) == "" {
		return ""
	}
	if !strings.Contains(s, "`") {
		return "`" + s + "`" + joinMark
	}
	for strings.Contains(s, "``") {
		s = strings.ReplaceAll(s, "``", "`"+joiner+"`")
	}
	return "`` " + s + " ``"
}

func (w *writer) fence(n *html.Node) string {
	lang := ""
	for _, k := range kids(n) {
		if k.Type == html.ElementNode && k.Data == "code" {
			class, _ := attribute(k, "class")
			for _, name := range strings.Fields(class) {
				if l, ok := strings.CutPrefix(name, "language-"); ok && !strings.ContainsFunc(l, func(r rune) bool {
					return !isWord(r) && !strings.ContainsRune("+-.#", r)
				}) {
					lang = l
				}
			}
		}
	}
	s := strings.Trim(control(plainText(n)), "\n")
	if strings.TrimSpace(s) == "" {
		return ""
	}
	s = strings.ReplaceAll(s, "```", "`"+joiner+"`"+joiner+"`")
	if strings.HasSuffix(s, "`") {
		s += joiner
	}
	s = strings.ReplaceAll(s, " ", hardSpace)
	return softBreak + "```" + lang + hardBreak + strings.ReplaceAll(s, "\n", hardBreak) + hardBreak + "```" + softBreak
}

func plainText(n *html.Node) string {
	var b strings.Builder
	var walk func(*html.Node, int)
	walk = func(n *html.Node, depth int) {
		if depth > maxHTMLDepth {
			return
		}
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		} else if n.Type == html.ElementNode && n.Data == "br" {
			b.WriteString("\n")
		}
		for k := n.FirstChild; k != nil; k = k.NextSibling {
			walk(k, depth+1)
		}
	}
	walk(n, 0)
	return b.String()
}

func (w *writer) list(n *html.Node, c ctx) string {
	number := 1
	if v, ok := attribute(n, "start"); ok {
		if i, err := strconv.Atoi(v); err == nil && i >= 0 && i < 1_000_000 {
			number = i
		}
	}
	var b strings.Builder
	indent := strings.Repeat(hardSpace, 2*c.indent)
	c.indent++
	for _, k := range kids(n) {
		if k.Type != html.ElementNode || k.Data != "li" {
			continue
		}
		marker := "- "
		if n.Data == "ol" {
			marker = strconv.Itoa(number) + ". "
			number++
		}
		s := tidy(w.children(kids(k), c))
		lines := strings.Split(s, "\n")
		for i := 1; i < len(lines); i++ {
			if !strings.HasPrefix(lines[i], hardSpace) { // no item of a list in this one
				lines[i] = indent + hardSpace + hardSpace + lines[i]
			}
		}
		b.WriteString(softBreak + indent + marker + strings.Join(lines, hardBreak) + softBreak)
	}
	return b.String()
}

// anchor writes a link or a mention.
func (w *writer) anchor(n *html.Node, c ctx) string {
	href, _ := attribute(n, "href")
	if kind, target := matrixTarget(href); kind != 0 {
		if kind == '@' && w.to.User != nil {
			if id := w.to.User(target); id != "" {
				if !slices.Contains(w.users, id) {
					w.users = append(w.users, id)
				}
				return "<@" + id + ">"
			}
		}
		if (kind == '#' || kind == '!') && w.to.Room != nil {
			if id := w.to.Room(target); id != "" {
				return "<#" + id + ">"
			}
		}
		if kind == '@' {
			return w.children(kids(n), c)
		}
	}
	label := strings.TrimSpace(plainText(n))
	if !strings.HasPrefix(href, "https://") && !strings.HasPrefix(href, "http://") || c.open&styleLink != 0 {
		return w.children(kids(n), c)
	}
	href = strings.NewReplacer(" ", "%20", ")", "%29", "(", "%28", "\n", "", "<", "%3C", ">", "%3E").Replace(control(href))
	plain := strings.NewReplacer("%29", ")", "%28", "(").Replace(href)
	if label == "" || label == plain || label == strings.TrimSuffix(plain, "/") || label == href {
		return plain
	}
	c.open |= styleLink
	inner := oneLine(w.children(kids(n), c))
	if strings.Contains(inner, "://") {
		// Discord shows no link whose text looks like another one.
		return inner + " (" + plain + ")"
	}
	return "[" + inner + "](" + href + ")"
}

// matrixTarget reads a matrix.to or matrix: address of a user, an alias or a room.
func matrixTarget(href string) (kind byte, target string) {
	rest, ok := strings.CutPrefix(href, "https://matrix.to/#/")
	if !ok {
		if rest, ok = strings.CutPrefix(href, "matrix:"); !ok {
			return 0, ""
		}
		for _, k := range []struct{ path, sigil string }{{"u/", "@"}, {"r/", "#"}, {"roomid/", "!"}} {
			if s, ok := strings.CutPrefix(rest, k.path); ok {
				rest = k.sigil + s
				break
			}
		}
	}
	rest, _, _ = strings.Cut(rest, "?")
	rest, _, _ = strings.Cut(rest, "/")
	rest = unescape(rest)
	if len(rest) < 2 || strings.IndexByte("@#!", rest[0]) < 0 {
		return 0, ""
	}
	return rest[0], rest
}

func (w *writer) image(n *html.Node) string {
	src, _ := attribute(n, "src")
	alt, _ := attribute(n, "alt")
	if alt == "" {
		alt, _ = attribute(n, "title")
	}
	if w.to.Emoji != nil {
		if md := w.to.Emoji(src, alt); md != "" {
			return md
		}
	}
	return Escape(control(alt))
}

func attribute(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}
