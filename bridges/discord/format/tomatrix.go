package format

import (
	"html"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Lookup finds what mentions name. Each may be nil; one that does not know answers
// "".
type Lookup struct {
	// User gives the name of a user and the Matrix id of who stands for them.
	User func(id string) (name, mxid string)
	Role func(id string) (name string)
	// Channel gives the name of a channel, without #, and a link to its room.
	Channel func(id string) (name, link string)
	// Emoji gives the mxc address of a custom emoji.
	Emoji func(name, id string, animated bool) (mxc string)
}

// Text is a message for Matrix.
type Text struct {
	Body string
	// HTML is "" if it would say no more than Body.
	HTML string
	// Mentions are the Matrix ids of users that are mentioned.
	Mentions []string
	// Everyone says that the text has @everyone or @here. Whether that alerts
	// anybody is for the caller to decide.
	Everyone bool
}

// maxText is the longest text, in bytes, that is read as markdown. Discord's own limit
// is a tenth of it.
const maxText = 64 << 10

// maxDepth bounds how deep formatting is nested.
const maxDepth = 12

// ToMatrix converts Discord's markdown.
func ToMatrix(text string, look Lookup) Text {
	p := &parser{look: look}
	if len(text) > maxText {
		return Text{Body: strings.ToValidUTF8(text, "\ufffd")}
	}
	text = strings.ReplaceAll(strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "\ufffd"), "\r\n", "\n")
	out := p.blocks(text, 0, true)
	res := Text{Body: out.plain, Mentions: p.mentions, Everyone: p.everyone}
	if p.rich {
		res.HTML = strings.TrimSuffix(out.html, "<br>")
	}
	return res
}

// parser reads one message.
type parser struct {
	look     Lookup
	mentions []string
	everyone bool
	rich     bool // there is something that plain text cannot show
}

// pair is a piece of a message in both forms.
type pair struct{ html, plain string }

func (a *pair) add(b pair) { a.html += b.html; a.plain += b.plain }

// blocks reads lines: fences, quotes, headers, lists and paragraphs. top says that
// quotes are read here.
func (p *parser) blocks(text string, depth int, top bool) pair {
	if depth > maxDepth {
		return pair{html.EscapeString(text), text}
	}
	var out pair
	var para []string
	flush := func() {
		if len(para) == 0 {
			return
		}
		in := p.inline(strings.Join(para, "\n"), depth+1, 0)
		out.html += in.html
		out.plain += in.plain
		para = nil
	}
	newline := func() {
		if out.plain != "" && !strings.HasSuffix(out.plain, "\n") {
			out.plain += "\n"
		}
	}
	// block adds what stands on lines of its own.
	block := func(b pair) {
		flush()
		p.rich = true
		newline()
		out.html = strings.TrimSuffix(out.html, "<br>")
		out.add(b)
	}
	for text != "" {
		line, rest, more := strings.Cut(text, "\n")
		if open := fenceIn(line); open >= 0 && !(top && strings.HasPrefix(line, ">")) {
			if body, lang, after, ok := fence(text[open:]); ok {
				if open > 0 {
					para = append(para, text[:open])
				}
				class := ""
				if lang != "" {
					class = ` class="language-` + html.EscapeString(lang) + `"`
				}
				block(pair{
					"<pre><code" + class + ">" + html.EscapeString(body) + "</code></pre>",
					"```" + lang + "\n" + strings.TrimSuffix(body, "\n") + "\n```",
				})
				text = strings.TrimPrefix(after, "\n")
				if text != "" {
					out.plain += "\n"
				}
				continue
			}
		}
		switch {
		case top && strings.HasPrefix(line, ">>> ") && strings.TrimSpace(text[4:]) != "":
			in := p.blocks(text[4:], depth+1, false)
			block(pair{"<blockquote>" + in.html + "</blockquote>", "> " + strings.ReplaceAll(strings.TrimSuffix(in.plain, "\n"), "\n", "\n> ")})
			return out
		case top && strings.HasPrefix(line, "> "):
			var quoted []string
			for strings.HasPrefix(line, "> ") || line == ">" && len(quoted) > 0 {
				quoted = append(quoted, strings.TrimPrefix(strings.TrimPrefix(line, ">"), " "))
				text = rest
				if !more {
					text = ""
					break
				}
				line, rest, more = strings.Cut(text, "\n")
			}
			in := p.blocks(strings.Join(quoted, "\n"), depth+1, false)
			block(pair{"<blockquote>" + in.html + "</blockquote>", "> " + strings.ReplaceAll(strings.TrimSuffix(in.plain, "\n"), "\n", "\n> ")})
			if text != "" {
				out.plain += "\n"
			}
			continue
		}
		if level, title, ok := header(line); ok {
			in := p.inline(title, depth+1, 0)
			tag := "h" + strconv.Itoa(level)
			block(pair{"<" + tag + ">" + in.html + "</" + tag + ">", strings.Repeat("#", level) + " " + in.plain})
		} else if small, ok := strings.CutPrefix(line, "-# "); ok && strings.TrimSpace(small) != "" {
			in := p.inline(strings.TrimSpace(small), depth+1, 0)
			block(pair{"<sub>" + in.html + "</sub>", in.plain})
			if more {
				out.html += "<br>"
			}
		} else if _, _, _, ok := item(line); ok {
			var lines []string
			for {
				_, _, _, isItem := item(line)
				indented := len(lines) > 0 && strings.HasPrefix(line, "  ") && strings.TrimSpace(line) != ""
				if !isItem && !indented || fenceIn(line) >= 0 && len(lines) > 0 {
					break
				}
				lines = append(lines, line)
				text = rest
				if !more {
					text = ""
					break
				}
				line, rest, more = strings.Cut(text, "\n")
			}
			var lists strings.Builder
			for left := lines; len(left) > 0; {
				l, n := p.list(left, depth+1)
				lists.WriteString(l)
				left = left[n:]
			}
			// The markers are good plain text already.
			block(pair{html: lists.String()})
			out.plain += p.inlineCopy(strings.Join(lines, "\n"), depth+1)
			if text != "" {
				out.plain += "\n"
			}
			continue
		} else {
			para = append(para, line)
			text = rest
			if more {
				// A line break before more of the paragraph, or before a block.
				if text == "" {
					para = append(para, "")
				} else if p.startsBlock(text, top) {
					flush()
					out.plain += "\n"
				}
			}
			continue
		}
		text = rest
		if more && text != "" {
			out.plain += "\n"
		}
	}
	flush()
	return out
}

