package irc

import (
	"context"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

// inviteEntry makes an entry of an invitation that the listener has seen: of a Matrix user to a channel. Its puppet
// sees it too; the two are one by the user and the channel.
func (n *network) inviteEntry(e session.Invite) *entry {
	user, ok := n.puppets.byNick(e.Nick)
	if !ok || e.Self {
		return nil
	}
	return n.invitation(user, e)
}

// invitation makes an entry of the invitation of a Matrix user.
func (n *network) invitation(user id.UserID, e session.Invite) *entry {
	channels := n.configured([]string{e.Channel})
	if len(channels) == 0 {
		return nil
	}
	return lineEntry(&line{Kind: lineInvite, Time: e.Time, ID: lineID(e.Meta), Channels: channels, To: user, Text: e.By.Nick})
}

// inviteUser invites a Matrix user to a room, to whose channel somebody has invited them.
func (n *network) inviteUser(ctx context.Context, portal *bridgev2.Portal, l *line) bool {
	return n.insist(ctx, "an invitation", func() error {
		now, err := memberNow(ctx, portal, l.To)
		if err != nil {
			return err
		}
		if now.Membership == event.MembershipJoin || now.Membership == event.MembershipInvite {
			return nil
		}
		if err := n.pardon(ctx, portal, l.To); err != nil {
			return err
		}
		content := &event.Content{Parsed: &event.MemberEventContent{Membership: event.MembershipInvite, Reason: l.Text + " invites you on " + n.cfg.Name}}
		_, err = portal.Bridge.Bot.SendState(ctx, portal.MXID, event.StateMember, string(l.To), content, time.Time{})
		return err
	})
}

// inviteOnIRC invites to a channel who was invited to its room.
func (n *network) inviteOnIRC(ctx context.Context, ch *channel, nick string, evt *event.Event) {
	if n.session.InChannelWith(ch.Name, nick) {
		return
	}
	o := &outgoing{
		EventID: evt.ID, Channel: ch.Name, Command: "INVITE", Steps: [][]string{{"INVITE", nick, ch.Name}},
		Status: eventInfo{RoomID: evt.RoomID, Type: evt.Type, Sender: evt.Sender}, At: time.Now().UTC(),
	}
	if _, err := n.take(ctx, n.outbox, o, nil); err != nil {
		_ = n.refuse(ctx, evt, err)
	}
}
