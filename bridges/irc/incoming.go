package irc

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/simplevent"
	"maunium.net/go/mautrix/event"

	"github.com/landbridge-im/landbridge/bridges/irc/format"
	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

// HandleEvent implements session.Handler.
func (n *network) HandleEvent(e session.Event) { n.incoming <- e }

// pump takes events from the connection to the portals until ctx is done. The
// session ends before or with ctx, and its last events are passed on.
func (n *network) pump(ctx context.Context) {
	defer n.outage.stop()
	for {
		select {
		case e := <-n.incoming:
			n.handle(ctx, e)
		case <-n.outage.due():
			n.outage.tell()
		case <-ctx.Done():
			for {
				select {
				case e := <-n.incoming:
					n.handle(ctx, e)
				case <-time.After(lastEvents):
					return
				}
			}
		}
	}
}

// lastEvents is how long the session may take to say that it has ended.
const lastEvents = 100 * time.Millisecond

func (n *network) handle(ctx context.Context, e session.Event) {
	// What was read should reach Matrix also when the bridge is being stopped.
	ctx = context.WithoutCancel(ctx)
	switch e := e.(type) {
	case session.Connecting:
		n.outage.connecting(e)
	case session.Registered:
		n.outage.registered(e)
		n.outbox.poke()
	case session.Disconnected:
		n.outage.disconnected(e)
	case session.Names:
		n.onNames(ctx, e)
	case session.JoinFailed:
		if ch := n.channel(e.Channel); ch != nil {
			n.outbox.block(ch.Name, e.Text)
			n.outage.cannotJoin(ch, e)
		}
	case session.Join:
		n.onMember(ctx, e.Meta, e.Channel, e.User.Nick, event.MembershipJoin, e.User.Nick, "")
	case session.Part:
		if !e.Self {
			n.onMember(ctx, e.Meta, e.Channel, e.User.Nick, event.MembershipLeave, e.User.Nick, e.Reason)
		}
	case session.Kick:
		n.onKick(ctx, e)
	case session.Quit:
		n.onQuit(ctx, e)
	case session.NickChange:
		n.onNick(ctx, e)
	case session.Topic:
		n.onTopic(ctx, e)
	case session.Message:
		n.onMessage(ctx, e)
	}
}

// meta is what all events of a channel have in common.
func (n *network) meta(kind bridgev2.RemoteEventType, ch *ChannelConfig, m session.Meta, sender networkid.UserID) simplevent.EventMeta {
	return simplevent.EventMeta{
		Type:      kind,
		PortalKey: channelKey(n.cfg.ID, ch.Name),
		Sender:    bridgev2.EventSender{Sender: sender},
		Timestamp: m.Time,
		LogContext: func(c zerolog.Context) zerolog.Context {
			return c.Str("irc_connection", m.Conn).Uint64("irc_line", m.Seq)
		},
	}
}

func (n *network) queue(e bridgev2.RemoteEvent) {
	res := n.login.QueueRemoteEvent(e)
	if res.Error != nil && !res.Success {
		n.log.Error("an event of the network failed", "type", e.GetType().String(), "error", res.Error)
	}
}

// onNames takes over the whole membership of a channel after a join.
func (n *network) onNames(ctx context.Context, e session.Names) {
	ch := n.channel(e.Channel)
	if ch == nil {
		return
	}
	n.outbox.unblock(ch.Name)
	members := bridgev2.ChatMemberMap{}
	self := n.fold(n.session.Nick())
	for _, m := range e.Members {
		if n.fold(m.Nick) == self {
			continue
		}
		ghost := n.person(ctx, m.Nick)
		members[ghost] = bridgev2.ChatMember{
			EventSender: bridgev2.EventSender{Sender: ghost},
			Membership:  event.MembershipJoin,
		}
	}
	topic := plainTopic(e.Topic)
	meta := n.meta(bridgev2.RemoteEventChatResync, ch, e.Meta, "")
	meta.CreatePortal = true
	n.queue(&simplevent.ChatResync{
		EventMeta: meta,
		GetChatInfoFunc: func(ctx context.Context, portal *bridgev2.Portal) (*bridgev2.ChatInfo, error) {
			info, err := n.GetChatInfo(ctx, portal)
			if err != nil {
				return nil, err
			}
			info.Topic = &topic
			info.Members = &bridgev2.ChatMemberList{
				IsFull: true, TotalMemberCount: len(members), MemberMap: members, ExcludeChangesFromTimeline: true,
				PowerLevels: channelPower(),
			}
			return info, nil
		},
	})
	n.outage.joined(ch)
}

// onMember tells one change of membership of a nick.
func (n *network) onMember(ctx context.Context, m session.Meta, channel, nick string, to event.Membership, by, reason string) {
	ch := n.channel(channel)
	if ch == nil {
		return
	}
	ghost := n.person(ctx, nick)
	var sender networkid.UserID // the bridge bot
	if by != "" && n.fold(by) != n.fold(n.session.Nick()) {
		sender = ghost
		if n.fold(by) != n.fold(nick) && n.session.Present(by) {
			sender = n.person(ctx, by)
		} else if n.fold(by) != n.fold(nick) {
			sender = ""
		}
	}
	member := bridgev2.ChatMember{EventSender: bridgev2.EventSender{Sender: ghost}, Membership: to}
	if reason = format.Plain(reason); reason != "" {
		member.MemberEventExtra = map[string]any{"reason": reason}
	}
	n.queue(&simplevent.ChatInfoChange{
		EventMeta: n.meta(bridgev2.RemoteEventChatInfoChange, ch, m, sender),
		ChatInfoChange: &bridgev2.ChatInfoChange{
			MemberChanges: &bridgev2.ChatMemberList{MemberMap: bridgev2.ChatMemberMap{ghost: member}},
		},
	})
	if to != event.MembershipJoin {
		n.ids.gone(ctx, n.fold(nick))
	}
}

