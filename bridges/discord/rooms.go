package discord

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// guildInfo is how a guild's space is shown.
func (n *bot) guildInfo(id wire.ID, portal *bridgev2.Portal) (info *bridgev2.ChatInfo) {
	n.guilds.read(id, func(g *guild) {
		topic := g.Description
		if topic == "" {
			topic = "The channels of " + g.Name + " on Discord"
		}
		info = &bridgev2.ChatInfo{
			Name: &g.Name, Topic: &topic, Type: spaceType(), JoinRule: n.joinRule(portal, true),
			Members: &bridgev2.ChatMemberList{MemberMap: bridgev2.ChatMemberMap{}},
		}
		if g.Icon != "" {
			info.Avatar = n.avatar("/icons/" + string(g.ID) + "/" + g.Icon + extension(g.Icon))
		}
	})
	return info
}

// joinRule is who may join a room, nil if that is so already: the framework sends a
// join rule each time it is given.
func (n *bot) joinRule(portal *bridgev2.Portal, everybody bool) *event.JoinRulesEventContent {
	rule := event.JoinRuleInvite
	if everybody && n.cfg.Public {
		rule = event.JoinRulePublic
	}
	if meta, ok := portal.Metadata.(*PortalMetadata); ok {
		if portal.MXID != "" && meta.JoinRule == string(rule) {
			return nil
		}
		meta.JoinRule = string(rule)
	}
	return &event.JoinRulesEventContent{JoinRule: rule}
}

// channelInfo is how a channel's room, or a category's space, is shown.
func (n *bot) channelInfo(ctx context.Context, id wire.ID, portal *bridgev2.Portal) (info *bridgev2.ChatInfo) {
	ch, ok := n.guilds.channel(id)
	if !ok {
		return nil
	}
	present := n.roomMembers(ctx, portal, &ch)
	n.guilds.read(ch.GuildID, func(g *guild) {
		everyone := g.permissions("", nil, &ch)
		parent := guildKey(g.ID).ID
		if up, ok := g.channels[ch.ParentID]; ok {
			parent = channelKey(ch.ParentID).ID
			if ch.IsThread() && !(up.IsForum() && n.cfg.ForumSpaces) {
				// Beside its channel.
				if parent = guildKey(g.ID).ID; up.ParentID != "" {
					parent = channelKey(up.ParentID).ID
				}
			}
		}
		info = &bridgev2.ChatInfo{
			Name: &ch.Name, ParentID: &parent, JoinRule: n.joinRule(portal, everyone&permView != 0),
			Members: &bridgev2.ChatMemberList{
				MemberMap: bridgev2.ChatMemberMap{}, TotalMemberCount: int(g.MemberCount), ExcludeChangesFromTimeline: true,
			},
		}
		if ch.Type == wire.ChannelCategory || ch.IsForum() && n.cfg.ForumSpaces {
			info.Type = spaceType()
			if ch.Topic != "" {
				info.Topic = &ch.Topic
			}
			return
		}
		topic := ch.Topic
		if ch.SlowMode > 0 {
			if topic != "" {
				topic += "\n"
			}
			topic += "Slow mode on Discord: " + (time.Duration(ch.SlowMode) * time.Second).String()
		}
		info.Topic = &topic
		common := g.common(&ch)
		info.Members.PowerLevels = powerLevels(common, everyone&permView != 0)
		readOnly := common&permSend == 0
		// Whoever is being kicked or banned from Matrix is not brought back before Discord has answered.
		moderated := n.outbox.targets(g.ID)
		for mxid, have := range present {
			if ghost, ok := n.b.br.Matrix.ParseGhostMXID(mxid); ok && have.settling {
				moderated[wire.ID(ghost)] = true
			}
		}
		for user, m := range g.members {
			if user == n.self || moderated[user] {
				continue
			}
			n.addMember(info.Members.MemberMap, g, &ch, m, readOnly)
		}
		n.absent(g, present, info.Members.MemberMap)
	})
	return info
}

// roomMembers are the members of a channel's room, none if it does not exist yet.
func (n *bot) roomMembers(ctx context.Context, portal *bridgev2.Portal, ch *wire.Channel) map[id.UserID]roomMember {
	if portal.MXID == "" || ch.Type == wire.ChannelCategory {
		return nil
	}
	members, err := n.membersNow(ctx, portal.MXID)
	if err != nil {
		n.log.Warn("the members of a room cannot be compared with the guild's", "room", portal.MXID, "error", err)
		return nil
	}
	return members
}

