package format

import (
	"html"
	"strings"
	"unicode/utf8"
)

// ToMatrix returns the plain text of an IRC message and, if the message is
// formatted, its HTML; the HTML is empty otherwise.
func ToMatrix(text string) (plain, formatted string) {
	text = strings.ToValidUTF8(text, "\uFFFD")
	var p, h strings.Builder
	w := htmlWriter{out: &h}
	var cur style
	any := false
	for i := 0; i < len(text); {
		if n := scan(text[i:], &cur); n > 0 {
			i += n
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		if !isControl(r) {
			w.switchTo(cur)
			any = any || cur != style{}
			p.WriteRune(r)
			h.WriteString(html.EscapeString(string(r)))
		}
		i += size
	}
	w.switchTo(style{})
	if !any {
		return p.String(), ""
	}
	return p.String(), h.String()
}

// Plain returns the text of an IRC message without formatting.
func Plain(text string) string {
	plain, _ := ToMatrix(text)
	return plain
}

// htmlWriter opens and closes tags as the style changes. All tags of a style are
// closed before those of the next are opened, so they always nest.
type htmlWriter struct {
	out *strings.Builder
	now style
}

func (w *htmlWriter) switchTo(s style) {
	if s == w.now {
		return
	}
	for i := len(tags) - 1; i >= 0; i-- {
		if open := tags[i].open(w.now); open != "" {
			w.out.WriteString(tags[i].end)
		}
	}
	for _, t := range tags {
		w.out.WriteString(t.open(s))
	}
	w.now = s
}

// tags are the HTML elements of a style, outermost first.
var tags = []struct {
	open func(style) string
	end  string
}{
	{colorTag, "</span>"},
	{when(func(s style) bool { return s.bold }, "<strong>"), "</strong>"},
	{when(func(s style) bool { return s.italic }, "<em>"), "</em>"},
	{when(func(s style) bool { return s.underline }, "<u>"), "</u>"},
	{when(func(s style) bool { return s.strike }, "<del>"), "</del>"},
	{when(func(s style) bool { return s.mono }, "<code>"), "</code>"},
}

func when(on func(style) bool, tag string) func(style) string {
	return func(s style) string {
		if on(s) {
			return tag
		}
		return ""
	}
}

// colorTag is the span of a style's colours. Reverse swaps them; where one of
// them is the client's default, black on white stands in for it.
func colorTag(s style) string {
	fg, bg := s.fg, s.bg
	if s.reverse {
		fg, bg = bg, fg
		if fg == "" {
			fg = "#ffffff"
		}
		if bg == "" {
			bg = "#000000"
		}
	}
	if fg == "" && bg == "" {
		return ""
	}
	var b strings.Builder
	b.WriteString("<span")
	if fg != "" {
		b.WriteString(` data-mx-color="` + fg + `"`)
	}
	if bg != "" {
		b.WriteString(` data-mx-bg-color="` + bg + `"`)
	}
	b.WriteString(">")
	return b.String()
}
