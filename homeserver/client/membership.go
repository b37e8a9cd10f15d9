package client

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// memberContent is the content of a membership event, with the user's name and avatar.
func (a *API) memberContent(ctx context.Context, userID, membership string, extra object) (jsontext.Value, error) {
	content := object{}
	if membership == "join" || membership == "invite" || membership == "knock" {
		p, err := a.profile(ctx, userID)
		if err != nil {
			return nil, err
		}
		for _, f := range p {
			if f.Name == "displayname" || f.Name == "avatar_url" {
				content[f.Name] = jsontext.Value(f.Value)
			}
		}
	}
	for k, v := range extra {
		content[k] = v
	}
	content["membership"] = quoted(membership)
	return json.Marshal(content, json.Deterministic(true))
}

// membershipRequest is the body of the endpoints that change a membership.
type membershipRequest struct {
	UserID string         `json:"user_id"`
	Reason jsontext.Value `json:"reason"`
	invite3PID
}

// target reads the room, the user and the reason that a request is about.
func (c *call) target() (r store.RoomName, q membershipRequest, err error) {
	if r, err = c.room(0); err != nil {
		return r, q, err
	}
	if err := c.body(&q); err != nil {
		return r, q, err
	}
	return r, q, c.about(r, q.UserID)
}

// about checks the user that a request is about.
func (c *call) about(r store.RoomName, userID string) error {
	if userID == "" {
		return mxerror.MissingParam("user_id is missing.")
	}
	if err := checkUserID(userID); err != nil {
		return err
	}
	return c.knows(r.NID, userID)
}

// knows waits until the standing of somebody else in a room is known: what may become of them depends
// on it.
func (c *call) knows(room int64, userID string) error {
	if !c.api.o.Store.Incomplete(room) || userID == c.session.UserID {
		return nil
	}
	m, err := c.api.standing(c.ctx, store.RoomName{NID: room}, userID)
	if err == nil && m.Membership == "" {
		err = c.whole(room)
	}
	return err
}

// setMembership proposes a membership event.
func (a *API) setMembership(c *call, r store.RoomName, userID, membership string, extra object) (*event.Event, error) {
	if err := a.roomOpen(c.ctx, r.ID, membership); err != nil {
		return nil, err
	}
	if l := a.limits.Load(); membership == "invite" {
		if err := c.limit(l.invites); err != nil {
			return nil, err
		}
		if err := a.mayInvite(c, userID); err != nil {
			return nil, err
		}
		if c.session.ShadowBanned {
			return nil, nil
		}
	} else if membership == "join" || membership == "knock" {
		if err := c.limit(l.joins); err != nil {
			return nil, err
		}
	}
	return a.proposeMembership(c, r, userID, membership, extra)
}

// proposeMembership is setMembership without the limits on how often it is done.
func (a *API) proposeMembership(c *call, r store.RoomName, userID, membership string, extra object) (*event.Event, error) {
	if membership == "join" {
		if err := a.guestMayJoin(c, r); err != nil {
			return nil, err
		}
	}
	content, err := a.memberContent(c.ctx, userID, membership, extra)
	if err != nil {
		return nil, err
	}
	ts, err := c.ts()
	if err != nil {
		return nil, err
	}
	p := room.Proposal{Sender: c.session.UserID, Type: "m.room.member", StateKey: &userID, Content: content, TS: ts}
	if membership == "invite" && a.foreign(userID) {
		return a.o.Joins.Invite(c.ctx, r, p)
	}
	return a.o.Rooms.Send(c.ctx, r.NID, p)
}

func reason(raw jsontext.Value) object {
	if raw.Kind() != '"' {
		return nil
	}
	return object{"reason": raw}
}

// standing is a user's membership in a room, "" if there never was any.
func (a *API) standing(ctx context.Context, r store.RoomName, userID string) (store.Membership, error) {
	nid, err := a.o.Store.UserNID(ctx, userID)
	if err == nil {
		var m store.Membership
		if m, err = a.o.Store.Membership(ctx, r.NID, nid); err == nil {
			return m, nil
		}
	}
	if errors.Is(err, store.ErrNotFound) {
		return store.Membership{Room: r.NID, User: nid}, nil
	}
	return store.Membership{}, err
}

