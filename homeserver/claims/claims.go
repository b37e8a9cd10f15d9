package claims

import (
	"context"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/web/page"
)

// Bridges is what claims ask of the bridges in this process. It is safe for concurrent use.
type Bridges interface {
	// List are the ids of the bridges, in order.
	List() []string
	// Network is what people call the network of a bridge, such as "Discord"; false if there is no such bridge.
	Network(service string) (string, bool)
	// Ghost is the user id of a person of the network here, and Person the opposite; false if there is none.
	Ghost(service, person string) (userID string, ok bool)
	Person(service, userID string) (person string, ok bool)
	// Robot tells whether a person of the network is a program.
	Robot(ctx context.Context, service, person string) bool
	// Message writes to a person in private, by the bridge's bot, once for each key. The error is ErrNotReachable
	// if the person takes no messages, ErrNoMessages if the bridge can't send any, and ErrNotRunning.
	Message(ctx context.Context, service, person, key, text string) error
	// SignIns are the places at which people of a bridge's network can sign in to show who they are; none if there are none.
	SignIns(service string) []SignIn
	// SignInURL is the address of the network's page for one of them, from which people come back to redirect with state;
	// false if there is no such place.
	SignInURL(service, id, redirect, state string) (address string, ok bool)
	// SignedIn is who a code that came back is about. The error is ErrStranger if they are in nothing that is bridged,
	// ErrBadCode if the network does not know the code, and ErrNotRunning.
	SignedIn(ctx context.Context, service, id, redirect, code string) (Person, error)
	// Tied is told that the account of a person is another one, or ("") none any more.
	Tied(ctx context.Context, service, person, account string)
}

// SignIn is a place at which people of a network sign in.
type SignIn struct {
	ID   string // the bridge's own; may be empty
	Name string // such as "Discord"
}

// ErrStranger says that somebody is of a network, and in nothing of it that is bridged.
var ErrStranger = errors.New("claims: the person is in nothing that is bridged")

// Errors of Bridges.Message.
var (
	ErrNotReachable = errors.New("claims: the person takes no direct messages")
	ErrNoMessages   = errors.New("claims: the bridge can't send direct messages")
	// ErrNotRunning says that the bridge does not run now; it may do so any moment.
	ErrNotRunning = errors.New("claims: the bridge does not run")
)

// Errors of linking.
var (
	ErrLinked  = errors.New("claims: the person has an account already")
	ErrBadCode = errors.New("claims: the code is wrong, used or too old")
	// ErrNoBridge says that no bridge of this server has that id.
	ErrNoBridge = errors.New("claims: there is no such bridge")
)

// Mail sends an e-mail of a few lines.
type Mail func(ctx context.Context, to, subject, text string) error

// Act makes a request to the client-server API as a user of this server; path begins behind the version
// ("/join/..."). body and out may be nil. Errors are those of package mxerror.
type Act func(ctx context.Context, userID, method, path string, body, out any) error

// Settings can be changed while the server runs.
type Settings struct {
	// OfferLife is how long an offer is good; 0 means 14 days.
	OfferLife time.Duration
	// Reminders are the pauses after the invitation, and after each reminder, until the next one; none: no
	// reminders.
	Reminders []time.Duration
	// PerMinute bounds how many messages are sent; 0 means 20.
	PerMinute int
	// Community is what the community calls itself; "" for the server's name.
	Community string
}

// Options say what New needs.
type Options struct {
	ServerName string
	Store      *store.Store
	// Key makes the secrets of offers; it must not be in the database.
	Key []byte
	// Bot is the user id of a bridge's bot; "" if there is no such bridge.
	Bot   func(service string) string
	Act   Act
	Pages *page.Site
	// SignIn makes the address of the page for signing in that leads to a path afterwards, and SignUp that for
	// making an account with a proposed name. Nil: there are no such pages.
	SignIn func(path string) string
	SignUp func(path, name string) string
	// Stranger counts what is asked by those who are not signed in, as an error if it is too much.
	Stranger func(*http.Request) error
	Mail     Mail // nil: no e-mail is sent
	Log      *slog.Logger
	Now      func() time.Time
}

// Claims keeps offers and ties. It is safe for concurrent use.
type Claims struct {
	o        Options
	bridges  atomic.Pointer[Bridges]
	settings atomic.Pointer[Settings]
	guesses  *accounts.Limiter
	tmpl     *template.Template
	mux      *http.ServeMux
	// move and send wake the two that work in the background.
	move, send chan struct{}
	// asked are the figures of Overview, which are dear.
	asked figures
	// inviting orders changes of who is to be written to.
	inviting sync.Mutex
}

// Guesses at a code by one person: burst, and then one in so many seconds.
const (
	guessBurst = 5
	guessEvery = 60
)

// New makes Claims. It knows no bridges until Use.
func New(o Options) (*Claims, error) {
	if o.ServerName == "" || o.Store == nil || len(o.Key) == 0 || o.Bot == nil || o.Act == nil || o.Pages == nil || o.Stranger == nil || o.Log == nil || o.Now == nil {
		return nil, errors.New("claims: options are missing")
	}
	c := &Claims{o: o, guesses: accounts.NewLimiter(1.0/guessEvery, guessBurst), move: make(chan struct{}, 1), send: make(chan struct{}, 1)}
	c.Configure(Settings{})
	if err := c.openPages(); err != nil {
		return nil, err
	}
	return c, nil
}

// Use says which bridges there are.
func (c *Claims) Use(b Bridges) {
	c.bridges.Store(&b)
	poke(c.move)
	poke(c.send)
}

// Configure changes the settings.
func (c *Claims) Configure(s Settings) {
	if s.OfferLife <= 0 {
		s.OfferLife = 14 * 24 * time.Hour
	}
	if s.PerMinute <= 0 {
		s.PerMinute = 20
	}
	if s.Community == "" {
		s.Community = c.o.ServerName
	}
	c.settings.Store(&s)
	poke(c.send)
}

func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

func (c *Claims) nowMS() int64 { return c.o.Now().UnixMilli() }

// bridge finds a bridge's network, also that of a bridge that has ended; ErrNoBridge if there is none such.
func (c *Claims) bridge(ctx context.Context, service string) (Bridges, string, error) {
	if c.bridges.Load() == nil {
		return nil, "", ErrNoBridge
	}
	if b, name, err := c.configured(service); err == nil {
		return b, name, nil
	}
	if b, name, ok := c.ended(ctx, service); ok {
		return b, name, nil
	}
	return nil, "", ErrNoBridge
}

// configured finds the network of a bridge that is there; ErrNoBridge if it is not.
func (c *Claims) configured(service string) (Bridges, string, error) {
	if b := c.bridges.Load(); b != nil {
		if name, ok := (*b).Network(service); ok {
			return *b, name, nil
		}
	}
	return nil, "", ErrNoBridge
}

// Run brings accounts into rooms and sends what is due, until ctx ends.
func (c *Claims) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { c.moveAll(ctx); return nil })
	g.Go(func() error { c.sendAll(ctx); return nil })
	return g.Wait()
}
