package format

import "strings"

// The control codes of formatted text.
const (
	codeBold      = '\x02'
	codeColor     = '\x03'
	codeHexColor  = '\x04'
	codeReset     = '\x0f'
	codeMonospace = '\x11'
	codeReverse   = '\x16'
	codeItalic    = '\x1d'
	codeStrike    = '\x1e'
	codeUnderline = '\x1f'
)

// style is the formatting in force at some place of a text. Colours are "" or
// "#rrggbb".
type style struct {
	bold, italic, underline, strike, mono, reverse bool
	fg, bg                                         string
}

// toggles lists the on/off codes with their fields, outermost first.
var toggles = []struct {
	code  byte
	field func(*style) *bool
}{
	{codeBold, func(s *style) *bool { return &s.bold }},
	{codeItalic, func(s *style) *bool { return &s.italic }},
	{codeUnderline, func(s *style) *bool { return &s.underline }},
	{codeStrike, func(s *style) *bool { return &s.strike }},
	{codeMonospace, func(s *style) *bool { return &s.mono }},
	{codeReverse, func(s *style) *bool { return &s.reverse }},
}

// scan reads one control code at the start of text, applies it to s, and returns
// its length, or 0 if text does not begin with a code.
func scan(text string, s *style) int {
	if text == "" {
		return 0
	}
	switch text[0] {
	case codeReset:
		*s = style{}
		return 1
	case codeColor:
		return 1 + scanColor(text[1:], s)
	case codeHexColor:
		return 1 + scanHex(text[1:], s)
	}
	for _, t := range toggles {
		if text[0] == t.code {
			field := t.field(s)
			*field = !*field
			return 1
		}
	}
	return 0
}

// scanColor reads the one or two digits, comma and digits after ^C. Without
// digits ^C ends colours; a comma without digits behind it is text.
func scanColor(text string, s *style) int {
	n := digits(text)
	if n == 0 {
		s.fg, s.bg = "", ""
		return 0
	}
	s.fg = palette(text[:n])
	if n < len(text) && text[n] == ',' {
		if m := digits(text[n+1:]); m > 0 {
			s.bg = palette(text[n+1 : n+1+m])
			return n + 1 + m
		}
	}
	return n
}

func digits(text string) int {
	n := 0
	for n < 2 && n < len(text) && '0' <= text[n] && text[n] <= '9' {
		n++
	}
	return n
}

// scanHex reads six hexadecimal digits, and after a comma six more, after ^D.
func scanHex(text string, s *style) int {
	if !isHex6(text) {
		s.fg, s.bg = "", ""
		return 0
	}
	s.fg = "#" + strings.ToLower(text[:6])
	if len(text) > 6 && text[6] == ',' && isHex6(text[7:]) {
		s.bg = "#" + strings.ToLower(text[7:13])
		return 13
	}
	return 6
}

func isHex6(text string) bool {
	if len(text) < 6 {
		return false
	}
	for i := range 6 {
		if !isHex(text[i]) {
			return false
		}
	}
	return true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// isControl reports whether r is a character that has no place in a message:
// control characters other than tab, and invalid or invisible directional ones
// that could rearrange what stands around the message.
func isControl(r rune) bool {
	switch {
	case r == '\t':
		return false
	case r < 0x20 || 0x7f <= r && r < 0xa0:
		return true
	case 0x202a <= r && r <= 0x202e, 0x2066 <= r && r <= 0x2069:
		return true
	}
	return false
}
