package inbound

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"net/http"
	"time"

	"github.com/tidwall/gjson"
	"maunium.net/go/mautrix/federation/pdu"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Notices of identity servers are anybody's to send: so many are worked on at once, with so many invitations
// each, and none for longer than bindTime.
const (
	bindsMax       = 4
	bindInvitesMax = 50
	bindTime       = 30 * time.Second
)

// thirdPartyEvent is the partial m.room.member event of an exchange.
type thirdPartyEvent struct {
	Type     string            `json:"type"`
	Room     string            `json:"room_id"`
	Sender   string            `json:"sender"`
	StateKey *string           `json:"state_key"`
	Content  thirdPartyContent `json:"content"`
}

type thirdPartyContent struct {
	Membership string           `json:"membership"`
	Invite     thirdPartyInvite `json:"third_party_invite"`
}

// thirdPartyInvite is what an identity server has signed: that an address which was invited is somebody's.
type thirdPartyInvite struct {
	DisplayName string         `json:"display_name"`
	Signed      jsontext.Value `json:"signed"`
}

// exchangeThirdPartyInvite is PUT /exchange_third_party_invite/{roomId}: "The receiving server will verify the
// partial m.room.member event given in the request body. If valid, the receiving server will issue an invite
// as per the Inviting to a room section before returning a response to this request."
func (a *API) exchangeThirdPartyInvite(c *call) (any, error) {
	var q thirdPartyEvent
	if err := c.body(&q); err != nil {
		return nil, err
	}
	switch {
	case q.Room != c.room.ID:
		return nil, invalid("The event is of another room.")
	case q.Type != "m.room.member" || q.StateKey == nil || q.Content.Membership != "invite" || gjson.GetBytes(q.Content.Invite.Signed, "token").Type != gjson.String:
		return nil, invalid("The event is not an invitation by a third party.")
	}
	if err := a.resident(c); err != nil {
		return nil, err
	}
	return nil, a.fulfil(c, c.room, q.Sender, *q.StateKey, q.Content.Invite.Signed)
}

// fulfil makes an invitation out of one by a third party that a user of this server has made. The rules say
// whether the invited user is who was meant.
func (a *API) fulfil(c *call, name store.RoomName, sender, user string, signed jsontext.Value) error {
	if len(sender) > event.MaxFieldSize || len(user) > event.MaxFieldSize || store.ServerOf(user) == "" || user[0] != '@' {
		return invalid("%s is not a user id.", clip(user))
	}
	if store.ServerOf(sender) != a.o.Server {
		return mxerror.Forbidden("The invitation was not made by a user of this server.")
	}
	row, err := a.o.Store.LoadRoom(c.ctx, name.NID)
	if err != nil {
		return err
	}
	third, err := a.o.Store.StateEvent(c.ctx, row.Root, "m.room.third_party_invite", gjson.GetBytes(signed, "token").Str)
	if errors.Is(err, store.ErrNotFound) {
		return mxerror.Forbidden("The room has no such invitation by a third party.")
	} else if err != nil {
		return err
	}
	// Whoever is invited already, or came by another way, must not be put back.
	member, err := a.o.Store.StateEvent(c.ctx, row.Root, "m.room.member", user)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err == nil && (member.Membership() == "join" || member.Membership() == "invite") {
		return nil
	}
	// The name is the inviter's to choose, and not of who accepts.
	content, err := json.Marshal(thirdPartyContent{"invite", thirdPartyInvite{third.ContentString("display_name"), signed}}, json.Deterministic(true))
	if err != nil {
		return invalid("What was signed is not valid JSON.").Because(err)
	}
	p := room.Proposal{Sender: sender, Type: "m.room.member", StateKey: &user, Content: content}
	if store.ServerOf(user) != a.o.Server {
		_, err = a.o.Invite(c.ctx, name, p)
		return err
	}
	if err := a.mayInvite(c, &event.Event{PDU: &pdu.PDU{Sender: id.UserID(sender), StateKey: &user}}); err != nil {
		return err
	}
	_, err = a.o.Rooms.Send(c.ctx, name.NID, p)
	return err
}

// boundInvite is an invitation that waited for somebody who has an address.
type boundInvite struct {
	User   string         `json:"mxid"`
	Room   string         `json:"room_id"`
	Sender string         `json:"sender"`
	Signed jsontext.Value `json:"signed"`
}

// onBind is PUT /3pid/onbind: an identity server tells that an address belongs to a user of this server now, and
// which invitations have waited for that. "If the invited homeserver isn't in the room the invite came from, it
// will need to request the inviting homeserver to auth the event at the /exchange_third_party_invite endpoint."
// The inviting one is asked in any case: its signature is what others expect of an event of its user.
func (a *API) onBind(c *call) (any, error) {
	var q struct {
		User    string        `json:"mxid"`
		Medium  string        `json:"medium"`
		Address string        `json:"address"`
		Invites []boundInvite `json:"invites"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	switch {
	case q.User == "":
		return nil, mxerror.MissingParam("mxid is missing.")
	case store.ServerOf(q.User) != a.o.Server:
		return nil, mxerror.InvalidParam("%s is not a user of this server.", clip(q.User))
	case len(q.Invites) > bindInvitesMax:
		return nil, mxerror.InvalidParam("There are more than %d invitations.", bindInvitesMax)
	case len(q.Invites) == 0:
		return nil, nil
	}
	if _, err := a.account(c, q.User); err != nil {
		return nil, err
	}
	select {
	case a.binds <- struct{}{}:
		defer func() { <-a.binds }()
	default:
		return nil, mxerror.New(http.StatusTooManyRequests, "M_LIMIT_EXCEEDED", "Too many addresses are being bound.")
	}
	ctx, cancel := context.WithTimeout(c.ctx, bindTime)
	defer cancel()
	for _, i := range q.Invites {
		// One that fails must not keep the others from being taken; nor is there anybody to be told.
		if err := a.accept(c, ctx, q.User, i); err != nil {
			a.o.Log.InfoContext(ctx, "an invitation by address could not be taken", "room", clip(i.Room), "sender", clip(i.Sender), "user", q.User, "err", err)
		}
	}
	return nil, nil
}

// accept turns an invitation by address into one of a user of this server.
func (a *API) accept(c *call, ctx context.Context, user string, i boundInvite) error {
	server := store.ServerOf(i.Sender)
	switch signed := gjson.ParseBytes(i.Signed); {
	case i.User != user || signed.Get("mxid").Str != user:
		return invalid("The invitation is somebody else's.")
	case signed.Get("token").Type != gjson.String || i.Sender == "" || i.Sender[0] != '@' || server == "" || i.Room == "" || i.Room[0] != '!':
		return invalid("The invitation is not complete.")
	}
	if server == a.o.Server {
		name, err := a.o.Store.RoomByID(ctx, i.Room)
		if err != nil {
			return err
		}
		return a.fulfil(c, name, i.Sender, user, i.Signed)
	}
	raw, err := json.Marshal(thirdPartyEvent{"m.room.member", i.Room, i.Sender, &user, thirdPartyContent{"invite", thirdPartyInvite{Signed: i.Signed}}}, json.Deterministic(true))
	if err != nil {
		return err
	}
	return a.o.Remote.ExchangeThirdPartyInvite(ctx, server, i.Room, raw)
}