// joinRoom is POST /join/{roomIdOrAlias} and POST /rooms/{roomId}/join.
func (a *API) joinRoom(c *call) (any, error) {
	var body object
	if err := c.body(&body); err != nil {
		return nil, err
	}
	l, err := a.locate(c, c.params[0])
	if err != nil {
		return nil, err
	}
	var m store.Membership
	if l.known {
		if m, err = a.standing(c.ctx, l.name, c.session.UserID); err != nil {
			return nil, err
		}
	}
	if m.Membership == "join" && l.resident {
		return map[string]string{"room_id": l.id}, nil
	}
	// What else the body has goes into the event, as clients have come to rely on.
	extra := object{}
	for k, v := range body {
		switch k {
		case "third_party_signed", "membership", "displayname", "avatar_url", "join_authorised_via_users_server":
		default:
			extra[k] = v
		}
	}
	if !l.resident {
		if err := l.inviter(a, c.ctx, m); err != nil {
			return nil, err
		}
		err = a.joinAway(c, l, extra)
	} else if taken, failed := a.joinAnother(c, l, extra); taken || failed != nil {
		err = failed
	} else {
		err = a.joinHere(c, l, extra)
	}
	if err != nil {
		return nil, err
	}
	r, err := a.roomByID(c.ctx, l.id)
	if err != nil {
		return nil, err
	}
	return map[string]string{"room_id": r.ID}, a.settleIn(c.ctx, c.session, r)
}

// grantPauses are between the tries to be let in by another server.
var grantPauses = [...]time.Duration{50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond}

// joinHere takes the user into a room that this server is in. Where somebody in a room whose members may join needs
// another server to vouch for them, that one may not have heard yet that they are in it, as where they have just come
// into a space: it is asked again then. What lets this server vouch itself may be on its way too.
func (a *API) joinHere(c *call, l located, extra object) error {
	_, err := a.setMembership(c, l.name, c.session.UserID, "join", extra)
	here := func() error {
		_, err := a.proposeMembership(c, l.name, c.session.UserID, "join", extra)
		return err
	}
	for n := 0; ; n++ {
		if !mxerror.Is(err, "M_UNABLE_TO_GRANT_JOIN") || a.o.Joins == nil {
			return err
		}
		again := here
		if n == len(grantPauses) {
			again = nil
		}
		err = a.joinVouched(c, l, extra, again)
		early := mxerror.Is(err, "M_FORBIDDEN") || mxerror.Is(err, "M_UNABLE_TO_AUTHORISE_JOIN")
		if !early || n == len(grantPauses) {
			return err
		}
		select {
		case <-time.After(grantPauses[n]):
		case <-c.ctx.Done():
			return err
		}
		err = here()
	}
}

// roomByIDOrAlias finds a room by either.
func (a *API) roomByIDOrAlias(ctx context.Context, s string) (store.RoomName, error) {
	if !strings.HasPrefix(s, "#") {
		return a.roomByID(ctx, s)
	}
	al, err := a.alias(ctx, s)
	if err != nil {
		return store.RoomName{}, err
	}
	return a.o.Store.RoomByNID(ctx, al.Room)
}

// knockRoom is POST /knock/{roomIdOrAlias}.
func (a *API) knockRoom(c *call) (any, error) {
	var body object
	if err := c.body(&body); err != nil {
		return nil, err
	}
	l, err := a.locate(c, c.params[0])
	if err != nil {
		return nil, err
	}
	if !l.resident {
		err = a.knockAway(c, l, reason(body["reason"]))
	} else {
		_, err = a.setMembership(c, l.name, c.session.UserID, "knock", reason(body["reason"]))
	}
	if err != nil {
		return nil, err
	}
	return map[string]string{"room_id": l.id}, nil
}

// invite is POST /rooms/{roomId}/invite.
func (a *API) invite(c *call) (any, error) {
	r, err := c.room(0)
	if err != nil {
		return nil, err
	}
	var q membershipRequest
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if q.UserID == "" && q.given() {
		return nil, a.inviteAddress(c, r, q)
	}
	if err := c.about(r, q.UserID); err != nil {
		return nil, err
	}
	return nil, a.inviteUser(c, r, q.UserID, reason(q.Reason))
}

