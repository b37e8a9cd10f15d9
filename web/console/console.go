package console

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/landbridge-im/landbridge/backup"
	"github.com/landbridge-im/landbridge/configs"
	"github.com/landbridge-im/landbridge/docs"
	"github.com/landbridge-im/landbridge/doctor"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/internal/sentence"
	"github.com/landbridge-im/landbridge/migration/desk"
	"github.com/landbridge-im/landbridge/web/manual"
	"github.com/landbridge-im/landbridge/web/page"
)

// Path is where the console is.
const Path = "/console"

// Bridge is a bridge in this process.
type Bridge struct {
	ID, Module, State, Error string
	Since                    time.Time
	Restarts, Waiting        int
	Logins                   []Login
}

// Login is a connection of a bridge to its network.
type Login struct{ Name, State, Message string }

// Portal is a room that a bridge keeps.
type Portal struct {
	Name, Remote, Room string
	// Messages is how many have gone through it, and LastTS when the last one did, in milliseconds.
	Messages, LastTS int64
	// What went through it since the bridge was started: what got across each way, what did not, what
	// waits to be handled, and how long the last event took.
	ToRemote, ToMatrix, Failed int64
	Waiting                    int
	Latency                    time.Duration
}

// Letter is an event from Matrix that did not get across.
type Letter struct {
	Event, Room, Sender, Type, Reason string
	Tries                             int
	AtTS                              int64
}

// Service is a registered application service.
type Service struct {
	ID, Error    string
	Own          bool // it is a bridge in this process
	Reachable    bool
	Since        time.Time
	Behind       int64
	Transactions int64
}

// signInLife is how long somebody who has signed in may use the console before they have to do so again.
const signInLife = 12 * time.Hour

// Backend is the server behind the pages.
type Backend interface {
	// Admin calls the administrators' API on behalf of one of them; path begins behind its prefix. out
	// may be nil. An error is for people to read.
	Admin(ctx context.Context, by *page.Session, method, path string, body, out any) error
	// Act calls the client-server API as the user that an administrator is; path begins behind the version.
	Act(ctx context.Context, by *page.Session, method, path string, body, out any) error
	// SignIn checks a name and a password, with the limits of logging in.
	SignIn(r *http.Request, name, password string) (user int64, err error)
	Bridges() []Bridge
	// Portals lists portals of a bridge whose name contains a text, from an offset.
	Portals(ctx context.Context, bridge, search string, offset, limit int) (list []Portal, total int, err error)
	// Letters lists what did not get across a bridge; nothing while it does not run. RetryLetters and
	// DropLetters act on those named, all if none is, and tell on how many.
	Letters(ctx context.Context, bridge string) ([]Letter, error)
	RetryLetters(ctx context.Context, bridge string, events []string) (int, error)
	DropLetters(ctx context.Context, bridge string, events []string) (int, error)
	// SetBridge starts, stops or restarts a bridge.
	SetBridge(ctx context.Context, id, action string) error
	Services() []Service
	// Retry makes the server try another one again at once.
	Retry(ctx context.Context, server string) error
	// LastFailure tells why a call to another server failed last; "" if that is not remembered.
	LastFailure(server string) (text string, at time.Time)
	Doctor(ctx context.Context) []doctor.Finding
	Backup(ctx context.Context) (path string, err error)
	Backups() ([]backup.Stored, error)
	// ProbeIRC looks at an IRC network as a bridge would.
	ProbeIRC(ctx context.Context, address string, encrypted bool, nick string) (IRCFound, error)
	// ProbeTokens tries the tokens of a kind of network ("slack", "discord"), at another address than
	// the usual one unless api is empty.
	ProbeTokens(ctx context.Context, kind string, tokens map[string]string, api string) (TokenFound, error)
	// SecretFile is where a secret of a name is kept, and SaveSecret puts it there.
	SecretFile(name string) string
	SaveSecret(file, secret string) error
	// CheckBridge has a module check an entry of the list of bridges, in YAML; CheckBridge changes
	// nothing. AddBridge writes it into the configuration file and starts it. Both name the file.
	CheckBridge(ctx context.Context, entry string) (file string, err error)
	AddBridge(ctx context.Context, entry string) (file string, err error)
	// ExamineBridge has a configured bridge look for what keeps it from working, and ExamineEntry one that
	// is not written yet. Each finding is told as it comes.
	ExamineBridge(ctx context.Context, id string, tell func(doctor.Finding)) error
	ExamineEntry(ctx context.Context, entry string, tell func(doctor.Finding)) error
	// Disk tells how many bytes are used by what.
	Disk() map[string]int64
}

