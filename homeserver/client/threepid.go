package client

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/identity"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

func (a *API) threePIDRoutes() {
	const get, post = "GET", "POST"
	on := a.on
	on(get, v3, "/account/3pid", user, a.threePIDs)
	on(post, v3, "/account/3pid", user, a.postThreePID)
	on(post, v3, "/account/3pid/add", user, a.addThreePID)
	withUnstable := append([]string{"/_matrix/client/unstable"}, v3...)
	on(post, withUnstable, "/account/3pid/bind", user, a.bindThreePID)
	on(post, withUnstable, "/account/3pid/unbind", user, a.unbindThreePID)
	on(post, v3, "/account/3pid/delete", user, a.deleteThreePID)
	for prefix, purpose := range map[string]accounts.Purpose{"/register": accounts.ForRegister, "/account/password": accounts.ForPassword, "/account/3pid": accounts.ForAdd} {
		on(post, v3, prefix+"/email/requestToken", anyone, a.requestEmailToken(purpose))
		on(post, v3, prefix+"/msisdn/requestToken", anyone, a.requestPhoneToken)
	}
	a.router.add(get, submitPath, &route{pattern: submitPath, raw: a.submitPage})
	on(post, []string{""}, submitPath, anyone, a.submitToken)
}

// submitPath is where links in messages lead, and where clients submit what such a message holds.
const submitPath = "/_matrix/client/unstable/im.landbridge/validate/email/submitToken"

func (a *API) submitURL(q url.Values) string {
	if len(q) == 0 {
		return a.o.PublicURL + submitPath
	}
	return a.o.PublicURL + submitPath + "?" + q.Encode()
}

// requestEmailToken is POST .../email/requestToken. id_server "is ignored when the homeserver
// handles 3PID verification".
func (a *API) requestEmailToken(purpose accounts.Purpose) handler {
	return func(c *call) (any, error) {
		var q accounts.TokenRequest
		if err := c.body(&q); err != nil {
			return nil, err
		}
		for _, key := range [...]string{c.limitKey(), "to " + clip(q.Email)} {
			if err := a.limits.Load().messagesOut.Allow(key); err != nil {
				return nil, err
			}
		}
		sid, err := a.o.Accounts.RequestEmailToken(c.ctx, purpose, q, a.submitURL)
		if err != nil {
			return nil, err
		}
		return map[string]string{"sid": sid, "submit_url": a.submitURL(nil)}, nil
	}
}

// requestPhoneToken is POST .../msisdn/requestToken.
func (a *API) requestPhoneToken(c *call) (any, error) {
	var q accounts.TokenRequest
	if err := c.body(&q); err != nil {
		return nil, err
	}
	return nil, a.o.Accounts.RequestPhoneToken(q)
}

