package format

import (
	"html"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxDepth bounds how deep styles, lists and quotes may be nested.
const maxDepth = 20

// Mrkdwn reads Slack's own markup.
func Mrkdwn(text string) []Element {
	var b builder
	parts := strings.Split(text, "```")
	for i, part := range parts {
		if i%2 == 0 || len(parts) < i+2 {
			if i%2 == 1 {
				part = "```" + part // a fence that nothing closes
			} else if i > 0 {
				part = strings.TrimPrefix(part, "\n")
			}
			b.lines(part)
			continue
		}
		part = strings.TrimSuffix(strings.TrimPrefix(part, "\n"), "\n")
		if part == "" {
			b.inline(Inline{Type: "text", Text: "``````"})
			continue
		}
		b.element(Element{Type: Preformatted, Inlines: codeInlines(part)})
	}
	return trim(b.out)
}

// codeInlines reads what is inside code: links are still marked as such, the rest is
// text.
func codeInlines(text string) []Inline {
	var out []Inline
	for text != "" {
		start := strings.IndexByte(text, '<')
		end := -1
		if start >= 0 {
			end = strings.IndexByte(text[start:], '>')
		}
		if end < 0 {
			return join(out, Inline{Type: "text", Text: unescape(text)})
		}
		if start > 0 {
			out = join(out, Inline{Type: "text", Text: unescape(text[:start])})
		}
		in := entity(text[start+1 : start+end])
		if in.Type == "link" && in.Text == "" {
			in = Inline{Type: "text", Text: in.URL}
		}
		out = join(out, in)
		text = text[start+end+1:]
	}
	return out
}

// lines reads lines that are not code; some may be quotes.
func (b *builder) lines(text string) {
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if rest, ok := strings.CutPrefix(line, "&gt;&gt;&gt;"); ok {
			rest = strings.Join(append([]string{rest}, lines[i+1:]...), "\n")
			b.quote(rest)
			return
		}
		if quoted, ok := cutQuote(line); ok {
			all := []string{quoted}
			for i+1 < len(lines) {
				next, ok := cutQuote(lines[i+1])
				if !ok {
					break
				}
				all = append(all, next)
				i++
			}
			b.quote(strings.Join(all, "\n"))
			continue
		}
		if n := len(b.out); i > 0 && n > 0 && b.out[n-1].Type == Section {
			b.inline(Inline{Type: "text", Text: "\n"})
		}
		for _, in := range inlines(line, Style{}, 0) {
			b.inline(in)
		}
		if n := len(b.out); line == "" && (n == 0 || b.out[n-1].Type != Section) && i+1 < len(lines) {
			b.inline(Inline{Type: "text", Text: "\n"})
		}
	}
}

func cutQuote(line string) (string, bool) {
	rest, ok := strings.CutPrefix(line, "&gt;")
	if !ok {
		return "", false
	}
	return strings.TrimPrefix(rest, " "), true
}

func (b *builder) quote(text string) {
	e := Element{Type: Quote}
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		if i > 0 {
			e.Inlines = join(e.Inlines, Inline{Type: "text", Text: "\n"})
		}
		for _, in := range inlines(line, Style{}, 0) {
			e.Inlines = join(e.Inlines, in)
		}
	}
	b.element(e)
}

// inlines reads one line.
func inlines(line string, style Style, depth int) []Inline {
	var out []Inline
	text := func(s string) {
		if s != "" {
			out = join(out, Inline{Type: "text", Text: unescape(s), Style: styled(style)})
		}
	}
	var unclosed ['~' + 1]bool // marks that nothing closes in the rest of the line
	plain := 0                 // where text begins that is not yet taken
	for i := 0; i < len(line); {
		c := line[i]
		switch c {
		case '<':
			end := strings.IndexByte(line[i:], '>')
			if end < 0 {
				i++
				continue
			}
			text(line[plain:i])
			in := entity(line[i+1 : i+end])
			in.Style = styled(style)
			out = join(out, in)
			i += end + 1
			plain = i
			continue
		case ':':
			name, n := emojiCode(line[i:])
			if n == 0 || !edgeBefore(line, i) && !emojiEnds(line, i) {
				i++
				continue
			}
			text(line[plain:i])
			out = append(out, Inline{Type: "emoji", Name: name, Style: styled(style)})
			i += n
			plain = i
			continue
		case '*', '_', '~', '`':
			if unclosed[c] || !opens(line, i) || depth >= maxDepth {
				i++
				continue
			}
			end := closing(line, i)
			if end < 0 {
				unclosed[c] = true // nor will a later one be
				i++
				continue
			}
			text(line[plain:i])
			inner, next := line[i+1:end], style
			switch c {
			case '*':
				next.Bold = true
			case '_':
				next.Italic = true
			case '~':
				next.Strike = true
			case '`':
				next.Code = true
				for _, in := range codeInlines(inner) {
					in.Style = styled(next)
					out = join(out, in)
				}
				i = end + 1
				plain = i
				continue
			}
			for _, in := range inlines(inner, next, depth+1) {
				out = join(out, in)
			}
			i = end + 1
			plain = i
			continue
		}
		i++
	}
	text(line[plain:])
	return out
}

func styled(s Style) *Style {
	if s == (Style{}) {
		return nil
	}
	return &s
}

// opens reports whether a style can begin at i: its mark stands at the edge of a word.
func opens(line string, i int) bool {
	mark := line[i]
	if !edgeBefore(line, i) || i+1 >= len(line) || line[i+1] == mark {
		return false
	}
	first, _ := utf8.DecodeRuneInString(line[i+1:])
	return !unicode.IsSpace(first) || mark == '`'
}