// Options say what the console works on.
type Options struct {
	Site    *page.Site
	Server  string
	Version string
	Store   *store.Store
	Backend Backend
	// SignIn is the address where people sign in who want to go to a path of the console; nil: the
	// console has a page for it.
	SignIn func(to string) string
	// Metrics are what the charts are made of.
	Metrics prometheus.Gatherer
	Lines   *Lines
	// Desk keeps the migrations.
	Desk *desk.Desk
	// Manifest describes the app that Slack is to make, in YAML.
	Manifest func() ([]byte, error)
	// Claims keeps ties between remote people and accounts; nil: nobody does.
	Claims Claims
	Log    *slog.Logger
	Now    func() time.Time
}

// Console serves the pages. It is safe for concurrent use.
type Console struct {
	o     Options
	tmpl  *template.Template
	mux   *http.ServeMux
	began time.Time
	ended chan struct{} // closed when Run ends

	drafts    kept[tokenDraft]
	examinees kept[string] // entries of bridges that are being set up
	manual    *manual.Manual
	totals    remembered[store.Totals]
	disk      remembered[map[string]int64]
}

//go:embed pages
var pages embed.FS

// New makes the console.
func New(o Options) (*Console, error) {
	if o.Site == nil || o.Store == nil || o.Backend == nil || o.Metrics == nil || o.Lines == nil || o.Desk == nil || o.Log == nil {
		return nil, errors.New("console: options are missing")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.SignIn == nil {
		o.SignIn = signInPath
	}
	c := &Console{o: o, began: o.Now(), ended: make(chan struct{}), mux: http.NewServeMux()}
	c.totals.now, c.disk.now = o.Now, o.Now
	c.manual = manual.New(docsPath, docs.Pages, configs.Files)
	var err error
	if c.tmpl, err = o.Site.ParseWith(funcs, pages, "pages/*.html"); err != nil {
		return nil, err
	}
	c.routes()
	return c, nil
}

func (c *Console) routes() {
	c.mux.HandleFunc("GET "+Path+"/sign-in", c.showSignIn)
	c.mux.HandleFunc("POST "+Path+"/sign-in", c.signIn)
	c.mux.HandleFunc("GET "+Path+"/static/{name}", c.script)
	get := func(path string, show func(*visit) error) { c.mux.Handle("GET "+Path+path, c.admin(show)) }
	post := func(path string, do func(*visit) error) { c.mux.Handle("POST "+Path+path, c.admin(do)) }
	get("/{$}", c.home)
	post("/sign-out", c.signOut)
	get("/users", c.users)
	get("/users/show", c.user)
	post("/users/do", c.userDo)
	post("/users/create", c.userCreate)
	get("/rooms", c.rooms)
	get("/rooms/show", c.room)
	post("/rooms/do", c.roomDo)
	get("/media", c.media)
	post("/media/do", c.mediaDo)
	get("/tokens", c.tokens)
	post("/tokens/do", c.tokenDo)
	get("/reports", c.reports)
	post("/reports/do", c.reportDo)
	get("/federation", c.federation)
	post("/federation/do", c.federationDo)
	get("/bridges", c.bridges)
	get("/bridges/show", c.bridge)
	post("/bridges/do", c.bridgeDo)
	post("/bridges/letters", c.lettersDo)
	get("/bridges/progress", c.bridgeProgress)
	get("/charts", c.charts)
	get("/setup", c.setup)
	get("/setup/irc", c.setupIRC)
	post("/setup/irc", c.setupIRC)
	get("/setup/with/{kind}", c.setupToken)
	post("/setup/with/{kind}", c.setupToken)
	get("/setup/examine", c.examineEntry)
	get("/bridges/examine", c.examineBridge)
	get("/log", c.log)
	get("/log/stream", c.logStream)
	get("/audit", c.audit)
	get("/doctor", c.doctor)
	get("/backups", c.backups)
	post("/backups/do", c.backupDo)
	get("/docs", c.docs)
	get("/docs/{name...}", c.docs)
	c.migrationRoutes(get, post)
	get("/claims", c.claims)
	post("/claims/do", c.claimsDo)
}

// ServeHTTP implements http.Handler.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == Path {
		c.o.Site.Redirect(w, r, Path+"/")
		return
	}
	c.mux.ServeHTTP(w, r)
}