// inviteUser invites somebody who is not invited yet.
func (a *API) inviteUser(c *call, r store.RoomName, userID string, extra object) error {
	if m, err := a.standing(c.ctx, r, userID); err != nil {
		return err
	} else if m.Membership == "invite" {
		if own, err := a.standing(c.ctx, r, c.session.UserID); err != nil {
			return err
		} else if own.Membership == "join" {
			// "the user's homeserver MUST respond to the following endpoints with an HTTP 403 [...] if the user is invited":
			// also to who was invited before they wanted no more of that, who doesn't see the invitation any longer.
			if err := a.mayInvite(c, userID); err != nil {
				return err
			}
			return nil // "The user has been invited to join the room, or was already invited to the room."
		}
	}
	_, err := a.setMembership(c, r, userID, "invite", extra)
	return err
}

// leaveRoom is POST /rooms/{roomId}/leave.
func (a *API) leaveRoom(c *call) (any, error) {
	var body object
	r, err := c.room(0)
	if err != nil {
		return nil, err
	}
	if err := c.body(&body); err != nil {
		return nil, err
	}
	m, err := a.standing(c.ctx, r, c.session.UserID)
	if err != nil {
		return nil, err
	}
	if m.Membership == "leave" {
		return nil, nil // has left already: nothing to do, and no error
	}
	if err := a.mayLeave(c.ctx, c.session.User, r.NID); err != nil {
		return nil, err
	}
	if a.o.Joins != nil && (m.Membership == "invite" || m.Membership == "knock") {
		l, err := a.locate(c, r.ID)
		if err != nil {
			return nil, err
		}
		if !l.resident {
			return nil, a.leaveAway(c, l, m, reason(body["reason"]))
		}
	}
	_, err = a.setMembership(c, r, c.session.UserID, "leave", reason(body["reason"]))
	return nil, err
}

// kick is POST /rooms/{roomId}/kick: "The caller must have the required power level"; it also
// takes back an invitation or turns down a knock.
func (a *API) kick(c *call) (any, error) {
	r, q, err := c.target()
	if err != nil {
		return nil, err
	}
	m, err := a.standing(c.ctx, r, q.UserID)
	if err != nil {
		return nil, err
	}
	switch m.Membership {
	case "join", "invite", "knock":
	default:
		return nil, mxerror.Forbidden("%s is not in this room.", q.UserID)
	}
	_, err = a.setMembership(c, r, q.UserID, "leave", reason(q.Reason))
	return nil, err
}

// ban is POST /rooms/{roomId}/ban.
func (a *API) ban(c *call) (any, error) {
	r, q, err := c.target()
	if err != nil {
		return nil, err
	}
	_, err = a.setMembership(c, r, q.UserID, "ban", reason(q.Reason))
	return nil, err
}

// unban is POST /rooms/{roomId}/unban.
func (a *API) unban(c *call) (any, error) {
	r, q, err := c.target()
	if err != nil {
		return nil, err
	}
	m, err := a.standing(c.ctx, r, q.UserID)
	if err != nil {
		return nil, err
	}
	if m.Membership != "ban" {
		return nil, mxerror.Forbidden("%s is not banned from this room.", q.UserID)
	}
	_, err = a.setMembership(c, r, q.UserID, "leave", reason(q.Reason))
	return nil, err
}

// forget is POST /rooms/{roomId}/forget: "If the user has not already left the room, they must
// first leave the room before calling this API."
func (a *API) forget(c *call) (any, error) {
	r, err := c.room(0)
	if err != nil {
		return nil, err
	}
	m, err := a.standing(c.ctx, r, c.session.UserID)
	if err != nil {
		return nil, err
	}
	switch m.Membership {
	case "leave", "ban":
	case "":
		return nil, mxerror.Forbidden("You have never been in this room.")
	default:
		return nil, mxerror.New(400, "M_UNKNOWN", "You are still in this room; leave it first.")
	}
	err = a.o.Store.Write(c.ctx, func(t *store.Tx) error { return t.Forget(r.NID, c.session.User) })
	if err == nil {
		a.o.Notifier.Forget(c.session.User, r.NID)
	}
	return nil, err
}

// joinedRooms is GET /joined_rooms.
func (a *API) joinedRooms(c *call) (any, error) {
	all, err := a.o.Store.RoomsOf(c.ctx, c.session.User)
	if err != nil {
		return nil, err
	}
	ids := []string{}
	for _, m := range all {
		if m.Membership != "join" {
			continue
		}
		r, err := a.o.Store.RoomByNID(c.ctx, m.Room)
		if err != nil {
			return nil, err
		}
		ids = append(ids, r.ID)
	}
	return map[string][]string{"joined_rooms": ids}, nil
}
