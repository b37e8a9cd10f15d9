package client

import (
	"context"
	"errors"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/room"
)

func (a *API) accountRoutes() {
	const get, post, put = "GET", "POST", "PUT"
	root, v1 := []string{""}, []string{"/_matrix/client/v1"}
	on := a.on
	on(post, v3, "/register", anyone, a.register)
	on(get, v3, "/register/available", anyone, a.registerAvailable)
	on(get, append([]string{"/_matrix/client/unstable/org.matrix.msc3231"}, v1...), "/register/m.login.registration_token/validity", anyone, a.tokenValidity)
	on(get, root, "/_synapse/admin/v1/register", anyone, a.secretNonce)
	on(post, root, "/_synapse/admin/v1/register", anyone, a.secretRegister)
	on(get, v3, "/login", anyone, a.loginFlows)
	on(post, v3, "/login", anyone, a.login)
	on(post, append([]string{"/_matrix/client/unstable/org.matrix.msc3882"}, v1...), "/login/get_token", user, a.getLoginToken)
	on(post, append([]string{"/_matrix/client/v1"}, v3...), "/refresh", anyone, a.refresh)
	on(post, v3, "/logout", user, a.logout)
	on(post, v3, "/logout/all", user, a.logoutAll)
	on(get, v3, "/account/whoami", user, a.whoami)
	on(post, v3, "/account/password", optional, a.changePassword)
	on(post, v3, "/account/deactivate", optional, a.deactivate)
	on(post, v3, "/user/{userId}/openid/request_token", user, a.openIDToken)

	on(get, v3, "/devices", user, a.devices)
	on(get, v3, "/devices/{deviceId}", user, a.device)
	on(put, v3, "/devices/{deviceId}", user, a.putDevice)
	on("DELETE", v3, "/devices/{deviceId}", user, a.deleteDevice)
	on(post, v3, "/delete_devices", user, a.deleteDevices)

	on(get, v3, "/admin/whois/{userId}", user, a.whois)
	for path, m := range map[string]moderation{"/admin/suspend/{userId}": suspension, "/admin/lock/{userId}": locking} {
		unstable := "/_matrix/client/unstable/uk.timedout.msc4323"
		on(get, append([]string{unstable}, v1...), path, user, a.getModeration(m))
		on(put, append([]string{unstable}, v1...), path, user, a.putModeration(m))
	}
	a.threePIDRoutes()
	a.oauthRoutes()
	a.pageRoutes()
	a.wellKnownRoutes()
}

// interactiveBody reads the body of a request that may need interactive authentication. A client
// that repeats such a request with nothing but its session gets the parameters that it sent first.
func (a *API) interactiveBody(c *call) ([]byte, error) {
	raw, err := c.rawBody()
	if err != nil {
		return nil, err
	}
	if err := parse(raw, &object{}); err != nil {
		return nil, err
	}
	r := accounts.UIARequest{Method: c.r.Method, Path: c.r.URL.Path, Body: raw}
	if c.session != nil {
		r.Session = c.session.Session
	}
	return a.o.Accounts.Recall(r)
}

// confirm makes the user show again who they are before something weighty. Application services
// need not (MSC4190): their users have no password.
func (a *API) confirm(c *call, raw []byte) error {
	if err := c.notByOAuth(); err != nil {
		return err
	}
	s := a.settings.Load()
	if c.session.Service != nil || s.ConfirmWithin > 0 && a.o.Accounts.ConfirmedWithin(c.session.Session, s.ConfirmWithin) {
		return nil
	}
	return a.confirmAlways(c, raw)
}

// confirmAlways is confirm however recently the user has confirmed something.
func (a *API) confirmAlways(c *call, raw []byte) error {
	if err := c.notByOAuth(); err != nil {
		return err
	}
	flows, err := a.o.Accounts.Confirmations(c.ctx, c.session.Session, a.o.SSO != nil)
	if err != nil {
		return err
	}
	if hasPassword(raw) {
		// Who has found a token must not try passwords with it.
		if err := a.limits.Load().logins.Allow("user " + c.session.UserID); err != nil {
			return err
		}
	}
	_, err = a.o.Accounts.Interact(c.ctx, accounts.UIARequest{Flows: flows, Method: c.r.Method, Path: c.r.URL.Path, Body: raw, Session: c.session.Session})
	return err
}

