package client

import (
	"encoding/json/jsontext"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

type registerRequest struct {
	Type     string `json:"type"`
	Username string `json:"username"`
	// User is what old application services call the user name.
	User         string `json:"user"`
	Password     string `json:"password"`
	DeviceID     string `json:"device_id"`
	DeviceName   string `json:"initial_device_display_name"`
	InhibitLogin bool   `json:"inhibit_login"`
	Refresh      bool   `json:"refresh_token"`
	// GuestToken is the access token of the guest who wishes to become a user.
	GuestToken string `json:"guest_access_token"`
}

func (q *registerRequest) device(c *call) accounts.DeviceRequest {
	return accounts.DeviceRequest{ID: q.DeviceID, Name: q.DeviceName, IP: c.address(), Agent: c.r.UserAgent(), Refresh: q.Refresh}
}

// loginReply answers /register and /login.
type loginReply struct {
	UserID       string         `json:"user_id"`
	HomeServer   string         `json:"home_server"`
	AccessToken  string         `json:"access_token,omitempty"`
	RefreshToken string         `json:"refresh_token,omitempty"`
	ExpiresIn    int64          `json:"expires_in_ms,omitzero"`
	DeviceID     string         `json:"device_id,omitempty"`
	WellKnown    jsontext.Value `json:"well_known,omitempty"`
}

func (a *API) loginReply(l *accounts.Login) loginReply {
	return loginReply{UserID: l.UserID, HomeServer: a.o.ServerName, AccessToken: l.AccessToken, DeviceID: l.DeviceID,
		RefreshToken: l.RefreshToken, ExpiresIn: l.ExpiresIn.Milliseconds()}
}

// register is POST /register.
func (a *API) register(c *call) (any, error) {
	raw, err := a.interactiveBody(c)
	if err != nil {
		return nil, err
	}
	var q registerRequest
	if err := parse(raw, &q); err != nil {
		return nil, err
	}
	if q.Type == loginService || q.Type == "" && bearer(c.r) != "" && a.o.Services.Set().ByASToken(bearer(c.r)) != nil {
		if q.Username == "" {
			q.Username = q.User
		}
		return a.registerForService(c, q)
	}
	s := a.settings.Load()
	switch c.query.Get("kind") {
	case "", "user":
	case "guest":
		return a.registerGuest(c, q)
	default:
		return nil, mxerror.InvalidParam("kind must be \"user\" or \"guest\".")
	}
	// Who goes on with an interactive authentication was counted at its beginning.
	limit := a.limits.Load().registrations
	if gjson.GetBytes(raw, "auth.session").Exists() {
		limit = a.limits.Load().strangers
	}
	if err := limit.Allow(c.limitKey()); err != nil {
		return nil, err
	}
	// "Homeservers MUST perform the relevant checks and return these codes before performing
	// User-Interactive Authentication".
	var guest *accounts.Session
	switch {
	case q.GuestToken != "":
		if guest, err = a.o.Accounts.Guest(c.ctx, q.GuestToken, q.Username); err != nil {
			return nil, err
		}
	case q.Username != "":
		if err := a.available(c, q.Username); err != nil && !a.repeated(err, raw) {
			return nil, err
		}
	}
	if q.Password != "" {
		if err := a.o.Accounts.CheckNewPassword(q.Password); err != nil {
			return nil, err
		}
	}
	flows, params := a.registrationFlows(s)
	passed, err := a.o.Accounts.Interact(c.ctx, accounts.UIARequest{
		Flows: flows, Params: params, Method: c.r.Method, Path: c.r.URL.Path, Body: raw, Purpose: accounts.ForRegister, Policies: s.Policies,
	})
	if err != nil {
		return nil, err
	}
	if q.Password == "" {
		return nil, mxerror.MissingParam("password is missing.")
	}
	r := accounts.Registration{Localpart: q.Username, Password: q.Password, Token: passed.RegistrationToken, Login: !q.InhibitLogin,
		DisplayName: q.Username, Device: q.device(c), ThreePIDs: passed.ThreePIDs, Policies: passed.Policies}
	var l *accounts.Login
	switch {
	case passed.Concluded != 0:
		l, err = a.o.Accounts.LoginAgain(c.ctx, passed.Concluded, r)
	case guest != nil:
		l, err = a.o.Accounts.UpgradeGuest(c.ctx, guest, r)
	default:
		l, err = a.o.Accounts.Register(c.ctx, r)
	}
	if err != nil {
		return nil, err
	}
	a.o.Accounts.Conclude(passed.Session, l.UserNID)
	return a.loginReply(l), nil
}

// repeated tells whether a name is taken because this very request, whose answer was lost, has
// taken it. Interact will know.
func (a *API) repeated(err error, raw []byte) bool {
	return mxerror.Is(err, "M_USER_IN_USE") && a.o.Accounts.Concluded(raw)
}

// registrationFlows are the ways to sign up, with the parameters of their stages.
func (a *API) registrationFlows(s *Settings) ([]accounts.Flow, map[string]any) {
	var flows []accounts.Flow
	params := map[string]any{}
	add := func(stages ...string) {
		if len(s.Policies) > 0 {
			if len(stages) == 1 && stages[0] == accounts.StageDummy {
				stages = nil // which is there so that a flow has a stage at all
			}
			stages = append(stages, accounts.StageTerms)
		}
		flows = append(flows, accounts.Flow{Stages: stages})
	}
	mail := a.o.Accounts.CanMail()
	switch {
	case s.OpenRegistration && s.RequireEmail && mail:
		add(accounts.StageEmail)
	case s.OpenRegistration:
		add(accounts.StageDummy)
		if mail {
			add(accounts.StageEmail)
		}
	}
	// A token always helps: it may make an administrator.
	if s.RequireEmail && mail {
		add(accounts.StageRegistrationToken, accounts.StageEmail)
	} else {
		add(accounts.StageRegistrationToken)
		if mail && !s.OpenRegistration {
			add(accounts.StageRegistrationToken, accounts.StageEmail)
		}
	}
	if len(s.Policies) > 0 {
		policies := map[string]map[string]any{}
		for _, p := range s.Policies {
			if policies[p.ID] == nil {
				policies[p.ID] = map[string]any{"version": p.Version}
			}
			policies[p.ID][p.Language] = map[string]string{"name": p.Name, "url": p.URL}
		}
		params[accounts.StageTerms] = map[string]any{"policies": policies}
	}
	return flows, params
}

// registerGuest is POST /register?kind=guest.
func (a *API) registerGuest(c *call, q registerRequest) (any, error) {
	if !a.settings.Load().Guests {
		return nil, guestForbidden("This server has no guest accounts.")
	}
	if err := a.limits.Load().registrations.Allow(c.limitKey()); err != nil {
		return nil, err
	}
	l, err := a.o.Accounts.RegisterGuest(c.ctx, accounts.DeviceRequest{Name: q.DeviceName, IP: c.address(), Agent: c.r.UserAgent()})
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
		Device: q.device(c),
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
	if err := a.limits.Load().strangers.Allow(c.limitKey()); err != nil {
		return nil, err
	}
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
	if err := a.limits.Load().strangers.Allow(c.limitKey()); err != nil {
		return nil, err
	}
	token := c.query.Get("token")
	if token == "" {
		return nil, mxerror.MissingParam("token is missing.")
	}
	ok, err := a.o.Accounts.RegistrationTokenValid(c.ctx, token)
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
	l, err := a.o.Accounts.RegisterWithSecret(c.ctx, q, accounts.DeviceRequest{IP: c.address(), Agent: c.r.UserAgent()})
	if err != nil {
		return nil, err
	}
	return a.loginReply(l), nil
}
