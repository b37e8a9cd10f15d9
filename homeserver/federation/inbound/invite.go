package inbound

import (
	"encoding/json/jsontext"
	"encoding/json/v2"
	"net/http"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/invitefilter"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// inviteStateMax bounds what is told of a room with an invitation.
const inviteStateMax = 100

// inviteV2 is PUT /v2/invite/{roomId}/{eventId}.
func (a *API) inviteV2(c *call) (any, error) {
	var q struct {
		Version string           `json:"room_version"`
		Event   jsontext.Value   `json:"event"`
		State   []jsontext.Value `json:"invite_room_state"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if q.Version == "" || q.Event == nil {
		return nil, mxerror.MissingParam("room_version and event are needed.")
	}
	raw, err := a.invite(c, event.Version(q.Version), q.Event, q.State)
	return object{"event": raw}, err
}

// inviteV1 is PUT /v1/invite/{roomId}/{eventId}: the body is the event, and its room's version "1" or
// "2", which this server does not speak; unless the room is known here to have another one.
func (a *API) inviteV1(c *call) (any, error) {
	v := event.Version("1")
	if c.room.NID != 0 {
		v = c.room.Version
	}
	var state []jsontext.Value
	if list := gjson.GetBytes(c.raw, "unsigned.invite_room_state"); list.IsArray() {
		for _, e := range list.Array() {
			state = append(state, jsontext.Value(e.Raw))
		}
	}
	raw, err := a.invite(c, v, c.raw, state)
	return []any{http.StatusOK, object{"event": raw}}, err
}

// mayInvite refuses invitations of those who don't want them, or aren't there.
func (a *API) mayInvite(c *call, e *event.Event) error {
	nid, err := a.account(c, *e.StateKey)
	if mxerror.Is(err, "M_NOT_FOUND") && c.room.NID != 0 {
		// In a room that is shared anyway the invitation is the room's affair.
		if in, look := a.o.Store.ServerInRoom(c.ctx, c.room.NID, a.o.Server); look != nil || in {
			return look
		}
	}
	if err != nil {
		return err
	}
	account, err := a.o.Store.Account(c.ctx, nid)
	if err != nil {
		return err
	}
	if account.DeactivatedTS != 0 {
		return mxerror.Forbidden("%s is no longer there.", clip(*e.StateKey))
	}
	filter, err := invitefilter.Load(c.ctx, a.o.Store, nid)
	if err != nil {
		return err
	}
	if filter.Judge(string(e.Sender)) == invitefilter.Block {
		return mxerror.New(http.StatusForbidden, "M_INVITE_BLOCKED", "%s does not want this invitation.", clip(*e.StateKey))
	}
	return nil
}

// invite signs an invitation of one of our users, and tells the user of it if nobody here is in the
// room; otherwise it comes with a transaction too.
func (a *API) invite(c *call, v event.Version, raw jsontext.Value, state []jsontext.Value) (jsontext.Value, error) {
	if !event.Supported(v) || c.room.NID != 0 && c.room.Version != v {
		return nil, mxerror.New(http.StatusBadRequest, "M_INCOMPATIBLE_ROOM_VERSION", "This server can't be in rooms of version %s.", clip(string(v))).
			With("room_version", string(v))
	}
	roomID := c.params[0]
	if len(roomID) > event.MaxFieldSize || len(roomID) < 2 || roomID[0] != '!' {
		return nil, invalid("%s is not a room id.", clip(roomID))
	}
	e, err := a.membershipEvent(c, raw, roomID, v, "invite")
	if err != nil {
		return nil, err
	}
	if store.ServerOf(*e.StateKey) != a.o.Server {
		return nil, invalid("%s is not a user of this server.", clip(*e.StateKey))
	}
	if err := a.mayInvite(c, e); err != nil {
		return nil, err
	}
	stripped, err := a.inviteState(c, e, state)
	if err != nil {
		return nil, err
	}
	e.PDU = e.PDU.Clone()
	if err := a.o.Signer.Sign(e.PDU, v); err != nil {
		return nil, err
	}
	signed, err := e.JSON()
	if err != nil {
		return nil, err
	}
	name, err := a.o.Rooms.NameRoom(c.ctx, roomID, v)
	if err != nil {
		return nil, err
	}
	in, err := a.o.Store.ServerInRoom(c.ctx, name.NID, a.o.Server)
	if err != nil {
		return nil, err
	}
	if in {
		return signed, nil
	}
	if _, err := a.o.Rooms.Number(c.ctx, name.NID, e); err != nil {
		return nil, err
	}
	_, err = a.o.Rooms.ReceiveMembership(c.ctx, name.NID, room.Received{Event: e, Raw: signed, Stripped: stripped})
	return signed, err
}

// inviteState checks what is told of a room, and makes it the stripped form that clients see.
// Specification: "The invite_room_state has additional validation, which servers MAY apply to room
// versions 1 through 11 and SHOULD apply to all other room versions": the create event is there, all
// are formatted according to the room's version, signed, and of the room.
func (a *API) inviteState(c *call, invite *event.Event, state []jsontext.Value) ([]byte, error) {
	if len(state) > inviteStateMax {
		return nil, invalid("invite_room_state has more than %d events.", inviteStateMax)
	}
	strict := invite.Version.RoomIDIsCreateEventID()
	created := false
	out := []jsontext.Value{}
	for _, raw := range state {
		if len(raw) > 2*event.MaxSize || raw.Kind() != '{' {
			return nil, invalid("invite_room_state has something that is not an event.")
		}
		if strict {
			e, err := parsePDU(raw, invite.InRoom, invite.Version)
			if err != nil {
				return nil, invalid("An event of invite_room_state is not acceptable: %s.", err)
			}
			if err := a.o.Keys.VerifyEvent(c.ctx, e.Version, e.PDU, store.ServerOf(string(e.Sender))); err != nil {
				return nil, invalid("The signature of an event of invite_room_state could not be verified.").Because(err)
			}
			created = created || e.Is("m.room.create", "")
		}
		var x struct {
			Type     string         `json:"type"`
			Sender   string         `json:"sender"`
			StateKey *string        `json:"state_key"`
			Content  jsontext.Value `json:"content"`
			TS       int64          `json:"origin_server_ts,omitzero"`
			ID       string         `json:"event_id,omitzero"`
			Room     string         `json:"room_id,omitzero"`
		}
		if err := json.Unmarshal(raw, &x); err != nil || x.Type == "" || x.StateKey == nil || x.Content.Kind() != '{' {
			if strict {
				return nil, invalid("invite_room_state has something that is not a state event.")
			}
			continue
		}
		x.ID, x.Room = "", ""
		if x.Type != "m.room.create" {
			x.TS = 0 // the create event is told whole, so that clients know who made the room (MSC4311)
		} else if e, err := parsePDU(raw, invite.InRoom, invite.Version); err == nil {
			x.ID, x.Room = e.ID, e.InRoom
		} else {
			x.TS = 0
		}
		one, err := json.Marshal(x, json.Deterministic(true))
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	// Servers that tell nothing at all are older than the rule; nothing wrong can be shown of them.
	if strict && !created && len(state) > 0 {
		return nil, invalid("invite_room_state has no m.room.create event.")
	}
	return json.Marshal(out)
}
