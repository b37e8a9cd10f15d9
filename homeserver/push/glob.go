package push

import (
	"strings"
	"unicode/utf8"
)

// glob is a pattern: "The character * matches zero or more characters. ? matches exactly one
// character." It is matched without regard to case, by comparing in lower case.
//
// Asterisks divide it into segments. Each segment has a fixed number of characters, so taking the
// leftmost match of each in turn finds a match wherever there is one.
type glob struct{ segments []segment }

// segment is a part of a pattern without asterisks.
type segment struct {
	// text is the segment in lower case.
	text string
	// wild tells whether a ? in it stands for any character.
	wild bool
}

func compileGlob(pattern string) glob {
	var g glob
	parts := strings.Split(strings.ToLower(pattern), "*")
	for i, p := range parts {
		// Of several asterisks in a row one is enough.
		if p != "" || i == 0 || i == len(parts)-1 {
			g.segments = append(g.segments, segment{p, strings.Contains(p, "?")})
		}
	}
	return g
}

// literal is a pattern that matches one text only.
func literal(text string) glob {
	return glob{[]segment{{text: strings.ToLower(text)}}}
}

// budget bounds the work that patterns make. Patterns and texts come from different strangers,
// who could choose them together such that matching takes very long.
type budget int

// evaluationBudget is what one evaluation may spend, in comparisons of single characters: a
// few milliseconds. Ordinary rules and texts need a thousandth of it.
const evaluationBudget budget = 1 << 22

// spend takes some of the budget and tells whether there was enough left.
func (b *budget) spend(n int) bool {
	*b -= budget(n)
	return *b >= 0
}

// whole tells whether the pattern matches all of a text, which is in lower case.
func (g glob) whole(text string, b *budget) bool {
	first, last := g.segments[0], g.segments[len(g.segments)-1]
	pos, ok := first.at(text, 0, b)
	if !ok {
		return false
	}
	if len(g.segments) == 1 {
		return pos == len(text)
	}
	end, ok := last.suffix(text, b)
	if !ok || end < pos {
		return false
	}
	for _, s := range g.segments[1 : len(g.segments)-1] {
		if _, pos, ok = s.find(text[:end], pos, b); !ok {
			return false
		}
	}
	return true
}

// word tells whether the pattern matches "any substring [...] which starts and ends at a word
// boundary" of a text, which is in lower case.
func (g glob) word(text string, b *budget) bool {
	first, last := g.segments[0], g.segments[len(g.segments)-1]
	single := len(g.segments) == 1
	start, pos, ok := first.find(text, 0, b)
	for ok && !(boundary(text, start) && (!single || boundary(text, pos))) {
		start, pos, ok = first.find(text, next(text, start), b)
	}
	if !ok || single {
		return ok
	}
	for _, s := range g.segments[1 : len(g.segments)-1] {
		if _, pos, ok = s.find(text, pos, b); !ok {
			return false
		}
	}
	if last.text == "" {
		return true // the asterisk reaches to the end
	}
	start, pos, ok = last.find(text, pos, b)
	for ok && !boundary(text, pos) {
		start, pos, ok = last.find(text, next(text, start), b)
	}
	return ok
}

// boundary tells whether a place in a text is the edge of a word: "A word boundary is defined as
// the start or end of the value, or any character not in the sets [A-Z], [a-z], [0-9] or _." A
// place beside such a character counts, on either side of it.
func boundary(text string, i int) bool {
	return i == 0 || i == len(text) || !wordByte(text[i-1]) || !wordByte(text[i])
}

func wordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}

// next is the place of the next character; behind the text at its end.
func next(text string, i int) int {
	if i >= len(text) {
		return len(text) + 1
	}
	_, n := utf8.DecodeRuneInString(text[i:])
	return i + n
}

// find finds the first match at or behind a place.
func (s segment) find(text string, from int, b *budget) (start, end int, ok bool) {
	if from > len(text) || *b < 0 {
		return 0, 0, false
	}
	if !s.wild {
		i := strings.Index(text[from:], s.text)
		if i < 0 {
			b.spend(1 + (len(text)-from)/8)
			return 0, 0, false
		}
		start = from + i
		return start, start + len(s.text), b.spend(1 + (i+len(s.text))/8)
	}
	for start = from; start <= len(text) && *b >= 0; start = next(text, start) {
		if end, ok = s.at(text, start, b); ok {
			return start, end, true
		}
	}
	return 0, 0, false
}

// at matches at one place.
func (s segment) at(text string, pos int, b *budget) (end int, ok bool) {
	if !s.wild {
		return pos + len(s.text), b.spend(1+len(s.text)/8) && strings.HasPrefix(text[pos:], s.text)
	}
	for _, want := range s.text {
		if pos == len(text) || !b.spend(1) {
			return 0, false
		}
		have, size := utf8.DecodeRuneInString(text[pos:])
		if want != '?' && want != have {
			return 0, false
		}
		pos += size
	}
	return pos, true
}

// suffix matches at the end of a text and returns where the match begins.
func (s segment) suffix(text string, b *budget) (start int, ok bool) {
	if !s.wild {
		return len(text) - len(s.text), b.spend(1+len(s.text)/8) && strings.HasSuffix(text, s.text)
	}
	start = len(text)
	for range utf8.RuneCountInString(s.text) {
		if start == 0 {
			return 0, false
		}
		_, size := utf8.DecodeLastRuneInString(text[:start])
		start -= size
	}
	_, ok = s.at(text, start, b)
	return start, ok
}