// visit is an administrator's request.
type visit struct {
	c   *Console
	w   http.ResponseWriter
	r   *http.Request
	ctx context.Context
	who *page.Session
	// to is where act leads, if what it did has set it.
	to string
}

// admin lets administrators through, and of forms only those of our own. Everybody else is sent to
// the page where they sign in, or told that it is not theirs.
func (c *Console) admin(h func(*visit) error) http.Handler { return c.adminWith(c.o.Site.Form, h) }

// adminWith is admin for forms that are read in another way than Site.Form does, which read calls afterwards.
func (c *Console) adminWith(read func(http.ResponseWriter, *http.Request) error, h func(*visit) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, err := c.o.Site.Session(r)
		v := &visit{c: c, w: w, r: r, ctx: r.Context(), who: who}
		switch {
		case err != nil:
			v.fail(err)
			return
		case who != nil && c.o.Now().Sub(who.Since) > signInLife:
			if err := c.o.Site.SignOut(w, r); err != nil { // else the page there would send them back at once
				v.fail(err)
				return
			}
			c.o.Site.Redirect(w, r, c.o.SignIn(Path+"/"))
			return
		case who == nil && r.Method == http.MethodGet:
			c.o.Site.Redirect(w, r, c.o.SignIn(r.URL.RequestURI()))
			return
		case who == nil:
			v.message(http.StatusForbidden, say("Not signed in"), say("Your sign-in has ended. Sign in again; nothing was changed."))
			return
		case !who.Admin:
			v.message(http.StatusForbidden, say("Not for you"), say("These pages are for administrators of this server, and %s is none.", who.UserID))
			return
		}
		if r.Method == http.MethodPost {
			if err := read(w, r); err != nil {
				v.message(http.StatusForbidden, say("The form was refused"), sentence.Of(err))
				return
			}
		}
		if err := h(v); err != nil {
			v.fail(err)
		}
	})
}

// problem is an error that is the administrator's to read.
type problem struct{ error }

func (p problem) Unwrap() error { return p.error }

func problemf(format string, args ...any) error { return problem{sentence.Errorf(format, args...)} }

// say makes a sentence.
func say(key string, args ...any) sentence.Text { return sentence.Say(key, args...) }

func (v *visit) fail(err error) {
	var p problem
	switch {
	case errors.Is(err, store.ErrNotFound):
		v.message(http.StatusNotFound, say("Not found"), say("There is no such thing, or not any more."))
	case errors.As(err, &p):
		v.message(http.StatusBadRequest, say("That does not work"), sentence.Of(err))
	case v.ctx.Err() != nil: // the browser is gone
	default:
		v.c.o.Log.ErrorContext(v.ctx, "a page of the console", "path", v.r.URL.Path, "err", err)
		v.message(http.StatusInternalServerError, say("Something went wrong"), say("The page could not be made. The log has the reason."))
	}
}

// message shows a page with one sentence.
func (v *visit) message(status int, title, text sentence.Text) {
	v.c.o.Site.Show(v.w, v.r, status, page.Frame{Title: title, Template: v.c.tmpl, Name: "message", Data: text})
}

