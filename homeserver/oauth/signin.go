package oauth

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/sso"
	"github.com/landbridge-im/landbridge/internal/sentence"
)

// signInData is what the pages for signing in and up show.
type signInData struct {
	Next, User string
	Error      sentence.Text
	Passwords  bool
	Providers  []upstreamLink
	// SignUp and Reset are the paths of the other pages, or "".
	SignUp, Reset string
}

// upstreamLink leads to an identity provider.
type upstreamLink struct{ Name, Path string }

func withNext(path, next string) string { return path + "?" + url.Values{"next": {next}}.Encode() }

// providers are the identity providers that people may come by.
func (p *Provider) providers(next string) (out []upstreamLink) {
	if p.o.SSO == nil {
		return nil
	}
	for _, pr := range p.o.SSO.Providers() {
		out = append(out, upstreamLink{pr.Name, withNext(pathUpstream+url.PathEscape(pr.ID), next)})
	}
	return out
}

// hinted is the user name in a login_hint: MSC4198 has "mxid:@alice:example.org".
func hinted(s string) string {
	s = strings.TrimPrefix(s, "mxid:")
	if len(s) > 255 || strings.ContainsFunc(s, func(c rune) bool { return c < ' ' }) {
		return ""
	}
	return s
}

func (p *Provider) signInData(r *http.Request) signInData {
	set := p.settings()
	d := signInData{Next: next(r), User: hinted(r.FormValue("hint")), Passwords: !set.NoPasswordLogin}
	d.Providers = p.providers(d.Next)
	if d.Passwords {
		d.SignUp = withNext(PathSignUp, d.Next)
		if p.o.Accounts.CanMail() {
			d.Reset = withNext(pathReset, d.Next)
		}
	}
	return d
}

func (p *Provider) signInPage(w http.ResponseWriter, r *http.Request) error {
	p.show(w, r, http.StatusOK, "signin", p.text.get("signin.title", p.o.ServerName), p.signInData(r))
	return nil
}

// signIn signs in with a password.
func (p *Provider) signIn(w http.ResponseWriter, r *http.Request) error {
	if err := p.form(w, r); err != nil {
		return err
	}
	if p.settings().NoPasswordLogin {
		return mxerror.Forbidden("This server has no passwords.")
	}
	name := strings.TrimSpace(r.PostForm.Get("user"))
	err := p.o.Client().Login(r, clip(name, 255))
	var user int64
	if err == nil {
		who := accounts.Identifier{User: name}
		if !strings.HasPrefix(name, "@") && strings.Contains(name, "@") {
			who = accounts.Identifier{Medium: accounts.MediumEmail, Address: name}
		}
		_, user, err = p.o.Accounts.CheckPassword(r.Context(), who, r.PostForm.Get("password"))
	}
	if err == nil {
		err = p.o.Pages.SignIn(w, r, user)
	}
	if err != nil {
		said, err := complaint(err)
		if err != nil {
			return err
		}
		d := p.signInData(r)
		d.User, d.Error = clip(name, 255), said
		p.show(w, r, http.StatusForbidden, "signin", p.text.get("signin.title", p.o.ServerName), d)
		return nil
	}
	p.o.Pages.Redirect(w, r, next(r))
	return nil
}

func (p *Provider) signOut(w http.ResponseWriter, r *http.Request) error {
	if err := p.form(w, r); err != nil {
		return err
	}
	if err := p.o.Pages.SignOut(w, r); err != nil {
		return err
	}
	to := pathSignIn
	if n := r.PostForm.Get("next"); n != "" {
		to = withNext(pathSignIn, next(r))
	}
	p.o.Pages.Redirect(w, r, to)
	return nil
}

// upstream sends somebody to an identity provider.
func (p *Provider) upstream(w http.ResponseWriter, r *http.Request) error {
	if p.o.SSO == nil {
		return mxerror.NotFound("This server works with no identity providers.")
	}
	if err := p.o.Client().Stranger(r); err != nil {
		return err
	}
	address, cookie, err := p.o.SSO.Begin(r.Context(), r.PathValue("provider"), sso.Aim{Next: next(r)})
	if err != nil {
		return err
	}
	http.SetCookie(w, p.o.Client().SSOCookie(cookie))
	p.leave(w, address)
	return nil
}

// Arrived signs somebody in who has come back from an identity provider, and sends them on.
func (p *Provider) Arrived(w http.ResponseWriter, r *http.Request, user int64, to string) error {
	if err := p.o.Pages.SignIn(w, r, user); err != nil {
		return err
	}
	p.o.Pages.Redirect(w, r, to)
	return nil
}
