package client

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"fmt"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// notFoundOr gives store.ErrNotFound a public face.
func notFoundOr(err error, message string) error {
	if errors.Is(err, store.ErrNotFound) {
		return mxerror.NotFound("%s", message)
	}
	return err
}

// adminJoin is POST /_synapse/admin/v1/join/{roomIdOrAlias}: the administrator, who must be in the
// room and may invite there, brings a user of this server in.
func (a *API) adminJoin(c *call) (any, error) {
	var q struct {
		UserID string `json:"user_id"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if q.UserID == "" {
		return nil, mxerror.MissingParam("user_id is missing.")
	}
	account, err := a.o.Accounts.LocalAccount(c.ctx, q.UserID)
	if err != nil {
		return nil, err
	}
	r, err := a.roomByIDOrAlias(c.ctx, c.params[0])
	if err != nil {
		return nil, err
	}
	m, err := a.standing(c.ctx, r, q.UserID)
	if err != nil {
		return nil, err
	}
	if m.Membership != "join" {
		sum, err := a.summarise(c.ctx, r)
		if err != nil {
			return nil, err
		}
		if m.Membership != "invite" && sum.JoinRule != "public" {
			if err := a.moveMember(c.ctx, r, c.session.UserID, q.UserID, "invite"); err != nil {
				return nil, err
			}
		}
		if err := a.roomOpen(c.ctx, r.ID, "join"); err != nil {
			return nil, err
		}
		if err := a.moveMember(c.ctx, r, q.UserID, q.UserID, "join"); err != nil {
			return nil, err
		}
		if err := a.settleIn(c.ctx, sessionOf(q.UserID, account), r); err != nil {
			return nil, err
		}
	}
	a.o.Log.InfoContext(c.ctx, "admin", "by", c.session.UserID, "did", "join a user to a room", "to", q.UserID, "room", r.ID)
	return map[string]string{"room_id": r.ID}, nil
}

// moveMember gives somebody another membership, by somebody.
func (a *API) moveMember(ctx context.Context, r store.RoomName, by, userID, membership string) error {
	content, err := a.memberContent(ctx, userID, membership, nil)
	if err != nil {
		return err
	}
	_, err = a.o.Rooms.Send(ctx, r.NID, room.Proposal{Sender: by, Type: "m.room.member", StateKey: &userID, Content: content})
	return err
}

// sessionOf is a session of somebody who has not asked.
func sessionOf(userID string, account store.Account) *Session {
	return &Session{Session: &accounts.Session{UserID: userID, User: account.User, Kind: account.Kind, ServiceID: account.Service, Admin: account.Admin}}
}

// Refuge is the room into which those are brought whose room is shut down.
type Refuge struct {
	// Creator is a user of this server.
	Creator, Name, Message string
}

// MakeRefuge makes such a room: public to those who know its id, and silent but for its creator.
func (a *API) MakeRefuge(ctx context.Context, f Refuge) (store.RoomName, error) {
	account, err := a.o.Accounts.LocalAccount(ctx, f.Creator)
	if err != nil {
		return store.RoomName{}, err
	}
	c := &call{api: a, ctx: ctx, session: sessionOf(f.Creator, account)}
	name, err := a.makeRoom(c, createRoomRequest{Name: f.Name, Preset: "public_chat",
		PowerOverride: object{"users_default": jsontext.Value("-10")}})
	if err != nil {
		return name, fmt.Errorf("making the room for those who must leave: %w", err)
	}
	content, err := json.Marshal(map[string]string{"msgtype": "m.text", "body": f.Message})
	if err != nil {
		return name, err
	}
	_, err = a.o.Rooms.Send(ctx, name.NID, room.Proposal{Sender: f.Creator, Type: "m.room.message", Content: content})
	return name, err
}

// MoveMember lets a user of this server join or leave a room, as if the user had asked.
func (a *API) MoveMember(ctx context.Context, r store.RoomName, userID, membership string) error {
	return a.moveMember(ctx, r, userID, userID, membership)
}

// Invite invites a user into a room, by somebody in it.
func (a *API) Invite(ctx context.Context, r store.RoomName, by, userID string) error {
	return a.moveMember(ctx, r, by, userID, "invite")
}

// SetProfileOf changes the display name or the avatar of a user of this server, "" removing it, and
// shows that in the user's rooms.
func (a *API) SetProfileOf(ctx context.Context, userID string, account store.Account, field, value string) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	c := &call{api: a, ctx: ctx, params: []string{userID}, session: sessionOf(userID, account)}
	return a.setProfile(c, map[string]jsontext.Value{field: raw}, false)
}
