package console

import (
	"fmt"
	"html/template"
	"strings"
)

// picture is a drawing of another site's page: its menu, with the entry to choose, and what to press or copy there.
// It shows where to look, and is no copy of the page.
type picture struct {
	Site string
	Menu []string
	Here string
	// Title is the page's heading, and Lines what is on it.
	Title string
	Lines []pictureLine
}

// pictureLine is a part of the page: a label with a field, a switch or a button.
type pictureLine struct {
	Label string
	Kind  string // "button", "switch", "field", "check"; "" is text alone
	Text  string // on the button or in the field
	Press bool   // it is what the step is about
}

// Measures of a picture.
const (
	pictureWidth = 590
	pictureRow   = 34
	pictureMenu  = 196
	pictureTop   = 78
)

// Alt says in words what the picture shows.
func (p picture) Alt() string {
	out := p.Site
	if p.Here != "" {
		out += ", “" + p.Here + "” in the menu"
	}
	for _, l := range p.Lines {
		if l.Press {
			out += ": “" + strings.TrimSpace(l.Label+" "+l.Text) + "”"
		}
	}
	return out
}

// SVG draws it. Colours are those of the page's classes.
func (p picture) SVG() template.HTML {
	esc := template.HTMLEscapeString
	rows := max(len(p.Menu), len(p.Lines))
	height := pictureTop + rows*pictureRow + 14
	left := 20
	if len(p.Menu) > 0 {
		left = pictureMenu + 20
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="picture" role="img" aria-label="%s" viewBox="0 0 %d %d">`, esc(p.Alt()), pictureWidth, height)
	fmt.Fprintf(&b, `<rect class="p-page" x="1" y="1" width="%d" height="%d" rx="10"/><path class="p-bar" d="M1 11a10 10 0 0 1 10-10h%da10 10 0 0 1 10 10v21h-%dz"/>`, pictureWidth-2, height-2, pictureWidth-22, pictureWidth-2)
	fmt.Fprintf(&b, `<circle class="p-dot" cx="18" cy="17" r="5"/><circle class="p-dot" cx="35" cy="17" r="5"/><circle class="p-dot" cx="52" cy="17" r="5"/><text class="p-soft" x="74" y="22">%s</text>`, esc(p.Site))
	if len(p.Menu) > 0 {
		fmt.Fprintf(&b, `<line class="p-line" x1="%d" x2="%d" y1="32" y2="%d"/>`, pictureMenu, pictureMenu, height-1)
	}
	for i, m := range p.Menu {
		y := 44 + i*pictureRow
		class := "p-text"
		if m == p.Here {
			fmt.Fprintf(&b, `<rect class="p-here" x="8" y="%d" width="%d" height="28" rx="6"/>`, y, pictureMenu-16)
			class = "p-on"
		}
		fmt.Fprintf(&b, `<text class="%s" x="18" y="%d">%s</text>`, class, y+19, esc(m))
	}
	fmt.Fprintf(&b, `<text class="p-title" x="%d" y="62">%s</text>`, left, esc(p.Title))
	for i, l := range p.Lines {
		p.line(&b, l, left, pictureTop+i*pictureRow)
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}

func (p picture) line(b *strings.Builder, l pictureLine, x, y int) {
	esc := template.HTMLEscapeString
	at, wide := x, 8*len([]rune(l.Text))+28
	if l.Kind != "" && l.Label != "" {
		at = pictureWidth - 20 - wide
		if l.Kind == "switch" || l.Kind == "check" {
			at = pictureWidth - 64
		}
	}
	if l.Label != "" {
		fmt.Fprintf(b, `<text class="p-text" x="%d" y="%d">%s</text>`, x, y+19, esc(l.Label))
	}
	switch l.Kind {
	case "button":
		fmt.Fprintf(b, `<rect class="p-button" x="%d" y="%d" width="%d" height="28" rx="6"/><text class="p-on" x="%d" y="%d" text-anchor="middle">%s</text>`, at, y, wide, at+wide/2, y+19, esc(l.Text))
	case "field":
		fmt.Fprintf(b, `<rect class="p-field" x="%d" y="%d" width="%d" height="28" rx="6"/><text class="p-code" x="%d" y="%d">%s</text>`, at, y, wide, at+12, y+19, esc(l.Text))
	case "switch":
		fmt.Fprintf(b, `<rect class="p-button" x="%d" y="%d" width="40" height="22" rx="11"/><circle class="p-knob" cx="%d" cy="%d" r="8"/>`, at, y+3, at+29, y+14)
		wide = 40
	case "check":
		fmt.Fprintf(b, `<rect class="p-button" x="%d" y="%d" width="20" height="20" rx="4"/><path class="p-tick" d="M%d %dl4 4 7-8"/>`, at+16, y+4, at+20, y+14)
		wide = 40
	}
	if l.Press {
		fmt.Fprintf(b, `<rect class="p-ring" x="%d" y="%d" width="%d" height="36" rx="9"/>`, at-4, y-4, wide+8)
	}
}
