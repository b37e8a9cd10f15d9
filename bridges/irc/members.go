package irc

import (
	"context"
	"errors"
	"slices"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/appservice"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	host "github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/bridges/irc/format"
)

// Memberships are set here and not by the framework, which reads all members of a
// room for each one that changes.

// clientOf is the Matrix client behind an intent, or nil: somebody who has an account here does what they do
// through the framework alone.
func clientOf(intent bridgev2.MatrixAPI) *appservice.IntentAPI {
	if as := host.GhostOf(intent); as != nil {
		return as.Matrix
	}
	return nil
}

// changeMember does what a join or leave asks for, in a turn of the room's
// portal. It returns false if the line is to stay in the inbox.
func (n *network) changeMember(ctx context.Context, portal *bridgev2.Portal, ch *channel, l *line) bool {
	ch.arrivals.drop(l.Ghost) // this is newer
	n.mu.Lock()
	ranked := n.ranked[ch.Name][l.Ghost]
	n.mu.Unlock()
	if ranked {
		n.ranksChanged(ch) // nobody has a rank who comes or has gone
	}
	ghost, err := portal.Bridge.GetGhostByID(ctx, l.Ghost)
	if err != nil {
		n.log.Error("a change of membership is not shown", "error", err)
		return false
	}
	if l.Kind == lineJoin {
		return n.insist(ctx, "a join", func() error { return n.join(ctx, portal, ghost, l.Time) })
	}
	sender := ghost.Intent
	if l.Kicked {
		// Perhaps because they were banned in Matrix, which a leave would undo, and which
		// the bridge's memory may not know yet.
		if n.banned(ctx, portal, ghost) {
			return true
		}
		sender = portal.Bridge.Bot
		if by, err := portal.Bridge.GetGhostByID(ctx, l.ByGhost); l.By != "" && err == nil {
			sender = by.Intent
		}
	}
	return n.insist(ctx, "a leave", func() error {
		if err := n.leave(ctx, portal, ghost, sender, l.Text, l.Time); err != nil || l.Mask == "" {
			return err
		}
		if n.session.InChannel(ch.Name) && !slices.Contains(n.session.Bans(ch.Name), l.Mask) {
			return nil // it has ended since, and nothing that is still to come would end it here
		}
		return n.ban(ctx, portal, ghost.Intent.GetMXID(), l.Mask)
	})
}

// all reports whether all people of a channel are to be in its room.
func (n *network) all(ch *channel) bool {
	if n.cfg.Members == MembersSpeaking {
		return false
	}
	return n.cfg.MembersMax == 0 || n.session.Count(ch.Name) <= n.cfg.MembersMax
}

// banned asks the homeserver whether a ghost is banned from a room.
func (n *network) banned(ctx context.Context, portal *bridgev2.Portal, ghost *bridgev2.Ghost) bool {
	now, err := memberNow(ctx, portal, ghost.Intent.GetMXID())
	return err == nil && now.Membership == event.MembershipBan
}

// memberNow asks the homeserver for somebody's membership of a room. What the connector remembers follows the room,
// and may be behind what has just been done there. Somebody who was never there has left.
func memberNow(ctx context.Context, portal *bridgev2.Portal, user id.UserID) (event.MemberEventContent, error) {
	now := event.MemberEventContent{Membership: event.MembershipLeave}
	client := clientOf(portal.Bridge.Bot)
	if client == nil {
		return now, nil
	}
	err := client.Client.StateEvent(ctx, portal.MXID, event.StateMember, string(user), &now)
	if errors.Is(err, mautrix.MNotFound) {
		err = nil
	}
	return now, err
}

// join brings a ghost into a room. A ghost that was banned in Matrix stays out.
func (n *network) join(ctx context.Context, portal *bridgev2.Portal, ghost *bridgev2.Ghost, at time.Time) error {
	content := &event.MemberEventContent{Membership: event.MembershipJoin, Displayname: ghost.Name, AvatarURL: ghost.AvatarMXC}
	_, err := ghost.Intent.SendState(ctx, portal.MXID, event.StateMember, string(ghost.Intent.GetMXID()), &event.Content{Parsed: content}, at)
	if errors.Is(err, mautrix.MForbidden) {
		err = n.admit(ctx, portal, ghost.Intent)
	}
	return err
}

// admit brings a ghost into a room that does not let it in: without a ban that came from IRC, where it is let in
// now, and with an invitation, where one is needed.
func (n *network) admit(ctx context.Context, portal *bridgev2.Portal, ghost bridgev2.MatrixAPI) error {
	if err := n.pardon(ctx, portal, ghost.GetMXID()); err != nil {
		return err
	}
	client := clientOf(ghost)
	if client == nil {
		return ghost.EnsureJoined(ctx, portal.MXID)
	}
	// The connector may remember that the ghost is in the room, from which Matrix has removed it since.
	return client.EnsureJoined(ctx, portal.MXID, appservice.EnsureJoinedParams{IgnoreCache: true})
}

// leave takes a ghost out of a room, in the name of sender if the room allows it.
func (n *network) leave(ctx context.Context, portal *bridgev2.Portal, ghost *bridgev2.Ghost, sender bridgev2.MatrixAPI, reason string, at time.Time) error {
	user := ghost.Intent.GetMXID()
	now, err := portal.Bridge.Matrix.GetMemberInfo(ctx, portal.MXID, user)
	if err == nil && now != nil && now.Membership != event.MembershipJoin && now.Membership != event.MembershipInvite {
		return nil
	}
	content := &event.Content{Parsed: &event.MemberEventContent{
		Membership: event.MembershipLeave, Displayname: ghost.Name, AvatarURL: ghost.AvatarMXC, Reason: format.Plain(reason),
	}}
	_, err = sender.SendState(ctx, portal.MXID, event.StateMember, string(user), content, at)
	if errors.Is(err, mautrix.MForbidden) && sender != portal.Bridge.Bot {
		content.Raw = map[string]any{"fi.mau.bridge.set_by": sender.GetMXID()}
		_, err = portal.Bridge.Bot.SendState(ctx, portal.MXID, event.StateMember, string(user), content, at)
	}
	return err
}
