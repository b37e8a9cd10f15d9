package lottie

import "strings"

// text is what a text layer shows from a time on.
type text struct {
	from  float64
	items []item
}

// fonts are the letters that a document has.
type fonts struct {
	fonts  map[string]font
	glyphs map[glyphName]glyph
}

type font struct{ family, style string }

type glyphName struct{ letter, family, style string }

type glyph struct {
	width float64 // of a hundred
	items []item
}

func readFonts(o object) *fonts {
	f := &fonts{map[string]font{}, map[glyphName]glyph{}}
	for _, o := range objects(o.obj("fonts").list("list")) {
		f.fonts[o.str("fName")] = font{o.str("fFamily"), o.str("fStyle")}
	}
	for _, o := range objects(o.list("chars")) {
		f.glyphs[glyphName{o.str("ch"), o.str("fFamily"), o.str("style")}] = glyph{
			width: o.num("w", 0), items: readItems(o.obj("data").list("shapes"), 0),
		}
	}
	return f
}

// mostLetters is how many letters of a text are drawn.
const mostLetters = 500

// readTexts reads what a text layer shows, in the order of time.
func (f *fonts) readTexts(o object) []text {
	var texts []text
	for _, k := range objects(o.obj("d").list("k")) {
		texts = append(texts, text{k.num("t", 0), f.readText(k.obj("s"))})
	}
	return texts
}

func (f *fonts) readText(o object) []item {
	size := o.num("s", 0)
	name := f.fonts[o.str("f")]
	spacing := o.num("tr", 0) / 1000 * size
	box, corner := numbers(o["sz"]), numbers(o["ps"])
	var x, y float64
	if len(box) == 2 && len(corner) == 2 {
		x, y = corner[0], corner[1]+size
	}
	y -= o.num("ls", 0)
	all := &group{transform: readTransform(nil)}
	letters := 0
	for i, line := range strings.FieldsFunc(strings.ReplaceAll(o.str("t"), "\r\n", "\r")+"\r", isBreak) {
		var width float64
		var glyphs []*group
		for _, letter := range line {
			g := f.glyphs[glyphName{string(letter), name.family, name.style}]
			if letters++; letters > mostLetters {
				break
			}
			tr := readTransform(nil)
			tr.scale = constant(size, size)
			tr.position = constant(width, y+float64(i)*o.num("lh", size*1.2))
			glyphs = append(glyphs, &group{g.items, tr})
			width += g.width/100*size + spacing
		}
		shift := x
		room := 0.0
		if len(box) == 2 {
			room = box[0]
		}
		switch o.int("j", 0) {
		case 1:
			shift += room - width
		case 2:
			shift += (room - width) / 2
		}
		for _, g := range glyphs {
			g.transform.position.static[0] += shift
			all.items = append(all.items, g)
		}
	}
	items := []item{all}
	if c := numbers(o["sc"]); len(c) >= 3 && o.num("sw", 0) > 0 {
		s := &style{color: constant(c...), opacity: constant(100), stroke: readStroke(nil)}
		s.stroke.width = constant(o.num("sw", 0))
		items = append(items, s)
	}
	if c := numbers(o["fc"]); len(c) >= 3 {
		fill := &style{color: constant(c...), opacity: constant(100)}
		if o.flag("of") || len(items) == 1 {
			items = append(items, fill)
		} else {
			items = append(items[:1], fill, items[1])
		}
	}
	return items
}

func isBreak(r rune) bool { return r == '\r' || r == '\n' || r == '\x03' }
