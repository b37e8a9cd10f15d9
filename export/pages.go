package export

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"sync"
)

// PageSize is how many messages a page has.
const PageSize = 500

// recentMessages bounds the messages that a reply is told to answer.
const recentMessages = 10_000

//go:embed pages
var pagesFS embed.FS

var templates = sync.OnceValue(func() *template.Template { return template.Must(template.New("").ParseFS(pagesFS, "pages/*.html")) })

func (w *writer) css() error {
	raw, err := pagesFS.ReadFile("pages/style.css")
	if err != nil {
		return err
	}
	return w.write("style.css", raw)
}

func (w *writer) html(name, tmpl string, data any) error {
	var b bytes.Buffer
	if err := templates().ExecuteTemplate(&b, tmpl, data); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return w.write(name, b.Bytes())
}

// line is something on a page.
type line struct {
	ID, Name, User, Day, Clock string
	Avatar                     string // path of the picture
	// Notice is something that happened, as against something that was said.
	Notice    string
	Text      template.HTML
	Kind      string // image, video, audio, file, emote
	File      string
	FileName  string
	Missing   bool
	Edited    bool
	Thread    string // address of the thread's beginning
	Reply     *quoted
	Reactions []Reaction
}

// quoted is what a reply answers.
type quoted struct{ Link, Name, Text string }

// page is a page of a room.
type page struct {
	Room         *Room
	Number       int
	Lines        []*line
	Older, Newer string
	Root         string // path to the export's beginning
}

// paging makes the pages of a room.
type paging struct {
	w      *writer
	r      *Room
	now    page
	names  map[string]*Member // as they are at this point of the history
	recent map[string]quoted
	order  []string // of recent, oldest first
	said   int
	// first is the first page of a room.
	last *page
}

