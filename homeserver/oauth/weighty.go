package oauth

import (
	"net/http"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/internal/sentence"
	"github.com/landbridge-im/landbridge/web/page"
)

// resetFor is how long a user's clients may replace the cross-signing keys after it was allowed.
const resetFor = 10 * time.Minute

type keysData struct {
	Minutes int
	// Asked tells that a client waits for this.
	Asked  bool
	Action string
}

// keysPage explains what it means to replace the cross-signing keys.
func (p *Provider) keysPage(w http.ResponseWriter, r *http.Request, s *page.Session) error {
	session := r.URL.Query().Get("session")
	if session != "" && !p.fresh(w, r, s) {
		return nil
	}
	p.show(w, r, http.StatusOK, "keys", p.text.get("keys.title"), keysData{Minutes: int(resetFor.Minutes()), Asked: session != "", Action: r.URL.RequestURI()}, p.nav(pathKeys))
	return nil
}

// resetKeys lets the user's clients replace the keys: specification, "OAuth authentication". Clients
// that wait in an interactive authentication are told by it; others just try again.
func (p *Provider) resetKeys(w http.ResponseWriter, r *http.Request, s *page.Session) error {
	if err := p.form(w, r); err != nil {
		return err
	}
	if !p.fresh(w, r, s) {
		return nil
	}
	if id := r.URL.Query().Get("session"); id != "" {
		err := p.o.Accounts.PassStage(r.Context(), id, accounts.Credentials{Type: accounts.StageOAuth, Subject: s.User})
		// One that is over needs not be passed any more; one of somebody else's must not be.
		if err != nil && !mxerror.Is(err, "M_INVALID_PARAM") {
			return err
		}
	}
	if err := p.o.Accounts.AllowKeyReset(r.Context(), s.User, resetFor); err != nil {
		return err
	}
	p.show(w, r, http.StatusOK, "done", p.text.get("keys.done.title"), p.text.get("keys.done", int(resetFor.Minutes())), p.nav(pathKeys))
	return nil
}

type closeData struct {
	UserID string
	Error  sentence.Text
}

func (p *Provider) closePage(w http.ResponseWriter, r *http.Request, s *page.Session) error {
	if !p.fresh(w, r, s) {
		return nil
	}
	p.show(w, r, http.StatusOK, "close", p.text.get("close.title"), closeData{UserID: s.UserID}, p.nav(""))
	return nil
}

// closeAccount closes the account for good.
func (p *Provider) closeAccount(w http.ResponseWriter, r *http.Request, s *page.Session) error {
	if err := p.form(w, r); err != nil {
		return err
	}
	if !p.fresh(w, r, s) {
		return nil
	}
	if r.PostForm.Get("sure") != s.UserID {
		p.show(w, r, http.StatusBadRequest, "close", p.text.get("close.title"), closeData{s.UserID, p.text.get("close.mistyped")}, p.nav(""))
		return nil
	}
	err := p.o.Client().Deactivate(r.Context(), s.UserID, r.PostForm.Get("erase") != "")
	if err != nil && !mxerror.Is(err, "M_USER_DEACTIVATED") {
		return err
	}
	if err := p.o.Pages.SignOut(w, r); err != nil {
		return err
	}
	p.show(w, r, http.StatusOK, "done", p.text.get("close.done.title"), p.text.get("close.done"))
	return nil
}
