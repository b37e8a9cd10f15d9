package room

import (
	"context"
	"encoding/json/jsontext"
	"errors"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// viaKey names in a join's content the member who vouches for it.
const viaKey = "join_authorised_via_users_server"

// authoriseJoin completes a join into a restricted room. Room version 8: "the join event must
// have join_authorised_via_users_server in its content: the user ID of a member of the room who
// is able to invite other users", and the server of that user vouches that the one who joins is
// in one of the rooms that the join rule allows.
func (a *actor) authoriseJoin(ctx context.Context, p Proposal) (Proposal, error) {
	if gjson.GetBytes(p.Content, "membership").Str != "join" || *p.StateKey != p.Sender {
		return p, nil
	}
	// Who vouches for a join is for this server to say, and stays unsaid where nobody need.
	if gjson.GetBytes(p.Content, viaKey).Exists() {
		content, err := sjson.DeleteBytes(p.Content, viaKey)
		if err != nil {
			return p, err
		}
		p.Content = jsontext.Value(content)
	}
	rules, err := a.state(ctx, "m.room.join_rules", "")
	if err != nil || rules == nil {
		return p, err
	}
	switch rule := rules.ContentString("join_rule"); {
	case rule == "restricted" && a.room.Version.RestrictedJoins():
	case rule == "knock_restricted" && a.room.Version.KnockRestricted():
	default:
		return p, nil
	}
	member, err := a.state(ctx, "m.room.member", p.Sender)
	if err != nil {
		return p, err
	}
	if member != nil && (member.Membership() == "join" || member.Membership() == "invite") {
		return p, nil // "If the user's membership is join or invite, allow": nobody has to vouch
	}
	local := store.ServerOf(p.Sender) == a.m.o.Signer.Server
	if ok, sure, err := a.inAllowedRoom(ctx, rules, p.Sender); err != nil {
		return p, err
	} else if !ok {
		return p, notAllowed(sure || local)
	}
	via, err := a.inviter(ctx)
	if err != nil {
		return p, err
	}
	if via == "" {
		return p, mxerror.New(400, "M_UNABLE_TO_GRANT_JOIN", "Nobody of this server who may invite is in the room.")
	}
	content, err := sjson.SetBytes(p.Content, viaKey, via)
	p.Content = jsontext.Value(content)
	return p, err
}

// inAllowedRoom tells whether a user is joined to one of the rooms that a join rule lists. Where none
// is known it is only sure if this server is in all of them.
func (a *actor) inAllowedRoom(ctx context.Context, rules *event.Event, user string) (ok, sure bool, err error) {
	s := a.m.o.Store
	nid, err := s.UserNID(ctx, user)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, false, err
	}
	sure = true
	for _, allow := range gjson.GetBytes(rules.Content, "allow").Array() {
		if allow.Get("type").Str != "m.room_membership" {
			continue
		}
		room, err := s.RoomByID(ctx, allow.Get("room_id").Str)
		if errors.Is(err, store.ErrNotFound) {
			sure = false
			continue
		} else if err != nil {
			return false, false, err
		}
		here, err := s.ServerInRoom(ctx, room.NID, a.m.o.Signer.Server)
		if err != nil {
			return false, false, err
		}
		if !here {
			sure = false // what is known of it is of old
			continue
		}
		m, err := s.Membership(ctx, room.NID, nid)
		if err == nil && m.Membership == "join" {
			return true, true, nil
		} else if err != nil && !errors.Is(err, store.ErrNotFound) {
			return false, false, err
		}
	}
	return false, sure, nil
}

// inviter finds a member of this server who may invite; "" if there is none.
func (a *actor) inviter(ctx context.Context) (string, error) {
	return a.speaker(ctx, func(p *Power) int64 { return p.Invite })
}

// speaker finds a joined member of this server with the power that something needs; "" if there is
// none.
func (a *actor) speaker(ctx context.Context, needs func(*Power) int64) (string, error) {
	power, err := a.levels(ctx)
	if err != nil {
		return "", err
	}
	need := needs(power)
	able := func(user string) (bool, error) {
		if store.ServerOf(user) != a.m.o.Signer.Server || power.User(user) < need {
			return false, nil
		}
		e, err := a.state(ctx, "m.room.member", user)
		return e != nil && e.Membership() == "join", err
	}
	candidates := append([]string{}, power.creators...)
	for user := range power.users {
		candidates = append(candidates, user)
	}
	for _, user := range candidates {
		if ok, err := able(user); ok || err != nil {
			return user, err
		}
	}
	if power.usersDefault < need {
		return "", nil
	}
	members, err := a.m.o.Store.MembersFrom(ctx, a.nid, a.m.o.Signer.Server)
	if err != nil {
		return "", err
	}
	for _, user := range members {
		if ok, err := able(user); ok || err != nil {
			return user, err
		}
	}
	return "", nil
}
