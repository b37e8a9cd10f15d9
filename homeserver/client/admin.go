package client

import (
	"context"
	"encoding/json/jsontext"
	"net/http"
	"net/url"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// AdminPrefix begins the paths of the endpoints for administrators.
const AdminPrefix = "/_synapse/admin"

// AdminCall is a request by an administrator of this server.
type AdminCall struct{ c *call }

// AdminRoute adds an endpoint below AdminPrefix that only administrators of the server may use:
// everybody else gets 403 M_FORBIDDEN. What h returns is sent as JSON, nil as {}. It is to be called
// before the API serves.
func (a *API) AdminRoute(method, path string, h func(AdminCall) (any, error)) {
	a.on(method, []string{AdminPrefix}, path, user, adminsOnly(func(c *call) (any, error) { return h(AdminCall{c}) }))
}

// adminsOnly lets only administrators through.
func adminsOnly(h handler) handler {
	return func(c *call) (any, error) {
		if !c.session.Admin {
			return nil, mxerror.Forbidden("You are not a server admin")
		}
		return h(c)
	}
}

// Context is the request's.
func (c AdminCall) Context() context.Context { return c.c.ctx }

// Session is who asks.
func (c AdminCall) Session() *accounts.Session { return c.c.session.Session }

// Param is a parameter of the path, unescaped, counted from 0.
func (c AdminCall) Param(i int) string { return c.c.params[i] }

// Params counts the parameters of the path.
func (c AdminCall) Params() int { return len(c.c.params) }

// Query holds the parameters behind the question mark.
func (c AdminCall) Query() url.Values { return c.c.query }

// Body reads the request's body, a JSON object, into dst; an empty body stands for {}.
func (c AdminCall) Body(dst any) error { return c.c.body(dst) }

// Number reads a parameter of the query that is a whole number, not negative.
func (c AdminCall) Number(name string, absent int64) (int64, error) {
	n, err := c.c.number(name, absent)
	if err == nil && n < 0 {
		return 0, mxerror.InvalidParam("Query parameter %s must be a positive integer.", name)
	}
	return n, err
}

// Truth reads a parameter of the query that is true or false; nil if it is not given.
func (c AdminCall) Truth(name string) (*bool, error) {
	v, given, err := c.c.truth(name)
	if err != nil || !given {
		return nil, err
	}
	return &v, nil
}

// Room finds the room of a parameter of the path.
func (c AdminCall) Room(i int) (store.RoomName, error) { return c.c.room(i) }

// Events shows events as the administrator's client sees them.
func (c AdminCall) Events(events []*event.Event) (jsontext.Value, error) {
	out, err := c.c.render().Events(c.c.ctx, nil, events)
	return jsontext.Value(out), err
}

// Created makes an answer have the status 201.
func Created(body any) any { return created{body} }

// adminRoutes are the endpoints for administrators that are those of users, but see everything.
func (a *API) adminRoutes() {
	const get, post = http.MethodGet, http.MethodPost
	for path, h := range map[string]handler{
		"/v1/rooms/{roomId}/messages": a.messages, "/v1/rooms/{roomId}/context/{eventId}": a.eventContext,
		"/v1/rooms/{roomId}/timestamp_to_event": a.timestampToEvent, "/v1/rooms/{roomId}/hierarchy": a.hierarchy,
	} {
		a.on(get, []string{AdminPrefix}, path, user, adminsOnly(func(c *call) (any, error) {
			c.all = true
			for name, absent := range map[string]string{"dir": "f"} {
				if c.query.Get(name) == "" {
					c.query.Set(name, absent)
				}
			}
			return h(c)
		}))
	}
	a.on(get, []string{AdminPrefix}, "/v1/whois/{userId}", user, adminsOnly(a.whois))
	a.on(post, []string{AdminPrefix}, "/v1/join/{roomIdOrAlias}", user, adminsOnly(a.adminJoin))
	a.on(get, []string{AdminPrefix}, "/v1/fetch_event/{eventId}", user, adminsOnly(a.fetchEvent))
}

// fetchEvent is GET /_synapse/admin/v1/fetch_event/{eventId}.
func (a *API) fetchEvent(c *call) (any, error) {
	e, err := a.o.Store.EventByID(c.ctx, c.params[0])
	if err != nil {
		return nil, notFoundOr(err, "There is no such event here.")
	}
	raw, err := c.render().Event(c.ctx, nil, e)
	return map[string]jsontext.Value{"event": raw}, err
}

// roomOpen refuses to let anybody into a room that administrators have blocked.
func (a *API) roomOpen(ctx context.Context, roomID, membership string) error {
	if membership == "leave" || membership == "ban" {
		return nil
	}
	by, err := a.o.Store.RoomBlocked(ctx, roomID)
	if err == nil && by != "" {
		return mxerror.Forbidden("This room has been blocked on this server")
	}
	return err
}
