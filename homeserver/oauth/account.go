package oauth

import (
	"bytes"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/media"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/internal/sentence"
	"github.com/landbridge-im/landbridge/web/page"
)

func jsonText(raw jsontext.Value, dst *string) error { return json.Unmarshal(raw, dst) }

// profileData is what the profile page shows.
type profileData struct {
	Session   *page.Session
	Name      string
	HasAvatar bool
	Initial   string
	Emails    []string
	Close     string
}

// profilePage is the account page. With a parameter action it is another of its pages:
// specification, "Account management URL parameters".
func (p *Provider) profilePage(w http.ResponseWriter, r *http.Request, s *page.Session) error {
	q := r.URL.Query()
	action := q.Get("action")
	if stable, ok := oldActions[action]; ok {
		action = stable
	}
	device := url.Values{"device_id": {q.Get("device_id")}}.Encode()
	switch action {
	case actionDevices:
		p.o.Pages.Redirect(w, r, pathDevices)
		return nil
	case actionView, actionDelete:
		if q.Get("device_id") == "" {
			p.o.Pages.Redirect(w, r, pathDevices)
			return nil
		}
		p.o.Pages.Redirect(w, r, pathOneDevice+"?"+device)
		return nil
	case actionDeactivate:
		p.o.Pages.Redirect(w, r, pathClose)
		return nil
	case actionKeys:
		to := pathKeys
		if id := q.Get("session"); id != "" {
			to += "?" + url.Values{"session": {id}}.Encode()
		}
		p.o.Pages.Redirect(w, r, to)
		return nil
	}
	d := profileData{Session: s, Close: pathClose}
	fields, err := p.o.Store.Profile(r.Context(), s.User)
	if err != nil {
		return err
	}
	for _, f := range fields {
		var text string
		if json.Unmarshal([]byte(f.Value), &text) != nil {
			continue
		}
		switch f.Name {
		case "displayname":
			d.Name = text
		case "avatar_url":
			d.HasAvatar = strings.HasPrefix(text, "mxc://")
		}
	}
	shown := d.Name
	if shown == "" {
		shown = strings.TrimPrefix(s.UserID, "@")
	}
	for _, c := range shown {
		d.Initial = strings.ToUpper(string(c))
		break
	}
	if d.Emails, err = p.emailsOf(r.Context(), s); err != nil {
		return err
	}
	p.show(w, r, http.StatusOK, "profile", p.text.get("profile.title"), d, p.nav(PathAccount))
	return nil
}

// profile sets the display name.
func (p *Provider) profile(w http.ResponseWriter, r *http.Request, s *page.Session) error {
	if err := p.form(w, r); err != nil {
		return err
	}
	name := strings.TrimSpace(r.PostForm.Get("name"))
	if err := p.o.Client().SetProfile(r.Context(), s.UserID, s.User, "displayname", name); err != nil {
		return err
	}
	return p.saved(w, r, "profile.saved", PathAccount)
}

// saved goes back to a page, which says that something was done.
func (p *Provider) saved(w http.ResponseWriter, r *http.Request, text, to string) error {
	p.o.Pages.SetFlash(w, r, page.Flash{Text: p.text.get(text)})
	p.o.Pages.Redirect(w, r, to)
	return nil
}

const (
	avatarMax  = 8 << 20
	avatarSize = 96
)

var avatarTypes = map[string]bool{"image/png": true, "image/jpeg": true, "image/gif": true, "image/webp": true}

// avatar shows the user's own picture.
func (p *Provider) avatar(w http.ResponseWriter, r *http.Request, s *page.Session) error {
	none := mxerror.NotFound("%s", p.text.get("error.notfound"))
	fields, err := p.o.Store.Profile(r.Context(), s.User)
	if err != nil {
		return err
	}
	address := ""
	for _, f := range fields {
		if f.Name == "avatar_url" && json.Unmarshal([]byte(f.Value), &address) != nil {
			return none
		}
	}
	origin, id, ok := strings.Cut(strings.TrimPrefix(address, "mxc://"), "/")
	if !ok {
		return none
	}
	pic, err := p.o.Media.OpenThumbnail(r.Context(), media.Query{Origin: origin, ID: id}, media.Size{Width: avatarSize, Height: avatarSize, Crop: true})
	if err != nil {
		return err
	}
	defer pic.Close()
	p.o.Pages.Headers(w.Header())
	w.Header().Set("Content-Type", "image/"+pic.Format)
	w.Header().Set("Cache-Control", "private, no-cache")
	_, _ = io.Copy(w, pic) // the browser may be gone
	return nil
}

