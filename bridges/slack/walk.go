package slack

import (
	"context"
	"fmt"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// Who is signed in is in the same channels on both sides: they join and leave in Slack what they join and leave on Matrix, and
// are taken out of a private channel's room when they are in the channel no more. A public one's room is open to everybody.

// personMoves makes an action of the coming or going of somebody who is signed in, and reports whether it is one.
func (w *workspace) personMoves(evt *event.Event, a *action) bool {
	account := id.UserID(evt.GetStateKey())
	p := w.personBy("", account)
	if p == nil || w.isDirect(a.Channel) {
		return false
	}
	now, before := evt.Content.AsMember().Membership, previousMember(evt)
	switch {
	case now == event.MembershipJoin && before != event.MembershipJoin:
		a.Kind = doJoin
	case now != event.MembershipJoin && before == event.MembershipJoin && evt.Sender == account:
		a.Kind = doLeave
	case now != event.MembershipJoin && before == event.MembershipJoin:
		a.Kind = doKick
	default:
		return false
	}
	a.User = p.meta.User
	if a.Kind != doKick {
		a.As = string(p.login.ID)
	}
	return true
}

// isDirect reports whether a channel is a direct or group message of somebody who is signed in.
func (w *workspace) isDirect(channel string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.direct[channel] != ""
}

// walk has somebody who is signed in join or leave a channel.
func (w *workspace) walk(ctx context.Context, a *action) error {
	voice, err := w.speaker(a)
	if err != nil {
		return err
	}
	if a.Kind == doLeave {
		_, err := voice.slack().LeaveConversationContext(ctx, a.Channel)
		if c := code(err); c == "not_in_channel" || c == "channel_not_found" {
			return nil
		}
		if err != nil {
			return fmt.Errorf("conversations.leave: %w", err)
		}
		return nil
	}
	_, _, _, err = voice.slack().JoinConversationContext(ctx, a.Channel)
	switch code(err) {
	case "method_not_supported_for_channel_type", "channel_not_found":
		_, err = w.api.slack().InviteUsersToConversationContext(ctx, a.Channel, a.User) // a private one, of which the bot is a member
		if code(err) == "already_in_channel" {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("conversations.join: %w", err)
	}
	return nil
}

// turnOut takes somebody who is signed in out of the room of a private channel that they have left in Slack.
func (p *person) turnOut(ctx context.Context, portal *bridgev2.Portal, channel string) {
	ch, err := p.workspace().channel(ctx, channel)
	if err != nil || !ch.IsPrivate {
		return
	}
	member, err := p.b.br.Matrix.GetMemberInfo(ctx, portal.MXID, p.login.UserMXID)
	if err != nil || member == nil || member.Membership != event.MembershipJoin && member.Membership != event.MembershipInvite {
		return
	}
	_, err = p.b.br.Bot.SendState(ctx, portal.MXID, event.StateMember, string(p.login.UserMXID), &event.Content{
		Parsed: &event.MemberEventContent{Membership: event.MembershipLeave, Reason: "You are not in the channel any more"},
	}, time.Time{})
	if err != nil {
		p.b.log.Warn("somebody stays in the room of a private channel that they have left", "room", portal.MXID, "login", p.login.ID, "error", err)
	}
}