// startsBlock reports whether a text begins with something other than a line of a
// paragraph.
func (p *parser) startsBlock(text string, top bool) bool {
	line, _, _ := strings.Cut(text, "\n")
	if _, _, ok := header(line); ok {
		return true
	}
	if _, _, _, ok := item(line); ok {
		return true
	}
	if small, ok := strings.CutPrefix(line, "-# "); ok && strings.TrimSpace(small) != "" {
		return true
	}
	if open := fenceIn(line); open == 0 {
		_, _, _, ok := fence(text)
		return ok
	}
	return top && (strings.HasPrefix(line, "> ") || strings.HasPrefix(line, ">>> ") && strings.TrimSpace(text[4:]) != "")
}

// inlineCopy is the plain form of a text, with no effect on the HTML and the
// mentions, which have been taken from it already.
func (p *parser) inlineCopy(text string, depth int) string {
	c := &parser{look: p.look}
	return c.inline(text, depth, 0).plain
}

// fenceIn is where a fence opens in a line, outside of code; -1 if none does.
func fenceIn(line string) int {
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '\\':
			i++
		case '`':
			if strings.HasPrefix(line[i:], "```") {
				return i
			}
			if _, n, ok := codeSpan(line[i:]); ok {
				i += n - 1
			}
		}
	}
	return -1
}

// fence reads a block of code at the beginning of a text.
func fence(text string) (body, lang, rest string, ok bool) {
	inner := text[3:]
	end := strings.Index(inner, "```")
	if end < 0 {
		return "", "", "", false
	}
	for end+3 < len(inner) && inner[end+3] == '`' {
		end++
	}
	body, rest = inner[:end], inner[end+3:]
	if first, more, found := strings.Cut(body, "\n"); found && !strings.ContainsFunc(first, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_+-.#", r)
	}) && strings.TrimSpace(more) != "" {
		lang, body = first, more
	}
	body = strings.TrimLeft(body, "\n")
	return body, lang, rest, strings.TrimSpace(body) != ""
}

// header reads a line such as "# title".
func header(line string) (level int, title string, ok bool) {
	for level < len(line) && line[level] == '#' {
		level++
	}
	if level == 0 || level > 3 || level >= len(line) || line[level] != ' ' {
		return 0, "", false
	}
	title = strings.TrimSpace(line[level:])
	return level, title, title != ""
}

// item reads a line of a list.
func item(line string) (indent int, number, text string, ok bool) {
	trimmed := strings.TrimLeft(line, " ")
	indent = len(line) - len(trimmed)
	if rest, found := strings.CutPrefix(trimmed, "- "); found {
		return indent, "", strings.TrimSpace(rest), strings.TrimSpace(rest) != ""
	}
	if rest, found := strings.CutPrefix(trimmed, "* "); found {
		return indent, "", strings.TrimSpace(rest), strings.TrimSpace(rest) != ""
	}
	n := 0
	for n < len(trimmed) && n < 9 && trimmed[n] >= '0' && trimmed[n] <= '9' {
		n++
	}
	if n > 0 && strings.HasPrefix(trimmed[n:], ". ") {
		text = strings.TrimSpace(trimmed[n+2:])
		return indent, trimmed[:n], text, text != ""
	}
	return 0, "", "", false
}

// list makes a list of lines, all of them items or continuations.
func (p *parser) list(lines []string, depth int) (out string, used int) {
	base, number, _, _ := item(lines[0])
	open, end := "<ul>", "</ul>"
	if number != "" {
		open, end = "<ol>", "</ol>"
		if n := strings.TrimLeft(number, "0"); n != "1" && n != "" {
			open = `<ol start="` + n + `">`
		}
	}
	out = open
	for used < len(lines) {
		indent, num, text, ok := item(lines[used])
		switch {
		case ok && indent < base, ok && indent <= base+1 && (num == "") != (number == ""):
			return out + end, used
		case ok && indent > base+1 && used > 0 && depth < maxDepth:
			inner, n := p.list(lines[used:], depth+1)
			out = strings.TrimSuffix(out, "</li>") + inner + "</li>"
			used += n
			continue
		case !ok:
			out = strings.TrimSuffix(out, "</li>") + "<br>" + p.inline(strings.TrimSpace(lines[used]), depth+1, 0).html + "</li>"
		default:
			out += "<li>" + p.inline(text, depth+1, 0).html + "</li>"
		}
		used++
	}
	return out + end, used
}

// mention remembers a Matrix user that a text mentions.
func (p *parser) mention(mxid string) {
	if mxid != "" && !slices.Contains(p.mentions, mxid) {
		p.mentions = append(p.mentions, mxid)
	}
}

func lastRune(s string) rune {
	r, _ := utf8.DecodeLastRuneInString(s)
	return r
}

func isWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }
