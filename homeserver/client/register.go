package client

import (
	"encoding/json/jsontext"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

type registerRequest struct {
	Type         string `json:"type"`
	Username     string `json:"username"`
	Password     string `json:"password"`
	DeviceID     string `json:"device_id"`
	DeviceName   string `json:"initial_device_display_name"`
	InhibitLogin bool   `json:"inhibit_login"`
}

// loginReply answers /register and /login.
type loginReply struct {
	UserID      string         `json:"user_id"`
	HomeServer  string         `json:"home_server"`
	AccessToken string         `json:"access_token,omitempty"`
	DeviceID    string         `json:"device_id,omitempty"`
	WellKnown   jsontext.Value `json:"well_known,omitempty"`
}

func (a *API) loginReply(l *accounts.Login) loginReply {
	return loginReply{UserID: l.UserID, HomeServer: a.o.ServerName, AccessToken: l.AccessToken, DeviceID: l.DeviceID}
}

// register is POST /register.
func (a *API) register(c *call) (any, error) {
	raw, err := c.rawBody()
	if err != nil {
		return nil, err
	}
	var q registerRequest
	if err := parse(raw, &q); err != nil {
		return nil, err
	}
	if q.Type == "m.login.application_service" {
		return a.registerForService(c, q)
	}
	switch c.query.Get("kind") {
	case "", "user":
	case "guest":
		return nil, mxerror.New(403, "M_GUEST_ACCESS_FORBIDDEN", "This server has no guest accounts.")
	default:
		return nil, mxerror.InvalidParam("kind must be \"user\" or \"guest\".")
	}
	if err := a.limits.Load().registrations.Allow(c.address()); err != nil {
		return nil, err
	}
	if q.Username != "" {
		// Say so before the user has gone through interactive authentication.
		if err := a.available(c, q.Username); err != nil {
			return nil, err
		}
	}
	// A token always helps: it may make an administrator.
	flows := []accounts.Flow{{Stages: []string{accounts.StageRegistrationToken}}}
	if a.settings.Load().OpenRegistration {
		flows = append([]accounts.Flow{{Stages: []string{accounts.StageDummy}}}, flows...)
	}
	passed, err := a.o.Accounts.Interact(c.ctx, accounts.UIARequest{
		Flows: flows, Method: c.r.Method, Path: c.r.URL.Path, Body: raw,
	})
	if err != nil {
		return nil, err
	}
	if q.Password == "" {
		return nil, mxerror.MissingParam("password is missing.")
	}
	l, err := a.o.Accounts.Register(c.ctx, accounts.Registration{
		Localpart: q.Username, Password: q.Password, Token: passed.RegistrationToken, Login: !q.InhibitLogin,
		DisplayName: q.Username,
		Device:      accounts.DeviceRequest{ID: q.DeviceID, Name: q.DeviceName, IP: c.address()},
	})
	if err != nil {
		return nil, err
	}
	return a.loginReply(l), nil
}

// registerForService is POST /register by an application service: specification,
// application-service API, "Server admin style permissions".
func (a *API) registerForService(c *call, q registerRequest) (any, error) {
	token := bearer(c.r)
	if token == "" {
		return nil, accounts.ErrMissingToken()
	}
	reg := a.o.Services.Set().ByASToken(token)
	if reg == nil {
		return nil, mxerror.New(401, "M_UNKNOWN_TOKEN", "No application service has this token.")
	}
	if q.Username == "" {
		return nil, mxerror.MissingParam("username is missing.")
	}
	id, err := a.o.Accounts.UserID(q.Username, true)
	if err != nil {
		return nil, err
	}
	if !a.owns(reg, id) {
		return nil, mxerror.New(400, "M_EXCLUSIVE", "%s is outside of this application service's namespaces.", clip(id))
	}
	if owner := a.o.Services.Set().ExclusiveUser(id); owner != nil && owner != reg {
		return nil, mxerror.New(400, "M_EXCLUSIVE", "%s is reserved for another application service.", clip(id))
	}
	l, err := a.o.Accounts.Register(c.ctx, accounts.Registration{
		Localpart: q.Username, Kind: "service", Service: reg.ID, Login: !q.InhibitLogin,
		Device: accounts.DeviceRequest{ID: q.DeviceID, Name: q.DeviceName, IP: c.address()},
	})
	if err != nil {
		return nil, err
	}
	return a.loginReply(l), nil
}

// available tells as an error why a name can't be signed up with.
func (a *API) available(c *call, localpart string) error {
	localpart = strings.ToLower(localpart) // as signing up will make it
	id, err := a.o.Accounts.UserID(localpart, false)
	if err != nil {
		return err
	}
	if a.o.Services.Set().ExclusiveUser(id) != nil {
		return mxerror.New(400, "M_EXCLUSIVE", "This name is reserved for an application service.")
	}
	return a.o.Accounts.Available(c.ctx, localpart)
}

// registerAvailable is GET /register/available.
func (a *API) registerAvailable(c *call) (any, error) {
	name := c.query.Get("username")
	if name == "" {
		return nil, mxerror.MissingParam("username is missing.")
	}
	if err := a.available(c, name); err != nil {
		return nil, err
	}
	return map[string]bool{"available": true}, nil
}

// tokenValidity is GET /register/m.login.registration_token/validity.
func (a *API) tokenValidity(c *call) (any, error) {
	if err := a.limits.Load().registrations.Allow(c.address()); err != nil {
		return nil, err
	}
	ok, err := a.o.Accounts.RegistrationTokenValid(c.ctx, c.query.Get("token"))
	return map[string]bool{"valid": ok}, err
}

// secretNonce is GET /_synapse/admin/v1/register.
func (a *API) secretNonce(*call) (any, error) {
	nonce, err := a.o.Accounts.Nonce()
	return map[string]string{"nonce": nonce}, err
}

// secretRegister is POST /_synapse/admin/v1/register.
func (a *API) secretRegister(c *call) (any, error) {
	var q accounts.SharedSecretRequest
	if err := c.body(&q); err != nil {
		return nil, err
	}
	l, err := a.o.Accounts.RegisterWithSecret(c.ctx, q, accounts.DeviceRequest{IP: c.address()})
	if err != nil {
		return nil, err
	}
	return a.loginReply(l), nil
}