func (n *network) onKick(ctx context.Context, e session.Kick) {
	if !e.Self {
		n.onMember(ctx, e.Meta, e.Channel, e.Nick, event.MembershipLeave, e.By.Nick, e.Reason)
		return
	}
	if ch := n.channel(e.Channel); ch != nil {
		n.outage.kicked(ch, e)
	}
}

func (n *network) onQuit(ctx context.Context, e session.Quit) {
	reason := e.Reason
	if reason == "" {
		reason = "Quit"
	}
	for _, channel := range e.Channels {
		n.onMember(ctx, e.Meta, channel, e.User.Nick, event.MembershipLeave, e.User.Nick, reason)
	}
	n.ids.quit(ctx, n.fold(e.User.Nick))
}

// onNick follows a rename.
func (n *network) onNick(ctx context.Context, e session.NickChange) {
	if e.Self || e.Old == "" {
		return
	}
	ghost := n.ids.rename(ctx, n.fold(e.Old), e.New, n.fold(e.New))
	n.introduce(ctx, ghost, e.New)
}

// plainTopic is a topic as Matrix shows it.
func plainTopic(topic string) string { return format.Plain(topic) }

func (n *network) onTopic(ctx context.Context, e session.Topic) {
	ch := n.channel(e.Channel)
	if ch == nil {
		return
	}
	var sender networkid.UserID
	if e.By.Nick != "" && n.session.Present(e.By.Nick) && n.fold(e.By.Nick) != n.fold(n.session.Nick()) {
		sender = n.person(ctx, e.By.Nick)
	}
	topic := plainTopic(e.Text)
	n.queue(&simplevent.ChatInfoChange{
		EventMeta:      n.meta(bridgev2.RemoteEventChatInfoChange, ch, e.Meta, sender),
		ChatInfoChange: &bridgev2.ChatInfoChange{ChatInfo: &bridgev2.ChatInfo{Topic: &topic}},
	})
}

// messageID names a message of the network, uniquely in the bridge.
func (n *network) messageID(ch *ChannelConfig, m session.Meta) networkid.MessageID {
	id := m.MsgID
	if id == "" {
		id = m.Conn + "-" + strconv.FormatUint(m.Seq, 10)
	}
	return n.remoteID(ch, id)
}

func (n *network) remoteID(ch *ChannelConfig, id string) networkid.MessageID {
	return networkid.MessageID(string(channelKey(n.cfg.ID, ch.Name).ID) + "/" + id)
}

func (n *network) onMessage(ctx context.Context, e session.Message) {
	if e.Echo {
		return // ours; the outbox knows of it
	}
	if e.Channel == "" {
		n.log.Debug("ignored a private message", "from", e.From.Nick)
		return
	}
	ch := n.channel(e.Channel)
	if ch == nil {
		return
	}
	content, meta := convertIncoming(e)
	if content == nil {
		return
	}
	converted := &bridgev2.ConvertedMessage{Parts: []*bridgev2.ConvertedMessagePart{{
		Type: event.EventMessage, Content: content, DBMetadata: meta,
	}}}
	if e.ReplyTo != "" {
		converted.ReplyTo = &networkid.MessageOptionalPartID{MessageID: n.remoteID(ch, e.ReplyTo)}
	}
	msg := &simplevent.PreConvertedMessage{
		EventMeta: n.meta(bridgev2.RemoteEventMessage, ch, e.Meta, n.person(ctx, e.From.Nick)),
		Data:      converted,
		ID:        n.messageID(ch, e.Meta),
	}
	msg.PostHandleFunc = func(ctx context.Context, portal *bridgev2.Portal) { n.ensureTaken(ctx, portal, msg) }
	n.queue(msg)
}

// convertIncoming makes a Matrix message, or nil if there is nothing to see.
func convertIncoming(e session.Message) (*event.MessageEventContent, *MessageMetadata) {
	plain, html := format.ToMatrix(e.Text)
	if plain == "" {
		return nil, nil
	}
	content := &event.MessageEventContent{MsgType: event.MsgText, Body: plain, Mentions: &event.Mentions{}}
	switch e.Kind {
	case session.KindNotice:
		content.MsgType = event.MsgNotice
	case session.KindAction:
		content.MsgType = event.MsgEmote
	}
	if html != "" {
		content.Format, content.FormattedBody = event.FormatHTML, html
	}
	return content, &MessageMetadata{Name: e.From.Nick, Text: cutBytes(plain, maxMeta)}
}

// takeRetries are the waits before a message that the homeserver did not take is
// tried again, in its place: the portal handles nothing else meanwhile.
var takeRetries = [...]time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second}

// ensureTaken tries a message again that has not arrived in Matrix. The
// framework logs such a failure and goes on.
func (n *network) ensureTaken(ctx context.Context, portal *bridgev2.Portal, msg *simplevent.PreConvertedMessage) {
	for _, wait := range takeRetries {
		part, err := portal.Bridge.DB.Message.GetFirstPartByID(ctx, portal.Receiver, msg.ID)
		if err == nil && part != nil {
			return
		}
		n.log.Warn("the homeserver has not taken a message, trying again", "in", wait)
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		//lint:ignore SA1019 the portal's queue has no way to say that handling failed, and this must not be lost
		portal.Internal().HandleRemoteMessage(ctx, n.login, msg)
	}
	n.log.Error("the homeserver does not take a message; it is lost", "message_id", fmt.Sprint(msg.ID))
}