// roomMember is somebody who is in a room, or banned from it.
type roomMember struct {
	*event.MemberEventContent
	// settling says that somebody in Matrix has banned them a moment ago: what that means for Discord may not have been begun yet.
	settling bool
}

// settleTime is how long a ban may need to get from the homeserver to the bridge.
const settleTime = time.Minute

// membersNow are those who are in a room, or banned from it. The homeserver is asked: what the bridge remembers of members may
// lack what happened when it was killed. It does not remember the answer, which may be older than what it has heard since.
func (n *bot) membersNow(ctx context.Context, room id.RoomID) (map[id.UserID]roomMember, error) {
	list := make(map[id.UserID]roomMember)
	intent, ok := n.b.br.Bot.(*matrix.ASIntent)
	if !ok {
		members, err := n.b.br.Matrix.GetMembers(ctx, room)
		for user, m := range members {
			list[user] = roomMember{MemberEventContent: m}
		}
		return list, err
	}
	address := intent.Matrix.BuildURLWithQuery(mautrix.ClientURLPath{"v3", "rooms", room, "members"}, map[string]string{"not_membership": "leave"})
	var all mautrix.RespMembers
	if _, err := intent.Matrix.MakeRequest(ctx, http.MethodGet, address, nil, &all); err != nil {
		return nil, fmt.Errorf("list the members of a room: %w", err)
	}
	for _, e := range all.Chunk {
		if err := e.Content.ParseRaw(e.Type); err != nil {
			continue
		}
		m := roomMember{MemberEventContent: e.Content.AsMember()}
		_, ghost := n.b.br.Matrix.ParseGhostMXID(e.Sender)
		m.settling = m.Membership == event.MembershipBan && !ghost && e.Sender != n.b.br.Bot.GetMXID() && time.Since(time.UnixMilli(e.Timestamp)) < settleTime
		list[id.UserID(e.GetStateKey())] = m
	}
	return list, nil
}

// addMember adds a member to a list, as present or absent. In guilds whose members are
// not all known, who is present is known by what they say.
func (n *bot) addMember(list bridgev2.ChatMemberMap, g *guild, ch *wire.Channel, m wire.Member, readOnly bool) {
	ghost := userID(m.User.ID)
	have := g.permissions(m.User.ID, m.Roles, ch)
	member := bridgev2.ChatMember{EventSender: bridgev2.EventSender{Sender: ghost}, Membership: event.MembershipJoin}
	switch {
	case g.banned[m.User.ID]:
		return
	case have&permView == 0:
		member.Membership, member.PrevMembership = event.MembershipLeave, event.MembershipJoin
	case !n.people.knows(ghost):
		return // introduced before anything is handed to a room
	default:
		l := level(have, readOnly)
		if silenced(&m, have) {
			l = levelSilenced
		}
		member.PowerLevel = &l
		if !g.whole {
			member.PrevMembership = event.MembershipJoin
		}
		member.MemberEventExtra = n.people.membership(ghost)
	}
	list[ghost] = member
}

// powerLevels are what is needed for what in a room, by what everybody who is in the
// channel may do there, and whether everybody sees it.
func powerLevels(common int64, visible bool) *bridgev2.PowerLevelOverrides {
	need := func(permission int64) int {
		if common&permission == 0 {
			return levelWriter
		}
		return 0
	}
	write, moderate := need(permSend), levelModerator
	invite := 0
	if !visible {
		invite = levelModerator
	}
	users := 0
	return &bridgev2.PowerLevelOverrides{
		Events:       map[event.Type]int{event.EventReaction: need(permAddReactions), event.EventRedaction: 0},
		UsersDefault: &users, EventsDefault: &write, Invite: &invite, Kick: &moderate, Ban: &moderate, Redact: &moderate,
	}
}

// ensureGuild makes what is missing of a guild's rooms and brings the others up to
// date.
func (n *bot) ensureGuild(ctx context.Context, guildID wire.ID) {
	if err := n.ensureRoom(ctx, guildKey(guildID), "", string(guildID), true); err != nil {
		n.log.Error("a guild has no space", "guild", guildID, "error", err)
		return
	}
	var list []wire.Channel
	n.guilds.read(guildID, func(g *guild) { list = g.sorted() })
	used := make(map[wire.ID]bool)
	for i := range list {
		if list[i].HasMessages() && n.bridged(&list[i]) {
			used[list[i].ParentID] = true
		}
	}
	for i := range list {
		ch := &list[i]
		if ch.Type == wire.ChannelCategory && used[ch.ID] || ch.HasMessages() && n.bridged(ch) {
			n.ensureChannel(ctx, ch)
		}
	}
}

