package client

import (
	"context"
	"errors"
	"slices"
	"strings"

	"golang.org/x/time/rate"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/registration"
)

// authenticate finds out who asks, and whether they may ask for this.
func (a *API) authenticate(c *call, rt *route) (*Session, error) {
	if s := given(c.ctx); s != nil {
		return s, a.may(c, rt, s)
	}
	token := bearer(c.r)
	if token == "" {
		return nil, accounts.ErrMissingToken()
	}
	if reg := a.o.Services.Set().ByASToken(token); reg != nil {
		a.o.Services.Heard(reg.ID)
		return a.serviceSession(c, rt, reg)
	}
	s, err := a.o.Accounts.Authenticate(c.ctx, token, c.address(), c.r.UserAgent())
	if err != nil {
		return nil, err
	}
	out := &Session{Session: s}
	if s.ServiceID != "" {
		// A bridge that logged one of its users in is still a bridge.
		out.Service = a.o.Services.Set().ByID(s.ServiceID)
	}
	return out, a.may(c, rt, out)
}

// serviceSession is an application service acting as itself or as one of its users:
// specification, application-service API, "Identity assertion": "... with the user_id parameter
// on the request"; MSC3202 and MSC4326 add the device.
func (a *API) serviceSession(c *call, rt *route, reg *registration.Registration) (*Session, error) {
	userID := c.query.Get("user_id")
	if userID == "" {
		userID = reg.SenderID(a.o.ServerName)
	} else if tied, err := a.actsFor(c, rt, reg, userID); err != nil {
		return nil, err
	} else if !tied && !a.owns(reg, userID) {
		return nil, mxerror.New(403, "M_EXCLUSIVE", "%s is outside of this application service's namespaces.", clip(userID))
	}
	s := &Session{Session: &accounts.Session{UserID: userID, Kind: "service", ServiceID: reg.ID}, Service: reg, Asserted: true}
	nid, err := a.o.Store.UserNID(c.ctx, userID)
	if err == nil {
		_, err = a.o.Store.Account(c.ctx, nid)
	}
	if errors.Is(err, store.ErrNotFound) {
		if userID != reg.SenderID(a.o.ServerName) {
			return nil, mxerror.Forbidden("The application service has not registered %s yet.", clip(userID))
		}
		nid, err = a.makeSender(c.ctx, reg)
	}
	if err != nil {
		return nil, err
	}
	s.User = nid
	device := c.query.Get("device_id")
	if device == "" {
		device = c.query.Get("org.matrix.msc3202.device_id")
	}
	if device == "" {
		return s, nil
	}
	d, err := a.o.Store.Device(c.ctx, nid, device)
	if errors.Is(err, store.ErrNotFound) {
		// MSC4326: "If the given device ID is not known to belong to the given user, the server
		// will return a 400 M_UNKNOWN_DEVICE error."
		return nil, mxerror.New(400, "M_UNKNOWN_DEVICE", "%s has no device %s.", clip(userID), clip(device))
	}
	s.DeviceID, s.Device = d.ID, d.NID
	return s, err
}

// owns tells whether a user is in a service's namespaces or is its own.
func (a *API) owns(reg *registration.Registration, userID string) bool {
	if !strings.HasSuffix(userID, ":"+a.o.ServerName) {
		return false
	}
	return userID == reg.SenderID(a.o.ServerName) || slices.Contains(a.o.Services.Set().InterestedInUser(userID), reg)
}

// makeSender makes the account of a service's own user, which nobody registers.
func (a *API) makeSender(ctx context.Context, reg *registration.Registration) (int64, error) {
	l, err := a.o.Accounts.Register(ctx, accounts.Registration{Localpart: reg.SenderLocalpart, Kind: "service", Service: reg.ID})
	if mxerror.Is(err, "M_USER_IN_USE") {
		return a.o.Store.UserNID(ctx, reg.SenderID(a.o.ServerName))
	} else if err != nil {
		return 0, err
	}
	return l.UserNID, nil
}

// limit counts what a user does, and refuses it if that is too much. Application services whose
// registration says so may do as much as they like.
func (c *call) limit(l *accounts.Limiter) error {
	// "Whether requests from masqueraded users are rate-limited. The sender is excluded."
	if s := c.session.Service; s != nil && (!s.IsRateLimited() || c.session.Asserted && c.session.UserID == s.SenderID(c.api.o.ServerName)) {
		return nil
	}
	switch s := c.session; {
	case s.Asserted || s.RateMilli < 0:
		return l.Allow(s.UserID)
	case s.RateMilli == 0:
		return nil // an administrator has said so
	default:
		return l.AllowAt(s.UserID, rate.Limit(float64(s.RateMilli)/1000), int(max(s.RateBurst, 1)))
	}
}
