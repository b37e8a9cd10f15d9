package oauth

import (
	"net/http"
	"net/url"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/sso"
	"github.com/landbridge-im/landbridge/web/page"
)

// ContinuePath is where a client of the legacy API that logs in by m.login.sso sends its user: to these
// pages, and back with a login token. Specification, "OAuth 2.0 aware clients": "Support a value for the
// action param on the SSO redirect endpoints."
func (p *Provider) ContinuePath(redirectURL, action string) string {
	q := url.Values{"redirectUrl": {redirectURL}}
	if action == "register" || action == "login" {
		q.Set("action", action)
	}
	return p.o.Pages.Path(pathContinue) + "?" + q.Encode()
}

type continueData struct {
	Session *page.Session
	Site    string
	Action  string
}

func (p *Provider) continuePage(w http.ResponseWriter, r *http.Request) error {
	u, err := sso.ClientAddress(r.URL.Query().Get("redirectUrl"))
	if err != nil {
		return err
	}
	s, err := p.o.Pages.Session(r)
	if err != nil {
		return err
	}
	here := r.URL.RequestURI()
	if s == nil {
		to := pathSignIn
		if r.URL.Query().Get("action") == "register" && !p.settings().NoPasswordLogin {
			to = PathSignUp
		}
		p.toSignIn(w, r, to, here, "")
		return nil
	}
	if p.o.Client().Trusted(u) {
		return p.giveLoginToken(w, r, s, u)
	}
	site := u.Hostname()
	if u.Scheme != "https" && u.Scheme != "http" {
		site = u.Scheme
	}
	p.show(w, r, http.StatusOK, "continue", p.text.get("continue.title", p.o.ServerName), continueData{Session: s, Site: site, Action: here}, func(f *page.Frame) {
		f.FormTargets = []string{formTarget(u.String())}
	})
	return nil
}

// continueDecide gives the client a login token: "Homeservers SHOULD confirm with the user that they are
// happy to grant access to their matrix account to the site named in the redirectUrl."
func (p *Provider) continueDecide(w http.ResponseWriter, r *http.Request) error {
	if err := p.form(w, r); err != nil {
		return err
	}
	u, err := sso.ClientAddress(r.URL.Query().Get("redirectUrl"))
	if err != nil {
		return err
	}
	s, err := p.o.Pages.Session(r)
	if err != nil {
		return err
	}
	if s == nil {
		p.toSignIn(w, r, pathSignIn, r.URL.RequestURI(), "")
		return nil
	}
	return p.giveLoginToken(w, r, s, u)
}

// giveLoginToken sends the browser to a client with a login token: "If it already includes one or more
// loginToken parameters, they should be removed before adding the new one."
func (p *Provider) giveLoginToken(w http.ResponseWriter, r *http.Request, s *page.Session, u *url.URL) error {
	token, err := p.o.Accounts.MakeLoginToken(r.Context(), s.User, accounts.LoginTokenLife)
	if err != nil {
		return err
	}
	q := u.Query()
	q.Set("loginToken", token)
	u.RawQuery = q.Encode()
	p.leave(w, u.String())
	return nil
}
