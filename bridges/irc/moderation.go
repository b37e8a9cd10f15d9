package irc

import (
	"context"
	"strings"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/bridges/irc/format"
)

// prepender is a Matrix connector that lets others handle events before the framework
// does. The framework's own way to hear of memberships fails for those of users who
// have no login, which here is everybody.
type prepender interface {
	PrependHandler(event.Type, func(context.Context, *event.Event))
}

// watchMembers has onMember called for changes of memberships.
func (c *Connector) watchMembers() {
	c.watch(event.StateMember, c.onMember)
}

// onMember hands what a Matrix user does to a ghost to its network.
func (c *Connector) onMember(ctx context.Context, evt *event.Event) {
	mx := c.b.br.Matrix
	user := id.UserID(evt.GetStateKey())
	ghost, isGhost := mx.ParseGhostMXID(user)
	if _, own := mx.ParseGhostMXID(evt.Sender); own || user == c.b.br.Bot.GetMXID() {
		return
	}
	portal, err := c.b.br.GetPortalByMXID(ctx, evt.RoomID)
	if err != nil {
		return
	}
	name := ""
	if portal != nil {
		name, _ = splitPortal(portal.ID)
	} else if isGhost {
		name, _, _ = splitGhost(ghost)
	}
	login := c.b.br.GetCachedUserLoginByID(networkid.UserLoginID(name))
	if login == nil {
		return
	}
	n, ok := login.Client.(*network)
	switch {
	case !ok:
	case !isGhost && portal != nil:
		n.puppets.onMember(ctx, portal, evt)
		if _, mask := memberBefore(evt); mask != "" && evt.Sender != c.b.br.Bot.GetMXID() && evt.Content.AsMember().Membership != event.MembershipBan {
			n.endBan(ctx, portal, evt, mask)
		}
	case evt.Sender == c.b.br.Bot.GetMXID():
	case portal != nil:
		n.moderate(ctx, portal, ghost, evt)
	case evt.Content.AsMember().Membership == event.MembershipInvite:
		n.invited(ctx, ghost, evt)
	}
}

// maxReason is the longest reason of a kick, in bytes.
const maxReason = 200

// memberBefore is the membership that an event has ended, and the mask of the ban on IRC that it showed, if it did.
func memberBefore(evt *event.Event) (from event.Membership, mask string) {
	prev := evt.Unsigned.PrevContent
	if prev == nil {
		return event.MembershipLeave, ""
	}
	_ = prev.ParseRaw(evt.Type) // fails if it was done before
	from = prev.AsMember().Membership
	if of, ok := strings.CutPrefix(prev.AsMember().Reason, banReason); ok && from == event.MembershipBan {
		mask = of
	}
	return from, mask
}

// endBan ends a ban on IRC whose showing in a room somebody there has ended.
func (n *network) endBan(ctx context.Context, portal *bridgev2.Portal, evt *event.Event, mask string) {
	ch := n.channelOf(portal)
	if ch == nil {
		return
	}
	o := &outgoing{
		EventID: evt.ID, Channel: ch.Name, Command: "MODE", Steps: [][]string{{"MODE", ch.Name, "-b", mask}},
		Status: eventInfo{RoomID: evt.RoomID, Type: evt.Type, Sender: evt.Sender},
	}
	if _, err := n.take(ctx, n.outbox, o, nil); err != nil {
		_ = n.refuse(ctx, evt, err)
	}
}

// moderate kicks or bans from a channel who is kicked or banned from its room, as far
// as the bridge may do that there. The homeserver has checked the rights in the room.
func (n *network) moderate(ctx context.Context, portal *bridgev2.Portal, ghost networkid.UserID, evt *event.Event) {
	ch := n.channelOf(portal)
	nick, ok := n.nickOf(ghost)
	if ch == nil || !ok {
		return
	}
	from, shown := memberBefore(evt)
	o := &outgoing{
		EventID: evt.ID, Channel: ch.Name, Command: "KICK",
		Status: eventInfo{RoomID: evt.RoomID, Type: evt.Type, Sender: evt.Sender},
	}
	here := n.session.InChannelWith(ch.Name, nick)
	mask := n.maskFor(ch, nick)
	switch to := evt.Content.AsMember().Membership; {
	case to == event.MembershipInvite && from != to && from != event.MembershipJoin:
		n.inviteOnIRC(ctx, ch, nick, evt)
		return
	case to == event.MembershipBan && from != to:
		n.rememberBan(ctx, ch, ghost, mask)
		o.Steps = append(o.Steps, []string{"MODE", ch.Name, "+b", mask})
	case from == event.MembershipBan && to != from:
		if shown != "" {
			mask = shown
		} else {
			mask = n.forgetBan(ctx, ch, ghost, mask)
		}
		o.Steps = append(o.Steps, []string{"MODE", ch.Name, "-b", mask})
		here = false
	case from != event.MembershipJoin || to != event.MembershipLeave:
		return
	}
	if here {
		o.Steps = append(o.Steps, []string{"KICK", ch.Name, nick, n.kickReason(ctx, evt)})
	}
	if len(o.Steps) == 0 {
		return
	}
	if _, err := n.take(ctx, n.outbox, o, nil); err != nil {
		_ = n.refuse(ctx, evt, err)
	}
}

// nickOf returns the nick of a ghost of this network.
func (n *network) nickOf(ghost networkid.UserID) (string, bool) {
	if nick, ok := n.ids.nick(ghost); ok {
		return nick, true
	}
	network, nick, ok := splitGhost(ghost)
	nick, _, _ = strings.Cut(nick, "~") // the number of a ghost whose name was taken
	return nick, ok && network == n.cfg.ID && nick != ""
}

// kickReason says who wants somebody gone, and why.
func (n *network) kickReason(ctx context.Context, evt *event.Event) string {
	name := ""
	if member, err := n.b.br.Matrix.GetMemberInfo(ctx, evt.RoomID, evt.Sender); err == nil && member != nil {
		name = member.Displayname
	}
	by := expandRelay("{name}", name, evt.Sender)
	reason := strings.Join(format.FromText(evt.Content.AsMember().Reason), " ")
	if reason == "" {
		return by
	}
	return cutBytes(by+": "+reason, maxReason)
}