// pages writes the pages of a room.
func (w *writer) pages(ctx context.Context, r *Room) error {
	p := &paging{w: w, r: r, names: map[string]*Member{}, recent: map[string]quoted{}}
	p.begin()
	err := w.timeline(ctx, r.ID, "", func(list []Happened) error {
		for i := range list {
			if err := p.add(&list[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if p.last != nil {
		if len(p.now.Lines) > 0 {
			p.last.Newer = pageName(p.now.Number)
		}
		if err := p.flush(p.last); err != nil {
			return err
		}
	}
	if len(p.now.Lines) > 0 || p.last == nil {
		return p.flush(&p.now)
	}
	return nil
}

func pageName(n int) string { return fmt.Sprintf("%04d.html", n) }

func (p *paging) begin() {
	n := p.now.Number + 1
	p.now = page{Room: p.r, Number: n, Root: "../../"}
	if n > 1 {
		p.now.Older = pageName(n - 1)
	}
	p.said = 0
}

func (p *paging) flush(page *page) error {
	return p.w.html(p.r.Folder+"/"+pageName(page.Number), "room", page)
}

// add puts an event on the page, if it is for people.
func (p *paging) add(h *Happened) error {
	e, err := parse(h.Event)
	if err != nil {
		return err
	}
	l := &line{ID: e.ID, User: e.Sender, Name: p.name(e.Sender), Day: e.at().Format("Monday, 2 January 2006"), Clock: e.at().Format("15:04")}
	if m := p.names[e.Sender]; m != nil {
		l.Avatar = p.path(m.Avatar)
	}
	switch {
	case e.message():
		p.message(l, e, h)
		p.said++
	case e.StateKey != nil:
		l.Notice = p.notice(e)
	}
	if l.Notice == "" && l.Kind == "" {
		return nil
	}
	p.now.Lines = append(p.now.Lines, l)
	// What only happened counts, too, so that no page is without end.
	if p.said < PageSize && len(p.now.Lines) < 4*PageSize {
		return nil
	}
	if p.last != nil {
		p.last.Newer = pageName(p.now.Number)
		if err := p.flush(p.last); err != nil {
			return err
		}
	}
	full := p.now
	p.last = &full
	p.begin()
	return nil
}

func (p *paging) name(user string) string {
	if m := p.names[user]; m != nil && m.Name != "" {
		return m.Name
	}
	return user
}

// path is the address of a file on a page of a room.
func (p *paging) path(uri string) string {
	if path := p.w.files.path(uri); path != "" {
		return p.now.Root + path
	}
	return ""
}

func (p *paging) message(l *line, e *said, h *Happened) {
	l.Kind, l.Reactions = "text", h.Reactions
	if e.redacted() {
		l.Kind, l.Text = "gone", "This message was removed."
		return
	}
	kind, to, reply := e.relation()
	if kind == "m.thread" {
		l.Thread = p.link(to)
	}
	if q, ok := p.recent[reply]; ok && (kind != "m.thread" || reply != to) {
		l.Reply = &q
	}
	content, edited := e.now(h.Edit)
	l.Edited = edited
	body := withoutFallback(str(content, "body"))
	switch e.Type {
	case "m.room.encrypted":
		l.Kind, l.Text = "gone", "An encrypted message, which the server can't read."
	case "m.sticker":
		l.Kind = "image"
		p.file(l, content, body)
	case "m.room.message":
		switch kind := str(content, "msgtype"); kind {
		case "m.image", "m.video", "m.audio", "m.file":
			l.Kind = strings.TrimPrefix(kind, "m.")
			p.file(l, content, body)
		default:
			if kind == "m.emote" {
				l.Kind = "emote"
			}
			l.Text = p.formatted(content, body)
		}
	default:
		l.Text = plainText(pollText(content))
	}
	p.remember(l.ID, quoted{pageName(p.now.Number) + "#" + l.ID, l.Name, short(body)})
}

// formatted is the text of a message.
func (p *paging) formatted(content map[string]any, body string) template.HTML {
	if html := str(content, "formatted_body"); html != "" && str(content, "format") == "org.matrix.custom.html" {
		return sanitize(html, p.path)
	}
	return plainText(body)
}

// file is the file of a message. Where it has a name beside its body, the body is a caption: specification, "Media captions".
func (p *paging) file(l *line, content map[string]any, body string) {
	uri := str(content, "url")
	if file, ok := content["file"].(map[string]any); ok {
		uri = str(file, "url") // encrypted
		l.Kind = "file"
	}
	l.File = p.path(uri)
	l.Missing = l.File == ""
	l.FileName = cmp.Or(str(content, "filename"), body, uri)
	if name := str(content, "filename"); name != "" && body != name {
		l.Text = p.formatted(content, body)
	}
}

// link is the address of a message that came before.
func (p *paging) link(id string) string {
	if q, ok := p.recent[id]; ok {
		return q.Link
	}
	return "#" + id
}

func (p *paging) remember(id string, q quoted) {
	if len(p.order) >= recentMessages {
		delete(p.recent, p.order[0])
		p.order = p.order[1:]
	}
	p.recent[id] = q
	p.order = append(p.order, id)
}

// short is the beginning of a text.
func short(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	if r := []rune(s); len(r) > 120 {
		return string(r[:120]) + "…"
	}
	return s
}

func plainText(s string) template.HTML {
	return template.HTML(strings.ReplaceAll(template.HTMLEscapeString(s), "\n", "<br>"))
}

// pollText is the text that a poll has for who can't show polls.
func pollText(content map[string]any) string {
	for _, key := range []string{"m.text", "org.matrix.msc1767.text"} {
		switch v := content[key].(type) {
		case string:
			return v
		case []any:
			if len(v) > 0 {
				first, _ := v[0].(map[string]any)
				return str(first, "body")
			}
		}
	}
	return "A poll"
}

// notice says what has happened to a room, and keeps the names; "" if it is nothing for people.
func (p *paging) notice(e *said) string {
	who := p.name(e.Sender)
	switch e.Type {
	case "m.room.create":
		return who + " made the room"
	case "m.room.name":
		return who + " named the room “" + e.text("name") + "”"
	case "m.room.topic":
		return who + " set the topic: " + e.text("topic")
	case "m.room.tombstone":
		return who + " closed the room: " + e.text("body")
	case "m.room.encryption":
		return who + " turned encryption on"
	case "m.room.member":
		return p.membership(e, who)
	}
	return ""
}

func (p *paging) membership(e *said, who string) string {
	id := *e.StateKey
	was := p.names[id]
	name := cmp.Or(e.text("displayname"), p.name(id))
	switch e.text("membership") {
	case "join":
		p.names[id] = &Member{ID: id, Name: e.text("displayname"), Avatar: e.text("avatar_url"), Rooms: 1}
		switch {
		case was == nil || was.Rooms == 0:
			return name + " came in"
		case was.Name != e.text("displayname"):
			return cmp.Or(was.Name, id) + " is now " + name
		}
		return ""
	case "invite":
		return who + " invited " + name
	case "ban":
		p.left(was)
		return who + " banned " + p.name(id)
	case "leave":
		p.left(was)
		if id == e.Sender {
			return p.name(id) + " left"
		}
		return who + " removed " + p.name(id)
	}
	return ""
}

// left notes that somebody is not in the room any more; the name stays for what comes later of them.
func (p *paging) left(m *Member) {
	if m != nil {
		m.Rooms = 0
	}
}

// index writes the first page.
func (w *writer) index(people []*Member) error {
	type listed struct {
		*Room
		Children []listed
	}
	byID := map[string]*Room{}
	for i := range w.rooms {
		byID[w.rooms[i].ID] = &w.rooms[i]
	}
	placed := map[string]bool{}
	var list func(r *Room) listed
	list = func(r *Room) listed {
		placed[r.ID] = true
		l := listed{Room: r}
		for _, id := range r.Children {
			if c := byID[id]; c != nil && !placed[id] {
				l.Children = append(l.Children, list(c))
			}
		}
		return l
	}
	child := map[string]bool{}
	for _, r := range byID {
		if r.Space() {
			for _, id := range r.Children {
				child[id] = id != r.ID
			}
		}
	}
	var top []listed
	for _, loose := range [...]bool{false, true} { // spaces that lie in a circle are nobody's children in the end
		for i := range w.rooms {
			if r := &w.rooms[i]; !placed[r.ID] && (loose || !child[r.ID]) {
				top = append(top, list(r))
			}
		}
	}
	busy := slices.Clone(people)
	slices.SortFunc(busy, func(a, b *Member) int {
		return cmp.Or(cmp.Compare(b.Messages, a.Messages), cmp.Compare(a.ID, b.ID))
	})
	const most = 1000 // the rest is in people.json
	more := max(0, len(busy)-most)
	return w.html("index.html", "community", map[string]any{"About": w.about, "Rooms": top, "People": busy[:len(busy)-more], "More": more, "Root": ""})
}
