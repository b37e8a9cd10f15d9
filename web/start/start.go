package start

import (
	"context"
	"embed"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/landbridge-im/landbridge/internal/sentence"
	"github.com/landbridge-im/landbridge/web/page"
	"github.com/landbridge-im/landbridge/web/qr"
)

// Policy is who may make an account.
type Policy int

// Policies.
const (
	Closed  Policy = iota // only who has a registration token
	Open                  // anybody
	OpenIDs               // those whom an identity provider knows
)

// Room is a public room or space.
type Room struct {
	// ID is the room's id, and Alias its main address; perhaps "".
	ID, Alias   string
	Name, Topic string
	Members     int64
	Space       bool
}

// Network is one that the server is bridged with.
type Network struct {
	Name string
	// Up tells whether it is reached.
	Up bool
}

// Options say what the page shows.
type Options struct {
	Site *page.Site
	// Server is the server's name, and Address where clients find it.
	Server, Address string
	// Rooms lists the largest public rooms. It is not asked more than once a minute.
	Rooms func(ctx context.Context, limit int) ([]Room, error)
	// Networks lists the bridged networks.
	Networks func() []Network
	// Policy is who may make an account now.
	Policy func() Policy
	// SignUp and Account are paths of pages; empty: there are none, and clients are used.
	SignUp, Account string
	// Reading is the path of the rooms that everybody may read.
	Reading string
	// Console is the path of the administrators' pages.
	Console string
	Log     *slog.Logger
	Now     func() time.Time
}

// Start serves the page. It is safe for concurrent use.
type Start struct {
	o    Options
	tmpl *template.Template

	mu    sync.Mutex
	rooms []Room
	at    time.Time
}

//go:embed pages
var pages embed.FS

// New makes the page.
func New(o Options) (*Start, error) {
	if o.Site == nil || o.Rooms == nil || o.Networks == nil || o.Policy == nil || o.Log == nil {
		return nil, errors.New("start: options are missing")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	tmpl, err := o.Site.Parse(pages, "pages/*.html")
	if err != nil {
		return nil, err
	}
	return &Start{o: o, tmpl: tmpl}, nil
}

// maxRooms is how many rooms are shown, and roomsAge how old the list may be.
const (
	maxRooms = 30
	roomsAge = time.Minute
)

// list gives the public rooms. Whoever comes while they are looked up waits.
func (s *Start) list(ctx context.Context) []Room {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.o.Now()
	if !s.at.IsZero() && now.Sub(s.at) < roomsAge {
		return s.rooms
	}
	rooms, err := s.o.Rooms(context.WithoutCancel(ctx), maxRooms)
	if err != nil {
		s.o.Log.ErrorContext(ctx, "listing the public rooms for the start page", "err", err)
	} else {
		s.rooms = rooms
	}
	s.at = now
	return s.rooms
}

// App is a client, and the link by which it opens with this server.
type App struct {
	Name, For string
	Link      template.URL
	// QR is the link as a QR code, for a phone's camera.
	QR template.HTML
}

// code is a QR code; "" if the text is too long for one.
func code(text, alt string) template.HTML {
	out, err := qr.SVG(text, alt)
	if err != nil {
		return ""
	}
	return out
}

// roomCodes is how many of the largest spaces and rooms have QR codes: each is some kilobytes of the page.
const roomCodes = 5

// apps are common clients; the address is that of the server.
func apps(server, address string) []App {
	hs := url.QueryEscape(address)
	all := []App{
		{"Element", "in the browser, on Windows, macOS and Linux", template.URL("https://app.element.io/#/login?hs_url=" + hs), ""},
		{"Element X", "on Android and iPhone", template.URL("https://mobile.element.io/element/?account_provider=" + url.QueryEscape(server) + "&hs_url=" + hs), ""},
		{"Cinny", "in the browser and on computers", template.URL("https://app.cinny.in/login/" + url.PathEscape(server) + "/"), ""},
		{"FluffyChat", "on phones, computers and in the browser", "https://fluffychat.im/", ""},
		{"Nheko", "on computers, small and quick", "https://nheko-reborn.github.io/", ""},
	}
	for i := range all {
		all[i].QR = code(string(all[i].Link), "QR code that opens "+all[i].Name)
	}
	return all
}

// shown is a room with the links that open it.
type shown struct {
	Room
	// Here opens a client on this machine, and Anywhere lets one be chosen.
	Here, Anywhere template.URL
	First          string // letter, in the place of a picture
	// QR is Anywhere as a QR code; "" for the smaller rooms.
	QR template.HTML
}

func show(r Room) shown {
	name := r.Alias
	if name == "" {
		name = r.ID
	}
	kind := "roomid/"
	if r.Alias != "" {
		kind = "r/"
	}
	out := shown{Room: r, Here: template.URL("matrix:" + kind + url.PathEscape(name[1:]) + "?action=join"),
		Anywhere: template.URL("https://matrix.to/#/" + url.PathEscape(name))}
	if out.Name == "" {
		out.Name = name
	}
	for _, c := range strings.TrimLeft(out.Name, "#!@ ") {
		out.First = strings.ToUpper(string(c))
		break
	}
	return out
}

// withCode gives the last of a list a QR code, if it is one of the first.
func withCode(list []shown) []shown {
	if n := len(list); n <= roomCodes {
		list[n-1].QR = code(string(list[n-1].Anywhere), "QR code of "+list[n-1].Name)
	}
	return list
}

// view is what the template is given.
type view struct {
	Options
	Open, Providers bool
	QR              template.HTML
	Apps            []App
	Spaces, Rooms   []shown
	Networks        []Network
}

// ServeHTTP shows the page.
func (s *Start) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	picture, err := qr.SVG(s.o.Site.URL("/"), "QR code of this page's address, to open it on a phone")
	if err != nil {
		s.o.Log.WarnContext(r.Context(), "the start page has no QR code", "err", err)
	}
	policy := s.o.Policy()
	v := view{Options: s.o, Open: policy == Open, Providers: policy == OpenIDs, QR: picture, Apps: apps(s.o.Server, s.o.Address), Networks: s.o.Networks()}
	for _, room := range s.list(r.Context()) {
		if room.Space {
			v.Spaces = withCode(append(v.Spaces, show(room)))
		} else {
			v.Rooms = withCode(append(v.Rooms, show(room)))
		}
	}
	s.o.Site.Show(w, r, http.StatusOK, page.Frame{Title: sentence.Say("Welcome to %s", s.o.Server), Wide: true, Index: true, Template: s.tmpl, Name: "start", Data: v})
}
