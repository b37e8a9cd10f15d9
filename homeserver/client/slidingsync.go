package client

import (
	"net/http"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/slidingsync"
)

func (a *API) slidingSyncRoutes() {
	a.on(http.MethodPost, []string{"/_matrix/client/unstable/org.matrix.simplified_msc3575"}, "/sync", user, a.slidingSync(false))
	a.on(http.MethodPost, []string{"/_matrix/client/v4"}, "/sync", user, a.slidingSync(true))
}

// slidingSync is POST /sync of MSC4186. The unstable endpoint takes some of it as query parameters.
func (a *API) slidingSync(stable bool) handler {
	return func(c *call) (any, error) {
		var q slidingsync.Request
		if err := c.body(&q); err != nil {
			return nil, err
		}
		q.UserID, q.User, q.DeviceID, q.Scope, q.Stable = c.session.UserID, c.session.User, c.session.DeviceID, c.session.Scope(), stable
		if pos := c.query.Get("pos"); pos != "" {
			q.Pos = pos
		}
		var err error
		if q.TimeoutMS, err = c.number("timeout", q.TimeoutMS); err != nil {
			return nil, err
		}
		q.Timeout = time.Duration(min(max(q.TimeoutMS, 0), a.settings.Load().SyncTimeout.Milliseconds())) * time.Millisecond
		if p := c.query.Get("set_presence"); p != "" {
			q.Presence = p
		}
		if q.Presence, err = setPresence(q.Presence); err != nil {
			return nil, err
		}
		out, err := a.o.Sliding.Serve(c.ctx, &q)
		a.echoes.wait(c.ctx, c.session.Scope())
		return out, err
	}
}
