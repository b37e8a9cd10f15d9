package format

import (
	"html"
	"strings"
	"unicode"
	"unicode/utf8"
)

// style is a kind of formatting that is open; it is not opened again inside.
type style uint8

const (
	styleStrong style = 1 << iota
	styleEm
	styleUnderline
	styleStrike
	styleSpoiler
	styleLink
)

// delimiters are those of Discord, longer ones first.
var delimiters = []struct {
	mark        string
	style       style
	open, close string
}{
	{"**", styleStrong, "<strong>", "</strong>"},
	{"__", styleUnderline, "<u>", "</u>"},
	{"~~", styleStrike, "<del>", "</del>"},
	{"||", styleSpoiler, "<span data-mx-spoiler>", "</span>"},
	{"*", styleEm, "<em>", "</em>"},
	{"_", styleEm, "<em>", "</em>"},
}

// inline reads text within a block.
func (p *parser) inline(text string, depth int, in style) pair {
	var h, plain strings.Builder
	if depth > maxDepth {
		return pair{strings.ReplaceAll(html.EscapeString(text), "\n", "<br>"), text}
	}
	var prev rune
	for i := 0; i < len(text); {
		rest := text[i:]
		if n, out, ok := p.token(rest, prev, depth, in); ok {
			h.WriteString(out.html)
			plain.WriteString(out.plain)
			prev = lastRune(rest[:n])
			i += n
			continue
		}
		r, n := utf8.DecodeRuneInString(rest)
		if r == '\n' {
			h.WriteString("<br>")
		} else {
			h.WriteString(html.EscapeString(rest[:n]))
		}
		plain.WriteString(rest[:n])
		prev = r
		i += n
	}
	return pair{h.String(), plain.String()}
}

// token reads what is more than a character at the beginning of a text.
func (p *parser) token(text string, prev rune, depth int, in style) (n int, out pair, ok bool) {
	switch c := text[0]; c {
	case '\\':
		if len(text) > 1 && text[1] < utf8.RuneSelf && !isAlnum(text[1]) && text[1] > ' ' {
			return 2, pair{html.EscapeString(text[1:2]), text[1:2]}, true
		}
	case '`':
		if code, n, ok := codeSpan(text); ok {
			p.rich = true
			return n, pair{"<code>" + html.EscapeString(code) + "</code>", text[:n]}, true
		}
	case '*', '_', '~', '|':
		return p.emphasis(text, prev, depth, in)
	case '<':
		return p.angle(text)
	case '[':
		if in&styleLink == 0 {
			return p.link(text, depth, in)
		}
	case '@':
		for _, word := range []string{"@everyone", "@here"} {
			if strings.HasPrefix(text, word) {
				p.everyone = true
				return len(word), pair{word, word}, true
			}
		}
	case 'h':
		if in&styleLink == 0 && !isWord(prev) {
			if n := bareURL(text); n > 0 {
				u := text[:n]
				return n, pair{`<a href="` + html.EscapeString(u) + `">` + html.EscapeString(u) + "</a>", u}, true
			}
		}
	}
	return 0, pair{}, false
}

// emphasis reads formatting that is marked on both sides.
func (p *parser) emphasis(text string, prev rune, depth int, in style) (int, pair, bool) {
	for _, d := range delimiters {
		if !strings.HasPrefix(text, d.mark) || in&d.style != 0 {
			continue
		}
		end := closing(text, d.mark, prev)
		if end < 0 {
			continue
		}
		inner := p.inline(text[len(d.mark):end], depth+1, in|d.style)
		p.rich = true
		return end + len(d.mark), pair{d.open + inner.html + d.close, d.mark + inner.plain + d.mark}, true
	}
	// Marks that mean nothing are taken together, so that the rest of them is not read anew.
	n := 1
	for n < len(text) && text[n] == text[0] {
		n++
	}
	if n > 3 {
		return n, pair{text[:n], text[:n]}, true
	}
	return 0, pair{}, false
}

