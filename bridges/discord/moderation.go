package discord

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"

	"github.com/landbridge-im/landbridge/bridges/discord/api"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// Who kicks or bans a ghost in Matrix has, as the homeserver has checked, the power for it in the room; the bot does
// it on Discord, if it may. A kick or a ban there is of the whole guild, and comes back to all its rooms. If Discord
// refuses, the ghost is as it was, and the moderator is told.

// Codes of Discord's, from "JSON Error Codes".
const (
	codeUnknownMember = 10007
	codeUnknownUser   = 10013
	codeUnknownBan    = 10026
)

var (
	errModeration = errors.New("moderation from Matrix is switched off")
	errNoGuild    = errors.New("this room belongs to no guild that is known now")
)

// guildOf is the guild of a room.
func (n *bot) guildOf(portal *bridgev2.Portal) (wire.ID, error) {
	guildID, channel := splitPortal(portal.ID)
	if channel != "" {
		if ch, ok := n.guilds.channel(channel); ok {
			guildID = ch.GuildID
		}
	}
	if guildID == "" || !n.guilds.read(guildID, func(*guild) {}) {
		return "", errNoGuild
	}
	return guildID, nil
}

// HandleMatrixMembership implements bridgev2.MembershipHandlingNetworkAPI.
func (n *bot) HandleMatrixMembership(ctx context.Context, msg *bridgev2.MatrixMembershipChange) (*bridgev2.MatrixMembershipResult, error) {
	ghost, ok := msg.Target.(*bridgev2.Ghost)
	if !ok || !isUser(ghost.ID) || msg.Type.IsSelf || n.b.br.IsGhostMXID(msg.Event.Sender) || msg.Event.Sender == n.b.br.Bot.GetMXID() {
		return nil, nil
	}
	var kind jobKind
	switch {
	case msg.Type.To == event.MembershipBan:
		kind = jobBan
	case msg.Type == bridgev2.Kick:
		kind = jobKick
	case msg.Type == bridgev2.Unban:
		kind = jobUnban
	default:
		return nil, nil
	}
	user := wire.ID(ghost.ID)
	guildID, err := n.guildOf(msg.Portal)
	if err == nil && !n.cfg.Moderation {
		err = errModeration
	}
	if err != nil {
		n.restore(msg.Portal, kind, user)
		return nil, refusal(err)
	}
	// The jobs of a guild are a queue of their own.
	j := n.newJob(kind, guildID, msg.Event, msg.OrigSender)
	j.TargetID, j.Reason = user, msg.Content.Reason
	_, j.TargetChannel = splitPortal(msg.Portal.ID)
	if err := n.outbox.add(ctx, j, nil); err != nil && !errors.Is(err, errDuplicate) {
		return nil, refusal(err)
	}
	return nil, nil
}

// doModerate kicks or bans somebody, or ends that.
func (n *bot) doModerate(ctx context.Context, j *job) error {
	ctx = api.WithReason(ctx, strings.TrimSpace(fmt.Sprintf("%s on Matrix: %s", j.Name, j.Reason)))
	guild, user := "/guilds/"+string(j.Channel), string(j.TargetID)
	switch j.Kind {
	case jobKick:
		err := n.api.Do(ctx, "DELETE", guild+"/members/"+user, guild+"/members/id", nil, nil)
		if api.IsCode(err, codeUnknownMember, codeUnknownUser) {
			return nil
		}
		return err
	case jobBan:
		return n.api.Do(ctx, "PUT", guild+"/bans/"+user, guild+"/bans/id", map[string]any{}, nil)
	case jobTimeout:
		body := map[string]any{"communication_disabled_until": nil}
		if !j.Until.IsZero() {
			body["communication_disabled_until"] = j.Until.UTC().Format(time.RFC3339)
		}
		return n.api.Do(ctx, "PATCH", guild+"/members/"+user, guild+"/members/id", body, nil)
	default:
		err := n.api.Do(ctx, "DELETE", guild+"/bans/"+user, guild+"/bans/id", nil, nil)
		if api.IsCode(err, codeUnknownBan) {
			return nil
		}
		return err
	}
}

// moderated is told of what became of a job of moderation.
func (n *bot) moderated(ctx context.Context, j *job, err error) {
	if err == nil {
		// As the gateway will say, too.
		n.guilds.change(j.Channel, func(g *guild) {
			switch j.Kind {
			case jobBan:
				g.banned[j.TargetID] = true
				delete(g.members, j.TargetID)
			case jobKick:
				delete(g.members, j.TargetID)
			case jobUnban:
				delete(g.banned, j.TargetID)
			}
		})
	}
	if err == nil || j.Kind == jobTimeout || j.TargetChannel == "" {
		return
	}
	portal, perr := n.b.br.GetExistingPortalByKey(ctx, channelKey(j.TargetChannel))
	if perr == nil && portal != nil {
		n.restore(portal, j.Kind, j.TargetID)
	}
}

// restore has a ghost be in a room as it was before somebody in Matrix did what Discord does not allow.
func (n *bot) restore(portal *bridgev2.Portal, kind jobKind, user wire.ID) {
	ghost := userID(user)
	list := bridgev2.ChatMemberMap{}
	back := func(to, from event.Membership) {
		list[ghost] = bridgev2.ChatMember{
			EventSender: bridgev2.EventSender{Sender: ghost}, Membership: to, PrevMembership: from, MemberEventExtra: n.people.membership(ghost),
		}
	}
	switch kind {
	case jobUnban:
		back(event.MembershipBan, event.MembershipLeave)
	case jobBan:
		back(event.MembershipLeave, event.MembershipBan)
		n.changeMembers(portal.PortalKey, list)
		list = bridgev2.ChatMemberMap{}
	}
	if kind != jobUnban {
		_, channel := splitPortal(portal.ID)
		if ch, ok := n.guilds.channel(channel); ok {
			if m, here := n.guilds.member(ch.GuildID, user); here {
				n.guilds.read(ch.GuildID, func(g *guild) {
					n.addMember(list, g, &ch, m, g.common(&ch)&permSend == 0)
				})
				if is, ok := list[ghost]; ok && is.Membership == event.MembershipJoin {
					is.PrevMembership = ""
					list[ghost] = is
				}
			}
		}
	}
	n.changeMembers(portal.PortalKey, list)
}
