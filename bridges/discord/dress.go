package discord

import (
	"context"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// A ghost has one profile, but each guild may have a name and a picture of its own for a member. With one guild the
// profile is what the guild says. With several, the rooms of each guild have the guild's name and picture in
// the ghost's membership, which Matrix keeps for each room.

// maxDressed bounds what is remembered of that.
const maxDressed = 100_000

// dress has a ghost look in a room as the room's guild knows them. Called by the pump.
func (n *bot) dress(guildID, room wire.ID, ghost networkid.UserID, l look) {
	if !n.many.Load() || !isUser(ghost) {
		return
	}
	key := [2]wire.ID{room, wire.ID(ghost)}
	if n.dressed[key] == l {
		return
	}
	if len(n.dressed) > maxDressed {
		clear(n.dressed)
	}
	n.dressed[key] = l
	meta := n.meta(bridgev2.RemoteEventUnknown, channelKey(room), time.Now(), "")
	meta.PreHandleFunc = func(ctx context.Context, portal *bridgev2.Portal) {
		if err := n.wear(ctx, portal.MXID, ghost, l); err != nil {
			n.log.Warn("somebody does not have their guild's name in a room", "room", portal.MXID, "guild", guildID, "error", err)
		}
	}
	n.queue(&meta)
}

// wear sets name and picture of a ghost in a room, if it is there and they differ.
func (n *bot) wear(ctx context.Context, room id.RoomID, ghost networkid.UserID, l look) error {
	if room == "" {
		return nil
	}
	shared, err := n.b.br.GetGhostByID(ctx, ghost)
	if err != nil {
		return err
	}
	mxid := shared.Intent.GetMXID()
	have, err := n.b.br.Matrix.GetMemberInfo(ctx, room, mxid)
	if err != nil || have == nil || have.Membership != event.MembershipJoin {
		return err
	}
	var picture id.ContentURIString
	if l.picture != "" {
		picture = n.picture(ctx, l.picture)
	}
	if have.Displayname == l.name && have.AvatarURL == picture {
		return nil
	}
	_, err = shared.Intent.SendState(ctx, room, event.StateMember, string(mxid), &event.Content{
		Parsed: &event.MemberEventContent{Membership: event.MembershipJoin, Displayname: l.name, AvatarURL: picture},
	}, time.Now())
	return err
}

// picture is the address in Matrix of a picture on Discord's file server, "" if it cannot be had.
func (n *bot) picture(ctx context.Context, path string) id.ContentURIString {
	if mxc, err := n.b.store.picture(ctx, path); err == nil && mxc != "" {
		return id.ContentURIString(mxc)
	}
	avatar := n.avatar(path)
	uri, _, err := avatar.Reupload(ctx, n.b.br.Bot, [32]byte{}, "")
	if err != nil {
		n.log.Debug("a picture cannot be taken over", "error", err)
		return ""
	}
	if err := n.b.store.setPicture(ctx, path, string(uri)); err != nil {
		n.log.Warn("a picture is not remembered", "error", err)
	}
	return uri
}

// dressAll has all members of a guild look in its rooms as the guild knows them.
func (n *bot) dressAll(guildID wire.ID) {
	if !n.many.Load() {
		return
	}
	var list []wire.Member
	n.guilds.read(guildID, func(g *guild) {
		for user, m := range g.members {
			if g.whole && user != n.self {
				list = append(list, m)
			}
		}
	})
	for _, m := range list {
		n.dressMember(guildID, &m)
	}
}

// dressMember does so for one member, in all rooms of the guild.
func (n *bot) dressMember(guildID wire.ID, m *wire.Member) {
	if !n.many.Load() {
		return
	}
	l := guildLook(guildID, m.User, m)
	for _, ch := range n.bridgedChannels(guildID) {
		n.dress(guildID, ch.ID, userID(m.User.ID), l)
	}
}

// undress forgets how somebody looks in rooms: their profile has changed, and with it, in Matrix, their look in
// all rooms.
func (n *bot) undress(user wire.ID) {
	if !n.many.Load() {
		return
	}
	for key := range n.dressed {
		if key[1] == user {
			delete(n.dressed, key)
		}
	}
	for _, guildID := range n.guilds.ids() {
		if m, ok := n.guilds.member(guildID, user); ok {
			n.dressMember(guildID, &m)
		}
	}
}

// meet introduces who has said or done something, before that is handed to a room. Called by the pump.
func (n *bot) meet(ctx context.Context, guildID, room wire.ID, ghost networkid.UserID, u wire.User, m *wire.Member) {
	if n.introduce(ctx, ghost, n.userInfo(guildID, u, m)) {
		n.undress(wire.ID(ghost))
	}
	if m != nil {
		n.dress(guildID, room, ghost, guildLook(guildID, u, m))
	}
}
