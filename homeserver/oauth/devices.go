package oauth

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/internal/sentence"
	"github.com/landbridge-im/landbridge/web/page"
)

func identifierOf(s *page.Session) accounts.Identifier { return accounts.Identifier{User: s.UserID} }

// deviceData is a device as a page shows it.
type deviceData struct {
	ID, Name string
	// Given is the name that it was given, or "".
	Given   string
	SeenTS  int64
	IP      string
	SinceTS int64
	// Client is the client that the device came by, or "" for the legacy API; Host is its host.
	Client, Host string
	Path         string
}

// deviceData tells of a device.
func (p *Provider) deviceData(r *http.Request, d store.Device, sessions []store.OAuthSession) deviceData {
	out := deviceData{ID: d.ID, Name: d.Name, Given: d.Name, SeenTS: d.LastSeenTS, IP: d.LastSeenIP, SinceTS: d.CreatedTS, Path: pathOneDevice + "?" + url.Values{"device_id": {d.ID}}.Encode()}
	if out.Name == "" {
		out.Name = d.ID
	}
	i := slices.IndexFunc(sessions, func(s store.OAuthSession) bool { return s.Device == d.NID })
	if i < 0 {
		return out
	}
	c, err := p.client(r.Context(), sessions[i].Client)
	if err != nil {
		p.o.Log.WarnContext(r.Context(), "a device's client can't be read", "client", sessions[i].Client, "err", err)
		return out
	}
	out.Client, out.Host = c.ClientName, c.Host()
	if out.Client == "" {
		out.Client = out.Host
	}
	return out
}

func (p *Provider) devicesPage(w http.ResponseWriter, r *http.Request, s *page.Session) error {
	devices, err := p.o.Store.DevicesOf(r.Context(), s.User)
	if err != nil {
		return err
	}
	sessions, err := p.o.Store.OAuthSessionsOf(r.Context(), s.User)
	if err != nil {
		return err
	}
	slices.SortStableFunc(devices, func(a, b store.Device) int { return cmp.Compare(b.LastSeenTS, a.LastSeenTS) })
	out := make([]deviceData, len(devices))
	for i, d := range devices {
		out[i] = p.deviceData(r, d, sessions)
	}
	p.show(w, r, http.StatusOK, "devices", p.text.get("devices.title"), out, p.nav(pathDevices))
	return nil
}

// device finds the device that a request names.
func (p *Provider) device(r *http.Request, s *page.Session) (store.Device, error) {
	d, err := p.o.Store.Device(r.Context(), s.User, r.URL.Query().Get("device_id"))
	if errors.Is(err, store.ErrNotFound) {
		err = mxerror.NotFound("%s", p.text.get("device.unknown"))
	}
	return d, err
}

func (p *Provider) devicePage(w http.ResponseWriter, r *http.Request, s *page.Session) error {
	d, err := p.device(r, s)
	if mxerror.Is(err, "M_NOT_FOUND") {
		// It may have been removed in another window.
		p.o.Pages.SetFlash(w, r, page.Flash{Bad: true, Text: p.text.get("device.unknown")})
		p.o.Pages.Redirect(w, r, pathDevices)
		return nil
	}
	if err != nil {
		return err
	}
	var sessions []store.OAuthSession
	one, err := p.o.Store.OAuthSession(r.Context(), d.NID)
	if err == nil {
		sessions = append(sessions, one)
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	data := p.deviceData(r, d, sessions)
	p.show(w, r, http.StatusOK, "device", sentence.Data(data.Name), data, p.nav(pathDevices))
	return nil
}

// changeDevice gives a device another name, or signs it out.
func (p *Provider) changeDevice(w http.ResponseWriter, r *http.Request, s *page.Session) error {
	if err := p.form(w, r); err != nil {
		return err
	}
	d, err := p.device(r, s)
	if err != nil {
		return err
	}
	if r.PostForm.Has("name") {
		if err := p.o.Client().RenameDevice(r.Context(), s.User, d.ID, strings.TrimSpace(r.PostForm.Get("name"))); err != nil {
			return err
		}
		return p.saved(w, r, "profile.saved", pathOneDevice+"?"+url.Values{"device_id": {d.ID}}.Encode())
	}
	if err := p.o.Accounts.DeleteDevices(r.Context(), s.User, d.ID); err != nil {
		return err
	}
	return p.saved(w, r, "device.removed", pathDevices)
}
