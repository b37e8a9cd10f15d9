package export

import (
	"html/template"
	"net/url"
	"regexp"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// maxDepth bounds how deep elements may lie in each other. Specification, "m.room.message msgtypes": clients "SHOULD limit
// recursion", with 100 as the limit.
const maxDepth = 100

// allowed are the elements that the specification permits in formatted text, with the attributes that are kept of each.
var allowed = map[atom.Atom][]string{
	atom.Del: nil, atom.S: nil, atom.H1: nil, atom.H2: nil, atom.H3: nil, atom.H4: nil, atom.H5: nil, atom.H6: nil,
	atom.Blockquote: nil, atom.P: nil, atom.A: {"href"}, atom.Ul: nil, atom.Ol: {"start"}, atom.Sup: nil, atom.Sub: nil,
	atom.Li: nil, atom.B: nil, atom.I: nil, atom.U: nil, atom.Strong: nil, atom.Em: nil, atom.Code: nil, atom.Hr: nil,
	atom.Br: nil, atom.Div: nil, atom.Table: nil, atom.Thead: nil, atom.Tbody: nil, atom.Tr: nil, atom.Th: nil, atom.Td: nil,
	atom.Caption: nil, atom.Pre: nil, atom.Span: nil, atom.Img: {"src", "alt", "title"}, atom.Details: nil, atom.Summary: nil,
}

// number is what an ordered list may begin with.
var number = regexp.MustCompile(`^-?[0-9]{1,6}$`)

// sanitize makes formatted text safe for a page: what is not allowed loses its tags and keeps its text. file gives
// the address in the export of an mxc URI; "" if it is not there.
func sanitize(formatted string, file func(string) string) template.HTML {
	nodes, err := html.ParseFragment(strings.NewReader(formatted), &html.Node{Type: html.ElementNode, Data: "div", DataAtom: atom.Div})
	if err != nil {
		return template.HTML(template.HTMLEscapeString(formatted))
	}
	var b strings.Builder
	for _, n := range nodes {
		clean(&b, n, file, 0)
	}
	return template.HTML(b.String())
}

func clean(b *strings.Builder, n *html.Node, file func(string) string, depth int) {
	switch n.Type {
	case html.TextNode:
		b.WriteString(html.EscapeString(n.Data))
		return
	case html.ElementNode:
	default:
		return
	}
	switch n.DataAtom {
	case atom.Script, atom.Style, atom.Title, atom.Textarea, atom.Iframe, atom.Noscript, atom.Template, atom.Svg, atom.Math:
		return // their text is none for people
	}
	if n.Data == "mx-reply" || depth > maxDepth {
		return
	}
	keep, ok := allowed[n.DataAtom]
	ok = ok && n.Namespace == ""
	if ok {
		attributes, good := attributes(n, keep, file)
		if n.DataAtom == atom.Img && !good {
			b.WriteString(html.EscapeString(attribute(n, "alt")))
			return
		}
		b.WriteString("<" + n.Data + attributes + ">")
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		clean(b, c, file, depth+1)
	}
	if ok && n.DataAtom != atom.Br && n.DataAtom != atom.Hr && n.DataAtom != atom.Img {
		b.WriteString("</" + n.Data + ">")
	}
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Namespace == "" && a.Key == name {
			return a.Val
		}
	}
	return ""
}

// attributes writes what is kept of an element's; good reports whether a picture has a source.
func attributes(n *html.Node, keep []string, file func(string) string) (out string, good bool) {
	for _, name := range keep {
		v := attribute(n, name)
		if v == "" {
			continue
		}
		switch name {
		case "href":
			u, err := url.Parse(v)
			if err != nil || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "mailto" && u.Scheme != "ftp" && u.Scheme != "magnet" {
				continue
			}
			out += ` rel="nofollow noreferrer noopener"`
		case "src":
			if v = file(v); v == "" {
				continue
			}
			good = true
			out += ` class="inline"`
		case "start":
			if !number.MatchString(v) {
				continue
			}
		}
		out += " " + name + `="` + html.EscapeString(v) + `"`
	}
	return out, good
}
