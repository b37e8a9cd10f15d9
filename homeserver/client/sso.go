package client

import (
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/sso"
)

// SSOCallbackPath is where identity providers send people back to.
const SSOCallbackPath = "/_matrix/client/unstable/im.landbridge/oidc/callback"

const (
	ssoCookie = "landbridge_sso"
	// ssoTokenLife is how long a login token is good for that a browser takes to the client at once:
	// "The lifetime of this token SHOULD be limited to around five seconds." It is longer where the user
	// has to agree first.
	ssoTokenLife = 10 * time.Second
)

func noProviders() error {
	return mxerror.NotFound("This server works with no identity providers.")
}

// ssoRedirect is GET /login/sso/redirect and GET /login/sso/redirect/{idpId}.
func (a *API) ssoRedirect(c *call) error {
	if a.o.SSO == nil && (a.o.OAuth == nil || len(c.params) > 0) {
		return noProviders()
	}
	if err := a.limits.Load().strangers.Allow(c.limitKey()); err != nil {
		return a.showError(c, err)
	}
	u, err := sso.ClientAddress(c.query.Get("redirectUrl"))
	if err != nil {
		return a.showError(c, err)
	}
	if a.o.OAuth != nil && len(c.params) == 0 {
		http.Redirect(c.w, c.r, a.o.OAuth.ContinuePath(u.String(), c.query.Get("action")), http.StatusFound)
		return nil
	}
	providers := a.o.SSO.Providers()
	id := providers[0].ID
	switch {
	case len(c.params) > 0:
		id = c.params[0]
	case len(providers) > 1:
		// "... or present a page which lets the user select an IdP".
		p := webPage{Title: "Log in to " + a.o.ServerName, Text: []string{"Choose where you have an account:"}}
		for _, pr := range providers {
			to := "/_matrix/client/v3/login/sso/redirect/" + url.PathEscape(pr.ID) + "?" + url.Values{"redirectUrl": {u.String()}}.Encode()
			p.Links = append(p.Links, link{pr.Name, template.URL(to)})
		}
		return c.show(http.StatusOK, p)
	}
	return a.ssoBegin(c, id, sso.Aim{RedirectURL: u.String()})
}

// ssoBegin sends a browser to a provider.
func (a *API) ssoBegin(c *call, provider string, aim sso.Aim) error {
	address, cookie, err := a.o.SSO.Begin(c.ctx, provider, aim)
	if err != nil {
		return a.showError(c, err)
	}
	http.SetCookie(c.w, a.ssoCookie(cookie, 0))
	http.Redirect(c.w, c.r, address, http.StatusFound)
	return nil
}

// ssoCookie is the cookie by which a browser is known again; a maxAge below 0 takes it away.
func (a *API) ssoCookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{Name: ssoCookie, Value: value, Path: "/_matrix/client", MaxAge: maxAge, HttpOnly: true,
		Secure: strings.HasPrefix(a.o.PublicURL, "https:"), SameSite: http.SameSiteLaxMode}
}

// confirmBySSO sends a user who is to confirm something to a provider that knows them.
func (a *API) confirmBySSO(c *call, i accounts.StageInfo, session string) error {
	known, err := a.o.Store.SSOProvidersOf(c.ctx, i.User)
	if err != nil {
		return err
	}
	if a.o.SSO != nil {
		for _, p := range a.o.SSO.Providers() {
			if slices.Contains(known, p.ID) {
				return a.ssoBegin(c, p.ID, sso.Aim{Session: session})
			}
		}
	}
	return a.showError(c, mxerror.NotFound("No identity provider knows you."))
}

// ssoCallback is where a browser comes back to.
func (a *API) ssoCallback(c *call) error {
	if a.o.SSO == nil {
		return noProviders()
	}
	if err := a.limits.Load().strangers.Allow(c.limitKey()); err != nil {
		return a.showError(c, err)
	}
	cookie := ""
	if k, err := c.r.Cookie(ssoCookie); err == nil {
		cookie = k.Value
	}
	http.SetCookie(c.w, a.ssoCookie("", -1))
	who, err := a.o.SSO.Finish(c.ctx, cookie, c.query)
	if err != nil {
		return a.showError(c, err)
	}
	if who.Session != "" {
		if err := a.o.Accounts.PassStage(c.ctx, who.Session, accounts.Credentials{Type: accounts.StageSSO, Subject: who.User}); err != nil {
			return a.showError(c, err)
		}
		return c.show(http.StatusOK, webPage{Title: "Thank you", Text: []string{"You can close this window and go back to your client."}, Done: true})
	}
	if who.Next != "" && a.o.OAuth != nil {
		if err := a.o.OAuth.Arrived(c.w, c.r, who.User, who.Next); err != nil {
			return a.showError(c, err)
		}
		return nil
	}
	u, err := sso.ClientAddress(who.RedirectURL)
	if err != nil {
		return a.showError(c, err)
	}
	known := a.knownClient(u)
	life := ssoTokenLife
	if !known {
		life = accounts.LoginTokenLife
	}
	token, err := a.o.Accounts.MakeLoginToken(c.ctx, who.User, life)
	if err != nil {
		return a.showError(c, err)
	}
	// "If it already includes one or more loginToken parameters, they should be removed before adding
	// the new one."
	q := u.Query()
	q.Set("loginToken", token)
	u.RawQuery = q.Encode()
	if known {
		http.Redirect(c.w, c.r, u.String(), http.StatusFound)
		return nil
	}
	// "Homeservers SHOULD confirm with the user that they are happy to grant access to their matrix
	// account to the site named in the redirectUrl."
	site := u.Scheme + "://" + u.Host
	return c.show(http.StatusOK, webPage{Title: "Log in to " + a.o.ServerName,
		Text: []string{"You are " + who.UserID + ".", "The client at " + site + " will be able to read and write everything in your account. Go on only if you know it."},
		// sso.ClientAddress has refused what could run as a script.
		Links: []link{{"Continue", template.URL(u.String())}}})
}

// knownClient tells whether a client may be given a token without asking the user. The homeserver's
// own page may.
func (a *API) knownClient(u *url.URL) bool {
	s := u.String()
	if strings.HasPrefix(s, a.o.PublicURL+"/_matrix/static/client/login") {
		return true
	}
	return slices.ContainsFunc(a.o.TrustedClients, func(prefix string) bool { return prefix != "" && strings.HasPrefix(s, prefix) })
}
