package claims

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// signInCookie names the cookie by which a browser is known again that comes back from a network's page.
const signInCookie = "landbridge-network"

// signInLife is how long somebody may take to sign in on the network.
const signInLife = 15 * time.Minute

// signInOf is a place to sign in as the page of codes shows it.
type signInOf struct{ Service, ID, Name string }

// Path is where signing in begins.
func (s signInOf) Path() string {
	path := PathClaim + "/" + url.PathEscape(s.Service) + "/enter"
	if s.ID != "" {
		path += "?with=" + url.QueryEscape(s.ID)
	}
	return path
}

// signIns are the places at which people of some networks can sign in.
func (c *Claims) signIns(networks []networkOf) (out []signInOf) {
	b := c.bridges.Load()
	if b == nil {
		return nil
	}
	for _, n := range networks {
		for _, s := range (*b).SignIns(n.Service) {
			out = append(out, signInOf{n.Service, s.ID, s.Name})
		}
	}
	return out
}

// back is the address to which a network sends people back. Networks want it registered, so it is the same for ever.
func (c *Claims) back(service string) string {
	return c.o.Pages.URL(PathClaim + "/" + url.PathEscape(service) + "/back")
}

// signInState is what a network hands through: it belongs to a cookie, a bridge and a place. RFC 6749, 10.12: "The client MUST
// implement CSRF protection for its redirection URI", by a value that binds the request to the browser.
func signInState(cookie, service string) string {
	sum := sha256.Sum256([]byte("claim\x00" + cookie + "\x00" + service))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// enterPage sends somebody to their network's page.
func (c *Claims) enterPage(w http.ResponseWriter, r *http.Request) error {
	if err := c.o.Stranger(r); err != nil {
		return err
	}
	service, with := r.PathValue("service"), r.URL.Query().Get("with")
	b, network, err := c.configured(service)
	if err != nil {
		return err
	}
	cookie := rand.Text() + "." + base64.RawURLEncoding.EncodeToString([]byte(with))
	address, ok := b.SignInURL(service, with, c.back(service), signInState(cookie, service))
	if !ok {
		return mxerror.NotFound("%s can't be signed in to at the moment. Please try again in a few minutes.", network)
	}
	c.o.Pages.SetCookie(w, signInCookie, cookie, signInLife)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, address, http.StatusSeeOther)
	return nil
}

// backPage receives somebody who comes back from their network's page, and leads them to the offer that is theirs.
func (c *Claims) backPage(w http.ResponseWriter, r *http.Request) error {
	if err := c.o.Stranger(r); err != nil {
		return err
	}
	service, q := r.PathValue("service"), r.URL.Query()
	cookie := c.o.Pages.Cookie(r, signInCookie)
	if cookie == "" || subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(signInState(cookie, service))) != 1 {
		return mxerror.Forbidden("This was not begun in this browser, or has taken too long. Please begin again.")
	}
	c.o.Pages.SetCookie(w, signInCookie, "", -1) // one time
	b, network, err := c.configured(service)
	if err != nil {
		return err
	}
	if q.Get("error") != "" || q.Get("code") == "" {
		return mxerror.Forbidden("%s has not said who you are.", network)
	}
	_, encoded, _ := strings.Cut(cookie, ".")
	with, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return mxerror.Forbidden("This was not begun in this browser, or has taken too long. Please begin again.")
	}
	p, err := b.SignedIn(r.Context(), service, string(with), c.back(service), q.Get("code"))
	switch {
	case errors.Is(err, ErrStranger):
		return mxerror.Forbidden("%s says that you are in nothing there that belongs to this community. Are you signed in to another account there?", network)
	case errors.Is(err, ErrBadCode):
		return mxerror.Forbidden("This was not begun in this browser, or has taken too long. Please begin again.")
	case errors.Is(err, ErrNotRunning):
		return mxerror.NotFound("%s can't be signed in to at the moment. Please try again in a few minutes.", network)
	case err != nil:
		return fmt.Errorf("asking %s who has come back: %w", service, err)
	}
	offer, err := c.offer(r.Context(), p)
	if errors.Is(err, ErrLinked) {
		return c.comeBack(w, r, p)
	} else if err != nil {
		return err
	}
	c.o.Log.InfoContext(r.Context(), "somebody has shown who they are by signing in to their network", "bridge", service)
	c.o.Pages.Redirect(w, r, PathClaim+"/"+c.token(offer))
	return nil
}

// comeBack is for who has an account already: they are told which, since they have shown who they are.
func (c *Claims) comeBack(w http.ResponseWriter, r *http.Request, p Person) error {
	account, err := c.Account(r.Context(), p.Service, p.ID)
	if err != nil {
		return err
	}
	s, err := c.o.Pages.Session(r)
	if err != nil {
		return err
	}
	if s != nil && s.UserID == account {
		c.o.Pages.Redirect(w, r, PathClaim)
		return nil
	}
	return mxerror.New(http.StatusConflict, "M_UNKNOWN", "You have an account here already: %s. Sign in with it.", account)
}
