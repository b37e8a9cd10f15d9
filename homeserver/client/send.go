package client

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"slices"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

type eventIDReply struct {
	EventID string `json:"event_id"`
}

// sendEvent is PUT /rooms/{roomId}/send/{eventType}/{txnId}, and the form of old clients, POST without
// a transaction id.
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
	typ, txn := c.params[1], ""
	if len(c.params) > 2 {
		txn = c.params[2]
	}
	p := room.Proposal{Sender: c.session.UserID, Type: typ, Content: content, TS: ts}
	if typ == "m.room.redaction" {
		// MSC4169: redactions may be sent as events, with redacts in the content.
		p.Redacts = gjson.GetBytes(content, "redacts").Str
		if p.Redacts == "" {
			return nil, mxerror.BadJSON("A redaction needs the event that it redacts, in content.redacts.")
		}
		if !r.Version.RedactsInContent() {
			// "In rooms with a version older than 11 they MUST move the redacts property inside the
			// content to the top level of the event."
			if p.Content, err = sjson.DeleteBytes(content, "redacts"); err != nil {
				return nil, mxerror.BadJSON("The content is not valid.").Because(err)
			}
		}
		p.ByAdmin = c.session.Admin
	}
	defer c.active()
	if txn != "" {
		p.TxnScope, p.Txn = c.session.Scope(), event.TxnKey(typ, txn)
	}
	if delay, later, err := c.delay(); err != nil {
		return nil, err
	} else if later {
		if p.Redacts != "" {
			return nil, mxerror.InvalidParam("A redaction can't be delayed.")
		}
		return a.sendLater(c, r, p, delay)
	}
	return a.propose(c, r.NID, p)
}

// redact is PUT /rooms/{roomId}/redact/{eventId}/{txnId}, and the form of old clients, POST without
// a transaction id.
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
	p := room.Proposal{Sender: c.session.UserID, Type: "m.room.redaction", Content: raw, Redacts: target, TS: ts, ByAdmin: c.session.Admin}
	if len(c.params) > 2 {
		p.TxnScope, p.Txn = c.session.Scope(), event.TxnKey("redact "+target, c.params[2])
	}
	return a.propose(c, r.NID, p)
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
	p := room.Proposal{Sender: c.session.UserID, Type: typ, StateKey: &key, Content: content, TS: ts}
	if delay, later, err := c.delay(); err != nil {
		return nil, err
	} else if later {
		return a.sendLater(c, r, p, delay)
	}
	out, err := a.propose(c, r.NID, p)
	if err != nil {
		return nil, err
	}
	return out, a.afterState(c, r, typ, key, content)
}

// afterState does what follows from state that was set.
func (a *API) afterState(c *call, r store.RoomName, typ, key string, content jsontext.Value) error {
	switch {
	case typ == "m.room.tombstone" && key == "":
		fresh, err := a.o.Store.RoomByID(c.ctx, gjson.GetBytes(content, "replacement_room").Str)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		return a.replaced(c.ctx, r, fresh)
	case typ == "m.room.member" && key == c.session.UserID && gjson.GetBytes(content, "membership").Str == "join":
		return a.settleIn(c.ctx, c.session, r)
	}
	return nil
}

func (a *API) propose(c *call, nid int64, p room.Proposal) (any, error) {
	if err := c.limit(a.limits.Load().messages); err != nil {
		return nil, err
	}
	if c.session.ShadowBanned {
		return eventIDReply{madeUpEventID()}, nil
	}
	if err := a.realNames(c, nid, &p); err != nil {
		return nil, err
	}
	c.sends()
	e, err := a.o.Rooms.Send(c.ctx, nid, p)
	if err != nil {
		return nil, err
	}
	if p.Type == "m.room.guest_access" {
		if err := a.o.Guests.SendAway(context.WithoutCancel(c.ctx), nid); err != nil {
			return nil, err
		}
	}
	return eventIDReply{e.ID}, nil
}

// madeUpEventID is what a shadow-banned user is answered with: the id of no event.
func madeUpEventID() string {
	buf := make([]byte, 32)
	rand.Read(buf) // never fails
	return "$" + base64.RawURLEncoding.EncodeToString(buf)
}

// checkState refuses state that this server can tell to be wrong.
func (a *API) checkState(c *call, nid int64, typ, key string, content jsontext.Value) error {
	switch typ {
	case "m.room.create":
		return mxerror.InvalidParam("A room is created once.")
	case "m.room.canonical_alias":
		if key == "" {
			return a.checkCanonicalAlias(c, nid, content)
		}
	case "m.room.power_levels":
		if key == "" {
			return a.checkLevels(c, nid, content)
		}
	case "m.room.member":
		if checkUserID(key) != nil {
			return mxerror.InvalidParam("The state key of a membership must be a user id.")
		}
		if err := c.knows(nid, key); err != nil {
			return err
		}
		return a.checkMember(c, nid, key, content)
	}
	return nil
}

// checkLevels refuses power levels that name a creator: room version 12: "If the users property in
// content contains the sender of the m.room.create event or any of the additional_creators array
// ..., reject."
func (a *API) checkLevels(c *call, nid int64, content jsontext.Value) error {
	r, err := a.o.Store.RoomByNID(c.ctx, nid)
	if err != nil || !r.Version.PrivilegedRoomCreators() {
		return err
	}
	if m, err := a.standing(c.ctx, r, c.session.UserID); err != nil || m.Membership != "join" {
		return err // somebody outside is not told who made the room
	}
	row, err := a.o.Store.LoadRoom(c.ctx, nid)
	if err != nil {
		return err
	}
	create, err := a.o.Store.StateEvent(c.ctx, row.Root, "m.room.create", "")
	if err != nil {
		return err
	}
	creators := room.Creators(create)
	var named error
	gjson.GetBytes(content, "users").ForEach(func(k, _ gjson.Result) bool {
		if slices.Contains(creators, k.Str) {
			named = mxerror.InvalidParam("%s is a creator of this room and has power without being named in users.", clip(k.Str))
		}
		return named == nil
	})
	return named
}

// checkMember applies to memberships that are set as state what the endpoints for them do.
func (a *API) checkMember(c *call, nid int64, user string, content jsontext.Value) error {
	membership := gjson.GetBytes(content, "membership").Str
	if membership == "join" || membership == "invite" || membership == "knock" {
		r, err := a.o.Store.RoomByNID(c.ctx, nid)
		if err != nil {
			return err
		}
		if err := a.roomOpen(c.ctx, r.ID, membership); err != nil {
			return err
		}
	}
	switch membership {
	case "invite":
		if err := c.limit(a.limits.Load().invites); err != nil {
			return err
		}
		return a.mayInvite(c, user)
	case "ban", "knock":
	case "join":
		r, err := a.o.Store.RoomByNID(c.ctx, nid)
		if err != nil {
			return err
		}
		return a.guestMayJoin(c, r)
	case "leave":
		if user == c.session.UserID {
			return a.mayLeave(c.ctx, c.session.User, nid)
		}
	default:
		return mxerror.BadJSON("membership must be invite, join, knock, leave or ban.")
	}
	return nil
}
