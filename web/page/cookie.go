package page

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json/v2"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/internal/sentence"
)

// The cookies: who is signed in, which browser a form was shown to, and a message.
const (
	cookieSession = "landbridge"
	cookieBrowser = "landbridge-form"
	cookieFlash   = "landbridge-flash"
)

// CSRFField is the name of the field by which a form shows that this server has made it.
const CSRFField = "csrf"

// cookieName has a prefix with https by which browsers take it from this very host alone.
func (s *Site) cookieName(name string) string {
	if s.secure {
		return "__Host-" + name
	}
	return name
}

// setCookie sets a cookie; a life of 0 lasts until the browser is closed, below 0 deletes it.
func (s *Site) setCookie(w http.ResponseWriter, name, value string, life time.Duration) {
	c := &http.Cookie{Name: s.cookieName(name), Value: value, Path: "/", HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteLaxMode}
	switch {
	case life < 0:
		c.MaxAge = -1
	case life > 0:
		c.MaxAge = int(life / time.Second)
	}
	http.SetCookie(w, c)
}

// SetCookie sets a cookie of a page's own, which scripts don't see; a life below 0 deletes it, and one of 0 lasts until the
// browser is closed. Other sites' pages that lead here by a link send it along.
func (s *Site) SetCookie(w http.ResponseWriter, name, value string, life time.Duration) {
	s.setCookie(w, name, value, life)
}

// Cookie is the value of a cookie of SetCookie; "" if there is none.
func (s *Site) Cookie(r *http.Request, name string) string { return s.cookie(r, name) }

func (s *Site) cookie(r *http.Request, name string) string {
	c, err := r.Cookie(s.cookieName(name))
	if err != nil || len(c.Value) > 4096 {
		return ""
	}
	return c.Value
}

// Session is who is signed in in the browser of a request; nil, without an error, if nobody is.
func (s *Site) Session(r *http.Request) (*Session, error) {
	token := s.cookie(r, cookieSession)
	if token == "" || s.o.Keeper == nil {
		return nil, nil
	}
	found, err := s.o.Keeper.FindSession(r.Context(), token)
	if errors.Is(err, ErrNoSession) {
		return nil, nil
	}
	return found, err
}

// SignIn signs a user in, who has shown who they are. What the browser had before is worth nothing
// any more: neither a session nor a form that somebody else may have planted in it.
func (s *Site) SignIn(w http.ResponseWriter, r *http.Request, user int64) error {
	token, life, err := s.o.Keeper.BeginSession(r.Context(), user)
	if err != nil {
		return fmt.Errorf("signing in: %w", err)
	}
	if old := s.cookie(r, cookieSession); old != "" {
		if err := s.o.Keeper.EndSession(r.Context(), old); err != nil {
			return fmt.Errorf("ending the session before: %w", err)
		}
	}
	s.setCookie(w, cookieSession, token, life)
	s.setCookie(w, cookieBrowser, newSecret(), 0)
	return nil
}

// SignOut signs the browser out.
func (s *Site) SignOut(w http.ResponseWriter, r *http.Request) error {
	token := s.cookie(r, cookieSession)
	s.setCookie(w, cookieSession, "", -1)
	s.setCookie(w, cookieBrowser, "", -1)
	if token == "" {
		return nil
	}
	if err := s.o.Keeper.EndSession(r.Context(), token); err != nil {
		return fmt.Errorf("signing out: %w", err)
	}
	return nil
}

func newSecret() string {
	var b [32]byte
	rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// csrfSum is what a form must show: it is known only to who can read the browser's cookies, or its
// pages, and changes with who is signed in.
func (s *Site) csrfSum(browser, session string) [sha256.Size]byte {
	return sha256.Sum256([]byte("form\x00" + browser + "\x00" + session))
}

// csrfField makes the hidden field. Its value differs each time, so that the length of a compressed
// page tells nothing of it.
func (s *Site) csrfField(w http.ResponseWriter, r *http.Request) template.HTML {
	browser := s.cookie(r, cookieBrowser)
	if browser == "" {
		browser = newSecret()
		s.setCookie(w, cookieBrowser, browser, 0)
	}
	sum := s.csrfSum(browser, s.cookie(r, cookieSession))
	var b [2 * sha256.Size]byte
	rand.Read(b[:sha256.Size]) // never fails
	subtle.XORBytes(b[sha256.Size:], b[:sha256.Size], sum[:])
	return template.HTML(`<input type="hidden" name="` + CSRFField + `" value="` + base64.RawURLEncoding.EncodeToString(b[:]) + `">`)
}

// formMax bounds what a browser may send in a form without files.
const formMax = 64 << 10

// ErrForeignForm says that a form was not made by this server for this browser.
var ErrForeignForm = errors.New("the form is too old, or comes from another page; please try again")

// Form reads the form of a POST request and checks that this server showed it to this browser. It
// must be called before anything is done. A form with files is read by the caller before, with a
// bound of its own.
func (s *Site) Form(w http.ResponseWriter, r *http.Request) error {
	if err := s.cross.Check(r); err != nil {
		return ErrForeignForm
	}
	if r.PostForm == nil {
		r.Body = http.MaxBytesReader(w, r.Body, formMax)
		if err := r.ParseForm(); err != nil {
			return fmt.Errorf("reading the form: %w", err)
		}
	}
	browser := s.cookie(r, cookieBrowser)
	given, err := base64.RawURLEncoding.DecodeString(r.PostForm.Get(CSRFField))
	if browser == "" || err != nil || len(given) != 2*sha256.Size {
		return ErrForeignForm
	}
	var shown [sha256.Size]byte
	subtle.XORBytes(shown[:], given[:sha256.Size], given[sha256.Size:])
	sum := s.csrfSum(browser, s.cookie(r, cookieSession))
	if subtle.ConstantTimeCompare(shown[:], sum[:]) != 1 {
		return ErrForeignForm
	}
	return nil
}

// flashMax bounds a message to the next page, in bytes: it travels in a cookie.
const flashMax = 500

// Flash is a message that the next page shows.
type Flash struct {
	// Bad is about something that failed.
	Bad bool
	// Text is what it says.
	Text sentence.Text
}

// shownFlash is a message in the language of who will read it.
type shownFlash struct {
	Bad  bool   `json:"bad,omitempty"`
	Text string `json:"text"`
}

// SetFlash leaves a message for the next page.
func (s *Site) SetFlash(w http.ResponseWriter, r *http.Request, f Flash) {
	text := s.In(r, f.Text)
	if len(text) > flashMax {
		text = strings.ToValidUTF8(text[:flashMax], "") + " ..."
	}
	raw, err := json.Marshal(shownFlash{f.Bad, text})
	if err != nil {
		return // a text that is no UTF-8 is not worth a failure
	}
	s.setCookie(w, cookieFlash, base64.RawURLEncoding.EncodeToString(raw), time.Minute)
}

// takeFlash reads the message and deletes it. It is text of our own making, or of who controls the
// browser anyway, and is shown as text.
func (s *Site) takeFlash(w http.ResponseWriter, r *http.Request) *shownFlash {
	v := s.cookie(r, cookieFlash)
	if v == "" {
		return nil
	}
	s.setCookie(w, cookieFlash, "", -1)
	raw, err := base64.RawURLEncoding.DecodeString(v)
	var f shownFlash
	if err != nil || json.Unmarshal(raw, &f) != nil || f.Text == "" {
		return nil
	}
	return &f
}
