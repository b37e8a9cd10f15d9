package client

import (
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"net/http"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

func (a *API) reportRoutes() {
	a.on(http.MethodPost, v3, "/rooms/{roomId}/report", user, a.reportRoom)
	a.on(http.MethodPost, v3, "/rooms/{roomId}/report/{eventId}", user, a.reportEvent)
	a.on(http.MethodPost, v3, "/users/{userId}/report", user, a.reportUser)
}

// reasonMax bounds the reason of a report, in bytes.
const reasonMax = 16 << 10

// reportRate is how often one user may report something, where rates are limited at all.
var reportRate = Rate{PerSecond: 0.2, Burst: 20}

// complaint reads the body of a report.
func (c *call) complaint(needed bool) (store.Report, error) {
	p := store.Report{Reporter: c.session.User, CreatedTS: c.api.o.Now().UnixMilli()}
	if err := c.limit(c.api.limits.Load().reports); err != nil {
		return p, err
	}
	var q struct {
		Reason *string        `json:"reason"`
		Score  jsontext.Value `json:"score"`
	}
	if err := c.body(&q); err != nil {
		return p, err
	}
	if q.Reason != nil {
		p.Reason = *q.Reason
	} else if needed {
		return p, mxerror.MissingParam("reason is missing; it may be empty.")
	}
	if len(p.Reason) > reasonMax {
		return p, mxerror.TooLarge("A reason can have at most %d bytes.", reasonMax)
	}
	if q.Score != nil && q.Score.Kind() != 'n' {
		// Removed from the specification; clients from before send it.
		if err := json.Unmarshal(q.Score, &p.Score); err != nil {
			return p, mxerror.BadJSON("score must be a whole number.")
		}
	}
	return p, nil
}

func (a *API) file(c *call, p store.Report) error {
	return a.o.Store.Write(c.ctx, func(t *store.Tx) error { return t.AddReport(p) })
}

// reportRoom is POST /rooms/{roomId}/report: "servers MUST NOT restrict room reports based on
// whether or not the reporting user is joined to the room."
func (a *API) reportRoom(c *call) (any, error) {
	p, err := c.complaint(true)
	if err != nil {
		return nil, err
	}
	r, err := c.room(0)
	if err != nil {
		return nil, err
	}
	p.Kind, p.Room = store.ReportRoom, r.NID
	return nil, a.file(c, p)
}

// reportEvent is POST /rooms/{roomId}/report/{eventId}: "servers MUST verify that the reporting
// user is currently joined to the room the event is in before accepting a report." Whether there is
// such a room or event is told to nobody else: the answer is the same for all three.
func (a *API) reportEvent(c *call) (any, error) {
	p, err := c.complaint(false)
	if err != nil {
		return nil, err
	}
	missing := mxerror.NotFound("The event was not found, or you are not in its room.")
	r, err := c.room(0)
	if mxerror.Is(err, "M_NOT_FOUND") {
		return nil, missing
	} else if err != nil {
		return nil, err
	}
	m, err := a.standing(c.ctx, r, c.session.UserID)
	if err != nil {
		return nil, err
	}
	if m.Membership != "join" {
		return nil, missing
	}
	e, _, err := a.visibleEvent(c, r, c.params[1])
	if mxerror.Is(err, "M_NOT_FOUND") {
		return nil, missing
	} else if err != nil {
		return nil, err
	}
	p.Kind, p.Room, p.Event, p.User = store.ReportEvent, r.NID, e.NID, e.Author
	return nil, a.file(c, p)
}

// reportUser is POST /users/{userId}/report. The answer is the same whether there is such a user:
// "Homeservers that wish to conceal this information MAY return 200 responses regardless of the
// existence of the reported user."
func (a *API) reportUser(c *call) (any, error) {
	if err := checkUserID(c.params[0]); err != nil {
		return nil, err
	}
	p, err := c.complaint(true)
	if err != nil {
		return nil, err
	}
	p.User, err = a.o.Store.UserNID(c.ctx, c.params[0])
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	p.Kind = store.ReportUser
	return nil, a.file(c, p)
}
