package slack

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"html/template"
	"net/http"
	"strings"
	"sync"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/id"
)

// pages are what the module offers to browsers and to Slack over HTTP, below the bridge's public address: the OAuth
// pages, and, for apps without Socket Mode, events and commands.
type pages struct {
	b    *Bridge
	base string // the public address

	mu      sync.Mutex
	pending map[string]*consent
}

// consent is a question to somebody that Slack's page is to answer.
type consent struct {
	workspace *workspace
	account   id.UserID // who is to act as the person; "" if the app is installed
	expires   time.Time
	cookie    string
	done      chan error // buffered
	login     *bridgev2.UserLogin
}

const (
	// consentTime is how long a question is good, and maxConsents how many there may be.
	consentTime = 15 * time.Minute
	maxConsents = 1000
	cookieName  = "landbridge_slack"
)

var (
	errNoPublic = errors.New("the bridge has no public address to which Slack could send a browser back")
	errNoOAuth  = errors.New("the configuration of the workspace has no client_id and client_secret")
	errBusy     = errors.New("too many people are signing in at the moment; try again later")
)

// openPages puts the pages below the bridge's public address, if it has one.
func (b *Bridge) openPages() {
	srv, ok := b.br.Matrix.(bridgev2.MatrixConnectorWithServer)
	if !ok || srv.GetPublicAddress() == "" || srv.GetRouter() == nil {
		return
	}
	b.pages = &pages{b: b, base: strings.TrimRight(srv.GetPublicAddress(), "/"), pending: make(map[string]*consent)}
	mux := srv.GetRouter()
	mux.HandleFunc("GET /slack/install/{workspace}", b.pages.install)
	mux.HandleFunc("GET /slack/login/{state}", b.pages.begin)
	mux.HandleFunc("GET /slack/oauth", b.pages.ask)
	mux.HandleFunc("POST /slack/oauth", b.pages.finish)
	mux.Handle("/slack/events", &webhook{secrets: b.signingSecrets, to: b.route, command: b.command, log: b.log, now: time.Now})
}

// question begins a consent, and returns the address that a browser is to open.
func (p *pages) question(w *workspace, account id.UserID) (string, *consent, error) {
	switch {
	case p == nil:
		return "", nil, errNoPublic
	case w.cfg.ClientID == "":
		return "", nil, errNoOAuth
	}
	c := &consent{workspace: w, account: account, expires: time.Now().Add(consentTime), cookie: rand.Text(), done: make(chan error, 1)}
	p.mu.Lock()
	defer p.mu.Unlock()
	for state, old := range p.pending {
		if time.Now().After(old.expires) {
			delete(p.pending, state)
		}
	}
	if len(p.pending) >= maxConsents {
		return "", nil, errBusy
	}
	state := rand.Text()
	p.pending[state] = c
	return p.base + "/slack/login/" + state, c, nil
}

// find returns a consent that is still wanted; with take, nobody else gets it after.
func (p *pages) find(state string, take bool) *consent {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.pending[state]
	if c == nil || time.Now().After(c.expires) {
		return nil
	}
	if take {
		delete(p.pending, state)
	}
	return c
}

// cancel forgets a consent.
func (p *pages) cancel(c *consent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for state, other := range p.pending {
		if other == c {
			delete(p.pending, state)
		}
	}
}

// installURL is the address of a workspace's install page, which is for administrators only.
func (p *pages) installURL(w *workspace) (string, error) {
	switch {
	case p == nil:
		return "", errNoPublic
	case w.cfg.ClientID == "":
		return "", errNoOAuth
	}
	key, err := p.b.tokens.installKey(w.cfg.ID)
	return p.base + "/slack/install/" + w.cfg.ID + "?key=" + key, err
}

func (p *pages) install(rw http.ResponseWriter, r *http.Request) {
	w := p.b.workspace(r.PathValue("workspace"))
	if w == nil || w.cfg.ClientID == "" {
		p.show(rw, http.StatusNotFound, page{Title: "There is no such workspace"})
		return
	}
	key, err := p.b.tokens.installKey(w.cfg.ID)
	if err != nil || subtle.ConstantTimeCompare([]byte(key), []byte(r.URL.Query().Get("key"))) != 1 {
		p.show(rw, http.StatusForbidden, page{Title: "This address is not complete", Text: "Ask the bridge's bot for it, with the command install."})
		return
	}
	address, _, err := p.question(w, "")
	if err != nil {
		p.show(rw, http.StatusServiceUnavailable, page{Title: "That does not work now", Text: err.Error()})
		return
	}
	http.Redirect(rw, r, address, http.StatusSeeOther)
}

