package discord

import (
	"context"
	"slices"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// onMember takes over that somebody has joined or left a guild, or has changed there.
func (n *bot) onMember(ctx context.Context, e *entry) {
	var ev wire.MemberEvent
	if !n.decode(e, &ev) || ev.User.ID == "" {
		return
	}
	before, known := n.guilds.member(ev.GuildID, ev.User.ID)
	var whole bool
	if !n.guilds.change(ev.GuildID, func(g *guild) {
		whole = g.whole
		switch e.kind {
		case "GUILD_MEMBER_REMOVE":
			delete(g.members, ev.User.ID)
			g.MemberCount = max(g.MemberCount-1, 0)
			return
		case "GUILD_MEMBER_ADD":
			g.MemberCount++
			if g.whole && int(g.MemberCount) > n.cfg.MemberLimit {
				g.whole, whole = false, false
			}
		}
		if g.whole || known || n.people.knows(userID(ev.User.ID)) {
			g.members[ev.User.ID] = ev.Member
			known = true
		}
	}) {
		return
	}
	if ev.User.ID == n.self {
		n.refreshGuild(ev.GuildID)
		return
	}
	if e.kind == "GUILD_MEMBER_REMOVE" {
		n.memberLeft(ev.GuildID, ev.User.ID)
		return
	}
	if !whole && !known {
		return
	}
	n.noteTimeout(ev.GuildID, &ev.Member)
	same := slices.Equal(before.Roles, ev.Roles) && before.TimeoutUntil.Equal(ev.TimeoutUntil.Time) && before.User.ID != ""
	if n.introduce(ctx, userID(ev.User.ID), n.userInfo(ev.GuildID, ev.User, &ev.Member)) {
		n.undress(ev.User.ID)
	}
	if !same || e.kind == "GUILD_MEMBER_ADD" {
		n.placeMember(ev.GuildID, &ev.Member)
	}
	n.dressMember(ev.GuildID, &ev.Member)
}

// placeMember has a member be in the rooms that they see, with the rights that they have.
func (n *bot) placeMember(guildID wire.ID, m *wire.Member) {
	for _, ch := range n.bridgedChannels(guildID) {
		list := bridgev2.ChatMemberMap{}
		n.guilds.read(guildID, func(g *guild) {
			n.addMember(list, g, &ch, *m, g.common(&ch)&permSend == 0)
		})
		n.changeMembers(channelKey(ch.ID), list)
	}
}

// memberLeft takes somebody out of all rooms of a guild.
func (n *bot) memberLeft(guildID, user wire.ID) {
	delete(n.timeouts.until, [2]wire.ID{guildID, user})
	for _, ch := range n.bridgedChannels(guildID) {
		delete(n.writers, [2]wire.ID{ch.ID, user})
		delete(n.dressed, [2]wire.ID{ch.ID, user})
		n.changeMembers(channelKey(ch.ID), bridgev2.ChatMemberMap{userID(user): {
			EventSender: bridgev2.EventSender{Sender: userID(user)}, Membership: "leave", PrevMembership: "join",
		}})
	}
}

// onBan takes a ban, or its end, to all rooms of a guild, for the person's ghost and, if they are tied to one, for
// their account.
func (n *bot) onBan(ctx context.Context, e *entry) {
	var ev struct {
		GuildID wire.ID   `json:"guild_id"`
		User    wire.User `json:"user"`
	}
	if !n.decode(e, &ev) || ev.User.ID == "" || ev.User.ID == n.self {
		return
	}
	banned := e.kind == "GUILD_BAN_ADD"
	if !n.guilds.change(ev.GuildID, func(g *guild) {
		if banned {
			g.banned[ev.User.ID] = true
		} else {
			delete(g.banned, ev.User.ID)
		}
	}) {
		return
	}
	n.ban(ctx, ev.GuildID, ev.User.ID, banned)
}

// ban bans somebody from all rooms of a guild, or ends that.
func (n *bot) ban(ctx context.Context, guildID, user wire.ID, banned bool) {
	to, from := event.MembershipBan, event.Membership("")
	if !banned {
		to, from = event.MembershipLeave, event.MembershipBan
	}
	account := n.accountOf(ctx, user)
	ghost, err := n.b.br.GetExistingGhostByID(ctx, userID(user))
	if err != nil {
		n.log.Error("a ban is not taken over", "guild", guildID, "error", err)
		return
	}
	for _, ch := range n.bridgedChannels(guildID) {
		if ghost != nil {
			n.changeMembers(channelKey(ch.ID), bridgev2.ChatMemberMap{userID(user): {
				EventSender: bridgev2.EventSender{Sender: userID(user)}, Membership: to, PrevMembership: from,
				MemberEventExtra: map[string]any{"reason": banReason(banned)},
			}})
		}
		if account != "" {
			n.banAccount(channelKey(ch.ID), account, to, from)
		}
	}
	if account != "" {
		n.banAccount(guildKey(guildID), account, to, from)
	}
}

func banReason(banned bool) string {
	if banned {
		return "Banned on Discord"
	}
	return "No longer banned on Discord"
}

// banAccount bans an account of the homeserver from a room, or ends that.
func (n *bot) banAccount(key networkid.PortalKey, account id.UserID, to, from event.Membership) {
	meta := n.meta(bridgev2.RemoteEventUnknown, key, time.Now(), "")
	meta.PreHandleFunc = func(ctx context.Context, portal *bridgev2.Portal) {
		if portal.MXID == "" {
			return
		}
		have, err := n.b.br.Matrix.GetMemberInfo(ctx, portal.MXID, account)
		is := event.MembershipLeave
		if have != nil {
			is = have.Membership
		}
		if err == nil && is != to && (from == "" || is == from) {
			_, err = n.b.br.Bot.SendState(ctx, portal.MXID, event.StateMember, string(account), &event.Content{
				Parsed: &event.MemberEventContent{Membership: to, Reason: banReason(to == event.MembershipBan)},
			}, time.Now())
		}
		if err != nil {
			n.log.Error("a ban is not taken over", "room", portal.MXID, "error", err)
		}
	}
	n.queue(&meta)
}

// maxBans is how many bans of a guild are fetched when a session begins.
const maxBans = 10_000

// fetchBans takes over who was banned while nobody listened, if the bot may know. Those who were never seen in Matrix
// are not looked at.
func (n *bot) fetchBans(ctx context.Context, guildID wire.ID) {
	may := false
	n.guilds.read(guildID, func(g *guild) {
		if m, ok := g.members[n.self]; ok {
			may = g.permissions(n.self, m.Roles, nil)&permBan != 0
		}
	})
	if !may {
		return
	}
	banned, after := make(map[wire.ID]bool), wire.ID("0")
	for len(banned) < maxBans {
		var page wire.List[struct {
			User wire.User `json:"user"`
		}]
		if err := n.api.Do(ctx, "GET", "/guilds/"+string(guildID)+"/bans?limit=1000&after="+string(after), "", nil, &page); err != nil {
			n.log.Warn("the bans of a guild cannot be listed; those of later on are taken over", "guild", guildID, "error", err)
			return
		}
		from := after
		for _, b := range page {
			if b.User.ID == "" {
				n.log.Warn("the bans of a guild cannot be listed, for the answers do not say who is banned; those of later on are taken over", "guild", guildID)
				return
			}
			banned[b.User.ID] = true
			if b.User.ID.After(after) {
				after = b.User.ID
			}
		}
		if len(page) < 1000 || after == from {
			break
		}
	}
	n.guilds.change(guildID, func(g *guild) { g.banned, g.bansKnown = banned, len(banned) < maxBans })
}

// absent adds to the list of a room's members those ghosts who are in the room and not in the guild any more, or
// banned in one of both alone. members are those of the room.
func (n *bot) absent(g *guild, members map[id.UserID]roomMember, list bridgev2.ChatMemberMap) {
	for mxid, have := range members {
		ghost, ok := n.b.br.Matrix.ParseGhostMXID(mxid)
		if !ok || !isUser(ghost) || wire.ID(ghost) == n.self {
			continue
		}
		_, here := g.members[wire.ID(ghost)]
		is := bridgev2.ChatMember{EventSender: bridgev2.EventSender{Sender: ghost}, PrevMembership: have.Membership}
		switch banned := g.banned[wire.ID(ghost)]; {
		case banned && have.Membership != event.MembershipBan:
			is.Membership = event.MembershipBan
		case !banned && g.bansKnown && have.Membership == event.MembershipBan && !here && !have.settling:
			is.Membership = event.MembershipLeave
		case g.whole && !here && have.Membership == event.MembershipJoin:
			is.Membership = event.MembershipLeave
		default:
			continue
		}
		list[ghost] = is
	}
}
