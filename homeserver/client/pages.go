package client

import (
	"bytes"
	"crypto/rand"
	_ "embed" // the page
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

//go:embed pages/page.html
var pageText string

// webPage is what a browser is shown.
type webPage struct {
	Title string
	Error string
	Text  []string
	Form  *form
	Links []link
	// Done ends a stage of interactive authentication; Login is the whole log-in.
	Done, Login bool
	// Nonce marks the scripts that are ours.
	Nonce string
}

type form struct {
	Fields   []field
	Policies []accounts.Policy
	Button   string
	// Action is where the form goes; "" for where the page is.
	Action string
}

type field struct{ Name, Label, Type, Complete string }

// link leads somewhere; its address has been checked.
type link struct {
	Name    string
	Address template.URL
}

func (a *API) pageRoutes() {
	const get, post = http.MethodGet, http.MethodPost
	raw := func(method, path string, h func(*call) error) {
		for _, p := range v3 {
			a.router.add(method, p+path, &route{pattern: p + path, raw: h})
		}
	}
	raw(get, "/auth/{authType}/fallback/web", a.stagePage)
	raw(post, "/auth/{authType}/fallback/web", a.stagePage)
	for _, p := range [...]string{"/_matrix/static/client/login/", "/_matrix/static/client/login"} {
		a.router.add(get, p, &route{pattern: p, raw: a.loginPage})
	}
	a.router.add(post, submitPath+"/confirm", &route{pattern: submitPath + "/confirm", raw: a.confirmSubmit})
	raw(get, "/login/sso/redirect", a.ssoRedirect)
	raw(get, "/login/sso/redirect/{idpId}", a.ssoRedirect)
	a.router.add(get, SSOCallbackPath, &route{pattern: SSOCallbackPath, raw: a.ssoCallback})
}

// show sends a page. Scripts other than the page's own do not run, and nobody may frame it.
func (c *call) show(status int, p webPage) error {
	t, err := template.New("page").Parse(pageText)
	if err != nil {
		return fmt.Errorf("the page's template: %w", err)
	}
	var nonce [16]byte
	rand.Read(nonce[:]) // never fails
	p.Nonce = base64.RawURLEncoding.EncodeToString(nonce[:])
	var b bytes.Buffer
	if err := t.Execute(&b, p); err != nil {
		return fmt.Errorf("making a page: %w", err)
	}
	h := c.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", fmt.Sprintf("default-src 'none'; script-src 'nonce-%[1]s'; style-src 'nonce-%[1]s'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'", p.Nonce))
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	c.w.WriteHeader(status)
	_, _ = c.w.Write(b.Bytes()) // the browser may be gone
	return nil
}

// showError tells a person what went wrong. What is not meant for the public goes to the log.
func (a *API) showError(c *call, err error) error {
	e, ok := mxerror.As(err)
	if !ok {
		return err // which fail answers and logs
	}
	if e.Cause != nil {
		a.o.Log.WarnContext(c.ctx, "a browser's request failed", "route", c.r.URL.Path, "err", err)
	}
	return c.show(e.Status, webPage{Title: "That did not work", Error: e.Message})
}

// stageText is what the page of a stage says.
func stageText(stage string, i accounts.StageInfo) (webPage, bool) {
	who := "Somebody, you we hope, is making an account. If this is not you, close this page."
	if i.UserID != "" {
		who = fmt.Sprintf("A client that is logged in as %s wants to %s. If you did not expect this, close this page: somebody else may be using your account.", i.UserID, operation(i.Path))
	}
	p := webPage{Title: "Confirm", Text: []string{who}, Form: &form{Button: "Continue"}}
	switch stage {
	case accounts.StageDummy:
	case accounts.StageTerms:
		p.Title, p.Form.Policies, p.Form.Button = "Terms", i.Policies, "I accept"
	case accounts.StageRegistrationToken:
		p.Form.Fields = []field{{"token", "Registration token", "text", "off"}}
	case accounts.StagePassword:
		if i.UserID == "" {
			p.Form.Fields = append(p.Form.Fields, field{"user", "User name", "text", "username"})
		}
		p.Form.Fields = append(p.Form.Fields, field{"password", "Password", "password", "current-password"})
	case accounts.StageEmail:
		p.Form = nil
		p.Text = append(p.Text, "Open the link in the message that was sent to your e-mail address. Your client goes on by itself.")
	case accounts.StageSSO:
		p.Text = append(p.Text, "To confirm it, log in once more.")
	default:
		return webPage{}, false
	}
	return p, true
}

// operation describes a request in words.
func operation(path string) string {
	switch {
	case strings.Contains(path, "/delete_devices"), strings.Contains(path, "/devices/"):
		return "remove devices from your account"
	case strings.HasSuffix(path, "/account/password"):
		return "change your password"
	case strings.HasSuffix(path, "/account/deactivate"):
		return "close your account for good"
	case strings.Contains(path, "/account/3pid"):
		return "add an address to your account"
	case strings.HasSuffix(path, "/device_signing/upload"):
		return "replace the keys by which others know your devices"
	case strings.HasSuffix(path, "/login/get_token"):
		return "log another client in to your account"
	}
	return "do something that needs your confirmation"
}

// stagePage is GET and POST /auth/{authType}/fallback/web: "This MUST return an HTML page which can
// perform this authentication stage."
func (a *API) stagePage(c *call) error {
	if err := a.limits.Load().strangers.Allow(c.limitKey()); err != nil {
		return a.showError(c, err)
	}
	stage, session := c.params[0], c.query.Get("session")
	if session == "" {
		return a.showError(c, mxerror.MissingParam("session is missing."))
	}
	i, err := a.o.Accounts.Stage(session, stage)
	if err != nil {
		return a.showError(c, err)
	}
	if stage == accounts.StageOAuth && a.o.OAuth != nil && !i.Done {
		http.Redirect(c.w, c.r, a.o.OAuth.KeyResetURL(session), http.StatusFound)
		return nil
	}
	p, ok := stageText(stage, i)
	if !ok {
		return a.showError(c, mxerror.NotFound("There is no page for this stage."))
	}
	done := webPage{Title: "Thank you", Text: []string{"You can close this window and go back to your client."}, Done: true}
	if i.Done {
		return c.show(http.StatusOK, done)
	}
	if c.r.Method != http.MethodPost || p.Form == nil {
		return c.show(http.StatusOK, p)
	}
	if stage == accounts.StageSSO {
		return a.confirmBySSO(c, i, session)
	}
	values, err := c.form()
	if err != nil {
		return a.showError(c, err)
	}
	given := accounts.Credentials{Type: stage, Token: values.Get("token"), Password: values.Get("password")}
	given.User = values.Get("user")
	if given.Password != "" {
		if err := a.limits.Load().logins.Allow(c.limitKey()); err != nil {
			return a.showError(c, err)
		}
	}
	if err := a.o.Accounts.PassStage(c.ctx, session, given); err != nil {
		e, ok := mxerror.As(err)
		if !ok || e.Status >= 500 {
			return a.showError(c, err)
		}
		p.Error = e.Message
		return c.show(e.Status, p)
	}
	return c.show(http.StatusOK, done)
}

// formMax bounds what a browser may send.
const formMax = 64 << 10

// form reads the fields that a browser sends.
func (c *call) form() (url.Values, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, formMax))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, mxerror.TooLarge("The form is larger than %d bytes.", large.Limit)
	}
	if err != nil {
		return nil, mxerror.InvalidParam("The form could not be read.").Because(err)
	}
	values, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil, mxerror.InvalidParam("The form could not be read.").Because(err)
	}
	return values, nil
}