// closing finds the end of what mark opens at the beginning of a text; -1 if
// there is none.
func closing(text, mark string, prev rune) int {
	c := mark[0]
	if len(mark) == 1 {
		if len(text) < 3 {
			return -1
		}
		next, _ := utf8.DecodeRuneInString(text[1:])
		if c == '*' && unicode.IsSpace(next) || c == '_' && isWord(prev) {
			return -1
		}
	}
	for i := len(mark); i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '`':
			if _, n, ok := codeSpan(text[i:]); ok {
				i += n - 1
			}
		case '<':
			if n := angleLen(text[i:]); n > 0 {
				i += n - 1
			}
		case 'h':
			if n := bareURL(text[i:]); n > 0 && !strings.Contains(text[i:i+n], mark) {
				i += n - 1
			}
		case c:
			run := 1
			for i+run < len(text) && text[i+run] == c {
				run++
			}
			if len(mark) == 2 {
				// The last two of a run close, so that "***a***" nests.
				if run >= 2 && i > 2 {
					return i + run - 2
				}
				if run >= 2 && i == 2 {
					return -1
				}
				i += run - 1
				continue
			}
			if run == 2 {
				i++ // a double mark inside
				continue
			}
			before := lastRune(text[:i])
			after, _ := utf8.DecodeRuneInString(text[i+run:])
			if i > 1 && (c == '*' && !unicode.IsSpace(before) || c == '_' && (i+run >= len(text) || !isWord(after))) {
				return i + run - 1
			}
			i += run - 1
		}
	}
	return -1
}

// codeSpan reads code between one or two backticks.
func codeSpan(text string) (code string, n int, ok bool) {
	run := 0
	for run < len(text) && text[run] == '`' {
		run++
	}
	if run == 0 || run > 2 {
		return "", 0, false
	}
	for i := run; i < len(text); {
		if text[i] != '`' {
			i++
			continue
		}
		end := i
		for end < len(text) && text[end] == '`' {
			end++
		}
		if end-i == run {
			code = text[run:i]
			if run == 2 {
				code = strings.TrimSpace(code)
			}
			return code, end, code != ""
		}
		i = end
	}
	return "", 0, false
}

// bareURL is the length of an address at the beginning of a text, 0 if there is
// none.
func bareURL(text string) int {
	rest, ok := strings.CutPrefix(text, "https://")
	if !ok {
		if rest, ok = strings.CutPrefix(text, "http://"); !ok {
			return 0
		}
	}
	n := strings.IndexFunc(rest, func(r rune) bool {
		return unicode.IsSpace(r) || r == '<' || r == '>' || r == '"' || unicode.IsControl(r)
	})
	if n < 0 {
		n = len(rest)
	}
	// What ends a sentence, or closes a bracket that is not opened in it, is not part of it.
	for n > 0 {
		c := rest[n-1]
		if strings.IndexByte(".,:;'!?]*_~|", c) >= 0 || c == ')' && strings.Count(rest[:n], "(") < strings.Count(rest[:n], ")") {
			n--
			continue
		}
		break
	}
	if n == 0 {
		return 0
	}
	return len(text) - len(rest) + n
}

// link reads [text](address).
func (p *parser) link(text string, depth int, in style) (int, pair, bool) {
	level, end := 0, -1
	for i := 0; i < len(text) && end < 0; i++ {
		switch text[i] {
		case '\\':
			i++
		case '[':
			level++
		case ']':
			if level--; level == 0 {
				end = i
			}
		}
	}
	if end < 2 || !strings.HasPrefix(text[end+1:], "(") {
		return 0, pair{}, false
	}
	target := text[end+2:]
	level, stop := 1, -1
	for i := 0; i < len(target) && stop < 0; i++ {
		switch target[i] {
		case '(':
			level++
		case ')':
			if level--; level == 0 {
				stop = i
			}
		case '\n':
			return 0, pair{}, false
		}
	}
	if stop < 0 {
		return 0, pair{}, false
	}
	href, _, _ := strings.Cut(strings.TrimSpace(target[:stop]), " ")
	href = strings.TrimSuffix(strings.TrimPrefix(href, "<"), ">")
	if !strings.HasPrefix(href, "https://") && !strings.HasPrefix(href, "http://") && !strings.HasPrefix(href, "mailto:") {
		return 0, pair{}, false
	}
	inner := p.inline(text[1:end], depth+1, in|styleLink)
	p.rich = true
	return end + 2 + stop + 1, pair{`<a href="` + html.EscapeString(href) + `">` + inner.html + "</a>", inner.plain + " (" + href + ")"}, true
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
