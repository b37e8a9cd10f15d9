package irc

import (
	"context"
	"errors"
	htmlpkg "html"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/simplevent"
	"maunium.net/go/mautrix/event"

	"github.com/landbridge-im/landbridge/appservice/txnid"
	"github.com/landbridge-im/landbridge/bridges/irc/format"
	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

// HandleEvent implements session.Handler.
func (n *network) HandleEvent(e session.Event) {
	switch e := e.(type) {
	case session.Message:
		if n.standbys.listenerHears(e) {
			return
		}
	case session.Names:
		n.standbys.listenerPresent(e.Channel)
	case session.Join:
		n.standbys.sees(e.Channel, e.User.Nick)
	}
	if out := n.entry(e); out != nil {
		n.inbox.put(out)
	}
	switch e := e.(type) { // after what it has heard itself
	case session.Disconnected:
		n.standbys.listenerGone("")
	case session.Kick:
		if e.Self {
			n.standbys.listenerGone(e.Channel)
		}
	case session.Mode:
		if slices.ContainsFunc(e.Ranked, n.isListener) {
			n.outbox.relayAgain(e.Channel)
		}
	case session.Part:
		if e.Self {
			n.standbys.listenerGone(e.Channel)
		}
	}
}

// Sync implements session.Syncer.
func (n *network) Sync() { n.inbox.sync() }

// pump takes entries from the inbox to the portals until ctx is done. What it has
// not taken then is in the inbox for the next time.
func (n *network) pump(ctx context.Context) {
	defer n.outage.stop()
	for {
		select {
		case e := <-n.inbox.out:
			n.handle(context.WithoutCancel(ctx), e)
		case <-n.outage.due():
			n.outage.tell()
		case <-ctx.Done():
			return
		}
	}
}

// handle handles one entry. A line on which that fails in a way that nobody
// thought of is not tried for ever.
func (n *network) handle(ctx context.Context, e *entry) {
	defer func() {
		if v := recover(); v != nil {
			n.log.Error("a line of the network cannot be handled", "panic", v, "stack", string(debug.Stack()))
			if e.line != nil {
				n.inbox.done(e.line.seq, false)
			}
		}
	}()
	switch {
	case e.line != nil:
		n.handleLine(ctx, e.line)
	case e.names != nil:
		n.onNames(e.names)
	case e.event != nil:
		n.handleState(e.event)
	case e.reached != nil:
		close(e.reached)
	}
}

// handleState handles what says how the connection and its channels are.
func (n *network) handleState(e session.Event) {
	switch e := e.(type) {
	case session.Connecting:
		n.outage.connecting(e)
	case session.Registered:
		n.outage.registered(e)
		n.outbox.poke()
	case session.Disconnected:
		n.outage.disconnected(e)
	case session.JoinFailed:
		n.joinRefused(e.Channel, e.Text)
		if ch := n.channel(e.Channel); ch != nil {
			n.outbox.block(ch.Name, e.Text)
			n.outage.cannotJoin(ch, e)
		}
	case session.Kick:
		if ch := n.channel(e.Channel); ch != nil {
			n.outage.kicked(ch, e)
		}
	case session.ChannelModes:
		if ch := n.channel(e.Channel); ch != nil {
			n.queueTurn(ch, func(ctx context.Context, portal *bridgev2.Portal) {
				n.followModes(ctx, portal, n.withoutFrozen(ch.Name, e.Modes))
			})
		}
	case session.Mode:
		if ch := n.channel(e.Channel); ch != nil {
			n.ranksChanged(ch)
		}
	case session.Tags:
		n.typing.onIRC(e)
	}
}

// handleLine takes a line to the rooms that it concerns.
func (n *network) handleLine(ctx context.Context, l *line) {
	switch l.Kind {
	case lineDirect:
		n.handleDirect(ctx, l)
		return
	case lineNotice:
		n.handleNotice(ctx, l)
		return
	}
	var channels []*channel
	for _, name := range l.Channels {
		// It may have been taken out of the configuration since.
		if ch := n.channel(name); ch != nil {
			channels = append(channels, ch)
		}
	}
	if (l.Kind == lineNick || l.Kind == lineLeave) && !n.met(ctx, l.Ghost) {
		n.inbox.done(l.seq, false) // somebody who has said nothing; see MembersSpeaking
		return
	}
	if l.Kind == lineNick {
		n.introduce(ctx, l.Ghost, l.Nick)
	}
	if len(channels) == 0 {
		n.inbox.done(l.seq, true)
		return
	}
	l.left.Store(int32(len(channels)))
	for _, id := range []member{{l.Nick, l.Ghost}, {l.By, l.ByGhost}} {
		if id.ghost != "" {
			n.introduce(ctx, id.ghost, id.nick)
		}
	}
	for _, ch := range channels {
		switch l.Kind {
		case lineMessage:
			n.queueMessage(ch, l)
		case lineTopic:
			n.queueTopic(ch, l)
		case lineReact, lineUnreact:
			n.queueReaction(ch, l)
		case lineRedact, lineInvite, lineBan:
			n.queueTurn(ch, func(ctx context.Context, portal *bridgev2.Portal) {
				if n.inTurn(ctx, portal, ch, l) {
					n.lineDone(l, true)
				}
			})
		case lineJoin, lineLeave:
			n.queueTurn(ch, func(ctx context.Context, portal *bridgev2.Portal) {
				if n.changeMember(ctx, portal, ch, l) {
					n.lineDone(l, true)
				}
			})
		}
	}
}

// lineDone says that a room has handled a line. What changes a room's state waits
// until that is stored: then at most the first such line of a room is ever
// repeated, and comes to nothing.
func (n *network) lineDone(l *line, wait bool) {
	if l.left.Add(-1) == 0 {
		n.inbox.done(l.seq, wait)
	}
}

// meta is what all events of a channel have in common.
func (n *network) meta(kind bridgev2.RemoteEventType, ch *channel, at time.Time, id string, sender networkid.UserID) simplevent.EventMeta {
	return n.metaIn(kind, channelKey(n.cfg.ID, ch.Name), at, id, sender)
}

// metaIn is what all events of a room have in common.
func (n *network) metaIn(kind bridgev2.RemoteEventType, key networkid.PortalKey, at time.Time, id string, sender networkid.UserID) simplevent.EventMeta {
	return simplevent.EventMeta{
		Type:       kind,
		PortalKey:  key,
		Sender:     bridgev2.EventSender{Sender: sender},
		Timestamp:  at,
		LogContext: func(c zerolog.Context) zerolog.Context { return c.Str("irc_line", id) },
	}
}

func (n *network) queue(e bridgev2.RemoteEvent) {
	res := n.login.QueueRemoteEvent(e)
	if res.Error != nil && !res.Success {
		n.log.Error("an event of the network failed", "type", e.GetType().String(), "error", res.Error)
	}
}

// queueTurn calls f in a turn of a channel's room, when that has handled what was
// queued before.
func (n *network) queueTurn(ch *channel, f func(context.Context, *bridgev2.Portal)) {
	meta := n.meta(bridgev2.RemoteEventUnknown, ch, time.Time{}, "", "")
	meta.PreHandleFunc = f
	n.queue(&meta)
}

func (n *network) remoteID(ch *channel, id string) networkid.MessageID {
	return remoteIDIn(channelKey(n.cfg.ID, ch.Name), id)
}

// remoteIDIn is the id of a message in a room.
func remoteIDIn(key networkid.PortalKey, id string) networkid.MessageID {
	return networkid.MessageID(string(key.ID) + "/" + id)
}

func (n *network) queueMessage(ch *channel, l *line) {
	n.queueSaid(channelKey(n.cfg.ID, ch.Name), l)
}

// queueSaid hands what was said to its room.
func (n *network) queueSaid(key networkid.PortalKey, l *line) {
	content, meta := convertIncoming(l)
	if content == nil {
		n.lineDone(l, false)
		return
	}
	content.Mentions.UserIDs = n.mentioned(l, content.Body)
	converted := &bridgev2.ConvertedMessage{Parts: []*bridgev2.ConvertedMessagePart{{
		Type: event.EventMessage, Content: content, DBMetadata: meta,
	}}}
	if l.ReplyTo != "" {
		converted.ReplyTo = &networkid.MessageOptionalPartID{MessageID: remoteIDIn(key, l.ReplyTo)}
	}
	msg := &simplevent.PreConvertedMessage{
		EventMeta: n.metaIn(bridgev2.RemoteEventMessage, key, l.Time, l.ID, l.Ghost),
		Data:      converted,
		ID:        remoteIDIn(key, l.ID),
	}
	if l.ReplyTo != "" {
		msg.PreHandleFunc = func(ctx context.Context, portal *bridgev2.Portal) {
			n.awaitName(ctx, portal, converted.ReplyTo.MessageID)
		}
	}
	// The homeserver knows a repetition by this. After a crash the framework may
	// not know yet that it has sent the message.
	msg.MutateContextFunc = func(ctx context.Context) context.Context { return txnid.With(ctx, string(msg.ID)) }
	msg.PostHandleFunc = func(ctx context.Context, portal *bridgev2.Portal) {
		if n.ensureTaken(ctx, portal, msg) {
			n.withdraw(ctx, portal, l)
			n.lineDone(l, false)
		}
	}
	n.queue(msg)
}

// inTurn does what a line asks for in a turn of its room's portal. It returns false if the line is to stay in the
// inbox.
func (n *network) inTurn(ctx context.Context, portal *bridgev2.Portal, ch *channel, l *line) bool {
	if portal.MXID == "" {
		return true
	}
	switch l.Kind {
	case lineRedact:
		return n.redact(ctx, portal, ch, l)
	case lineInvite:
		return n.inviteUser(ctx, portal, l)
	case lineBan:
		return n.followBan(ctx, portal, ch, l)
	}
	return true
}

// withdraw takes somebody out of a room who has said something before the bridge was there, and is not there now.
func (n *network) withdraw(ctx context.Context, portal *bridgev2.Portal, l *line) {
	if !l.Past || !n.session.Connected() || n.session.Present(l.Nick) {
		return
	}
	if ghost, err := portal.Bridge.GetGhostByID(ctx, l.Ghost); err == nil {
		_ = n.insist(ctx, "a leave", func() error { return n.leave(ctx, portal, ghost, ghost.Intent, "", time.Time{}) })
	}
}

// toMatrix is format.ToMatrix for a message of one or several lines, each with a format of its own.
func toMatrix(text string) (plain, html string) {
	lines := strings.Split(text, "\n")
	if len(lines) == 1 {
		return format.ToMatrix(text)
	}
	var plains, htmls []string
	formatted := false
	for _, line := range lines {
		p, h := format.ToMatrix(line)
		formatted = formatted || h != ""
		if h == "" {
			h = htmlpkg.EscapeString(p)
		}
		plains, htmls = append(plains, p), append(htmls, h)
	}
	plain = strings.Trim(strings.Join(plains, "\n"), "\n")
	if formatted {
		html = strings.Join(htmls, "<br>")
	}
	return plain, html
}

// convertIncoming makes a Matrix message, or nil if there is nothing to see.
func convertIncoming(l *line) (*event.MessageEventContent, *MessageMetadata) {
	plain, html := toMatrix(l.Text)
	if plain == "" {
		return nil, nil
	}
	content := &event.MessageEventContent{MsgType: event.MsgText, Body: plain, Mentions: &event.Mentions{}}
	switch l.Say {
	case session.KindNotice:
		content.MsgType = event.MsgNotice
	case session.KindAction:
		content.MsgType = event.MsgEmote
	}
	if html != "" {
		content.Format, content.FormattedBody = event.FormatHTML, html
	}
	return content, NewMetadata(l.Nick, plain)
}

// ensureTaken tries a message again that has not arrived in Matrix: the framework
// logs such a failure and goes on. It returns false if the message is to stay in
// the inbox for the bridge's next start.
func (n *network) ensureTaken(ctx context.Context, portal *bridgev2.Portal, msg *simplevent.PreConvertedMessage) bool {
	if n.taken(ctx, portal, msg.ID) {
		return true
	}
	first := true
	return n.insist(ctx, "a message", func() error {
		if first {
			// Perhaps the ghost is not where the bridge remembers it.
			first = false
			if ghost, err := portal.Bridge.GetGhostByID(ctx, msg.Sender.Sender); err == nil {
				if err := n.admit(ctx, portal, ghost.Intent); err != nil {
					n.log.Debug("a ghost cannot return to its room", "ghost", ghost.ID, "error", err)
				}
			}
			if ch := n.channelOf(portal); ch != nil {
				n.followRanks(ctx, portal, ch) // they may have got the right to speak a moment ago
			}
		}
		//lint:ignore SA1019 the portal's queue has no way to say that handling failed, and this must not be lost
		res := portal.Internal().HandleRemoteMessage(ctx, n.login, msg)
		if n.taken(ctx, portal, msg.ID) {
			return nil
		}
		if res.Error == nil {
			return errNotTaken
		}
		return res.Error
	})
}

var errNotTaken = errors.New("the message was not taken, without a reason")

// taken reports whether the bridge has sent a message.
func (n *network) taken(ctx context.Context, portal *bridgev2.Portal, id networkid.MessageID) bool {
	part, err := portal.Bridge.DB.Message.GetFirstPartByID(ctx, portal.Receiver, id)
	return err == nil && part != nil
}

// insist calls f, which asks something of the homeserver in a turn of a room,
// again and again until it succeeds, or is refused for good. It returns false when
// neither has happened for as long as a turn may last, or the bridge is stopping:
// the line is to stay in the inbox.
func (n *network) insist(ctx context.Context, what string, f func() error) bool {
	var waited time.Duration
	for wait := 500 * time.Millisecond; ; wait = min(2*wait, 16*time.Second) {
		err := f()
		if err == nil {
			return true
		}
		if refused(err) {
			n.log.Error("the homeserver refuses something from IRC; it is lost", "what", what, "error", err)
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		if waited += wait; waited > maxInsist {
			n.log.Error("the homeserver does not take something from IRC; it is tried again when the bridge starts", "what", what, "error", err)
			return false
		}
		n.log.Warn("the homeserver has not taken something from IRC, trying again", "what", what, "error", err, "in", wait)
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return false
		case <-timer.C:
		}
	}
}

// maxInsist is how long a room waits for the homeserver. The framework lets a turn
// last for five minutes and then begins the next beside it, out of order.
const maxInsist = 4 * time.Minute

// refused reports whether the homeserver has said that it will never do what was
// asked.
func refused(err error) bool {
	for _, code := range []mautrix.RespError{mautrix.MForbidden, mautrix.MTooLarge, mautrix.MBadJSON, mautrix.MNotJSON, mautrix.MInvalidParam, mautrix.MNotFound} {
		if errors.Is(err, code) {
			return true
		}
	}
	var he mautrix.HTTPError
	return errors.As(err, &he) && he.Response != nil && he.Response.StatusCode == http.StatusRequestEntityTooLarge
}

// queueTopic takes over a new topic of a channel.
func (n *network) queueTopic(ch *channel, l *line) {
	if _, closed := n.frozen.of(ch.Name); closed {
		n.inbox.done(l.seq, false) // its room stays as it was
		return
	}
	topic := plainTopic(l.Text)
	meta := n.meta(bridgev2.RemoteEventChatInfoChange, ch, l.Time, l.ID, l.ByGhost)
	meta.PostHandleFunc = func(context.Context, *bridgev2.Portal) { n.lineDone(l, true) }
	n.queue(&simplevent.ChatInfoChange{
		EventMeta:      meta,
		ChatInfoChange: &bridgev2.ChatInfoChange{ChatInfo: &bridgev2.ChatInfo{Topic: &topic}},
	})
}

// plainTopic is a topic as Matrix shows it.
func plainTopic(topic string) string { return format.Plain(topic) }