// setAvatar takes a new picture, or removes the old one.
func (p *Provider) setAvatar(w http.ResponseWriter, r *http.Request, s *page.Session) error {
	r.Body = http.MaxBytesReader(w, r.Body, avatarMax+64<<10)
	err := r.ParseMultipartForm(1 << 20)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return mxerror.TooLarge("The picture is larger than %d bytes.", avatarMax)
	case err != nil:
		return mxerror.InvalidParam("The form could not be read.").Because(err)
	}
	defer func() { _ = r.MultipartForm.RemoveAll() }() // temporary files; the system removes them too
	if err := p.form(w, r); err != nil {
		return err
	}
	if r.PostForm.Get("remove") != "" {
		if err := p.o.Client().SetProfile(r.Context(), s.UserID, s.User, "avatar_url", ""); err != nil {
			return err
		}
		return p.saved(w, r, "profile.removed", PathAccount)
	}
	f, head, err := r.FormFile("picture")
	if err != nil {
		return mxerror.MissingParam("%s", p.text.get("profile.nopicture"))
	}
	defer f.Close()
	first := make([]byte, 512)
	n, err := io.ReadFull(f, first)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return err
	}
	typ := http.DetectContentType(first[:n])
	if !avatarTypes[typ] {
		return mxerror.InvalidParam("%s", p.text.get("profile.nopicture"))
	}
	id, err := p.o.Media.Upload(r.Context(), media.Uploader{User: s.User}, media.Meta{Type: typ, Name: head.Filename}, io.MultiReader(bytes.NewReader(first[:n]), f))
	if err != nil {
		return err
	}
	if err := p.o.Client().SetProfile(r.Context(), s.UserID, s.User, "avatar_url", "mxc://"+p.o.ServerName+"/"+id); err != nil {
		return err
	}
	return p.saved(w, r, "profile.saved", PathAccount)
}

// passwordData is what the password page shows.
type passwordData struct {
	UserID string
	Error  sentence.Text
	Has    bool
}

func (p *Provider) passwordPage(w http.ResponseWriter, r *http.Request, s *page.Session) error {
	return p.showPassword(w, r, s, http.StatusOK, sentence.Text{})
}

func (p *Provider) showPassword(w http.ResponseWriter, r *http.Request, s *page.Session, status int, said sentence.Text) error {
	if p.settings().NoPasswordLogin {
		return mxerror.Forbidden("This server has no passwords.")
	}
	has, err := p.o.Accounts.HasPassword(r.Context(), s.User)
	if err != nil {
		return err
	}
	p.show(w, r, status, "password", p.text.get("password.title"), passwordData{s.UserID, said, has}, p.nav(pathPassword))
	return nil
}

// changePassword sets a new password for who knows the old one.
func (p *Provider) changePassword(w http.ResponseWriter, r *http.Request, s *page.Session) error {
	if err := p.form(w, r); err != nil {
		return err
	}
	if p.settings().NoPasswordLogin {
		return mxerror.Forbidden("This server has no passwords.")
	}
	has, err := p.o.Accounts.HasPassword(r.Context(), s.User)
	if err != nil {
		return err
	}
	// Who comes by an identity provider alone has no old one to show, but must have come just now.
	if !has && !p.fresh(w, r, s) {
		return nil
	}
	if has {
		if err = p.o.Client().Login(r, s.UserID); err == nil {
			err = p.samePerson(r, s, r.PostForm.Get("old"))
		}
	}
	logout := r.PostForm.Get("logout") != ""
	if err == nil {
		err = p.o.Accounts.ChangePassword(r.Context(), s.User, 0, r.PostForm.Get("new"), logout)
	}
	if err != nil {
		said, err := complaint(err)
		if err != nil {
			return err
		}
		return p.showPassword(w, r, s, http.StatusBadRequest, said)
	}
	// Everywhere else is signed out; this browser knows the new password.
	if err := p.o.Pages.SignIn(w, r, s.User); err != nil {
		return err
	}
	return p.saved(w, r, "password.saved", pathPassword)
}

// samePerson checks the password of who is signed in.
func (p *Provider) samePerson(r *http.Request, s *page.Session, password string) error {
	_, _, err := p.o.Accounts.CheckPassword(r.Context(), identifierOf(s), password)
	if mxerror.Is(err, "M_FORBIDDEN") {
		return mxerror.Forbidden("%s", p.text.get("password.wrong"))
	}
	return err
}
