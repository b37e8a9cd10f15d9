package client

import (
	"encoding/json/v2"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/identity"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// invite3PID names somebody by an address elsewhere.
type invite3PID struct {
	Server  string `json:"id_server"`
	Token   string `json:"id_access_token"`
	Medium  string `json:"medium"`
	Address string `json:"address"`
}

// given tells whether there is such an address at all.
func (p invite3PID) given() bool { return p.Medium != "" || p.Address != "" || p.Server != "" }

func (p invite3PID) asker() identity.Asker { return identity.Asker{Server: p.Server, Token: p.Token} }

// check refuses what lacks something, and identity servers that this one does not work with. The address is
// brought into the form in which identity servers know it.
func (p *invite3PID) check(a *API) (err error) {
	for name, v := range map[string]string{"id_server": p.Server, "id_access_token": p.Token, "medium": p.Medium, "address": p.Address} {
		if v == "" {
			return mxerror.MissingParam("%s is missing from an invitation by third-party identifier.", name)
		}
	}
	if err := a.o.Identity.Check(p.Server); err != nil {
		return err
	}
	switch p.Medium {
	case accounts.MediumEmail:
		p.Address, err = accounts.CanonicalEmail(p.Address)
		return err
	case accounts.MediumPhone:
		return nil
	}
	return mxerror.InvalidParam("medium must be email or msisdn.")
}

// rehearse fails if the caller may not invite anybody by an address, before anybody else hears of it.
func (a *API) rehearse(c *call, r store.RoomName) error {
	if err := a.roomOpen(c.ctx, r.ID, "invite"); err != nil {
		return err
	}
	if err := c.limit(a.limits.Load().invites); err != nil {
		return err
	}
	key := "x"
	_, err := a.o.Rooms.Prepare(c.ctx, r.NID, room.Proposal{Sender: c.session.UserID, Type: "m.room.third_party_invite", StateKey: &key, Content: []byte(`{"display_name":"x","key_validity_url":"x","public_key":"x"}`)})
	return err
}

// inviteAddress is POST /rooms/{roomId}/invite with a third-party identifier: "the server is expected to look
// up the third-party identifier with the provided identity server".
func (a *API) inviteAddress(c *call, r store.RoomName, q membershipRequest) error {
	if err := q.check(a); err != nil {
		return err
	}
	if err := a.rehearse(c, r); err != nil {
		return err
	}
	userID, err := a.o.Identity.Lookup(c.ctx, q.asker(), q.Medium, q.Address)
	if err != nil {
		return err
	}
	if userID == "" {
		return a.storeInvite(c, r, q.invite3PID)
	}
	if err := c.knows(r.NID, userID); err != nil {
		return err
	}
	return a.inviteUser(c, r, userID, reason(q.Reason))
}

// thirdPartyInvite is the content of m.room.third_party_invite.
type thirdPartyInvite struct {
	DisplayName string `json:"display_name"`
	// Validity and Key are those of one of the keys, for clients and servers of old.
	Validity string               `json:"key_validity_url"`
	Key      string               `json:"public_key"`
	Keys     []identity.PublicKey `json:"public_keys"`
}

// storeInvite invites whoever will show that an address is theirs: "the homeserver must store the invite on
// the identity server ... and emit a valid m.room.third_party_invite event to the room".
func (a *API) storeInvite(c *call, r store.RoomName, p invite3PID) error {
	sum, err := a.summarise(c.ctx, r)
	if err != nil {
		return err
	}
	i := identity.Invitation{Medium: p.Medium, Address: p.Address, RoomID: r.ID, Sender: c.session.UserID,
		RoomAlias: sum.Alias, RoomAvatar: sum.Avatar, JoinRule: sum.JoinRule, RoomName: sum.Name, RoomType: sum.Type}
	fields, err := a.o.Store.Profile(c.ctx, c.session.User)
	if err != nil {
		return err
	}
	for _, f := range fields {
		switch f.Name {
		case "displayname":
			err = json.Unmarshal([]byte(f.Value), &i.SenderName)
		case "avatar_url":
			err = json.Unmarshal([]byte(f.Value), &i.SenderAvatar)
		}
		if err != nil {
			return err
		}
	}
	kept, err := a.o.Identity.Store(c.ctx, p.asker(), i)
	if err != nil {
		return err
	}
	content, err := json.Marshal(thirdPartyInvite{DisplayName: kept.DisplayName, Validity: kept.Keys[0].Validity, Key: kept.Keys[0].Key, Keys: kept.Keys})
	if err != nil {
		return err
	}
	_, err = a.o.Rooms.Send(c.ctx, r.NID, room.Proposal{Sender: c.session.UserID, Type: "m.room.third_party_invite", StateKey: &kept.Token, Content: content})
	return err
}

// knownAddresses asks whose the addresses are that a new room's creator invites: who has an account is
// invited like others, and the rest waits until there is a room.
func (a *API) knownAddresses(c *call, q *createRoomRequest) error {
	rest := q.Invite3PID[:0]
	for _, p := range q.Invite3PID {
		if err := c.limit(a.limits.Load().invites); err != nil {
			return err
		}
		userID, err := a.o.Identity.Lookup(c.ctx, p.asker(), p.Medium, p.Address)
		if err != nil {
			return err
		}
		if userID == "" {
			rest = append(rest, p)
			continue
		}
		if err := a.mayInvite(c, userID); err != nil {
			return err
		}
		q.Invite = append(q.Invite, userID)
	}
	q.Invite3PID = rest
	return nil
}
