package format

import (
	"unicode"
	"unicode/utf8"
)

// minLine is the least length that Split works with: enough for all codes of a
// style and a character.
const minLine = 32

// Split splits one line of IRC text into lines of at most limit bytes (at least
// 32). It splits at spaces where it can, dropping the space, never inside a
// character or a sequence that shows as one, and repeats at the start of each
// line the formatting in force, which ends with every line.
func Split(text string, limit int) []string { return split(text, limit, false) }

// Cut is as Split, but drops nothing: put together, the lines are the text again.
func Cut(text string, limit int) []string { return split(text, limit, true) }

func split(text string, limit int, keep bool) []string {
	limit = max(limit, minLine)
	if len(text) <= limit {
		return []string{text}
	}
	units := clusters(parse(text), limit-minLine/2)
	var lines []string
	for i := 0; i < len(units); {
		line, next := fill(units, i, limit, keep)
		lines = append(lines, line)
		i = next
	}
	if len(lines) == 0 {
		return []string{""}
	}
	return lines
}

// fill makes one line of the units from i on and returns where the next begins.
func fill(units []segment, i, limit int, keep bool) (line string, next int) {
	var out []byte
	var cur style
	spaceLen, spaceNext := 0, -1
	for ; i < len(units); i++ {
		u := units[i]
		codes := change(cur, u.style, u.text)
		if len(out)+len(codes)+len(u.text) > limit {
			if u.text == " " && !keep {
				return string(out), i + 1
			}
			if spaceNext > 0 && spaceLen >= limit/4 {
				if keep {
					spaceLen++
				}
				return string(out[:spaceLen]), spaceNext
			}
			return string(out), i
		}
		if u.text == " " && len(out) > 0 {
			spaceLen, spaceNext = len(out), i+1
		}
		out = append(out, codes...)
		out = append(out, u.text...)
		cur = u.style
	}
	return string(out), i
}

// clusters cuts segments into the pieces that must not be split, none longer
// than limit bytes.
func clusters(segments []segment, limit int) []segment {
	var units []segment
	for _, s := range segments {
		for text := s.text; text != ""; {
			n := cluster(text, limit)
			units = append(units, segment{text[:n], s.style})
			text = text[n:]
		}
	}
	return units
}

// cluster returns the length of the first character of text with all that
// belongs to it: combining marks, variation selectors, skin tones, joined
// emoji, pairs of regional indicators.
func cluster(text string, limit int) int {
	first, n := utf8.DecodeRuneInString(text)
	joined := first == zwj
	regional := isRegional(first)
	for n < len(text) {
		r, size := utf8.DecodeRuneInString(text[n:])
		if n+size > limit {
			break
		}
		switch {
		case r == zwj:
			joined = true
		case joined, unicode.Is(unicode.M, r), 0x1f3fb <= r && r <= 0x1f3ff, 0xe0020 <= r && r <= 0xe007f:
			joined = false
		case regional && isRegional(r):
			regional = false
		default:
			return n
		}
		n += size
	}
	return n
}

const zwj = '\u200d'

func isRegional(r rune) bool { return 0x1f1e6 <= r && r <= 0x1f1ff }
