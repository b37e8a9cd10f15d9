package client

import (
	"encoding/json/v2"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// loginFlows is GET /login.
func (a *API) loginFlows(*call) (any, error) {
	return map[string]any{"flows": []map[string]string{
		{"type": "m.login.password"}, {"type": "m.login.application_service"},
	}}, nil
}

type loginRequest struct {
	Type       string `json:"type"`
	Identifier *struct {
		Type string `json:"type"`
		User string `json:"user"`
	} `json:"identifier"`
	User       string `json:"user"` // deprecated form
	Password   string `json:"password"`
	DeviceID   string `json:"device_id"`
	DeviceName string `json:"initial_device_display_name"`
}

// user is whom the request names.
func (q *loginRequest) user() (string, error) {
	if q.Identifier == nil {
		if q.User == "" {
			return "", mxerror.MissingParam("identifier is missing.")
		}
		return q.User, nil
	}
	if q.Identifier.Type != "m.id.user" {
		return "", mxerror.New(400, "M_UNKNOWN", "This server identifies users by m.id.user only.")
	}
	if q.Identifier.User == "" {
		return "", mxerror.MissingParam("identifier.user is missing.")
	}
	return q.Identifier.User, nil
}

// login is POST /login.
func (a *API) login(c *call) (any, error) {
	var q loginRequest
	if err := c.body(&q); err != nil {
		return nil, err
	}
	d := accounts.DeviceRequest{ID: q.DeviceID, Name: q.DeviceName, IP: c.address()}
	var l *accounts.Login
	switch q.Type {
	case "m.login.password":
		user, err := q.user()
		if err != nil {
			return nil, err
		}
		for _, key := range [...]string{c.address(), "user " + user} {
			if err := a.limits.Load().logins.Allow(key); err != nil {
				return nil, err
			}
		}
		if l, err = a.o.Accounts.LoginPassword(c.ctx, user, q.Password, d); err != nil {
			return nil, err
		}
	case "m.login.application_service":
		var err error
		if l, err = a.loginForService(c, q, d); err != nil {
			return nil, err
		}
	case "":
		return nil, mxerror.MissingParam("type is missing.")
	default:
		return nil, mxerror.New(400, "M_UNKNOWN", "This server has no login of type %q.", clip(q.Type))
	}
	out := a.loginReply(l)
	out.WellKnown, _ = json.Marshal(map[string]any{"m.homeserver": map[string]string{"base_url": a.o.PublicURL}})
	return out, nil
}

// loginForService logs a user of an application service in: specification, "Appservice Login".
func (a *API) loginForService(c *call, q loginRequest, d accounts.DeviceRequest) (*accounts.Login, error) {
	token := bearer(c.r)
	if token == "" {
		return nil, accounts.ErrMissingToken()
	}
	reg := a.o.Services.Set().ByASToken(token)
	if reg == nil {
		return nil, mxerror.New(401, "M_UNKNOWN_TOKEN", "No application service has this token.")
	}
	user, err := q.user()
	if err != nil {
		return nil, err
	}
	id := user
	if user[0] != '@' {
		if id, err = a.o.Accounts.UserID(user, true); err != nil {
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
	s, err := a.o.Accounts.Authenticate(c.ctx, bearer(c.r), "")
	if err != nil {
		if c.session.Service != nil {
			return nil, nil // an application service's token is not a login
		}
		return nil, err
	}
	return nil, a.o.Accounts.Logout(c.ctx, s)
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
