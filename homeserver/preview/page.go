package preview

import (
	"bytes"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"io"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Bounds of what is kept of a page, in bytes.
const (
	maxTitle       = 300
	maxDescription = 1000
	maxValue       = 1000
	maxProperties  = 40
	maxJSONLD      = 64 << 10
	// maxPictures is how many pictures are tried.
	maxPictures = 3
	// smallPicture is the side, in pixels, below which a picture of a page is an ornament.
	smallPicture = 64
)

// page is what the parser gathers.
type page struct {
	base *url.URL
	// meta are the properties og:..., twitter:... and description, the first of each.
	meta map[string]string
	// order is the order of meta.
	order []string
	// pictures are addresses in the order in which they are to be tried, first those that the page
	// names for this purpose.
	pictures []string
	// images are those that merely stand in the page.
	images []string
	oembed *url.URL
	// head is the text of <title>, heading of the first <h1>, and text of the first paragraphs.
	head, heading, text string
	// linked is what JSON-LD says.
	linked linkedData
	// embedTitle is what oEmbed says.
	embedTitle string
}

type linkedData struct{ title, description, image string }

// skipped are elements whose text is none of the page's.
var skipped = map[atom.Atom]bool{
	atom.Script: true, atom.Style: true, atom.Noscript: true, atom.Template: true, atom.Svg: true, atom.Nav: true,
	atom.Header: true, atom.Footer: true, atom.Aside: true, atom.Form: true, atom.Button: true, atom.Select: true, atom.Iframe: true,
}

// parsePage reads a page until its end or what was given of it.
func parsePage(r io.Reader, at *url.URL) (*page, error) {
	p := &parser{page: &page{base: at, meta: map[string]string{}}, z: html.NewTokenizer(r)}
	for {
		switch p.z.Next() {
		case html.ErrorToken:
			if err := p.z.Err(); !errors.Is(err, io.EOF) {
				return nil, err
			}
			p.flush()
			return p.page, nil
		case html.StartTagToken, html.SelfClosingTagToken:
			p.start()
		case html.EndTagToken:
			name, _ := p.z.TagName()
			p.end(atom.Lookup(name))
		case html.TextToken:
			if p.into != nil || p.json != nil {
				p.take(p.z.Text())
			}
		}
	}
}

// parser is a page being read.
type parser struct {
	*page
	z *html.Tokenizer
	// skip is the element that is being skipped, and depth how many of its kind are open.
	skip  atom.Atom
	depth int
	// in is the element whose text is gathered into into; json gathers a script's.
	in   atom.Atom
	into *strings.Builder
	json *bytes.Buffer
}

func (p *parser) take(text []byte) {
	switch {
	case p.json != nil:
		if p.json.Len()+len(text) <= maxJSONLD {
			p.json.Write(text)
		}
	case p.skip == 0 && p.into.Len() < 4*maxDescription:
		p.into.Write(text[:min(len(text), 4*maxDescription)])
	}
}

func (p *parser) start() {
	raw, more := p.z.TagName()
	name := atom.Lookup(raw)
	var attr map[string]string
	switch name {
	case atom.Meta, atom.Link, atom.Img, atom.Base, atom.Script:
		attr = p.attributes(more)
	}
	if name == atom.Script && strings.EqualFold(attr["type"], "application/ld+json") {
		p.json = &bytes.Buffer{}
		return
	}
	if p.skip != 0 {
		if name == p.skip {
			p.depth++
		}
		return
	}
	switch {
	case skipped[name]:
		p.skip, p.depth = name, 1
	case name == atom.Meta:
		p.addMeta(attr)
	case name == atom.Link:
		p.addLink(attr)
	case name == atom.Base:
		if u, err := p.base.Parse(attr["href"]); err == nil && checkURL(u) == nil {
			p.base = u
		}
	case name == atom.Img:
		p.addImage(attr)
	case name == atom.Title && p.head == "", name == atom.H1 && p.heading == "", name == atom.P && len(p.text) < maxDescription/2:
		p.flush()
		p.in, p.into = name, &strings.Builder{}
	case name == atom.Br && p.into != nil:
		p.into.WriteByte(' ')
	}
}

func (p *parser) end(name atom.Atom) {
	switch {
	case name == atom.Script && p.json != nil:
		p.linked.read(p.json.Bytes())
		p.json = nil
	case p.skip != 0:
		if name == p.skip {
			if p.depth--; p.depth == 0 {
				p.skip = 0
			}
		}
	case p.into != nil && name == p.in:
		p.flush()
	}
}

// flush ends the text that is being gathered.
func (p *parser) flush() {
	if p.into == nil {
		return
	}
	text := clean(p.into.String(), maxDescription)
	switch p.in {
	case atom.Title:
		p.head = text
	case atom.H1:
		p.heading = text
	case atom.P:
		p.text = strings.TrimSpace(p.text + " " + text)
	}
	p.in, p.into = 0, nil
}

func (p *parser) attributes(more bool) map[string]string {
	out := map[string]string{}
	for more {
		var k, v []byte
		k, v, more = p.z.TagAttr()
		if len(v) <= 4*maxURL {
			out[string(k)] = string(v)
		}
	}
	return out
}

func (p *parser) addMeta(attr map[string]string) {
	name := strings.ToLower(attr["property"])
	if name == "" {
		name = strings.ToLower(attr["name"])
	}
	content := clean(attr["content"], maxValue)
	if content == "" {
		return
	}
	switch {
	case name == "og:image" || name == "og:image:url" || name == "og:image:secure_url" || name == "twitter:image" || name == "twitter:image:src":
		if len(p.pictures) < maxPictures {
			p.pictures = append(p.pictures, strings.TrimSpace(attr["content"]))
		}
	case strings.HasPrefix(name, "og:"), strings.HasPrefix(name, "twitter:"), strings.HasPrefix(name, "article:"), name == "description":
		if _, have := p.meta[name]; !have && len(p.meta) < maxProperties && len(name) <= 64 {
			p.meta[name] = content
			p.order = append(p.order, name)
		}
	}
}

func (p *parser) addLink(attr map[string]string) {
	for rel := range strings.FieldsSeq(strings.ToLower(attr["rel"])) {
		switch {
		case rel == "alternate" && strings.EqualFold(attr["type"], "application/json+oembed") && p.oembed == nil:
			if u, err := p.base.Parse(attr["href"]); err == nil && checkURL(u) == nil {
				p.oembed = u
			}
		case rel == "image_src" && len(p.pictures) < maxPictures:
			p.pictures = append(p.pictures, attr["href"])
		}
	}
}

func (p *parser) addImage(attr map[string]string) {
	for _, side := range []string{"width", "height"} {
		if n, err := strconv.Atoi(strings.TrimSuffix(attr[side], "px")); err == nil && n < smallPicture {
			return
		}
	}
	if src := attr["src"]; src != "" && !strings.HasPrefix(src, "data:") && len(p.images) == 0 {
		p.images = append(p.images, src)
	}
}

// title is the page's best title.
func (p *page) title() string {
	return first(p.meta["og:title"], p.meta["twitter:title"], p.linked.title, p.embedTitle, p.head, p.heading)
}

// openGraph is what the page says, without pictures.
func (p *page) openGraph() map[string]any {
	out := map[string]any{}
	for _, name := range p.order {
		// Of pictures only those that were looked at are told of.
		if strings.HasPrefix(name, "og:") && !strings.HasPrefix(name, "og:image") {
			out[name] = p.meta[name]
		}
	}
	if t := clean(p.title(), maxTitle); t != "" {
		out["og:title"] = t
	}
	if d := first(p.meta["og:description"], p.meta["twitter:description"], p.linked.description, p.meta["description"], p.text); d != "" {
		out["og:description"] = clean(d, maxDescription)
	}
	return out
}

// candidates are the pictures to try.
func (p *page) candidates() (out []*url.URL) {
	list := p.pictures
	if p.linked.image != "" {
		list = append(list, p.linked.image)
	}
	for _, text := range append(list, p.images...) {
		u, err := p.base.Parse(strings.TrimSpace(text))
		if err != nil || checkURL(u) != nil || len(out) == maxPictures {
			continue
		}
		out = append(out, u)
	}
	return out
}

func first(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}

// clean makes text of a page fit to be shown: valid, on one line, not too long.
func clean(s string, limit int) string {
	// A part is enough to find so much text in.
	s = strings.ToValidUTF8(s[:min(len(s), 16*limit)], "")
	s = strings.Map(func(c rune) rune {
		switch {
		case unicode.IsSpace(c):
			return ' '
		case unicode.IsControl(c), unicode.Is(unicode.Bidi_Control, c), c == utf8.RuneError:
			return -1
		}
		return c
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= limit {
		return s
	}
	cut := limit - len("…")
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return strings.TrimRight(s[:cut], " ") + "…"
}

// read takes in a JSON-LD object, or the first of a list that says something; see
// https://schema.org/Article.
func (l *linkedData) read(raw []byte) {
	var list []map[string]jsontext.Value
	var one map[string]jsontext.Value
	options := json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if json.Unmarshal(raw, &one, options) == nil {
		list = append(list, one)
		var graph []map[string]jsontext.Value
		if json.Unmarshal(one["@graph"], &graph, options) == nil {
			list = append(list, graph...)
		}
	} else if json.Unmarshal(raw, &list, options) != nil {
		return
	}
	for _, o := range list {
		l.title = first(l.title, linkedText(o["headline"]), linkedText(o["name"]))
		l.description = first(l.description, linkedText(o["description"]))
		l.image = first(l.image, linkedText(o["image"]), linkedText(o["thumbnailUrl"]))
	}
}

// linkedText is a text, the first of a list, or the url of an object.
func linkedText(raw jsontext.Value) string {
	switch raw.Kind() {
	case '"':
		var s string
		if json.Unmarshal(raw, &s) == nil {
			return clean(s, maxValue)
		}
	case '[':
		var list []jsontext.Value
		if json.Unmarshal(raw, &list) == nil && len(list) > 0 && list[0].Kind() != '[' {
			return linkedText(list[0])
		}
	case '{':
		var o struct {
			URL jsontext.Value `json:"url"`
		}
		if json.Unmarshal(raw, &o) == nil && o.URL.Kind() == '"' {
			return linkedText(o.URL)
		}
	}
	return ""
}
