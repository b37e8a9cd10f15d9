package client

import (
	"context"
	"encoding/json/jsontext"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// pingService is POST /v1/appservice/{appserviceId}/ping.
func (a *API) pingService(c *call) (any, error) {
	var q struct {
		Txn string `json:"transaction_id"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if c.session.Service == nil || c.session.Service.ID != c.params[0] {
		return nil, mxerror.Forbidden("Only the application service itself may ask for this.")
	}
	d, err := a.o.Services.Ping(c.ctx, c.session.Service, q.Txn)
	if err != nil {
		return nil, err
	}
	return map[string]int64{"duration_ms": d.Milliseconds()}, nil
}

// batchMax bounds the events of one import.
const batchMax = 10000

// batchSend is POST .../com.beeper.backfill/rooms/{roomId}/batch_send: a bridge brings in history,
// with the people and times of then. The answer has the real ids, in the same order. Those that the bridge
// made up it may go on to use (realname.go), and a request that is made once more brings nothing in twice.
func (a *API) batchSend(c *call) (any, error) {
	r, err := c.room(0)
	if err != nil {
		return nil, err
	}
	var q struct {
		Forward bool `json:"forward"`
		// ForwardIfEmpty asks for forward unless somebody has said something already.
		ForwardIfEmpty bool `json:"forward_if_no_messages"`
		// Notify has what goes forward be unread.
		Notify bool   `json:"send_notification"`
		ReadBy string `json:"mark_read_by"`
		Events []struct {
			ID       string         `json:"event_id"`
			Sender   string         `json:"sender"`
			Type     string         `json:"type"`
			StateKey *string        `json:"state_key"`
			TS       int64          `json:"origin_server_ts"`
			Content  jsontext.Value `json:"content"`
		} `json:"events"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if c.session.Service == nil {
		return nil, mxerror.Forbidden("Only application services may bring in history.")
	}
	if m, err := a.standing(c.ctx, r, c.session.UserID); err != nil {
		return nil, err
	} else if m.Membership != "join" {
		return nil, mxerror.Forbidden("You are not in this room.")
	}
	if len(q.Events) > batchMax {
		return nil, mxerror.TooLarge("One import can have at most %d events.", batchMax)
	}
	past := make([]room.Past, len(q.Events))
	for i, e := range q.Events {
		switch {
		case e.StateKey != nil:
			return nil, mxerror.BadJSON("events[%d] is a state event; history has none.", i)
		case len(e.ID) > nameMax:
			return nil, mxerror.BadJSON("events[%d] has an event_id of more than %d bytes.", i, nameMax)
		case !a.owns(c.session.Service, e.Sender) && !a.puppeted(c.ctx, e.Sender):
			return nil, mxerror.New(403, "M_EXCLUSIVE", "events[%d]: %s is outside of this application service's namespaces.", i, clip(e.Sender))
		case e.Type == "" || e.Content.Kind() != '{' || e.TS <= 0:
			return nil, mxerror.BadJSON("events[%d] needs a type, a content and an origin_server_ts.", i)
		case e.Type == "m.room.redaction":
			return nil, mxerror.BadJSON("events[%d]: leave out what was redacted instead of redacting it.", i)
		}
		past[i] = room.Past{Sender: e.Sender, Type: e.Type, Content: e.Content, TS: e.TS, Name: e.ID}
	}
	events, err := a.o.Rooms.Import(c.ctx, r.NID, past, room.Direction{Forward: q.Forward, ForwardIfQuiet: q.ForwardIfEmpty, News: q.Notify, Service: c.session.Service.ID})
	if err != nil {
		return nil, err
	}
	if err := a.readHistory(c, r, q.ReadBy, events); err != nil {
		return nil, err
	}
	ids := make([]string, len(events))
	for i, e := range events {
		ids[i] = e.ID
	}
	return map[string][]string{"event_ids": ids}, nil
}

// DeleteRoomsWith says how a room is deleted. It is called before the first request.
func (a *API) DeleteRoomsWith(do func(ctx context.Context, r store.RoomName) error) {
	a.deleteRoom = do
}

// deletePortal is POST .../com.beeper.yeet/rooms/{roomId}/delete: a bridge gives up a room. One that it has made
// is deleted. From one that was there before, and that it was only connected to, its own users leave: the room
// is other people's.
func (a *API) deletePortal(c *call) (any, error) {
	if c.session.Service == nil {
		return nil, mxerror.Forbidden("Only application services may delete their rooms.")
	}
	r, err := c.room(0)
	if err != nil {
		return nil, err
	}
	if m, err := a.standing(c.ctx, r, c.session.UserID); err != nil {
		return nil, err
	} else if m.Membership != "join" {
		return nil, mxerror.Forbidden("You are not in this room.")
	}
	root, err := a.o.Store.RootAt(c.ctx, r.NID, a.o.Store.Position())
	if err != nil {
		return nil, err
	}
	create, err := a.o.Store.StateEvent(c.ctx, root, "m.room.create", "")
	if err != nil {
		return nil, err
	}
	if a.owns(c.session.Service, string(create.Sender)) {
		return nil, a.deleteRoom(c.ctx, r)
	}
	members, err := a.o.Store.MembersOf(c.ctx, r.NID)
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		id, err := a.o.Store.UserID(c.ctx, m.User)
		if err != nil {
			return nil, err
		}
		if m.Membership != "join" && m.Membership != "invite" || !a.owns(c.session.Service, id) {
			continue
		}
		_, err = a.o.Rooms.Send(c.ctx, r.NID, room.Proposal{Sender: id, Type: "m.room.member", StateKey: &id, Content: jsontext.Value(`{"membership":"leave"}`)})
		if err != nil {
			return nil, err
		}
	}
	return nil, nil
}
