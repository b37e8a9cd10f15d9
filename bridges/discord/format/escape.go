package format

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// Escape writes text so that Discord shows it as it is. Addresses stay whole, for in
// them Discord would show the backslashes.
func Escape(s string) string {
	var b strings.Builder
	var prev rune
	for i := 0; i < len(s); {
		if s[i] == 'h' && !isWord(prev) {
			if n := bareURL(s[i:]); n > 0 {
				b.WriteString(s[i : i+n])
				prev = lastRune(s[:i+n])
				i += n
				continue
			}
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch r {
		case '\\', '*', '_', '~', '|', '`':
			if r == '_' && isWord(prev) && i+1 < len(s) && isWord2(s[i+1:]) && !strings.HasPrefix(s[i:], "__") && prev != '_' {
				break // inside of a word it means nothing
			}
			b.WriteByte('\\')
		case '[':
			if strings.Contains(s[i:], "](") {
				b.WriteByte('\\')
			}
		case '<':
			if angleLen(s[i:]) > 0 && strings.IndexByte("@#:at/ih", s[i+1]) >= 0 {
				b.WriteByte('\\')
			}
		}
		b.WriteString(s[i : i+n])
		prev = r
		i += n
	}
	return b.String()
}

func isWord2(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return isWord(r) && r != '_'
}

// escapeStart escapes what means something at the beginning of a line.
func escapeStart(line string) string {
	trimmed := strings.TrimLeft(line, " ")
	lead := line[:len(line)-len(trimmed)]
	switch {
	case trimmed == "":
		return line
	case strings.HasPrefix(trimmed, "#"), strings.HasPrefix(trimmed, ">"), strings.HasPrefix(trimmed, "-# "), strings.HasPrefix(trimmed, "- "):
		return lead + "\\" + trimmed
	}
	n := 0
	for n < len(trimmed) && trimmed[n] >= '0' && trimmed[n] <= '9' {
		n++
	}
	if n > 0 && strings.HasPrefix(trimmed[n:], ". ") {
		return lead + trimmed[:n] + "\\" + trimmed[n:]
	}
	return line
}

// tidy puts the pieces of a document together: breaks, paragraphs, marks that must
// be kept apart, and what must be escaped at the beginning of a line.
func tidy(s string) string {
	var b []byte
	soft, gap, line := false, false, true // line: at the beginning of one
	flush := func() {
		if len(b) > 0 && (soft || gap) && !line {
			b = append(b, '\n')
			line = true
		}
		if len(b) > 0 && gap {
			b = append(b, '\n')
		}
		soft, gap = false, false
	}
	for i := 0; i < len(s); {
		switch s[i] {
		case softBreak[0]:
			soft = true
			i++
			continue
		case paragraph[0]:
			gap = true
			i++
			continue
		case hardBreak[0], '\n':
			flush()
			b = append(b, '\n')
			line = true
			i++
			continue
		case startMark[0]:
			i++
			if soft || gap || line || onlyDigits(b[strings.LastIndexByte(string(b[max(0, len(b)-20):]), '\n')+1+max(0, len(b)-20):]) && strings.HasPrefix(s[i:], ".") {
				flush()
				b = append(b, '\\')
				line = false
			}
			continue
		case joinMark[0]:
			i++
			rest := strings.TrimLeft(s[i:], joinMark+startMark)
			if rest != "" && len(b) > 0 {
				last := b[len(b)-1]
				if rest[0] == last && strings.IndexByte("*_~|`", last) >= 0 {
					b = append(b, joiner...)
				} else if r, _ := utf8.DecodeRuneInString(rest); last == '_' && isWord(r) {
					b = append(b, joiner...)
				}
			}
			continue
		case ' ':
			if line || soft || gap {
				i++ // white space at the beginning of a block
				continue
			}
		}
		flush()
		end := strings.IndexAny(s[i:], softBreak+hardBreak+joinMark+startMark+paragraph+"\n")
		if end < 0 {
			end = len(s) - i
		}
		b = append(b, s[i:i+end]...)
		line = false
		i += end
	}
	lines := strings.Split(string(b), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

func onlyDigits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

// oneLine puts a document into one line.
func oneLine(s string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(tidy(s), "\n", " ")), " ")
}

func unescape(s string) string {
	if out, err := url.PathUnescape(s); err == nil {
		return out
	}
	return s
}
