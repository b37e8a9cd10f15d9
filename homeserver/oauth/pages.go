package oauth

import (
	"embed"
	"encoding/json/v2"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/edge"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/internal/sentence"
	"github.com/landbridge-im/landbridge/web/page"
)

//go:embed pages
var pageFiles embed.FS

// texts are the sentences of the pages, by key. They are all in pages/en.json, to be translated.
type texts map[string]string

func loadTexts() (texts, error) {
	raw, err := pageFiles.ReadFile("pages/en.json")
	if err != nil {
		return nil, fmt.Errorf("oauth: reading the texts of the pages: %w", err)
	}
	var t texts
	if err := json.Unmarshal(raw, &t); err != nil {
		return nil, fmt.Errorf("oauth: reading the texts of the pages: %w", err)
	}
	return t, nil
}

// get is a text, with what belongs in it. It is an error of the program to ask for one that there is
// not; it shows as the key.
func (t texts) get(key string, args ...any) sentence.Text {
	s, ok := t[key]
	if !ok {
		return sentence.Data(key)
	}
	return sentence.Say(s, args...)
}

// date writes a time in milliseconds.
func date(ms int64) sentence.Text {
	at := time.UnixMilli(ms).UTC()
	return sentence.Say("%s, %s", sentence.Date(at), at.Format("15:04 UTC"))
}

func (p *Provider) pageRoutes(mux *http.ServeMux) {
	on := func(path string, get, post func(http.ResponseWriter, *http.Request) error) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			h := get
			switch {
			case r.Method == http.MethodPost && post != nil:
				h = post
			case r.Method != http.MethodGet && r.Method != http.MethodHead || get == nil:
				h = func(http.ResponseWriter, *http.Request) error {
					return mxerror.Unrecognized(http.StatusMethodNotAllowed)
				}
			}
			if err := h(w, r); err != nil {
				p.showError(w, r, err)
			}
		})
	}
	on(pathAuthorize, p.authorize, p.decide)
	on(pathLink, p.link, p.linkDecide)
	on(pathSignIn, p.signInPage, p.signIn)
	on(PathSignUp, p.signUpPage, p.signUp)
	on(pathSignOut, nil, p.signOut)
	on(pathReset, p.resetPage, p.reset)
	on(pathUpstream+"{provider}", p.upstream, nil)
	on(pathContinue, p.continuePage, p.continueDecide)
	on(PathAccount, p.owner(p.profilePage), p.owner(p.profile))
	on(pathAvatar, p.owner(p.avatar), p.owner(p.setAvatar))
	on(pathDevices, p.owner(p.devicesPage), nil)
	on(pathOneDevice, p.owner(p.devicePage), p.owner(p.changeDevice))
	on(pathEmails, p.owner(p.emailsPage), p.owner(p.changeEmails))
	on(pathPassword, p.owner(p.passwordPage), p.owner(p.changePassword))
	on(pathKeys, p.owner(p.keysPage), p.owner(p.resetKeys))
	on(pathLinked, p.owner(p.linkedPage), nil)
	on(pathData, p.owner(p.dataPage), p.owner(p.data))
	on(pathClose, p.owner(p.closePage), p.owner(p.closeAccount))
	on("/account/", func(http.ResponseWriter, *http.Request) error {
		return mxerror.NotFound("%s", p.text.get("error.notfound"))
	}, nil)
}

// show sends a page of this package.
func (p *Provider) show(w http.ResponseWriter, r *http.Request, status int, name string, title sentence.Text, data any, more ...func(*page.Frame)) {
	f := page.Frame{Title: title, Template: p.tmpl, Name: name, Data: data}
	for _, m := range more {
		m(&f)
	}
	p.o.Pages.Show(w, r, status, f)
}