// begin remembers the browser and sends it to Slack.
func (p *pages) begin(rw http.ResponseWriter, r *http.Request) {
	state := r.PathValue("state")
	c := p.find(state, false)
	if c == nil {
		p.expired(rw)
		return
	}
	http.SetCookie(rw, &http.Cookie{
		Name: cookieName, Value: c.cookie, Path: "/", MaxAge: int(consentTime.Seconds()), HttpOnly: true,
		Secure: strings.HasPrefix(p.base, "https://"), SameSite: http.SameSiteLaxMode,
	})
	rw.Header().Set("Cache-Control", "no-store")
	rw.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(rw, r, c.workspace.authorizeURL(p.base+"/slack/oauth", state, c.account != ""), http.StatusSeeOther)
}

func (p *pages) expired(rw http.ResponseWriter) {
	p.show(rw, http.StatusForbidden, page{Title: "This address is used up or too old", Text: "Begin again."})
}

// sameBrowser reports whether a request is from the browser that began.
func sameBrowser(r *http.Request, c *consent) bool {
	cookie, err := r.Cookie(cookieName)
	return err == nil && subtle.ConstantTimeCompare([]byte(cookie.Value), []byte(c.cookie)) == 1
}

// ask shows who is about to be allowed what: somebody may have been sent here by another. Nothing is done by a GET.
func (p *pages) ask(rw http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	c := p.find(q.Get("state"), false)
	switch {
	case c == nil || !sameBrowser(r, c):
		p.expired(rw)
	case q.Get("error") != "" || q.Get("code") == "":
		p.show(rw, http.StatusOK, page{Title: "Slack has not been allowed anything", Text: "You can close this page."})
	case c.account != "":
		p.show(rw, http.StatusOK, page{
			Title: "Act as you in Slack?", Code: q.Get("code"), State: q.Get("state"), Button: "Allow",
			Text: "The Matrix account " + string(c.account) + " will read and write in Slack as you. Go on only if this account is yours.",
		})
	default:
		p.show(rw, http.StatusOK, page{
			Title: "Install the app?", Code: q.Get("code"), State: q.Get("state"), Button: "Install",
			Text: "The workspace " + c.workspace.cfg.ID + " will be connected to " + p.b.br.Matrix.ServerName() + ".",
		})
	}
}

func (p *pages) finish(rw http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(rw, r.Body, 64<<10)
	state := r.PostFormValue("state")
	c := p.find(state, false)
	if c == nil || !sameBrowser(r, c) || p.find(state, true) == nil {
		p.expired(rw)
		return
	}
	err := p.exchange(r.Context(), c, r.PostFormValue("code"))
	c.done <- err
	if err != nil {
		p.b.log.Warn("somebody could not sign in to Slack", "error", err)
		p.show(rw, http.StatusBadGateway, page{Title: "That did not work", Text: err.Error()})
		return
	}
	p.show(rw, http.StatusOK, page{Title: "Done", Text: "You can close this page."})
}

// exchange gets the token for a code, and puts it to use.
func (p *pages) exchange(ctx context.Context, c *consent, code string) error {
	w := c.workspace
	g, err := w.access(ctx, values("code", code, "redirect_uri", p.base+"/slack/oauth"))
	if err != nil {
		return err
	}
	if c.account == "" {
		return w.installed(ctx, g)
	}
	c.login, err = w.signIn(ctx, c.account, g.person())
	return err
}

// page is what a person sees.
type page struct{ Title, Text, Code, State, Button string }

var pageTemplate = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.Title}}</title>
<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:4rem auto;padding:0 1rem}button{font:inherit;padding:.5rem 1.5rem}</style></head>
<body><main><h1>{{.Title}}</h1>{{with .Text}}<p>{{.}}</p>{{end}}
{{if .Button}}<form method="post" action="oauth"><input type="hidden" name="state" value="{{.State}}"><input type="hidden" name="code" value="{{.Code}}"><button>{{.Button}}</button></form>{{end}}
</main></body></html>
`))

func (p *pages) show(rw http.ResponseWriter, status int, what page) {
	h := rw.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	rw.WriteHeader(status)
	if err := pageTemplate.Execute(rw, what); err != nil {
		p.b.log.Debug("a page was not read to its end", "error", err)
	}
}
