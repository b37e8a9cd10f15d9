package client

import (
	"encoding/json/v2"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// The types of login.
const (
	loginPassword = "m.login.password"
	loginService  = "m.login.application_service"
	loginToken    = "m.login.token"
	loginSSO      = "m.login.sso"
	loginJWT      = "org.matrix.login.jwt"
	// loginOldJWT is what older clients call it.
	loginOldJWT = "m.login.jwt"
)

// loginFlows is GET /login.
func (a *API) loginFlows(*call) (any, error) {
	s := a.settings.Load()
	flows := []any{}
	add := func(typ string, more map[string]any) {
		flow := map[string]any{"type": typ}
		for k, v := range more {
			flow[k] = v
		}
		flows = append(flows, flow)
	}
	if !s.NoPasswordLogin {
		add(loginPassword, nil)
	}
	single := a.o.SSO != nil || a.o.OAuth != nil
	if single {
		add(loginSSO, a.singleSignOn())
	}
	switch {
	case !s.NoLoginTokens:
		add(loginToken, map[string]any{"get_login_token": true})
	case single: // which ends with such a token
		add(loginToken, nil)
	}
	if a.o.Accounts.JWTOn() {
		add(loginJWT, nil)
	}
	add(loginService, nil)
	return map[string]any{"flows": flows}, nil
}

// singleSignOn says more of the flow m.login.sso.
func (a *API) singleSignOn() map[string]any {
	more := map[string]any{}
	if a.o.SSO != nil {
		var providers []map[string]string
		for _, p := range a.o.SSO.Providers() {
			out := map[string]string{"id": p.ID, "name": p.Name}
			if p.Icon != "" {
				out["icon"] = p.Icon
			}
			if p.Brand != "" {
				out["brand"] = p.Brand
			}
			providers = append(providers, out)
		}
		more["identity_providers"] = providers
	}
	if a.o.OAuth != nil {
		// "Indicate that the m.login.sso flow is preferred by setting oauth_aware_preferred to true." The
		// other name is that of MSC3824.
		more["oauth_aware_preferred"] = true
		more["org.matrix.msc3824.delegated_oidc_compatibility"] = true
	}
	return more
}

type loginRequest struct {
	Type string `json:"type"`
	accounts.WireIdentifier
	Password   string `json:"password"`
	Token      string `json:"token"`
	DeviceID   string `json:"device_id"`
	DeviceName string `json:"initial_device_display_name"`
	Refresh    bool   `json:"refresh_token"`
}

// who is whom the request names.
func (q *loginRequest) who() (accounts.Identifier, error) {
	who, err := q.Read()
	if err == nil && who == (accounts.Identifier{}) {
		err = mxerror.MissingParam("identifier is missing.")
	}
	return who, err
}

// login is POST /login.
func (a *API) login(c *call) (any, error) {
	var q loginRequest
	if err := c.body(&q); err != nil {
		return nil, err
	}
	d := accounts.DeviceRequest{ID: q.DeviceID, Name: q.DeviceName, IP: c.address(), Agent: c.r.UserAgent(), Refresh: q.Refresh}
	unknown := mxerror.New(400, "M_UNKNOWN", "This server has no login of type %q.", clip(q.Type))
	s, limits := a.settings.Load(), a.limits.Load()
	var l *accounts.Login
	var err error
	switch q.Type {
	case loginPassword:
		if s.NoPasswordLogin {
			return nil, unknown
		}
		who, err := q.who()
		if err != nil {
			return nil, err
		}
		for _, key := range [...]string{c.limitKey(), "user " + clip(who.User+who.Address)} {
			if err := limits.logins.Allow(key); err != nil {
				return nil, err
			}
		}
		if l, err = a.o.Accounts.LoginPassword(c.ctx, who, q.Password, d); err != nil {
			return nil, err
		}
	case loginService:
		l, err = a.loginForService(c, q, d)
	case loginToken:
		if s.NoLoginTokens && a.o.SSO == nil && a.o.OAuth == nil {
			return nil, unknown
		}
		if err := limits.logins.Allow(c.limitKey()); err != nil {
			return nil, err
		}
		l, err = a.o.Accounts.LoginToken(c.ctx, q.Token, d)
	case loginJWT, loginOldJWT:
		if !a.o.Accounts.JWTOn() {
			return nil, unknown
		}
		if err := limits.logins.Allow(c.limitKey()); err != nil {
			return nil, err
		}
		l, err = a.o.Accounts.LoginJWT(c.ctx, q.Token, d)
	case "":
		return nil, mxerror.MissingParam("type is missing.")
	default:
		return nil, unknown
	}
	if err != nil {
		return nil, err
	}
	out := a.loginReply(l)
	out.WellKnown, err = json.Marshal(a.clientWellKnown(), json.Deterministic(true))
	return out, err
}

// getLoginToken is POST /login/get_token.
func (a *API) getLoginToken(c *call) (any, error) {
	if a.settings.Load().NoLoginTokens {
		// "400: ... the user does not have an ability to generate tokens for their devices"
		return nil, mxerror.New(400, "M_UNRECOGNIZED", "This server makes no login tokens.")
	}
	if c.session.Asserted {
		return nil, mxerror.Forbidden("Application services log their users in by themselves.")
	}
	raw, err := a.interactiveBody(c)
	if err != nil {
		return nil, err
	}
	// "For this endpoint, servers MUST always re-prompt the user for verification".
	if err := a.confirmAlways(c, raw); err != nil {
		return nil, err
	}
	if err := a.limits.Load().logins.Allow("token of " + c.session.UserID); err != nil {
		return nil, err
	}
	token, err := a.o.Accounts.MakeLoginToken(c.ctx, c.session.User, accounts.LoginTokenLife)
	return map[string]any{"login_token": token, "expires_in_ms": accounts.LoginTokenLife.Milliseconds()}, err
}

// refresh is POST /refresh.
func (a *API) refresh(c *call) (any, error) {
	var q struct {
		Token string `json:"refresh_token"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if err := a.limits.Load().strangers.Allow(c.limitKey()); err != nil {
		return nil, err
	}
	l, err := a.o.Accounts.Refresh(c.ctx, q.Token)
	if err != nil {
		return nil, err
	}
	return struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
		ExpiresIn    int64  `json:"expires_in_ms,omitzero"`
	}{l.AccessToken, l.RefreshToken, l.ExpiresIn.Milliseconds()}, nil
}

// loginForService logs a user of an application service in: specification, "Appservice Login".
func (a *API) loginForService(c *call, q loginRequest, d accounts.DeviceRequest) (*accounts.Login, error) {
	token := bearer(c.r)
	if token == "" {
		return nil, accounts.ErrMissingToken()
	}
	reg := a.o.Services.Set().ByASToken(token)
	if reg == nil {
		// Application-service API: "without a valid as_token, the endpoints will return an error with the
		// M_MISSING_TOKEN or M_UNKNOWN_TOKEN error code and 401".
		if _, err := a.o.Accounts.Authenticate(c.ctx, token, c.address(), c.r.UserAgent()); err != nil {
			return nil, err
		}
		// Client-server API: "If the access token [...] does not correspond to an appservice or the user has
		// not previously been registered then the homeserver will respond with an errcode of M_FORBIDDEN."
		return nil, mxerror.Forbidden("No application service has this token.")
	}
	who, err := q.who()
	if err != nil {
		return nil, err
	}
	id := who.User
	if id == "" {
		return nil, mxerror.Forbidden("Application services name their users by m.id.user.")
	}
	if id[0] != '@' {
		if id, err = a.o.Accounts.UserID(id, true); err != nil {
			return nil, err
		}
	}
	if !a.owns(reg, id) {
		return nil, mxerror.New(400, "M_EXCLUSIVE", "%s is outside of this application service's namespaces.", clip(id))
	}
	return a.o.Accounts.LoginAs(c.ctx, id, d)
}

// logout is POST /logout.
func (a *API) logout(c *call) (any, error) {
	if c.session.Asserted {
		return nil, nil // an application service's token is not a login
	}
	return nil, a.o.Accounts.Logout(c.ctx, c.session.Session)
}

// logoutAll is POST /logout/all.
func (a *API) logoutAll(c *call) (any, error) {
	return nil, a.o.Accounts.LogoutAll(c.ctx, c.session.User)
}

// whoami is GET /account/whoami.
func (a *API) whoami(c *call) (any, error) {
	out := map[string]any{"user_id": c.session.UserID, "is_guest": c.session.Guest}
	if c.session.DeviceID != "" {
		out["device_id"] = c.session.DeviceID
	}
	return out, nil
}
