package client

import (
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/sync"
)

// sync is GET /sync. The answer is written as it is made, room by room.
func (a *API) sync(c *call) error {
	q := sync.Request{UserID: c.session.UserID, User: c.session.User, DeviceID: c.session.DeviceID, Scope: c.session.Scope()}
	var err error
	if since := c.query.Get("since"); since == "" {
		q.Initial = true
	} else if q.Since, err = sync.ParseToken(since); err != nil {
		return err
	}
	ms, err := c.number("timeout", 0)
	if err != nil {
		return err
	}
	longest := a.settings.Load().SyncTimeout
	q.Timeout = time.Duration(min(max(ms, 0), longest.Milliseconds())) * time.Millisecond
	q.FullState = c.query.Get("full_state") == "true"
	if c.query.Get("use_state_after") == "true" {
		q.StateAfter = "state_after"
	} else if c.query.Get("org.matrix.msc4222.use_state_after") == "true" {
		q.StateAfter = "org.matrix.msc4222.state_after"
	}
	if q.Presence, err = setPresence(c.query.Get("set_presence")); err != nil {
		return err
	}
	if f := c.query.Get("filter"); f != "" {
		if !strings.HasPrefix(f, "{") {
			if f, err = a.filterByID(c, f); err != nil {
				if mxerror.Is(err, "M_NOT_FOUND") {
					err = mxerror.InvalidParam("There is no such filter.")
				}
				return err
			}
		}
		if q.Filter, err = sync.ParseFilter([]byte(f)); err != nil {
			return err
		}
	}
	w := &lazyWriter{c: c}
	if _, err = a.o.Sync.Serve(c.ctx, q, w); err != nil && w.begun {
		// Half an answer must not look like a whole one.
		a.o.Log.ErrorContext(c.ctx, "sync broke off", "err", err)
		panic(http.ErrAbortHandler)
	}
	return err
}

// setPresence checks the value of set_presence.
func setPresence(s string) (string, error) {
	switch s {
	case "", "online", "offline", "unavailable":
		return s, nil
	}
	return "", mxerror.InvalidParam("set_presence must be offline, online or unavailable, not %q.", clip(s))
}

// lazyWriter sends the header with the first byte, so that an error until then can still be told.
type lazyWriter struct {
	c     *call
	begun bool
}

var _ io.Writer = (*lazyWriter)(nil)

func (w *lazyWriter) Write(p []byte) (int, error) {
	if !w.begun {
		w.begun = true
		w.c.api.echoes.wait(w.c.ctx, w.c.session.Scope())
		h := w.c.w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", "no-store")
	}
	return w.c.w.Write(p)
}
