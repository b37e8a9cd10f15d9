package oauth

import (
	"net/http"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/internal/sentence"
)

// resetData is what the page for a forgotten password shows.
type resetData struct {
	Next, Step string
	Error      sentence.Text
	Proof      emailProof
}

// canReset refuses where nobody can show by mail who they are.
func (p *Provider) canReset() error {
	if p.settings().NoPasswordLogin || !p.o.Accounts.CanMail() {
		return mxerror.NotFound("%s", p.text.get("error.notfound"))
	}
	return nil
}

func (p *Provider) resetPage(w http.ResponseWriter, r *http.Request) error {
	if err := p.canReset(); err != nil {
		return err
	}
	p.show(w, r, http.StatusOK, "reset", p.text.get("reset.title"), resetData{Next: next(r), Step: "email"})
	return nil
}

// reset sets a new password for somebody who has shown whose e-mail address is theirs.
func (p *Provider) reset(w http.ResponseWriter, r *http.Request) error {
	if err := p.canReset(); err != nil {
		return err
	}
	if err := p.form(w, r); err != nil {
		return err
	}
	d := resetData{Next: next(r)}
	var err error
	d.Step, d.Proof, err = p.proveEmail(r, accounts.ForPassword)
	if err == nil && d.Step == "account" && r.PostForm.Get("step") == "account" {
		var user int64
		if user, err = p.o.Accounts.ResetPassword(r.Context(), d.Proof.creds(), r.PostForm.Get("password")); err == nil {
			return p.Arrived(w, r, user, d.Next)
		}
	}
	status := http.StatusOK
	if err != nil {
		if d.Error, err = complaint(err); err != nil {
			return err
		}
		status = http.StatusBadRequest
	}
	p.show(w, r, status, "reset", p.text.get("reset.title"), d)
	return nil
}