// ensureChannel makes a channel's room, or brings it up to date.
func (n *bot) ensureChannel(ctx context.Context, ch *wire.Channel) {
	parent := guildKey(ch.GuildID)
	if ch.ParentID != "" {
		if cat, ok := n.guilds.channel(ch.ParentID); ok {
			parent = channelKey(ch.ParentID)
			if !n.rooms[ch.ParentID] {
				n.ensureChannel(ctx, &cat)
			}
		}
	}
	var visible bool
	var self int64
	n.guilds.read(ch.GuildID, func(g *guild) {
		visible = g.permissions("", nil, ch)&permView != 0
		self = permAll
		if m, ok := g.members[n.self]; ok {
			self = g.permissions(n.self, m.Roles, ch)
		}
	})
	if ch.Type != wire.ChannelCategory && self&permView == 0 {
		n.log.Info("the bot does not see a channel; it is not bridged", "channel", ch.ID)
		return
	}
	if err := n.ensureRoom(ctx, channelKey(ch.ID), parent.ID, string(ch.ID), visible); err != nil {
		n.log.Error("a channel has no room", "channel", ch.ID, "error", err)
		return
	}
	n.setRoom(ch.ID, true)
	if missing := missingRights(self); len(missing) > 0 && ch.Type != wire.ChannelCategory {
		n.log.Warn("the bot lacks permissions in a channel", "channel", ch.ID, "missing", missing)
	}
	n.setOrder(ctx, ch, parent)
}

// ensureRoom makes a room that does not exist yet, and gives it its relay and alias.
// One that exists is brought up to date.
func (n *bot) ensureRoom(ctx context.Context, key networkid.PortalKey, parent networkid.PortalID, alias string, visible bool) error {
	portal, err := n.b.br.GetPortalByKey(ctx, key)
	if err != nil {
		return fmt.Errorf("load a portal: %w", err)
	}
	// Before there is a room in which somebody could write.
	if portal.Relay != n.login {
		if err := portal.SetRelay(ctx, n.login); err != nil {
			return fmt.Errorf("set the relay: %w", err)
		}
	}
	if portal.MXID == "" {
		info, err := n.GetChatInfo(ctx, portal)
		if err != nil {
			return err
		}
		if err := portal.CreateMatrixRoom(ctx, n.login, info); err != nil {
			return fmt.Errorf("make a room: %w", err)
		}
	} else {
		n.refresh(key)
	}
	n.login.MarkInPortal(ctx, portal)
	meta, ok := portal.Metadata.(*PortalMetadata)
	alias = n.b.deps.AliasPrefix + alias
	if !ok || meta.Alias == alias || !visible || !n.cfg.Public {
		return nil
	}
	if err := appservice.SetAlias(ctx, n.b.br, portal.MXID, alias); err != nil {
		// The room works without it, and by invitation.
		n.log.Error("a room has no alias", "room", portal.MXID, "alias", alias, "error", err)
		return nil
	}
	meta.Alias = alias
	return portal.Save(ctx)
}

// orderOf is the order of a channel's room in its space: Discord shows channels for talking below the others, categories
// below both, and each kind by position, and by id if that is the same. It does not depend on the other channels.
func orderOf(ch *wire.Channel) string {
	kind := 0
	switch ch.Type {
	case wire.ChannelVoice, wire.ChannelStage:
		kind = 1
	case wire.ChannelCategory:
		kind = 2
	}
	return fmt.Sprintf("%d%05d%020d", kind, max(ch.Position, 0), ch.ID.Uint())
}

// setOrder puts a room in its place in the space.
func (n *bot) setOrder(ctx context.Context, ch *wire.Channel, parent networkid.PortalKey) {
	portal, err := n.b.br.GetExistingPortalByKey(ctx, channelKey(ch.ID))
	if err != nil || portal == nil {
		return
	}
	space, err := n.b.br.GetExistingPortalByKey(ctx, parent)
	meta, ok := portal.Metadata.(*PortalMetadata)
	if err != nil || space == nil || space.MXID == "" || !ok {
		return
	}
	want := orderOf(ch)
	if meta.Order == string(space.MXID)+want {
		return
	}
	_, err = n.b.br.Bot.SendState(ctx, space.MXID, event.StateSpaceChild, string(portal.MXID), &event.Content{
		Parsed: &event.SpaceChildEventContent{Via: []string{n.b.br.Matrix.ServerName()}, Order: want},
	}, time.Time{})
	if err != nil {
		n.log.Warn("a room is not in its place", "room", portal.MXID, "error", err)
		return
	}
	meta.Order = string(space.MXID) + want
	if err := portal.Save(ctx); err != nil {
		n.log.Warn("the place of a room is not stored", "error", err)
	}
}

