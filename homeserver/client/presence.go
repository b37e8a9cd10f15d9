package client

import (
	"errors"
	"net/http"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/presence"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

func (a *API) presenceRoutes() {
	a.on(http.MethodGet, v3, "/presence/{userId}/status", user, a.getPresence)
	a.on(http.MethodPut, v3, "/presence/{userId}/status", user, a.putPresence)
}

// getPresence is GET /presence/{userId}/status.
func (a *API) getPresence(c *call) (any, error) {
	nid, err := a.o.Store.UserNID(c.ctx, c.params[0])
	if err == nil {
		_, err = a.o.Store.Account(c.ctx, nid)
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil, mxerror.NotFound("Nothing is known of %s.", clip(c.params[0]))
	} else if err != nil {
		return nil, err
	}
	p := a.o.Presence
	if p == nil {
		return presence.Info{Presence: presence.Offline}, nil
	}
	ok, err := p.Visible(c.ctx, c.session.User, nid)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, mxerror.Forbidden("You share no room with them, and so may not see whether they are there.")
	}
	return presence.Content(p.Get(nid), a.o.Now()), nil
}

// putPresence is PUT /presence/{userId}/status.
func (a *API) putPresence(c *call) (any, error) {
	if err := c.own(); err != nil {
		return nil, err
	}
	var q struct {
		Presence string  `json:"presence"`
		Status   *string `json:"status_msg"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	switch {
	case q.Presence == "":
		return nil, mxerror.MissingParam("presence is missing.")
	case !presence.Valid(q.Presence):
		return nil, mxerror.InvalidParam("presence must be online, unavailable or offline, not %q.", clip(q.Presence))
	case q.Status != nil && len(*q.Status) > presence.MaxStatus:
		return nil, mxerror.InvalidParam("status_msg can have at most %d bytes.", presence.MaxStatus)
	}
	if a.o.Presence != nil {
		a.o.Presence.Set(c.ctx, c.session.User, c.session.UserID, q.Presence, q.Status)
	}
	return nil, nil
}

// active tells that the caller did something that shows that they are there.
func (c *call) active() {
	if p := c.api.o.Presence; p != nil && c.session.Service == nil {
		p.Active(c.ctx, c.session.User, c.session.UserID)
	}
}