// closing returns where the style that begins at i ends, at the edge of a word, or -1.
func closing(line string, i int) int {
	mark := line[i]
	for j := i + 1; j < len(line); j++ {
		switch line[j] {
		case '<':
			if mark == '`' {
				continue
			}
			if end := strings.IndexByte(line[j:], '>'); end > 0 {
				j += end
			}
		case mark:
			if j == i+1 {
				continue
			}
			before, _ := utf8.DecodeLastRuneInString(line[:j])
			if mark != '`' && (unicode.IsSpace(before) || !edgeAfter(line, j+1)) {
				continue
			}
			return j
		}
	}
	return -1
}

func edgeBefore(line string, i int) bool {
	r, n := utf8.DecodeLastRuneInString(line[:i])
	return n == 0 || !unicode.IsLetter(r) && !unicode.IsDigit(r)
}

func edgeAfter(line string, i int) bool {
	r, n := utf8.DecodeRuneInString(line[i:])
	return n == 0 || !unicode.IsLetter(r) && !unicode.IsDigit(r)
}

// emojiEnds reports whether what ends before i is an emoji, to which another may
// follow at once.
func emojiEnds(line string, i int) bool { return i > 0 && line[i-1] == ':' }

// emojiCode returns the name of an emoji at the beginning of s and its length with
// colons, or 0.
func emojiCode(s string) (string, int) {
	for i := 1; i < len(s) && i < 120; i++ {
		c := s[i]
		switch {
		case c == ':':
			if i == 1 {
				return "", 0
			}
			name := s[1:i]
			if !strings.ContainsFunc(name, unicode.IsLetter) && !known(name) {
				return "", 0 // 12:30:45 is a time
			}
			if tone := s[i:]; strings.HasPrefix(tone, "::skin-tone-") {
				if end := strings.IndexByte(tone[2:], ':'); end > 0 && end < 20 {
					return name + tone[:end+2], i + end + 3
				}
			}
			return name, i + 1
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '+' || c == '\'' || c >= 0x80:
		default:
			return "", 0
		}
	}
	return "", 0
}

func known(name string) bool {
	_, ok := Emoji(name)
	return ok
}

// entity reads what stands between < and >.
func entity(s string) Inline {
	target, label, labelled := strings.Cut(s, "|")
	label = unescape(label)
	switch {
	case strings.HasPrefix(target, "@"):
		return Inline{Type: "user", UserID: target[1:], Text: strings.TrimPrefix(label, "@")}
	case strings.HasPrefix(target, "#"):
		return Inline{Type: "channel", ChannelID: target[1:], Text: strings.TrimPrefix(label, "#")}
	case strings.HasPrefix(target, "!subteam^"):
		return Inline{Type: "usergroup", UsergroupID: target[len("!subteam^"):], Text: strings.TrimPrefix(label, "@")}
	case strings.HasPrefix(target, "!date^"):
		parts := strings.SplitN(target[len("!date^"):], "^", 3)
		ts, err := strconv.ParseInt(parts[0], 10, 64)
		if err != nil || len(parts) < 2 {
			return Inline{Type: "text", Text: label}
		}
		in := Inline{Type: "date", Timestamp: ts, Format: unescape(parts[1]), Fallback: label}
		if len(parts) == 3 {
			in.URL = unescape(parts[2])
		}
		return in
	case target == "!here" || target == "!channel" || target == "!everyone" || target == "!group":
		return Inline{Type: "broadcast", Range: strings.Replace(target[1:], "group", "channel", 1)}
	case strings.HasPrefix(target, "!"):
		if !labelled {
			label = "<" + unescape(target) + ">"
		}
		return Inline{Type: "text", Text: label}
	case !strings.Contains(target, ":"):
		return Inline{Type: "text", Text: "<" + unescape(s) + ">"}
	}
	return Inline{Type: "link", URL: unescape(target), Text: label}
}

// unescape undoes Slack's three escapes. Others it has not, so &eacute; stays.
func unescape(s string) string {
	if !strings.Contains(s, "&") {
		return s
	}
	return strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">").Replace(s)
}

// Unescape undoes the escapes of names, topics and the like, where Slack uses some of
// HTML's.
func Unescape(s string) string { return html.UnescapeString(s) }

// trim removes empty lines at both ends.
func trim(list []Element) []Element {
	for len(list) > 0 && list[0].Type == Section {
		first := &list[0]
		if len(first.Inlines) > 0 && first.Inlines[0].Type == "text" {
			first.Inlines[0].Text = strings.TrimLeft(first.Inlines[0].Text, "\n")
			if first.Inlines[0].Text != "" {
				break
			}
			first.Inlines = first.Inlines[1:]
		}
		if len(first.Inlines) > 0 {
			break
		}
		list = list[1:]
	}
	for len(list) > 0 && list[len(list)-1].Type == Section {
		last := &list[len(list)-1]
		if n := len(last.Inlines); n > 0 && last.Inlines[n-1].Type == "text" {
			last.Inlines[n-1].Text = strings.TrimRight(last.Inlines[n-1].Text, "\n")
			if last.Inlines[n-1].Text != "" {
				break
			}
			last.Inlines = last.Inlines[:n-1]
			continue
		}
		if len(last.Inlines) > 0 {
			break
		}
		list = list[:len(list)-1]
	}
	return list
}
