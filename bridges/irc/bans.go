package irc

import (
	"context"
	"errors"
	"strings"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

// A ban on IRC is of a mask, and who it meets and is in the channel may stay there. So somebody is banned from the
// room when they are gone from the channel and a ban meets them; and when the ban is taken away, or they are let in
// again, they are not banned any more.

// banReason begins the reason of a ban that comes from IRC; the mask follows.
const banReason = "banned on IRC: "

// matchMask reports whether a mask with * and ? meets a text.
func matchMask(mask, text string) bool {
	star, mark := -1, 0
	i, j := 0, 0
	for j < len(text) {
		switch {
		case i < len(mask) && mask[i] == '*':
			star, mark = i, j
			i++
		case i < len(mask) && (mask[i] == '?' || mask[i] == text[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(mask) && mask[i] == '*' {
		i++
	}
	return i == len(mask)
}

// meets reports whether a ban meets somebody: a mask of nick!user@host, or of an account ($a:, ~a:, R:).
func meets(cm session.Casemapping, mask string, who session.User) bool {
	for _, prefix := range []string{"$a:", "~a:", "R:", "~account:"} {
		if account, ok := strings.CutPrefix(mask, prefix); ok {
			return who.Account != "" && matchMask(cm.Fold(account), cm.Fold(who.Account))
		}
	}
	if strings.HasPrefix(mask, "$") || strings.HasPrefix(mask, "~") || strings.IndexByte(mask, ':') == 1 {
		return false // some other kind of ban, of which nobody here knows what it means
	}
	mask, _, _ = strings.Cut(mask, "$") // where a forward goes to
	if !strings.Contains(mask, "!") {
		mask += "!*@*"
	}
	if who.Host == "" { // then only a mask of the nick alone is sure
		nick, rest, _ := strings.Cut(mask, "!")
		return (rest == "*@*" || rest == "*") && strings.Trim(nick, "*") != "" && matchMask(cm.Fold(nick), cm.Fold(who.Nick))
	}
	return matchMask(cm.Fold(mask), cm.Fold(who.Nick+"!"+who.Username+"@"+who.Host))
}

// bannedBy returns the ban of a channel that meets somebody, or empty.
func (n *network) bannedBy(channel string, who session.User) string {
	cm := n.session.Support().Casemapping
	if m, ok := n.session.Member(channel, who.Nick); ok && who.Account == "" {
		who.Account = m.Account
	}
	for _, mask := range n.session.Bans(channel) {
		if meets(cm, mask, who) {
			return mask
		}
	}
	return ""
}

// modeEntry makes an entry of a change of modes.
func (n *network) modeEntry(e session.Mode) *entry {
	for _, ban := range e.Bans {
		// A ban that the bridge sets is one of Matrix already. One that it ends may be shown there from IRC.
		if channels := n.configured([]string{e.Channel}); len(channels) > 0 && (!ban.On || !n.isSelf(e.By.Nick)) {
			n.inbox.put(lineEntry(&line{
				Kind: lineBan, Time: e.Time, ID: lineID(e.Meta) + "-" + ban.Mask, Channels: channels, Mask: ban.Mask, On: ban.On,
			}))
		}
	}
	for _, nick := range e.Ranked {
		if n.fold(nick) != n.fold(n.session.Nick()) {
			return &entry{event: e}
		}
	}
	return nil
}

// puppetBan makes an entry of the ban of a puppet that is kicked, as the listener sees it. That it is kicked, it
// hears itself.
func (n *network) puppetBan(e session.Kick) *entry {
	channels := n.configured([]string{e.Channel})
	if len(channels) == 0 {
		return nil
	}
	mask := n.bannedBy(e.Channel, e.Who)
	if mask == "" {
		return nil
	}
	return lineEntry(&line{
		Kind: lineBan, Time: e.Time, ID: lineID(e.Meta) + "-" + mask, Channels: channels, Nick: e.Who.Nick, Mask: mask, On: true,
	})
}

// followBan has a room follow a ban of its channel, or the end of one.
func (n *network) followBan(ctx context.Context, portal *bridgev2.Portal, ch *channel, l *line) bool {
	if !l.On {
		return n.insist(ctx, "the end of a ban", func() error { return n.unban(ctx, portal, l.Mask) })
	}
	cm := n.session.Support().Casemapping
	nick, rest, _ := strings.Cut(l.Mask, "!")
	if l.Nick != "" {
		nick = l.Nick
	} else if rest != "*@*" || strings.ContainsAny(nick, "*?$~:") {
		return true // nobody who is known by it
	}
	if n.session.InChannelWith(ch.Name, nick) {
		return true // who is there may stay
	}
	user, ok := n.puppets.lately(nick)
	if !ok {
		user = n.b.br.Matrix.GhostIntent(ghostID(n.cfg.ID, cm.Fold(nick))).GetMXID()
	}
	return n.insist(ctx, "a ban", func() error { return n.ban(ctx, portal, user, l.Mask) })
}

// ban bans somebody from a room whom a mask meets on IRC.
func (n *network) ban(ctx context.Context, portal *bridgev2.Portal, user id.UserID, mask string) error {
	content := &event.Content{Parsed: &event.MemberEventContent{Membership: event.MembershipBan, Reason: banReason + mask}}
	_, err := portal.Bridge.Bot.SendState(ctx, portal.MXID, event.StateMember, string(user), content, time.Time{})
	if errors.Is(err, mautrix.MForbidden) {
		n.log.Info("somebody who is banned on IRC is not banned in Matrix, because they have more power there", "user", user)
		return nil
	}
	return err
}

// unban ends the bans that come from a mask.
func (n *network) unban(ctx context.Context, portal *bridgev2.Portal, mask string) error {
	client := clientOf(portal.Bridge.Bot)
	if client == nil {
		return nil
	}
	resp, err := client.Members(ctx, portal.MXID, mautrix.ReqMembers{Membership: event.MembershipBan})
	if err != nil {
		return err
	}
	for _, evt := range resp.Chunk {
		if evt.Content.AsMember().Membership == event.MembershipBan && evt.Content.AsMember().Reason == banReason+mask {
			content := &event.Content{Parsed: &event.MemberEventContent{Membership: event.MembershipLeave}}
			if _, err := portal.Bridge.Bot.SendState(ctx, portal.MXID, event.StateMember, evt.GetStateKey(), content, time.Time{}); err != nil {
				return err
			}
		}
	}
	return nil
}

// pardon ends the ban of somebody whom IRC has let in again, if it comes from there.
func (n *network) pardon(ctx context.Context, portal *bridgev2.Portal, user id.UserID) error {
	now, err := memberNow(ctx, portal, user)
	if err != nil || now.Membership != event.MembershipBan || !strings.HasPrefix(now.Reason, banReason) {
		return err
	}
	content := &event.Content{Parsed: &event.MemberEventContent{Membership: event.MembershipLeave}}
	_, err = portal.Bridge.Bot.SendState(ctx, portal.MXID, event.StateMember, string(user), content, time.Time{})
	return err
}

// maskFor is the mask with which somebody is banned on IRC: of their account, of their host, or of their nick,
// whichever is the most that is known.
func (n *network) maskFor(ch *channel, nick string) string {
	m, ok := n.session.Member(ch.Name, nick)
	isup := n.session.Support()
	switch {
	case ok && m.Account != "" && strings.HasPrefix(isup.Tokens["EXTBAN"], "$,") && strings.Contains(isup.Tokens["EXTBAN"], "a"):
		return "$a:" + m.Account
	case ok && m.Account != "" && strings.HasPrefix(isup.Tokens["EXTBAN"], ",") && strings.Contains(isup.Tokens["EXTBAN"], "R"):
		return "R:" + m.Account
	case ok && m.Host != "" && m.Host != "*" && !n.sharedHost(ch, m.Host, nick):
		return "*!*@" + m.Host
	}
	return nick + "!*@*"
}

// sharedHost reports whether somebody else in a channel has the same host, or the bridge and its users have it.
func (n *network) sharedHost(ch *channel, host, nick string) bool {
	return n.session.HostCount(ch.Name, host) > 1 || n.session.OwnHost() == host
}

// rememberBan keeps the mask that was set for somebody.
func (n *network) rememberBan(ctx context.Context, ch *channel, ghost networkid.UserID, mask string) {
	if err := n.b.store.putBan(ctx, n.cfg.ID, ch.Name, ghost, mask); err != nil {
		n.log.Warn("the mask of a ban is not remembered", "error", err)
	}
}

// forgetBan takes the mask that was set for somebody; otherwise, if there is none.
func (n *network) forgetBan(ctx context.Context, ch *channel, ghost networkid.UserID, otherwise string) string {
	mask, err := n.b.store.takeBan(ctx, n.cfg.ID, ch.Name, ghost)
	if err != nil {
		n.log.Warn("the mask of a ban is not known", "error", err)
	}
	if mask == "" {
		return otherwise
	}
	return mask
}

// followModerated has a room follow mode m: only those who have a voice may speak.
func (n *network) followModerated(ctx context.Context, portal *bridgev2.Portal, moderated bool) {
	meta, ok := portal.Metadata.(*PortalMetadata)
	if !ok || meta.Moderated == moderated {
		return
	}
	n.insist(ctx, "the power level of messages", func() error {
		levels, err := n.powerLevels(ctx, portal)
		if err != nil {
			return err
		}
		from, to := 0, n.rankLevel(n.session.Support(), 'v')
		if !moderated {
			from, to = to, from
		}
		if levels.EventsDefault == from {
			next := levels.Clone()
			next.EventsDefault = to
			// What is sent beside messages is as free as before.
			for _, kind := range []event.Type{event.EventReaction, event.EventRedaction} {
				if moderated && next.Events[kind.Type] == 0 {
					next.SetEventLevel(kind, 0)
				}
			}
			if _, err := portal.Bridge.Bot.SendState(ctx, portal.MXID, event.StatePowerLevels, "", &event.Content{Parsed: next}, time.Time{}); err != nil {
				return err
			}
		}
		meta.Moderated = moderated
		return portal.Save(ctx)
	})
}

// followSecret has a room follow modes s and p: it is not shown in the space.
func (n *network) followSecret(ctx context.Context, portal *bridgev2.Portal, secret bool) {
	meta, ok := portal.Metadata.(*PortalMetadata)
	if !ok || meta.Hidden == secret {
		return
	}
	n.insist(ctx, "the space's list of rooms", func() error {
		space, err := n.b.br.GetExistingPortalByKey(ctx, spaceKey(n.cfg.ID))
		if err != nil || space == nil || space.MXID == "" {
			return err
		}
		child := &event.SpaceChildEventContent{}
		if !secret {
			child.Via = []string{n.b.br.Matrix.ServerName()}
		}
		_, err = portal.Bridge.Bot.SendState(ctx, space.MXID, event.StateSpaceChild, string(portal.MXID), &event.Content{Parsed: child}, time.Time{})
		if err != nil {
			return err
		}
		meta.Hidden = secret
		return portal.Save(ctx)
	})
}
