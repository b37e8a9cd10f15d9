package format

import "strings"

// change returns the codes that lead from one style to another before the text
// next. It never emits a code that would take a part of next for its parameter.
func change(from, to style, next string) string {
	if from == to {
		return ""
	}
	var b strings.Builder
	// A colour can be set, but it cannot be taken away alone.
	if from.fg != "" && to.fg == "" || from.bg != "" && to.bg == "" {
		b.WriteByte(codeReset)
		from = style{}
	}
	for _, t := range toggles {
		if *t.field(&from) != *t.field(&to) {
			b.WriteByte(t.code)
		}
	}
	if from.fg != to.fg || from.bg != to.bg {
		b.WriteString(colorCode(to.fg, to.bg))
		if strings.HasPrefix(next, ",") {
			b.WriteByte(codeBold)
			b.WriteByte(codeBold)
		}
	}
	return b.String()
}

// segment is text in one style.
type segment struct {
	text  string
	style style
}

// render writes segments as one line of IRC text.
func render(segments []segment) string {
	var b strings.Builder
	var cur style
	for _, s := range segments {
		if s.text == "" {
			continue
		}
		b.WriteString(change(cur, s.style, s.text))
		b.WriteString(s.text)
		cur = s.style
	}
	b.WriteString(change(cur, style{}, ""))
	return b.String()
}

// parse is the reverse of render.
func parse(text string) []segment {
	text = strings.ToValidUTF8(text, "\uFFFD")
	var out []segment
	var cur style
	start := 0
	flush := func(end int) {
		if end > start {
			out = append(out, segment{text[start:end], cur})
		}
	}
	for i := 0; i < len(text); {
		next := cur
		if n := scan(text[i:], &next); n > 0 {
			flush(i)
			cur = next
			i += n
			start = i
			continue
		}
		i++
	}
	flush(len(text))
	return out
}

// clean removes characters that have no place in a line. Tabs become spaces.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case isControl(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
}