// loginPage is GET /_matrix/static/client/login/: specification, "Login Fallback".
func (a *API) loginPage(c *call) error {
	return c.show(http.StatusOK, webPage{Title: "Log in to " + a.o.ServerName, Login: true})
}

// submitPage is where the link in a message leads.
func (a *API) submitPage(c *call) error {
	for _, name := range [...]string{"sid", "client_secret", "token"} {
		if c.query.Get(name) == "" {
			return a.showError(c, mxerror.MissingParam("%s is missing.", name))
		}
	}
	asks, err := a.o.Accounts.Asks(c.ctx, accounts.ThreePIDCreds{SID: c.query.Get("sid"), Secret: c.query.Get("client_secret")})
	if err != nil {
		return a.showError(c, err)
	}
	if !asks && c.r.Method == http.MethodGet {
		return a.confirmSubmit(c)
	}
	p := webPage{Title: "Confirm your e-mail address", Text: []string{"Is this your address, and have you asked for this message?"}}
	q := url.Values{"sid": {c.query.Get("sid")}, "client_secret": {c.query.Get("client_secret")}, "token": {c.query.Get("token")}}
	p.Form = &form{Button: "Yes, confirm it", Action: submitPath + "/confirm?" + q.Encode()}
	return c.show(http.StatusOK, p)
}

// confirmSubmit is what that page sends.
func (a *API) confirmSubmit(c *call) error {
	if err := a.limits.Load().strangers.Allow(c.limitKey()); err != nil {
		return a.showError(c, err)
	}
	next, err := a.o.Accounts.SubmitToken(c.ctx, accounts.ThreePIDCreds{SID: c.query.Get("sid"), Secret: c.query.Get("client_secret")}, c.query.Get("token"))
	if err != nil {
		return a.showError(c, err)
	}
	if next != "" {
		http.Redirect(c.w, c.r, next, http.StatusFound)
		return nil
	}
	return c.show(http.StatusOK, webPage{Title: "Thank you", Text: []string{"The address is confirmed. You can close this page and go back to your client."}})
}
