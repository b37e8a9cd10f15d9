package client

import (
	"encoding/json/jsontext"
	"net/http"
	"strconv"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

func (a *API) delayedRoutes() {
	prefixes := []string{"/_matrix/client/v1", "/_matrix/client/unstable/org.matrix.msc4140"}
	a.on(http.MethodGet, prefixes, "/delayed_events", user, a.delayedEvents)
	a.on(http.MethodGet, prefixes, "/delayed_events/{delayId}", user, a.delayedEvent)
	// MSC4140: who knows the id may change the event, so that a service that watches over a call
	// can without being the user.
	a.on(http.MethodPost, prefixes, "/delayed_events/{delayId}", anyone, a.updateDelayed)
	for _, action := range []string{"cancel", "restart", "send"} {
		a.on(http.MethodPost, prefixes, "/delayed_events/{delayId}/"+action, anyone, func(c *call) (any, error) {
			return nil, a.changeDelayed(c, action)
		})
	}
}

// delay is the time, in milliseconds, by which a send is to be delayed; ok is false for one that is
// not.
func (c *call) delay() (ms int64, ok bool, err error) {
	for _, name := range [...]string{"org.matrix.msc4140.delay", "delay"} {
		if !c.query.Has(name) {
			continue
		}
		ms, err := strconv.ParseInt(c.query.Get(name), 10, 64)
		if err != nil || ms <= 0 {
			return 0, false, mxerror.InvalidParam("%s must be a whole number of milliseconds, greater than zero.", name)
		}
		return ms, true, nil
	}
	return 0, false, nil
}

// sendLater puts a proposal on the list of delayed events instead of sending it.
func (a *API) sendLater(c *call, r store.RoomName, p room.Proposal, delay int64) (any, error) {
	if err := c.limit(a.limits.Load().messages); err != nil {
		return nil, err
	}
	m, err := a.standing(c.ctx, r, c.session.UserID)
	if err != nil {
		return nil, err
	}
	if m.Membership != "join" {
		return nil, mxerror.Forbidden("You are not in this room.")
	}
	if len(p.Type) > event.MaxFieldSize || p.StateKey != nil && len(*p.StateKey) > event.MaxFieldSize || len(p.Content) > event.MaxSize {
		return nil, mxerror.TooLarge("The event is too large.")
	}
	content := p.Content.Clone()
	if err := content.Compact(jsontext.AllowDuplicateNames(true)); err != nil {
		return nil, mxerror.BadJSON("The content is not valid UTF-8.").Because(err)
	}
	id, err := a.o.Delayed.Schedule(c.ctx, store.Delayed{User: c.session.User, Room: r.NID, Type: p.Type, StateKey: p.StateKey,
		Content: string(content), Delay: delay, TxnScope: p.TxnScope, Txn: p.Txn})
	if err != nil {
		return nil, err
	}
	return map[string]string{"delay_id": id}, nil
}

// delayedPage is how many events one answer lists.
const delayedPage = 100

// delayedEvents is GET /delayed_events: the caller's own, those still to be sent unless status asks
// for those that have ended ("finalised").
func (a *API) delayedEvents(c *call) (any, error) {
	ended := false
	switch c.query.Get("status") {
	case "", "scheduled":
	case "finalised":
		ended = true
	default:
		return nil, mxerror.InvalidParam("status must be \"scheduled\" or \"finalised\".")
	}
	after, id := int64(0), ""
	if from := c.query.Get("from"); from != "" {
		due, rest, ok := strings.Cut(from, "_")
		n, err := strconv.ParseInt(due, 10, 64)
		if !ok || err != nil {
			return nil, mxerror.InvalidParam("from is not a token of this server.")
		}
		after, id = n, rest
	}
	list, err := a.o.Store.DelayedOf(c.ctx, c.session.User, ended, after, id, delayedPage+1)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	if len(list) > delayedPage {
		list = list[:delayedPage]
		last := list[delayedPage-1]
		out["next_batch"] = strconv.FormatInt(last.DueTS, 10) + "_" + last.ID
	}
	events := []map[string]any{}
	for _, d := range list {
		e, err := a.delayedView(c, d)
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	out["delayed_events"] = events
	return out, nil
}

// delayedEvent is GET /delayed_events/{delayId}.
func (a *API) delayedEvent(c *call) (any, error) {
	d, err := a.o.Store.Delayed(c.ctx, c.params[0])
	if err != nil || d.User != c.session.User {
		return nil, mxerror.NotFound("No such event is scheduled.")
	}
	return a.delayedView(c, d)
}

// delayedView is a delayed event as its owner sees it.
func (a *API) delayedView(c *call, d store.Delayed) (map[string]any, error) {
	r, err := a.o.Store.RoomByNID(c.ctx, d.Room)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"delay_id": d.ID, "room_id": r.ID, "type": d.Type, "delay": d.Delay, "running_since": d.StartedTS,
		"content": jsontext.Value(d.Content)}
	if d.StateKey != nil {
		out["state_key"] = *d.StateKey
	}
	if d.State != store.DelayedScheduled {
		out["outcome"], out["finalised_ts"] = d.State, d.EndedTS
		if d.EventID != "" {
			out["event_id"] = d.EventID
		}
		if d.Error != "" {
			out["error"] = map[string]string{"errcode": "M_FORBIDDEN", "error": d.Error}
		}
	}
	return out, nil
}

// updateDelayed is POST /delayed_events/{delayId} with the action in the body.
func (a *API) updateDelayed(c *call) (any, error) {
	raw, err := c.rawBody()
	if err != nil {
		return nil, err
	}
	var q struct {
		Action string `json:"action"`
	}
	if err := parse(raw, &q); err != nil {
		return nil, err
	}
	if q.Action == "" {
		return nil, mxerror.MissingParam("action is missing.")
	}
	return nil, a.changeDelayed(c, q.Action)
}

func (a *API) changeDelayed(c *call, action string) error {
	switch action {
	case "cancel":
		return a.o.Delayed.Cancel(c.ctx, c.params[0])
	case "restart":
		return a.o.Delayed.Restart(c.ctx, c.params[0])
	case "send":
		return a.o.Delayed.Send(c.ctx, c.params[0])
	}
	return mxerror.InvalidParam("action must be \"cancel\", \"restart\" or \"send\".")
}