// submitToken is what a client calls with what it found in a message, "with identical request and
// response parameters ... to the Identity Service API's POST /validate/email/submitToken endpoint".
func (a *API) submitToken(c *call) (any, error) {
	if err := a.limits.Load().strangers.Allow(c.limitKey()); err != nil {
		return nil, err
	}
	var q struct {
		accounts.ThreePIDCreds
		Token string `json:"token"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if q.Token == "" {
		return nil, mxerror.MissingParam("token is missing.")
	}
	_, err := a.o.Accounts.SubmitToken(c.ctx, q.ThreePIDCreds, q.Token)
	if mxerror.Is(err, "M_THREEPID_AUTH_FAILED") || mxerror.Is(err, accounts.ErrBadToken.Code) {
		return map[string]bool{"success": false}, nil
	}
	return map[string]bool{"success": true}, err
}

type threePIDReply struct {
	Medium      string `json:"medium"`
	Address     string `json:"address"`
	ValidatedAt int64  `json:"validated_at"`
	AddedAt     int64  `json:"added_at"`
}

// threePIDs is GET /account/3pid.
func (a *API) threePIDs(c *call) (any, error) {
	all, err := a.o.Store.ThreePIDsOf(c.ctx, c.session.User)
	out := make([]threePIDReply, len(all))
	for i, p := range all {
		out[i] = threePIDReply{p.Medium, p.Address, p.ValidatedTS, p.AddedTS}
	}
	return map[string]any{"threepids": out}, err
}

// addThreePID is POST /account/3pid/add.
func (a *API) addThreePID(c *call) (any, error) {
	raw, err := a.interactiveBody(c)
	if err != nil {
		return nil, err
	}
	var q accounts.ThreePIDCreds
	if err := parse(raw, &q); err != nil {
		return nil, err
	}
	if err := a.confirm(c, raw); err != nil {
		return nil, err
	}
	return nil, a.o.Accounts.AddThreePID(c.ctx, c.session.User, q)
}

// postThreePID is POST /account/3pid, which older clients use for both adding and binding. What can
// be added is what this server has validated. The specification asks for no interactive authentication
// here, and the clients that use it know of none.
func (a *API) postThreePID(c *call) (any, error) {
	// Who came by the OAuth 2.0 API does this on the account page.
	if err := c.notByOAuth(); err != nil {
		return nil, err
	}
	var q struct {
		Creds *accounts.ThreePIDCreds `json:"three_pid_creds"`
		// Old is the name that r0 clients use.
		Old *accounts.ThreePIDCreds `json:"threePidCreds"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if q.Creds == nil {
		q.Creds = q.Old
	}
	if q.Creds == nil {
		return nil, mxerror.MissingParam("three_pid_creds is missing.")
	}
	return nil, a.o.Accounts.AddThreePID(c.ctx, c.session.User, *q.Creds)
}

// bindThreePID is POST /account/3pid/bind.
func (a *API) bindThreePID(c *call) (any, error) {
	var q struct {
		accounts.ThreePIDCreds
		Server string `json:"id_server"`
		Token  string `json:"id_access_token"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	for name, value := range map[string]string{"client_secret": q.Secret, "sid": q.SID, "id_server": q.Server, "id_access_token": q.Token} {
		if value == "" {
			return nil, mxerror.MissingParam("%s is missing.", name)
		}
	}
	if err := a.o.Identity.Check(q.Server); err != nil {
		if e, ok := mxerror.As(err); ok {
			return nil, mxerror.New(http.StatusBadRequest, e.Code, "%s", e.Message)
		}
		return nil, err
	}
	medium, address, err := a.o.Identity.Bind(c.ctx, identity.Asker{Server: q.Server, Token: q.Token}, q.SID, q.Secret, c.session.UserID)
	if err != nil {
		return nil, err
	}
	// Remembered, so that it can be taken back without the client's knowing where it is.
	return nil, a.o.Store.Write(c.ctx, func(t *store.Tx) error {
		return t.BindThreePID(store.BoundThreePID{User: c.session.User, Medium: clip(medium), Address: clip(address), Server: q.Server})
	})
}

// namedThreePID is an address that a request is about.
type namedThreePID struct {
	Medium  string `json:"medium"`
	Address string `json:"address"`
	Server  string `json:"id_server"`
}

func (c *call) namedThreePID() (q namedThreePID, err error) {
	if err := c.body(&q); err != nil {
		return q, err
	}
	switch {
	case q.Medium == "" || q.Address == "":
		return q, mxerror.MissingParam("medium or address is missing.")
	case q.Medium != accounts.MediumEmail && q.Medium != accounts.MediumPhone:
		return q, mxerror.InvalidParam("medium must be email or msisdn.")
	}
	return q, nil
}

// unbind takes back what identity servers were told of a user's address: at the server that is named, or else
// "the homeserver MUST use the id_server the identifier was added through. If the homeserver does not know the
// original id_server, it MUST return a id_server_unbind_result of no-support."
func (a *API) unbind(ctx context.Context, user int64, userID string, q namedThreePID) (result string, err error) {
	all, err := a.o.Store.BoundThreePIDs(ctx, user)
	if err != nil {
		return "", err
	}
	bound := slices.DeleteFunc(all, func(b store.BoundThreePID) bool {
		return b.Medium != q.Medium || b.Address != q.Address || q.Server != "" && b.Server != q.Server
	})
	if len(bound) == 0 && q.Server != "" {
		bound = []store.BoundThreePID{{User: user, Medium: q.Medium, Address: q.Address, Server: q.Server}}
	}
	if len(bound) == 0 {
		return noSupport, nil
	}
	result = "success"
	for _, b := range bound {
		ok, err := a.o.Identity.Unbind(ctx, b.Server, userID, b.Medium, b.Address)
		switch {
		case mxerror.Is(err, "M_SERVER_NOT_TRUSTED"):
			result = noSupport
			continue
		case err != nil:
			return "", err
		case !ok:
			result = noSupport
			continue
		}
		if err := a.o.Store.Write(ctx, func(t *store.Tx) error { return t.UnbindThreePID(b) }); err != nil {
			return "", err
		}
	}
	return result, nil
}

const noSupport = "no-support"

// unbindThreePID is POST /account/3pid/unbind.
func (a *API) unbindThreePID(c *call) (any, error) {
	q, err := c.namedThreePID()
	if err != nil {
		return nil, err
	}
	result, err := a.unbind(c.ctx, c.session.User, c.session.UserID, q)
	return map[string]string{"id_server_unbind_result": result}, err
}

// deleteThreePID is POST /account/3pid/delete.
func (a *API) deleteThreePID(c *call) (any, error) {
	q, err := c.namedThreePID()
	if err != nil {
		return nil, err
	}
	result, err := a.unbind(c.ctx, c.session.User, c.session.UserID, q)
	if err != nil {
		return nil, err
	}
	return map[string]string{"id_server_unbind_result": result}, a.o.Accounts.DeleteThreePID(c.ctx, c.session.User, q.Medium, q.Address)
}

// unbindAll takes back all of a user's addresses: "The homeserver MUST attempt to unbind all of the user's
// identifiers"; it tells whether that was done.
func (a *API) unbindAll(ctx context.Context, user int64, userID string) (result string, err error) {
	all, err := a.o.Store.BoundThreePIDs(ctx, user)
	if err != nil {
		return "", err
	}
	result = "success"
	for _, b := range all {
		one, err := a.unbind(ctx, user, userID, namedThreePID{b.Medium, b.Address, b.Server})
		if err != nil {
			a.o.Log.WarnContext(ctx, "an identity server could not be told that an account is closed", "server", b.Server, "err", err)
		}
		if err != nil || one != "success" {
			result = noSupport
		}
	}
	return result, nil
}
