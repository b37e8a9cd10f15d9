// Package words takes text apart for searching, in any language: words are folded such that case,
// accents and forms of width make no difference, and scripts that are written without spaces are
// cut into overlapping pairs of characters. It knows nothing of databases.
package words

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Token is a piece of text that can be looked for.
type Token struct {
	// Text is folded: two tokens are the same for a reader if their texts are equal.
	Text string
	// Raw is as it was written.
	Raw string
	// Dense tokens come from scripts without spaces, and from emoji. All of a run of them belong
	// to one "word", which Run numbers; other tokens are words of their own.
	Dense bool
	Run   int
	// Last is set for the single character that ends a run, which is there so that it can be found
	// alone.
	Last bool
}

// tokenMax bounds the bytes of a token; what is longer is cut. It is no word of any language.
const tokenMax = 64

// Split takes text apart, into at most limit tokens.
func Split(text string, limit int) []Token {
	var out []Token
	run := 0
	for len(text) > 0 && len(out) < limit {
		r, n := utf8.DecodeRuneInString(text)
		switch {
		case dense(r):
			end := until(text, func(r rune) bool { return !dense(r) && !unicode.Is(unicode.M, r) })
			out = appendDense(out, text[:end], run, limit)
			run++
			text = text[end:]
		case wordy(r):
			end := until(text, func(r rune) bool { return dense(r) || !wordy(r) && !unicode.Is(unicode.M, r) })
			if folded := Fold(text[:end]); folded != "" {
				out = append(out, Token{Text: cut(folded), Raw: text[:end], Run: run})
				run++
			}
			text = text[end:]
		default:
			text = text[n:]
		}
	}
	return out
}

// Wanted are the tokens of a question that a text must have: those of the question without the
// single character that ends a run of several, which may go on in the text.
func Wanted(question []Token) []Token {
	var out []Token
	for i, k := range question {
		if k.Last && i > 0 && question[i-1].Dense && question[i-1].Run == k.Run {
			continue
		}
		out = append(out, k)
	}
	return out
}

// until is where the first rune is that ends something.
func until(text string, ends func(rune) bool) int {
	for i, r := range text {
		if i > 0 && ends(r) {
			return i
		}
	}
	return len(text)
}

// appendDense cuts a run into pairs, and its last character: "abc" is ab, bc, c.
func appendDense(out []Token, raw string, run, limit int) []Token {
	runes := []rune(Fold(raw))
	for i := range runes {
		if len(out) == limit {
			break
		}
		end := min(i+2, len(runes))
		out = append(out, Token{Text: string(runes[i:end]), Raw: raw, Dense: true, Run: run, Last: end == i+1})
	}
	return out
}

func cut(s string) string {
	if len(s) <= tokenMax {
		return s
	}
	return strings.ToValidUTF8(s[:tokenMax], "")
}

// wordy tells whether a rune is part of words.
func wordy(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
	}
	return unicode.IsLetter(r) || unicode.IsNumber(r)
}

// without are the scripts that put no spaces between words, or as Korean join so much to a word
// that its beginning and end are not to be found.
var without = []*unicode.RangeTable{unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai, unicode.Lao,
	unicode.Khmer, unicode.Myanmar, unicode.Tibetan, unicode.Bopomofo, unicode.Yi}

// dense tells whether a rune is of such a script, or a symbol such as an emoji.
func dense(r rune) bool {
	if r < 0x0e00 || r == utf8.RuneError {
		return false
	}
	return (unicode.IsLetter(r) || unicode.Is(unicode.M, r) || r == 'ー') && unicode.In(r, without...) || r == 'ー' || unicode.Is(unicode.So, r)
}

// spelled are letters that have a base but do not decompose into it.
var spelled = strings.NewReplacer("ß", "ss", "ẞ", "ss", "æ", "ae", "œ", "oe", "ø", "o", "ł", "l", "đ", "d", "ð", "d", "þ", "th", "ı", "i", "ς", "σ", "ħ", "h")

// Fold makes different writings of a word equal: case, accents, full-width and half-width forms,
// ligatures.
func Fold(s string) string {
	ascii := true
	for i := 0; i < len(s) && ascii; i++ {
		ascii = s[i] < utf8.RuneSelf
	}
	if ascii {
		return strings.ToLower(s)
	}
	var b strings.Builder
	strips := false // whether marks on the last letter make no difference
	for _, r := range norm.NFKD.String(s) {
		if unicode.Is(unicode.Mn, r) {
			if strips || r >= 0xfe00 && r <= 0xfe0f { // variation selectors say how an emoji looks
				continue
			}
		} else {
			strips = unicode.In(r, unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Hebrew, unicode.Arabic)
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return norm.NFC.String(spelled.Replace(b.String()))
}