// sections are the navigation.
var sections = []page.Link{
	{Text: say("Overview"), Path: Path + "/"}, {Text: say("Users"), Path: Path + "/users"}, {Text: say("Rooms"), Path: Path + "/rooms"}, {Text: say("Bridges"), Path: Path + "/bridges"},
	{Text: say("Set up"), Path: Path + "/setup"}, {Text: say("Migration"), Path: Path + "/migrate"}, {Text: say("Media"), Path: Path + "/media"}, {Text: say("Tokens"), Path: Path + "/tokens"}, {Text: say("Reports"), Path: Path + "/reports"},
	{Text: say("Federation"), Path: Path + "/federation"}, {Text: say("Charts"), Path: Path + "/charts"}, {Text: say("Log"), Path: Path + "/log"}, {Text: say("Backups"), Path: Path + "/backups"},
	{Text: say("Doctor"), Path: Path + "/doctor"}, {Text: say("Audit"), Path: Path + "/audit"}, {Text: say("Help"), Path: docsPath},
}

// say puts a sentence into the reader's language.
func (v *visit) say(t sentence.Text) string { return v.c.o.Site.In(v.r, t) }

// show shows a page of the console. here is the path of its section.
func (v *visit) show(here string, title sentence.Text, name string, data any) error {
	nav := make([]page.Link, len(sections))
	for i, s := range sections {
		s.Here = s.Path == Path+here
		nav[i] = s
	}
	v.c.o.Site.Show(v.w, v.r, http.StatusOK, page.Frame{Title: title, Nav: nav, Wide: true, Template: v.c.tmpl, Name: name, Data: data})
	return nil
}

// done leads back to a page with a word on what was done.
func (v *visit) done(to string, text sentence.Text) error {
	v.c.o.Site.SetFlash(v.w, v.r, page.Flash{Text: text})
	v.c.o.Site.Redirect(v.w, v.r, to)
	return nil
}

// act does something, writes it into the audit log with its outcome, and leads to a page.
func (v *visit) act(what, whom, more, to string, said sentence.Text, do func() error) error {
	return v.actSaid(what, whom, more, to, func() sentence.Text { return said }, do)
}

// written writes into the audit log what was done.
func (v *visit) written(what, whom, more string) error {
	entry := store.Audit{TS: v.c.o.Now().UnixMilli(), Who: v.who.UserID, Did: what, To: whom, More: more}
	err := v.c.o.Store.Write(context.WithoutCancel(v.ctx), func(t *store.Tx) error { return t.AddAudit(entry) })
	v.c.o.Log.InfoContext(v.ctx, "console", "by", v.who.UserID, "did", what, "to", whom)
	if err != nil {
		return fmt.Errorf("writing the audit log: %w", err)
	}
	return nil
}

// actSaid is act where only what was done tells what there is to say.
func (v *visit) actSaid(what, whom, more, to string, said func() sentence.Text, do func() error) error {
	err := do()
	if err != nil {
		what += " (failed)"
		more = err.Error()
	}
	if err := v.written(what, whom, more); err != nil {
		return err
	}
	if v.to != "" {
		to = v.to
	}
	if err != nil {
		v.c.o.Site.SetFlash(v.w, v.r, page.Flash{Bad: true, Text: sentence.Of(err)})
		v.c.o.Site.Redirect(v.w, v.r, to)
		return nil
	}
	return v.done(to, said())
}

// question is what is asked before something that can't be undone.
type question struct {
	Text, Yes sentence.Text
	Back      string
	Action    string
	Fields    map[string]string
}

// sure asks once more, unless that was answered; true means to go on.
func (v *visit) sure(q question) bool {
	if v.r.PostForm.Get("sure") == "yes" {
		return true
	}
	q.Action, q.Fields = v.r.URL.Path, map[string]string{}
	for k := range v.r.PostForm {
		if k != page.CSRFField {
			q.Fields[k] = v.r.PostForm.Get(k)
		}
	}
	v.c.o.Site.Show(v.w, v.r, http.StatusOK, page.Frame{Title: say("Are you sure?"), Template: v.c.tmpl, Name: "sure", Data: q})
	return false
}

// remembered is a value that is dear to find out, and may be a minute old.
type remembered[T any] struct {
	now   func() time.Time
	mu    sync.Mutex
	at    time.Time
	value T
}

func (m *remembered[T]) get(find func() (T, error)) (T, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := m.now(); m.at.IsZero() || now.Sub(m.at) > time.Minute {
		value, err := find()
		if err != nil {
			return value, err
		}
		m.value, m.at = value, now
	}
	return m.value, nil
}
