package irc

import (
	"context"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"

	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

// followModes has a room follow the modes of its channel. It is called in a turn of
// the room's portal.
func (n *network) followModes(ctx context.Context, portal *bridgev2.Portal, modes session.Modes) {
	n.followTopicLock(ctx, portal, modes.Has('t'))
	n.followDoor(ctx, portal, modes)
	n.followModerated(ctx, portal, modes.Has('m'))
	n.followSecret(ctx, portal, modes.Has('s') || modes.Has('p'))
}

// doorOf is the join rule of a channel's room.
func doorOf(modes session.Modes) event.JoinRule {
	if modes.Has('i') || modes.Has('k') {
		return event.JoinRuleInvite
	}
	return event.JoinRulePublic
}

// followDoor lets into a room who may enter its channel: everybody, or, if the channel
// is for those who are invited or know its key (modes i and k), those who are invited
// in Matrix. Who is in stays. A rule that is not the last one set here is an
// administrator's choice and stays.
func (n *network) followDoor(ctx context.Context, portal *bridgev2.Portal, modes session.Modes) {
	meta, ok := portal.Metadata.(*PortalMetadata)
	client := clientOf(n.b.br.Bot)
	if !ok || client == nil || portal.MXID == "" {
		return
	}
	want := doorOf(modes)
	last := meta.JoinRule
	if last == "" {
		last = event.JoinRulePublic // as the room was made
	}
	if want == last {
		return
	}
	n.insist(ctx, "the join rule of a room", func() error {
		// Not what the connector remembers: an administrator's change may be on its way.
		var now event.JoinRulesEventContent
		if err := client.Client.StateEvent(ctx, portal.MXID, event.StateJoinRules, "", &now); err != nil {
			return err
		}
		if now.JoinRule != last || want != event.JoinRulePublic && now.JoinRule != event.JoinRulePublic {
			return nil // an administrator's choice, or closed already in a way of its own (knock, restricted)
		}
		content := &event.Content{Parsed: &event.JoinRulesEventContent{JoinRule: want}}
		if _, err := portal.Bridge.Bot.SendState(ctx, portal.MXID, event.StateJoinRules, "", content, time.Time{}); err != nil {
			return err
		}
		meta.JoinRule = want
		return portal.Save(ctx)
	})
}