// showError tells a person what went wrong. What is not meant for the public goes to the log.
func (p *Provider) showError(w http.ResponseWriter, r *http.Request, err error) {
	status, text := http.StatusInternalServerError, p.text.get("error.server", edge.RequestID(r.Context()))
	var e *protocolError
	switch m, ok := mxerror.As(err); {
	case errors.Is(err, page.ErrForeignForm):
		status, text = http.StatusForbidden, p.text.get("error.form")
	case errors.As(err, &e):
		status, text = e.status, sentence.Say(e.text)
		if status == http.StatusUnauthorized {
			status = http.StatusBadRequest // nothing that a browser could log in to
		}
	case ok && m.Status < 500:
		status, text = m.Status, m.Said()
	default:
		p.o.Log.ErrorContext(r.Context(), "a page failed", "id", edge.RequestID(r.Context()), "method", r.Method, "route", r.URL.Path, "err", err)
	}
	p.show(w, r, status, "error", p.text.get("error.title"), text)
}

// complaint is what a form's page says of what was wrong with it; other errors are passed on.
func complaint(err error) (sentence.Text, error) {
	if m, ok := mxerror.As(err); ok && m.Status < 500 {
		return m.Said(), nil
	}
	return sentence.Text{}, err
}

// form reads a form of a page of ours.
func (p *Provider) form(w http.ResponseWriter, r *http.Request) error {
	err := p.o.Pages.Form(w, r)
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return mxerror.TooLarge("The form is larger than %d bytes.", large.Limit)
	}
	if err != nil && !errors.Is(err, page.ErrForeignForm) {
		return mxerror.InvalidParam("The form could not be read.").Because(err)
	}
	return err
}

// toSignIn sends somebody to sign in or up, and from there to a path.
func (p *Provider) toSignIn(w http.ResponseWriter, r *http.Request, page, next, hint string) {
	q := url.Values{"next": {next}}
	if hint != "" {
		q.Set("hint", hint)
	}
	p.o.Pages.Redirect(w, r, page+"?"+q.Encode())
}

// next is where somebody wanted to go before signing in.
func next(r *http.Request) string {
	if to := r.FormValue("next"); page.Local(to) {
		return to
	}
	return PathAccount
}

// ownerHandler serves a page to whom an account belongs.
type ownerHandler func(http.ResponseWriter, *http.Request, *page.Session) error

// owner lets people who are signed in through, and others sign in first.
func (p *Provider) owner(h ownerHandler) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		s, err := p.o.Pages.Session(r)
		if err != nil {
			return err
		}
		if s == nil {
			to := PathAccount
			if r.Method != http.MethodPost {
				to = r.URL.RequestURI()
			}
			p.toSignIn(w, r, pathSignIn, to, "")
			return nil
		}
		return h(w, r, s)
	}
}

// freshFor is how long after signing in somebody may do what can't be undone.
const freshFor = 10 * time.Minute

// fresh tells whether somebody signed in just now; if not, they are sent to do it.
func (p *Provider) fresh(w http.ResponseWriter, r *http.Request, s *page.Session) bool {
	if p.o.Now().Sub(s.Since) < freshFor {
		return true
	}
	p.o.Pages.SetFlash(w, r, page.Flash{Text: p.text.get("signin.again")})
	p.toSignIn(w, r, pathSignIn, r.URL.RequestURI(), s.UserID)
	return false
}

// nav is the navigation of the account page.
func (p *Provider) nav(here string) func(*page.Frame) {
	return func(f *page.Frame) {
		f.Nav = []page.Link{{Text: p.text.get("nav.profile"), Path: PathAccount}, {Text: p.text.get("nav.devices"), Path: pathDevices}}
		if !p.settings().NoPasswordLogin {
			f.Nav = append(f.Nav, page.Link{Text: p.text.get("nav.password"), Path: pathPassword})
		}
		if p.o.Accounts.CanMail() {
			f.Nav = append(f.Nav, page.Link{Text: p.text.get("nav.email"), Path: pathEmails})
		}
		f.Nav = append(f.Nav, page.Link{Text: p.text.get("nav.encryption"), Path: pathKeys}, page.Link{Text: p.text.get("nav.linked"), Path: pathLinked},
			page.Link{Text: p.text.get("nav.data"), Path: pathData})
		for i := range f.Nav {
			f.Nav[i].Here = f.Nav[i].Path == here
		}
	}
}
