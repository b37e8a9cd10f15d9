package oauth

import (
	"context"
	"net/http"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/internal/sentence"
	"github.com/landbridge-im/landbridge/web/page"
)

// emailsData is what the page of a user's e-mail addresses shows.
type emailsData struct {
	Emails []string
	Error  sentence.Text
	Step   string
	Proof  emailProof
}

// emailsOf lists a user's e-mail addresses.
func (p *Provider) emailsOf(ctx context.Context, s *page.Session) (emails []string, err error) {
	all, err := p.o.Store.ThreePIDsOf(ctx, s.User)
	for _, a := range all {
		if a.Medium == accounts.MediumEmail {
			emails = append(emails, a.Address)
		}
	}
	return emails, err
}

// emailsOwner lets through who may change addresses: one opens the account, so they have signed in just now.
func (p *Provider) emailsOwner(w http.ResponseWriter, r *http.Request, s *page.Session) (bool, error) {
	if !p.o.Accounts.CanMail() {
		return false, mxerror.NotFound("%s", p.text.get("error.notfound"))
	}
	return p.fresh(w, r, s), nil
}

func (p *Provider) emailsPage(w http.ResponseWriter, r *http.Request, s *page.Session) error {
	if ok, err := p.emailsOwner(w, r, s); !ok || err != nil {
		return err
	}
	return p.showEmails(w, r, s, http.StatusOK, emailsData{Step: "email"})
}

func (p *Provider) showEmails(w http.ResponseWriter, r *http.Request, s *page.Session, status int, d emailsData) (err error) {
	if d.Emails, err = p.emailsOf(r.Context(), s); err != nil {
		return err
	}
	p.show(w, r, status, "emails", p.text.get("emails.title"), d, p.nav(pathEmails))
	return nil
}

// changeEmails removes an address, or adds one of which somebody has shown that it is theirs.
func (p *Provider) changeEmails(w http.ResponseWriter, r *http.Request, s *page.Session) error {
	if err := p.form(w, r); err != nil {
		return err
	}
	if ok, err := p.emailsOwner(w, r, s); !ok || err != nil {
		return err
	}
	if gone := r.PostForm.Get("remove"); gone != "" {
		if err := p.o.Client().RemoveEmail(r.Context(), s.UserID, s.User, gone); err != nil {
			return err
		}
		return p.saved(w, r, "emails.removed", pathEmails)
	}
	var d emailsData
	var err error
	d.Step, d.Proof, err = p.proveEmail(r, accounts.ForAdd)
	if err == nil && d.Step == "account" {
		if err = p.o.Accounts.AddThreePID(r.Context(), s.User, d.Proof.creds()); err == nil {
			return p.saved(w, r, "emails.added", pathEmails)
		}
		d.Step = "email"
	}
	status := http.StatusOK
	if err != nil {
		if d.Error, err = complaint(err); err != nil {
			return err
		}
		status = http.StatusBadRequest
	}
	return p.showEmails(w, r, s, status, d)
}
