package client

import (
	"encoding/json/jsontext"
	"net/http"
	"strconv"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/pushers"
	"github.com/landbridge-im/landbridge/homeserver/sync"
	"github.com/landbridge-im/landbridge/homeserver/unread"
)

// pusherRoutes mounts the endpoints of pushers and of past notifications.
func (a *API) pusherRoutes() {
	a.on(http.MethodGet, v3, "/pushers", user, a.getPushers)
	a.on(http.MethodPost, v3, "/pushers/set", user, a.setPusher)
	a.on(http.MethodPost, append([]string{"/_matrix/client/unstable/org.matrix.msc4174"}, v3...), "/pushers/ack", user, a.ackPusher)
	a.on(http.MethodGet, v3, "/notifications", user, a.notifications)
}

// getPushers is GET /pushers.
func (a *API) getPushers(c *call) (any, error) {
	list, err := a.o.Pushers.List(c.ctx, c.session.User)
	return map[string][]pushers.Pusher{"pushers": list}, err
}

// setPusher is POST /pushers/set.
func (a *API) setPusher(c *call) (any, error) {
	var q pushers.Request
	if err := c.body(&q); err != nil {
		return nil, err
	}
	activate, err := a.o.Pushers.Set(c.ctx, c.session.User, c.session.Device, q)
	if err == nil && activate {
		return created{object{}}, nil // MSC4174: "The pusher is set but needs to be activated"
	}
	return nil, err
}

// ackPusher is POST /pushers/ack of MSC4174.
func (a *API) ackPusher(c *call) (any, error) {
	var q struct {
		AppID string `json:"app_id"`
		Token string `json:"ack_token"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if q.AppID == "" || q.Token == "" {
		return nil, mxerror.MissingParam("app_id or ack_token is missing.")
	}
	return nil, a.o.Pushers.Activate(c.ctx, c.session.User, q.AppID, q.Token)
}

// Bounds of one page of notifications.
const (
	notificationsUsual = 50
	notificationsMax   = 200
)

// notification is one of the list of GET /notifications.
type notification struct {
	Actions []jsontext.Value `json:"actions"`
	Event   jsontext.Value   `json:"event"`
	// ProfileTag is that of the rule, and rules have none any more; old clients look for it.
	ProfileTag string `json:"profile_tag"`
	Read       bool   `json:"read"`
	RoomID     string `json:"room_id"`
	TS         int64  `json:"ts"`
}

// notifications is GET /notifications. The token is a position of the log.
func (a *API) notifications(c *call) (any, error) {
	limit, err := c.number("limit", notificationsUsual)
	if err != nil {
		return nil, err
	}
	if limit < 1 {
		return nil, mxerror.InvalidParam("limit must be 1 or more.")
	}
	q := unread.Query{Upto: a.o.Store.Position(), Limit: int(min(limit, notificationsMax)), Highlights: c.query.Get("only") == "highlight"}
	if s := c.query.Get("from"); s != "" {
		from, err := strconv.ParseInt(s, 10, 64)
		if err != nil || from < 0 {
			return nil, mxerror.InvalidParam("from is not a next_token of /notifications.")
		}
		q.Upto = min(from, q.Upto)
	}
	found, more, err := a.o.Unread.Notifications(c.ctx, c.session.User, c.session.UserID, q)
	if err != nil {
		return nil, err
	}
	out := struct {
		Next string         `json:"next_token,omitempty"`
		List []notification `json:"notifications"`
	}{List: make([]notification, len(found))}
	if more > 0 {
		out.Next = strconv.FormatInt(more, 10)
	}
	render := sync.Render{Store: a.o.Store, User: c.session.UserID, Scope: c.session.Scope(), Membership: true, NowMS: a.o.Now().UnixMilli()}
	for i, n := range found {
		raw, err := render.Event(c.ctx, nil, n.Event)
		if err != nil {
			return nil, err
		}
		out.List[i] = notification{Actions: n.Actions.List, Event: raw, Read: n.Read, RoomID: n.Event.InRoom, TS: n.Event.OriginServerTS}
	}
	return out, nil
}
