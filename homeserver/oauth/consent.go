package oauth

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/text/language"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/internal/sentence"
	"github.com/landbridge-im/landbridge/web/page"
)

// consent is what somebody is asked to agree to.
type consent struct {
	Client *client
	Grant  grant
	// Redirect is where the browser goes then; "" for a device that shows a code.
	Redirect string
	// Action is the path and query that the form is sent to.
	Action string
	// UserCode is the code that the device shows, or "".
	UserCode string
	// The rest is filled in by showConsent.
	Name, Host, Site, PolicyURI, TOSURI string
	// Local tells that the client runs on the person's own machine.
	Local bool
	// Replaces tells that the user has a device of this id.
	Replaces string
	Session  *page.Session
	SwitchTo string // where to go on after signing in as somebody else
}

// showConsent asks somebody whether a client may into their account.
func (p *Provider) showConsent(w http.ResponseWriter, r *http.Request, s *page.Session, c consent) error {
	have, err := p.o.Store.Device(r.Context(), s.User, c.Grant.Device)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err == nil {
		c.Replaces = have.Name
		if c.Replaces == "" {
			c.Replaces = have.ID
		}
	}
	accept := r.Header.Get("Accept-Language")
	c.Session, c.SwitchTo = s, c.Action
	c.Host = c.Client.Host()
	c.Name = c.Client.localized("client_name", c.Client.ClientName, accept)
	if c.Name == "" {
		c.Name = c.Host
	}
	c.PolicyURI = c.Client.localized("policy_uri", c.Client.PolicyURI, accept)
	c.TOSURI = c.Client.localized("tos_uri", c.Client.TOSURI, accept)
	if u, err := url.Parse(c.Redirect); err == nil && c.Redirect != "" {
		c.Site = u.Hostname()
		c.Local = u.Scheme != "https"
	}
	p.show(w, r, http.StatusOK, "consent", p.text.get("consent.title", c.Name), c, func(f *page.Frame) {
		if c.Redirect != "" {
			f.FormTargets = []string{formTarget(c.Redirect)}
		}
	})
	return nil
}

// localized is a value of the metadata in the language that a browser likes best.
func (m *clientMetadata) localized(field, plain, accept string) string {
	if len(m.Localized) == 0 || accept == "" || len(accept) > 1024 {
		return plain
	}
	var tags []language.Tag
	var values []string
	// The plain value is of no known language; it is what is left.
	tags, values = append(tags, language.Und), append(values, plain)
	for key, raw := range m.Localized {
		name, tag, _ := strings.Cut(key, "#")
		t, err := language.Parse(tag)
		var text string
		if name != field || err != nil || jsonText(raw, &text) != nil {
			continue
		}
		tags, values = append(tags, t), append(values, text)
	}
	wanted, _, err := language.ParseAcceptLanguage(accept)
	if err != nil || len(wanted) == 0 {
		return plain
	}
	_, i, sure := language.NewMatcher(tags).Match(wanted...)
	if sure == language.No || values[i] == "" {
		return plain
	}
	return values[i]
}

// link is the page on which somebody enters the code that a device shows.
func (p *Provider) link(w http.ResponseWriter, r *http.Request) error {
	s, err := p.o.Pages.Session(r)
	if err != nil {
		return err
	}
	if s == nil {
		p.toSignIn(w, r, pathSignIn, r.URL.RequestURI(), "")
		return nil
	}
	typed := r.URL.Query().Get("user_code")
	if typed == "" {
		p.show(w, r, http.StatusOK, "link", p.text.get("link.title"), linkData{})
		return nil
	}
	// Who is signed in may try a few codes only, from one place or many.
	err = p.o.Client().Stranger(r)
	if err == nil {
		err = p.o.Client().Login(r, "device code of "+s.UserID)
	}
	if err != nil {
		return err
	}
	d, c, err := p.waiting(r, typed)
	if err != nil {
		said, err := complaint(err)
		if err != nil {
			return err
		}
		p.show(w, r, http.StatusNotFound, "link", p.text.get("link.title"), linkData{Error: said, Code: clip(typed, 32)})
		return nil
	}
	shown := showUserCode(d.UserCode)
	return p.showConsent(w, r, s, consent{Client: c, Grant: grant{Device: d.Device, Scope: d.Scope}, UserCode: shown, Action: pathLink + "?" + url.Values{"user_code": {shown}}.Encode()})
}

type linkData struct {
	Error sentence.Text
	Code  string
}

// waiting finds the device that shows a code, and its client.
func (p *Provider) waiting(r *http.Request, typed string) (store.OAuthCode, *client, error) {
	d, err := p.byUserCode(r.Context(), typed)
	if errors.Is(err, store.ErrNotFound) {
		err = mxerror.NotFound("%s", p.text.get("link.unknown"))
	}
	if err != nil {
		return d, nil, err
	}
	c, err := p.client(r.Context(), d.Client)
	return d, c, err
}

// linkDecide is what the consent page of a device sends.
func (p *Provider) linkDecide(w http.ResponseWriter, r *http.Request) error {
	if err := p.form(w, r); err != nil {
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
	d, c, err := p.waiting(r, r.URL.Query().Get("user_code"))
	if err != nil {
		return err
	}
	said := "link.denied"
	d.State, d.User = store.CodeDenied, s.User
	if r.PostForm.Get("decision") == "allow" {
		d.State, said = store.CodeAllowed, "link.allowed"
	}
	ok, err := p.move(r.Context(), store.CodeWaiting, d)
	if err != nil {
		return err
	}
	if !ok { // somebody has decided before
		return mxerror.NotFound("%s", p.text.get("link.unknown"))
	}
	name := c.ClientName
	if name == "" {
		name = c.Host()
	}
	p.show(w, r, http.StatusOK, "done", p.text.get(said+".title"), p.text.get(said, name))
	return nil
}
