package page

import (
	"context"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Session is a browser in which somebody is signed in.
type Session struct {
	// User is the store's number of the account, and UserID its Matrix id.
	User   int64
	UserID string
	Admin  bool
	// Since is when the password, or what stands for it, was last shown.
	Since time.Time
}

// ErrNoSession says that a browser's session has ended, or that there has never been one.
var ErrNoSession = errors.New("page: nobody is signed in")

// Keeper keeps the sessions of browsers. Tokens are secrets of the keeper's making; they must be
// cookie values, and must not be guessable.
type Keeper interface {
	// BeginSession signs a user in.
	BeginSession(ctx context.Context, user int64) (token string, life time.Duration, err error)
	// FindSession finds who is signed in; ErrNoSession if nobody is.
	FindSession(ctx context.Context, token string) (*Session, error)
	// EndSession signs out. A token that is not known is no error.
	EndSession(ctx context.Context, token string) error
}

// Options say how pages are shown.
type Options struct {
	// Name is what the head of each page says: the server's name.
	Name string
	// PublicURL is where browsers find the server, without a slash at the end. Cookies are for https
	// alone if it is such an address.
	PublicURL string
	Keeper    Keeper
	Log       *slog.Logger
}

// Site shows pages. It is safe for concurrent use.
type Site struct {
	o      Options
	base   string // the path of PublicURL
	origin string // scheme and host of PublicURL
	secure bool
	layout *template.Template
	assets map[string]asset
	cross  *http.CrossOriginProtection

	languages *languages
	mu        sync.Mutex
	templates map[*template.Template]*translated // by the English ones
}

// New makes a Site.
func New(o Options) (*Site, error) {
	if o.Name == "" || o.Log == nil {
		return nil, errors.New("page: the server's name and the log are needed")
	}
	scheme, rest, ok := strings.Cut(o.PublicURL, "://")
	if !ok {
		return nil, errors.New("page: the public address must be absolute")
	}
	host, path, _ := strings.Cut(rest, "/")
	s := &Site{o: o, origin: scheme + "://" + host, secure: scheme == "https", cross: http.NewCrossOriginProtection()}
	if path = strings.Trim(path, "/"); path != "" {
		s.base = "/" + path
	}
	// What a proxy tells us of the host may be another one than what the browser sees.
	if err := s.cross.AddTrustedOrigin(s.origin); err != nil {
		return nil, err
	}
	var err error
	if s.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	s.templates = map[*template.Template]*translated{}
	if s.languages, err = loadLanguages(langFiles); err != nil {
		return nil, err
	}
	s.layout, err = s.Parse(files, "files/layout.html")
	return s, err
}

// Path is how a browser asks for a path of the server ("/account"), where that is not at the root of
// its host.
func (s *Site) Path(path string) string { return s.base + path }

// URL is the whole address of a path.
func (s *Site) URL(path string) string { return s.origin + s.base + path }

// Local tells whether an address that came from outside is a page of this server, to go to after
// signing in, say. It gives no way to other sites.
func Local(to string) bool {
	if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || len(to) > 16384 {
		return false
	}
	// Browsers take a backslash for a slash, and leave out tabs and ends of lines.
	return !strings.ContainsFunc(to, func(c rune) bool { return c == '\\' || c < ' ' || c == 0x7f })
}

// FileName makes a file's name of a text: letters and digits, and hyphens for everything else.
func FileName(s string) string {
	return strings.Trim(strings.Map(func(c rune) rune {
		if c < 0x80 && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_') {
			return c
		}
		return '-'
	}, s), "-.")
}

// Redirect sends a browser to a path of the server (without the path of PublicURL), by GET.
func (s *Site) Redirect(w http.ResponseWriter, r *http.Request, to string) {
	if !Local(to) {
		to = "/"
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, s.Path(to), http.StatusSeeOther)
}
