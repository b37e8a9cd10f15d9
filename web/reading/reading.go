package reading

import (
	"context"
	"embed"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/internal/sentence"
	"github.com/landbridge-im/landbridge/web/page"
)

// Path is where the rooms are read: Path/ALIAS.
const Path = "/read"

// StateType is the type of the state event by which a room opts in.
const StateType = "im.landbridge.reading"

// ErrClosed says that a room is not there, or not to be read by everybody. Strangers are told the same
// of both.
var ErrClosed = errors.New("there is no such room, or it is not to be read by everybody")

// Room is a room that is to be read.
type Room struct {
	ID, Alias, Name, Topic string
}

// Message is something that was said.
type Message struct {
	ID     string
	Sender string // display name, or user id
	UserID string
	At     time.Time
	Text   string
	// Kind is what it is beside a text: "notice", "emote", or of a file "image", "video", "audio",
	// "file"; "" for an ordinary text.
	Kind   string
	Edited bool
}

// History is a part of a room's messages, oldest first. Older is where the part before it begins; "" at
// the beginning of the room.
type History struct {
	Messages []Message
	Older    string
}

// Rooms is where rooms come from.
type Rooms interface {
	// Readable lists rooms that are to be read.
	Readable(ctx context.Context) ([]Room, error)
	// Find finds one by its alias or id; ErrClosed if it is not to be read.
	Find(ctx context.Context, name string) (Room, error)
	// History gives messages before a point; "" for the newest.
	History(ctx context.Context, room, before string) (History, error)
}

// Reading serves the pages. It is safe for concurrent use.
type Reading struct {
	site  *page.Site
	rooms Rooms
	log   *slog.Logger
	tmpl  *template.Template
}

//go:embed pages
var pages embed.FS

// New makes the pages.
func New(site *page.Site, rooms Rooms, log *slog.Logger) (*Reading, error) {
	tmpl, err := site.ParseWith(template.FuncMap{"text": text, "link": Link, "day": day, "clock": clock}, pages, "pages/*.html")
	if err != nil {
		return nil, err
	}
	return &Reading{site, rooms, log, tmpl}, nil
}

// ServeHTTP implements http.Handler.
func (p *Reading) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "Pages can only be read.", http.StatusMethodNotAllowed)
		return
	}
	name := strings.Trim(strings.TrimPrefix(r.URL.Path, Path), "/")
	err := p.show(w, r, name)
	switch {
	case err == nil, r.Context().Err() != nil:
	case errors.Is(err, ErrClosed):
		p.site.Show(w, r, http.StatusNotFound, page.Frame{Title: sentence.Say("Nothing to read here"), Template: p.tmpl, Name: "closed"})
	default:
		p.log.ErrorContext(r.Context(), "a page to read", "err", err)
		p.site.Show(w, r, http.StatusInternalServerError, page.Frame{Title: sentence.Say("Something went wrong"), Template: p.tmpl, Name: "closed"})
	}
}

func (p *Reading) show(w http.ResponseWriter, r *http.Request, name string) error {
	if name == "" {
		list, err := p.rooms.Readable(r.Context())
		if err != nil {
			return err
		}
		p.site.Show(w, r, http.StatusOK, page.Frame{Title: sentence.Say("Rooms to read"), Index: true, Template: p.tmpl, Name: "list", Data: list})
		return nil
	}
	if !strings.HasPrefix(name, "!") {
		name = "#" + strings.TrimPrefix(name, "#")
	}
	room, err := p.rooms.Find(r.Context(), name)
	if err != nil {
		return err
	}
	before := r.URL.Query().Get("before")
	h, err := p.rooms.History(r.Context(), room.ID, before)
	if err != nil {
		return err
	}
	title := room.Name
	if title == "" {
		title = name
	}
	p.site.Show(w, r, http.StatusOK, page.Frame{Title: sentence.Data(title), Index: true, Template: p.tmpl, Name: "room",
		Data: map[string]any{"Room": room, "Days": days(h.Messages), "Older": h.Older, "Newest": before == "", "Self": Link(room)}})
	return nil
}

// Link is the path of a room's page.
func Link(r Room) string {
	name := strings.TrimPrefix(r.Alias, "#")
	if name == "" {
		name = r.ID
	}
	return Path + "/" + url.PathEscape(name)
}

// onDay are the messages of a day.
type onDay struct {
	Day      time.Time
	Messages []Message
}

// days parts messages, which are in order, by day.
func days(list []Message) (out []onDay) {
	for _, m := range list {
		d := m.At.UTC().Truncate(24 * time.Hour)
		if len(out) == 0 || !out[len(out)-1].Day.Equal(d) {
			out = append(out, onDay{Day: d})
		}
		last := &out[len(out)-1]
		last.Messages = append(last.Messages, m)
	}
	return out
}

func day(t time.Time) sentence.Text { return sentence.Weekday(t.UTC()) }
func clock(t time.Time) string      { return t.UTC().Format("15:04") }
