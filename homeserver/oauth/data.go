package oauth

import (
	"context"
	"net/http"
	"time"

	"github.com/landbridge-im/landbridge/export"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/web/page"
)

// Linked is who a user is on another network.
type Linked struct {
	Service, Person string
	// Network and Name are for people to read.
	Network, Name string
	SinceTS       int64
}

// linkedData is what the page of a user's other identities shows.
type linkedData struct {
	Linked    []Linked
	Providers []linkedProvider
	// Claim is where people are linked to, and Bridged tells that there is a network to link with.
	Claim   string
	Bridged bool
}

// linkedProvider is an account at an identity provider.
type linkedProvider struct{ Name, Subject string }

// linkedPage shows who a user is elsewhere: on bridged networks, and at identity providers.
func (p *Provider) linkedPage(w http.ResponseWriter, r *http.Request, s *page.Session) (err error) {
	d := linkedData{Claim: pathClaim}
	if p.o.Offers != nil {
		if d.Linked, d.Bridged, err = p.o.Offers().LinkedTo(r.Context(), s.User); err != nil {
			return err
		}
	}
	links, err := p.o.Store.SSOLinksOf(r.Context(), s.User)
	if err != nil {
		return err
	}
	for _, l := range links {
		d.Providers = append(d.Providers, linkedProvider{p.providerName(l), l.Subject})
	}
	p.show(w, r, http.StatusOK, "linked", p.text.get("linked.title"), d, p.nav(pathLinked))
	return nil
}

// providerName is what people call an identity provider; its id if it is not configured any more.
func (p *Provider) providerName(l store.SSOLink) string {
	if p.o.SSO != nil {
		for _, pr := range p.o.SSO.Providers() {
			if pr.ID == l.Provider {
				return pr.Name
			}
		}
	}
	return l.Provider
}

// exportsAtOnce bounds how many exports are made at the same time, and exportTime each of them.
const (
	exportsAtOnce = 2
	exportTime    = time.Hour
)

func (p *Provider) dataPage(w http.ResponseWriter, r *http.Request, s *page.Session) error {
	if !p.fresh(w, r, s) {
		return nil
	}
	p.show(w, r, http.StatusOK, "data", p.text.get("data.title"), s.UserID, p.nav(pathData))
	return nil
}

// data sends everything that the server holds of who is signed in, as a zip file that is made while it is sent.
func (p *Provider) data(w http.ResponseWriter, r *http.Request, s *page.Session) error {
	if err := p.form(w, r); err != nil {
		return err
	}
	if !p.fresh(w, r, s) {
		return nil
	}
	select {
	case p.exports <- struct{}{}:
		defer func() { <-p.exports }()
	default:
		return mxerror.New(http.StatusTooManyRequests, "M_LIMIT_EXCEEDED", "%s", p.text.get("data.busy"))
	}
	ctx, cancel := context.WithTimeout(r.Context(), exportTime)
	defer cancel()
	p.o.Pages.Headers(w.Header())
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Disposition", `attachment; filename="`+page.FileName(s.UserID)+`.zip"`)
	_, err := export.PersonalData(ctx, p.o.Export, export.Zip(w), s.UserID, export.Options{Version: p.o.Version, NoMedia: r.PostForm.Get("media") == ""})
	if err != nil {
		// What was sent is no whole zip file, and what unpacks it says so.
		p.o.Log.WarnContext(ctx, "a person's export was cut off", "user", s.UserID, "err", err)
	}
	return nil
}
