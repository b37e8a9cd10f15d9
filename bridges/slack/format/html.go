package format

import (
	"html"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Names says who and what is meant in a message from Slack. A nil Names knows nothing.
type Names interface {
	// User returns what a person is called, and their Matrix id or "".
	User(slackID string) (name, matrixID string)
	// Channel returns a channel's name without #, and a link to its room or "".
	Channel(slackID string) (name, link string)
	// Group returns a user group's handle without @, and who of its members has a
	// Matrix id.
	Group(slackID string) (handle string, matrixIDs []string)
	// CustomEmoji returns the mxc URI of a custom emoji, or "".
	CustomEmoji(name string) string
}

// Matrix is a message as Matrix has it.
type Matrix struct {
	Body string
	// HTML is empty if Body says it all.
	HTML string
	// Users are those who are mentioned, Room that everybody is.
	Users []string
	Room  bool
}

// ToMatrix writes elements for Matrix.
func ToMatrix(list []Element, names Names) Matrix {
	w := matrixWriter{names: names}
	w.elements(list, 0)
	m := Matrix{
		Body:  strings.Trim(w.body.String(), "\n"),
		HTML:  strings.TrimSuffix(w.html.String(), "<br>"),
		Users: w.users, Room: w.room,
	}
	if !w.rich {
		m.HTML = ""
	}
	return m
}

type matrixWriter struct {
	names      Names
	body, html strings.Builder
	// rich says that the HTML shows more than the body.
	rich  bool
	users []string
	room  bool
	last  byte // of the body
}

func (w *matrixWriter) plain(s string) {
	if s != "" {
		w.body.WriteString(s)
		w.last = s[len(s)-1]
	}
}

// line begins a new line in the body.
func (w *matrixWriter) line() {
	if w.body.Len() > 0 && w.last != '\n' {
		w.plain("\n")
	}
}

func (w *matrixWriter) elements(list []Element, depth int) {
	for i := 0; i < len(list); i++ {
		e := list[i]
		switch e.Type {
		case List:
			// Lists that follow each other are one, nested by their indents.
			end := i + 1
			for end < len(list) && list[end].Type == List && list[end].Border == e.Border {
				end++
			}
			w.rich = true
			w.line()
			if e.Border > 0 {
				w.html.WriteString("<blockquote>")
			}
			w.lists(list[i:end])
			if e.Border > 0 {
				w.html.WriteString("</blockquote>")
			}
			i = end - 1
		case Quote:
			w.rich = true
			w.line()
			w.html.WriteString("<blockquote>")
			w.quoted(func() { w.inlines(e.Inlines) })
			w.html.WriteString("</blockquote>")
			w.line()
		case Preformatted:
			w.rich = true
			w.line()
			text := plainOf(e.Inlines, w.names)
			w.html.WriteString("<pre><code>" + html.EscapeString(text) + "\n</code></pre>")
			w.plain("```\n" + text + "\n```")
			w.line()
		case divider:
			w.rich = true
			w.line()
			w.html.WriteString("<hr>")
			w.plain("---")
			w.line()
		case card:
			if depth > maxDepth {
				continue
			}
			w.rich = true
			w.line()
			w.html.WriteString("<blockquote>")
			w.quoted(func() { w.elements(e.Items, depth+1) })
			w.html.WriteString("</blockquote>")
			w.line()
		default:
			inlines := e.Inlines
			if i+1 < len(list) && list[i+1].Type != Section {
				inlines = trimEnd(inlines) // what follows begins a new line by itself
			}
			if i > 0 && list[i-1].Type == Section && w.last != '\n' {
				w.line()
				w.html.WriteString("<br>")
			}
			w.inlines(inlines)
		}
	}
}

func trimEnd(list []Inline) []Inline {
	if n := len(list); n > 0 && list[n-1].Type == "text" {
		list = slices.Clone(list)
		list[n-1].Text = strings.TrimSuffix(list[n-1].Text, "\n")
	}
	return list
}

// quoted writes the body of what f writes with marks before its lines.
func (w *matrixWriter) quoted(f func()) {
	outer := w.body.String()
	w.body.Reset()
	w.last = 0
	f()
	inner := strings.Trim(w.body.String(), "\n")
	w.body.Reset()
	w.body.WriteString(outer)
	w.last = 0
	w.plain("> " + strings.ReplaceAll(inner, "\n", "\n> "))
}

// lists writes lists that follow each other.
func (w *matrixWriter) lists(list []Element) {
	var open []string // the tags of the lists that are open, each with an open item
	closeTo := func(n int) {
		for len(open) > n {
			w.html.WriteString("</li></" + open[len(open)-1] + ">")
			open = open[:len(open)-1]
		}
	}
	for _, e := range list {
		tag := "ul"
		if e.Style == "ordered" {
			tag = "ol"
		}
		depth := min(max(e.Indent, 0), maxDepth)
		for i, item := range e.Items {
			closeTo(depth + 1)
			if len(open) == depth+1 && (open[depth] != tag || i == 0 && e.Offset > 0) {
				closeTo(depth)
			}
			if len(open) == depth+1 {
				w.html.WriteString("</li><li>")
			}
			for len(open) <= depth {
				start := ""
				if tag == "ol" && len(open) == depth && e.Offset > 0 && i == 0 {
					start = ` start="` + strconv.Itoa(e.Offset+1) + `"`
				}
				w.html.WriteString("<" + tag + start + "><li>")
				open = append(open, tag)
			}
			w.line()
			w.plain(strings.Repeat("    ", depth) + bullet(e, i))
			w.inlines(item.Inlines)
		}
	}
	closeTo(0)
	w.line()
}

func (w *matrixWriter) inlines(list []Inline) {
	for _, in := range list {
		w.inline(in)
	}
}

// tags are those of a style, outermost first.
func (s *Style) tags() []string {
	if s == nil {
		return nil
	}
	var out []string
	for _, t := range []struct {
		on  bool
		tag string
	}{{s.Bold, "strong"}, {s.Italic, "em"}, {s.Strike, "del"}, {s.Underline, "u"}, {s.Code, "code"}} {
		if t.on {
			out = append(out, t.tag)
		}
	}
	return out
}

func (w *matrixWriter) inline(in Inline) {
	tags := in.Style.tags()
	if len(tags) > 0 {
		w.rich = true
	}
	for _, t := range tags {
		w.html.WriteString("<" + t + ">")
	}
	w.inner(in)
	for i := len(tags) - 1; i >= 0; i-- {
		w.html.WriteString("</" + tags[i] + ">")
	}
}

// text writes the same into both.
func (w *matrixWriter) text(s string) {
	w.plain(s)
	w.html.WriteString(strings.ReplaceAll(html.EscapeString(s), "\n", "<br>"))
}

func (w *matrixWriter) link(address, label string) {
	if !safeURL(address) {
		w.text(label)
		return
	}
	w.rich = true
	w.html.WriteString(`<a href="` + html.EscapeString(address) + `">` + html.EscapeString(label) + "</a>")
}

func (w *matrixWriter) inner(in Inline) {
	switch in.Type {
	case "link":
		label := in.Text
		if label == "" || label == in.URL {
			if safeURL(in.URL) {
				w.html.WriteString(`<a href="` + html.EscapeString(in.URL) + `">` + html.EscapeString(in.URL) + "</a>")
				w.plain(in.URL)
				return
			}
			w.text(in.URL)
			return
		}
		if !safeURL(in.URL) {
			w.text(label + " (" + in.URL + ")")
			return
		}
		w.link(in.URL, label)
		w.plain(label + " (" + in.URL + ")")
	case "user":
		name, mxid := in.Text, ""
		if w.names != nil {
			if n, m := w.names.User(in.UserID); n != "" || m != "" {
				name, mxid = n, m
			}
		}
		if name == "" {
			name = in.UserID
		}
		if mxid == "" {
			w.text("@" + name)
			return
		}
		if !slices.Contains(w.users, mxid) {
			w.users = append(w.users, mxid)
		}
		w.link("https://matrix.to/#/"+mxid, name)
		w.plain(name)
	case "channel":
		name, link := in.Text, ""
		if w.names != nil {
			if n, l := w.names.Channel(in.ChannelID); n != "" {
				name, link = n, l
			}
		}
		if name == "" {
			name = in.ChannelID
		}
		if link == "" {
			w.text("#" + name)
			return
		}
		w.link(link, "#"+name)
		w.plain("#" + name)
	case "usergroup":
		handle := in.Text
		if w.names != nil {
			if h, users := w.names.Group(in.UsergroupID); h != "" {
				handle = h
				for _, u := range users {
					if !slices.Contains(w.users, u) {
						w.users = append(w.users, u)
					}
				}
			}
		}
		if handle == "" {
			handle = in.UsergroupID
		}
		w.text("@" + handle)
	case "broadcast":
		w.room = true
		w.text("@" + in.Range)
	case "emoji":
		if text := emojiText(in); text != "" {
			w.text(text)
			return
		}
		code := ":" + in.Name + ":"
		mxc := ""
		if w.names != nil {
			mxc = w.names.CustomEmoji(in.Name)
		}
		if !strings.HasPrefix(mxc, "mxc://") {
			w.text(code)
			return
		}
		w.rich = true
		w.plain(code)
		w.html.WriteString(`<img data-mx-emoticon src="` + html.EscapeString(mxc) + `" alt="` + html.EscapeString(code) +
			`" title="` + html.EscapeString(code) + `" height="32">`)
	case "date":
		text := in.Fallback
		if text == "" {
			text = time.Unix(in.Timestamp, 0).UTC().Format("2006-01-02 15:04 MST")
		}
		if in.URL != "" {
			w.link(in.URL, text)
			w.plain(text)
			return
		}
		w.text(text)
	case "color":
		w.text(in.Value)
	case "text":
		w.text(in.Text)
	default: // canvases, list records, other messages and what is still to come
		switch {
		case in.URL != "" && in.Text != "":
			w.link(in.URL, in.Text)
			w.plain(in.Text + " (" + in.URL + ")")
		case in.URL != "":
			w.inner(Inline{Type: "link", URL: in.URL})
		default:
			w.text(in.Text)
		}
	}
}

// safeURL reports whether an address may be a link in Matrix. Client-Server API,
// "m.room.message msgtypes": "the `href` attribute: allowed schemes are https, http,
// ftp, mailto, magnet".
func safeURL(address string) bool {
	scheme, _, ok := strings.Cut(address, ":")
	if !ok {
		return false
	}
	switch strings.ToLower(scheme) {
	case "https", "http", "ftp", "mailto", "magnet":
		return true
	}
	return false
}

// plainOf is what inlines say as text.
func plainOf(list []Inline, names Names) string {
	w := matrixWriter{names: names}
	for _, in := range list {
		if in.Type == "link" && in.Text == "" {
			in = Inline{Type: "text", Text: in.URL}
		}
		in.Style = nil
		w.inline(in)
	}
	return w.body.String()
}

// Plain returns what elements say, as text without markup of any kind.
func Plain(list []Element) string { return ToMatrix(list, nil).Body }