// fetchMembers gets the members of a guild that are not known, if it is small enough
// for all to be shown.
func (n *bot) fetchMembers(ctx context.Context, guildID wire.ID) {
	var count int
	var whole bool
	n.guilds.read(guildID, func(g *guild) { count, whole = int(g.MemberCount), g.whole })
	if whole && count > n.cfg.MemberLimit {
		n.guilds.change(guildID, func(g *guild) { g.whole = false })
		return
	}
	if whole || count > n.cfg.MemberLimit {
		return
	}
	after := wire.ID("0")
	for {
		var page wire.List[wire.Member]
		path := "/guilds/" + string(guildID) + "/members?limit=1000&after=" + string(after)
		if err := n.api.Do(ctx, "GET", path, "", nil, &page); err != nil {
			n.log.Warn("the members of a guild cannot be listed; those who speak are shown", "guild", guildID, "error", err)
			return
		}
		if slices.ContainsFunc(page, func(m wire.Member) bool { return m.User.ID == "" }) {
			n.log.Warn("the members of a guild cannot be listed, for the answers do not say who they are; those who speak are shown", "guild", guildID)
			return
		}
		from := after
		n.guilds.change(guildID, func(g *guild) {
			for _, m := range page {
				g.members[m.User.ID] = m
				if m.User.ID.After(after) {
					after = m.User.ID
				}
			}
		})
		if len(page) < 1000 || after == from { // what does not go on has an end, too
			break
		}
	}
	n.guilds.change(guildID, func(g *guild) { g.whole = true })
}

// bridgedChannels are the channels of a guild that have rooms.
func (n *bot) bridgedChannels(guildID wire.ID) (list []wire.Channel) {
	n.guilds.read(guildID, func(g *guild) {
		for _, ch := range g.sorted() {
			if n.rooms[ch.ID] && ch.HasMessages() && !(ch.IsForum() && n.cfg.ForumSpaces) {
				list = append(list, ch)
			}
		}
		for _, t := range g.threads {
			if n.rooms[t.ID] {
				list = append(list, t)
			}
		}
	})
	return slices.Clip(list)
}

// openChannels are the channels of a guild that have rooms. Unlike bridgedChannels it may be called by everybody.
func (n *bot) openChannels(guildID wire.ID) (list []wire.Channel) {
	var all []wire.Channel
	n.guilds.read(guildID, func(g *guild) { all = g.sorted() })
	for _, ch := range all {
		if ch.HasMessages() && n.hasRoom(ch.ID) {
			list = append(list, ch)
		}
	}
	return list
}

// roomOf is the room of a channel, or of a thread's channel, and an address of it for people; "" if there is none.
func (n *bot) roomOf(ctx context.Context, channel wire.ID) (id.RoomID, string) {
	if ch, ok := n.guilds.channel(channel); ok && ch.IsThread() && !n.ownRoom(&ch) {
		channel = ch.ParentID
	}
	if !n.hasRoom(channel) {
		return "", "" // also while it is being made
	}
	portal, err := n.b.br.GetExistingPortalByKey(ctx, channelKey(channel))
	if err != nil || portal == nil || portal.MXID == "" {
		return "", ""
	}
	server := n.b.br.Matrix.ServerName()
	if meta, ok := portal.Metadata.(*PortalMetadata); ok && meta.Alias != "" {
		return portal.MXID, id.NewRoomAlias(meta.Alias, server).URI().MatrixToURL()
	}
	return portal.MXID, portal.MXID.URI(server).MatrixToURL()
}

// setRoom notes that a channel has a room, or has none any more. Called by the pump.
func (n *bot) setRoom(channel wire.ID, yes bool) {
	n.roomsMu.Lock()
	defer n.roomsMu.Unlock()
	if yes {
		n.rooms[channel] = true
	} else {
		delete(n.rooms, channel)
	}
}

// hasRoom reports whether a channel has a room that is ready. It may be called by everybody.
func (n *bot) hasRoom(channel wire.ID) bool {
	n.roomsMu.RLock()
	defer n.roomsMu.RUnlock()
	return n.rooms[channel]
}
