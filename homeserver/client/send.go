package client

import (
	"encoding/json/jsontext"
	"encoding/json/v2"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/room"
)

type eventIDReply struct {
	EventID string `json:"event_id"`
}

// sendEvent is PUT /rooms/{roomId}/send/{eventType}/{txnId}.
func (a *API) sendEvent(c *call) (any, error) {
	r, err := c.room(0)
	if err != nil {
		return nil, err
	}
	content, err := c.object()
	if err != nil {
		return nil, err
	}
	ts, err := c.ts()
	if err != nil {
		return nil, err
	}
	typ, txn := c.params[1], c.params[2]
	p := room.Proposal{Sender: c.session.UserID, Type: typ, Content: content, TS: ts}
	if typ == "m.room.redaction" {
		// MSC4169: redactions may be sent as events, with redacts in the content.
		p.Redacts = gjson.GetBytes(content, "redacts").Str
		if p.Redacts == "" {
			return nil, mxerror.BadJSON("A redaction needs the event that it redacts, in content.redacts.")
		}
	}
	defer c.active()
	p.TxnScope, p.Txn = c.session.Scope(), event.TxnKey(typ, txn)
	return a.propose(c, r.NID, p)
}

// redact is PUT /rooms/{roomId}/redact/{eventId}/{txnId}.
func (a *API) redact(c *call) (any, error) {
	r, err := c.room(0)
	if err != nil {
		return nil, err
	}
	var q struct {
		Reason *string `json:"reason"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	target := c.params[1]
	content := map[string]string{}
	if q.Reason != nil {
		content["reason"] = *q.Reason
	}
	if r.Version.RedactsInContent() {
		content["redacts"] = target
	}
	raw, err := json.Marshal(content, json.Deterministic(true))
	if err != nil {
		return nil, err
	}
	ts, err := c.ts()
	if err != nil {
		return nil, err
	}
	return a.propose(c, r.NID, room.Proposal{Sender: c.session.UserID, Type: "m.room.redaction", Content: raw, Redacts: target, TS: ts,
		TxnScope: c.session.Scope(), Txn: event.TxnKey("redact "+target, c.params[2])})
}

// setState is PUT /rooms/{roomId}/state/{eventType}/{stateKey}.
func (a *API) setState(c *call) (any, error) {
	r, err := c.room(0)
	if err != nil {
		return nil, err
	}
	content, err := c.object()
	if err != nil {
		return nil, err
	}
	ts, err := c.ts()
	if err != nil {
		return nil, err
	}
	typ, key := c.params[1], ""
	if len(c.params) > 2 {
		key = c.params[2]
	}
	if err := a.checkState(c, r.NID, typ, key, content); err != nil {
		return nil, err
	}
	return a.propose(c, r.NID, room.Proposal{Sender: c.session.UserID, Type: typ, StateKey: &key, Content: content, TS: ts})
}

func (a *API) propose(c *call, nid int64, p room.Proposal) (any, error) {
	if err := c.limit(a.limits.Load().messages); err != nil {
		return nil, err
	}
	e, err := a.o.Rooms.Send(c.ctx, nid, p)
	if err != nil {
		return nil, err
	}
	return eventIDReply{e.ID}, nil
}

// checkState refuses state that this server can tell to be wrong.
func (a *API) checkState(c *call, nid int64, typ, key string, content jsontext.Value) error {
	switch typ {
	case "m.room.create":
		return mxerror.Forbidden("A room is created once.")
	case "m.room.canonical_alias":
		if key == "" {
			return a.checkCanonicalAlias(c, nid, content)
		}
	case "m.room.member":
		if checkUserID(key) != nil {
			return mxerror.InvalidParam("The state key of a membership must be a user id.")
		}
	}
	return nil
}