// prove makes somebody who is not logged in show which account is theirs.
func (a *API) prove(c *call, raw []byte) (*accounts.Passed, error) {
	if hasPassword(raw) {
		if err := a.limits.Load().logins.Allow(c.limitKey()); err != nil {
			return nil, err
		}
	}
	flows := []accounts.Flow{{Stages: []string{accounts.StagePassword}}}
	if a.o.Accounts.CanMail() {
		flows = append(flows, accounts.Flow{Stages: []string{accounts.StageEmail}})
	}
	passed, err := a.o.Accounts.Interact(c.ctx, accounts.UIARequest{Flows: flows, Method: c.r.Method, Path: c.r.URL.Path, Body: raw, Purpose: accounts.ForPassword})
	var ch *accounts.Challenge
	if errors.As(err, &ch) && ch.Code == "" && len(ch.Completed) == 0 {
		// "An access token should be submitted to this endpoint if the client has an active session."
		ch.Code, ch.Message = "M_MISSING_TOKEN", "Send an access token, or show in another way whose account this is about."
	}
	return passed, err
}

// changePassword is POST /account/password.
func (a *API) changePassword(c *call) (any, error) {
	raw, err := a.interactiveBody(c)
	if err != nil {
		return nil, err
	}
	q := struct {
		New    string `json:"new_password"`
		Logout bool   `json:"logout_devices"`
	}{Logout: true}
	if err := parse(raw, &q); err != nil {
		return nil, err
	}
	if q.New != "" {
		if err := a.o.Accounts.CheckNewPassword(q.New); err != nil {
			return nil, err
		}
	}
	if a.settings.Load().NoPasswordLogin {
		return nil, mxerror.Forbidden("This server has no passwords.")
	}
	var nid, device int64
	if c.session != nil {
		if err := a.confirm(c, raw); err != nil {
			return nil, err
		}
		nid, device = c.session.User, c.session.Device
	} else {
		passed, err := a.prove(c, raw)
		if err != nil {
			return nil, err
		}
		nid = passed.User
	}
	if q.New == "" {
		return nil, mxerror.MissingParam("new_password is missing.")
	}
	return nil, a.o.Accounts.ChangePassword(c.ctx, nid, device, q.New, q.Logout)
}

// deactivate is POST /account/deactivate.
func (a *API) deactivate(c *call) (any, error) {
	raw, err := a.interactiveBody(c)
	if err != nil {
		return nil, err
	}
	var q struct {
		Erase bool `json:"erase"`
	}
	if err := parse(raw, &q); err != nil {
		return nil, err
	}
	var id string
	if c.session != nil {
		if err := a.confirm(c, raw); err != nil {
			return nil, err
		}
		id = c.session.UserID
	} else {
		passed, err := a.prove(c, raw)
		if err != nil {
			return nil, err
		}
		if id, err = a.o.Store.UserID(c.ctx, passed.User); err != nil {
			return nil, err
		}
	}
	result, err := a.closeAccount(c.ctx, id, q.Erase)
	if err != nil {
		return nil, err
	}
	return map[string]string{"id_server_unbind_result": result}, nil
}

// Deactivate closes an account for good.
func (a *API) Deactivate(ctx context.Context, userID string, erase bool) error {
	_, err := a.closeAccount(ctx, userID, erase)
	return err
}

// closeAccount is Deactivate. The user leaves all rooms first, so that what can still fail fails while the
// account can try again. unbound tells what identity servers made of it.
func (a *API) closeAccount(ctx context.Context, userID string, erase bool) (unbound string, err error) {
	account, err := a.o.Accounts.LocalAccount(ctx, userID)
	if err != nil {
		return "", err
	}
	rooms, err := a.o.Store.RoomsOf(ctx, account.User)
	if err != nil {
		return "", err
	}
	for _, m := range rooms {
		if m.Membership != "join" && m.Membership != "invite" && m.Membership != "knock" {
			continue
		}
		_, err := a.o.Rooms.Send(ctx, m.Room, room.Proposal{Sender: userID, Type: "m.room.member", StateKey: &userID, Content: []byte(`{"membership":"leave"}`)})
		if err != nil && !mxerror.Is(err, "M_FORBIDDEN") {
			return "", err
		}
	}
	if err := a.o.Accounts.Deactivate(ctx, account.User, erase); err != nil {
		return "", err
	}
	return a.unbindAll(ctx, account.User, userID)
}

// openIDToken is POST /user/{userId}/openid/request_token.
func (a *API) openIDToken(c *call) (any, error) {
	if err := c.own(); err != nil {
		return nil, err
	}
	if err := c.body(&object{}); err != nil {
		return nil, err
	}
	if err := c.limit(a.limits.Load().strangers); err != nil {
		return nil, err
	}
	token, err := a.o.Accounts.MakeOpenIDToken(c.ctx, c.session.User)
	return map[string]any{"access_token": token, "token_type": "Bearer", "matrix_server_name": a.o.ServerName,
		"expires_in": int64(accounts.OpenIDLife.Seconds())}, err
}

// hasPassword tells whether a body's auth object shows a password.
func hasPassword(raw []byte) bool { return strings.Contains(string(raw), `"password"`) }
