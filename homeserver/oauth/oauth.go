package oauth

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/landbridge-im/landbridge/export"
	"github.com/landbridge-im/landbridge/homeserver/accounts"
	clientapi "github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/media"
	"github.com/landbridge-im/landbridge/homeserver/sso"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/web/page"
)

// Client is what the pages have in common with the client-server API.
type Client interface {
	// Login counts an attempt to log in as who, Registration a new account, Mail a message to an
	// address, and Stranger what else may be asked by those who are not signed in. What is too much is
	// refused with M_LIMIT_EXCEEDED.
	Login(r *http.Request, who string) error
	Registration(r *http.Request) error
	Mail(r *http.Request, to string) error
	Stranger(r *http.Request) error
	// Address is the network address of who makes a request.
	Address(r *http.Request) string
	// Settings are those in force.
	Settings() clientapi.Settings
	// Deactivate closes an account for good.
	Deactivate(ctx context.Context, userID string, erase bool) error
	// SetProfile sets a field of a user's profile to text; "" removes it.
	SetProfile(ctx context.Context, userID string, user int64, field, text string) error
	// RenameDevice names a user's device; M_NOT_FOUND if there is none such.
	RenameDevice(ctx context.Context, user int64, id, name string) error
	// RemoveEmail takes an e-mail address from an account.
	RemoveEmail(ctx context.Context, userID string, user int64, address string) error
	// CheckName tells as an error why somebody can't sign up with a name.
	CheckName(ctx context.Context, localpart string) error
	// MailLink makes the address that a link in a message leads to.
	MailLink(url.Values) string
	// Trusted tells whether a client of the legacy API may be given a login token without a question.
	Trusted(address *url.URL) bool
	// SSOCookie makes the cookie by which a browser is known when it comes back from a provider.
	SSOCookie(value string) *http.Cookie
}

// Offers are invitations of the server's own to make an account, each for one: who goes to the page of one may.
type Offers interface {
	// Invited tells whether a path is the page of an offer with which an account can be made.
	Invited(ctx context.Context, path string) bool
	// Reserve is Invited for who makes an account now; if it is true, Settle must tell which came of it (0: none).
	Reserve(ctx context.Context, path string) (bool, error)
	Settle(ctx context.Context, path string, user int64) error
	// LinkedTo tells who a user is on bridged networks, and whether there is such a network at all.
	LinkedTo(ctx context.Context, user int64) (list []Linked, bridged bool, err error)
}

// Options say what New needs.
type Options struct {
	ServerName string
	// PublicURL is where browsers and clients find the server, without a slash at the end.
	PublicURL string
	Store     *store.Store
	Accounts  *accounts.Accounts
	// SSO logs in with identity providers; nil: there are none.
	SSO   *sso.SSO
	Media *media.Repo
	Pages *page.Site
	// Export is where people's own data come from, and Version the program's, which is written into it.
	Export  export.Source
	Version string
	// Client gives the client-server API, which may be made later than the Provider.
	Client func() Client
	// Offers gives those with which people may sign up where registration is closed; nil: there are none.
	Offers func() Offers
	Log    *slog.Logger
	Now    func() time.Time
}

// Provider serves the API and its pages. It is safe for concurrent use.
type Provider struct {
	o     Options
	paces *paces
	mux   *http.ServeMux
	// exports has a place for each export that is being made.
	exports chan struct{}
	tmpl    *template.Template
	text    texts
}

// New makes a Provider.
func New(o Options) (*Provider, error) {
	if o.ServerName == "" || o.PublicURL == "" || o.Store == nil || o.Accounts == nil || o.Pages == nil || o.Export == nil || o.Client == nil || o.Log == nil || o.Now == nil {
		return nil, errors.New("oauth: options are missing")
	}
	p := &Provider{o: o, exports: make(chan struct{}, exportsAtOnce)}
	var err error
	if p.paces, err = newPaces(); err != nil {
		return nil, fmt.Errorf("oauth: making the paces of devices: %w", err)
	}
	if p.text, err = loadTexts(); err != nil {
		return nil, err
	}
	if p.tmpl, err = o.Pages.ParseKeyed(p.text, template.FuncMap{"date": date}, pageFiles, "pages/*.html"); err != nil {
		return nil, fmt.Errorf("oauth: the templates: %w", err)
	}
	p.mux = p.routes()
	return p, nil
}

// settings are those in force.
func (p *Provider) settings() clientapi.Settings { return p.o.Client().Settings() }

// Paths of pages that others lead to.
const (
	// PathAccount is where people look after their account, and PathSignUp where they make one.
	PathAccount = "/account"
	PathSignUp  = "/account/sign-up"
)

// SignUpTo is the address where people make an account who want to go to a path; name is the one that is proposed,
// or "".
func SignUpTo(path, name string) string {
	return PathSignUp + "?" + url.Values{"next": {path}, "hint": {name}}.Encode()
}

// SignInTo is the address where people sign in who want to go to a path.
func SignInTo(path string) string { return withNext(pathSignIn, path) }

// The other paths of the API and of the pages.
const (
	pathAuthorize = "/oauth2/authorize"
	pathToken     = "/oauth2/token"
	pathRegister  = "/oauth2/registration"
	pathRevoke    = "/oauth2/revoke"
	pathDevice    = "/oauth2/device"
	pathLink      = "/link"
	pathSignIn    = "/account/sign-in"
	pathSignOut   = "/account/sign-out"
	pathReset     = "/account/reset"
	pathUpstream  = "/account/with/"
	pathContinue  = "/account/continue"
	pathAvatar    = "/account/avatar"
	pathDevices   = "/account/devices"
	pathOneDevice = "/account/device"
	pathPassword  = "/account/password"
	pathEmails    = "/account/email"
	pathKeys      = "/account/encryption"
	pathClose     = "/account/deactivate"
	pathLinked    = "/account/linked"
	pathData      = "/account/data"
	// pathClaim is the page of package claims on which people are linked.
	pathClaim = "/claim"
)

func (p *Provider) routes() *http.ServeMux {
	mux := http.NewServeMux()
	api := func(method, path string, h func(http.ResponseWriter, *http.Request) error) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != method && !(method == http.MethodGet && r.Method == http.MethodHead) {
				w.Header().Set("Allow", method)
				sendError(w, &protocolError{status: http.StatusMethodNotAllowed, code: "invalid_request", text: "This address takes " + method + " alone."})
				return
			}
			if err := h(w, r); err != nil {
				p.fail(w, r, err)
			}
		})
	}
	api(http.MethodPost, pathToken, p.token)
	api(http.MethodPost, pathRegister, p.register)
	api(http.MethodPost, pathRevoke, p.revoke)
	api(http.MethodPost, pathDevice, p.authorizeDevice)
	for _, path := range []string{"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"} {
		api(http.MethodGet, path, func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Cache-Control", "public, max-age=3600")
			return sendJSON(w, http.StatusOK, p.Metadata())
		})
	}
	p.pageRoutes(mux)
	return mux
}

// Serves tells whether a path is one of the API or of its pages.
func (p *Provider) Serves(path string) bool {
	switch path {
	case pathAuthorize, pathToken, pathRegister, pathRevoke, pathDevice, pathLink, PathAccount,
		"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration":
		return true
	}
	return len(path) > len(PathAccount) && path[:len(PathAccount)+1] == PathAccount+"/"
}

// ServeHTTP serves the paths for which Serves is true. Package edge must be around it.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.mux.ServeHTTP(w, r) }

var _ http.Handler = (*Provider)(nil)
