package format

import (
	"strings"
	"unicode/utf8"
)

// Split cuts elements into pieces whose text has at most limit bytes each, markup
// included where it counts: between elements, else at the end of a line, else of a word.
func Split(list []Element, limit int) [][]Element {
	var out [][]Element
	var cur []Element
	size := 0
	push := func() {
		if len(cur) > 0 {
			out = append(out, cur)
		}
		cur, size = nil, 0
	}
	for _, e := range list {
		for _, piece := range cut(e, limit) {
			n := len(ToMrkdwn([]Element{piece})) + 1
			if size > 0 && size+n > limit {
				push()
			}
			cur = append(cur, piece)
			size += n
		}
	}
	push()
	return out
}

// cut makes several elements of one that is too long.
func cut(e Element, limit int) []Element {
	if len(ToMrkdwn([]Element{e})) < limit {
		return []Element{e}
	}
	var out []Element
	if e.Type == List {
		part := e
		part.Items = nil
		size := 0
		push := func() {
			if len(part.Items) > 0 {
				out = append(out, part)
				part.Offset += len(part.Items)
				part.Items, size = nil, 0
			}
		}
		for _, item := range e.Items {
			for _, piece := range cut(item, limit-32) {
				n := len(mrkdwnOf(piece.Inlines)) + 16
				if size+n > limit {
					push()
				}
				part.Items = append(part.Items, piece)
				size += n
			}
		}
		push()
		return out
	}
	part := e
	part.Inlines = nil
	size := 0
	push := func() {
		if len(part.Inlines) > 0 {
			out = append(out, part)
		}
		part.Inlines, size = nil, 0
	}
	for _, in := range e.Inlines {
		for {
			n := len(decorate(in, mrkdwnInline(in)))
			if e.Type == Quote {
				n += 6 * strings.Count(in.Text, "\n")
			}
			if size+n+16 <= limit {
				part.Inlines = append(part.Inlines, in)
				size += n
				break
			}
			if in.Type != "text" {
				if size > 0 {
					push()
					continue
				}
				if in.Type == "link" && in.Text != "" && len(in.URL) < limit/2 {
					in.Text = in.Text[:boundary(in.Text, min(len(in.Text)/2, limit/8))]
					continue
				}
				in = Inline{Type: "text", Text: in.URL + in.Text + in.Name, Style: in.Style}
				continue
			}
			at := fits(in, e.Type == Quote, limit-size-16)
			if at == 0 {
				if size > 0 {
					push()
					continue
				}
				_, at = utf8.DecodeRuneInString(in.Text)
			}
			head := in
			head.Text = strings.TrimRight(in.Text[:at], " \n")
			if head.Text != "" {
				part.Inlines = append(part.Inlines, head)
			}
			push()
			in.Text = strings.TrimLeft(in.Text[at:], "\n")
			if in.Text == "" {
				break
			}
		}
	}
	push()
	return out
}

// fits returns how many bytes of a text, up to a good place to cut it, take at most
// limit bytes when they are written.
func fits(in Inline, quoted bool, limit int) int {
	text := in.Text
	for at := len(text); at > 0; {
		in.Text = text[:at]
		n := len(decorate(in, mrkdwnInline(in)))
		if quoted {
			n += 6 * strings.Count(in.Text, "\n")
		}
		if n <= limit {
			return at
		}
		if limit <= 0 {
			return 0
		}
		at = boundary(text, min(at-1, at*limit/n))
	}
	return 0
}

// boundary returns a good place to cut text at or before n.
func boundary(text string, n int) int {
	if n <= 0 || n >= len(text) {
		return max(0, min(n, len(text)))
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	if at := strings.LastIndexByte(text[:n], '\n'); at > n/2 {
		return at + 1
	}
	if at := strings.LastIndexByte(text[:n], ' '); at > n/2 {
		return at + 1
	}
	return n
}
