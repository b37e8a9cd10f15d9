package irc

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/simplevent"
	"maunium.net/go/mautrix/event"

	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

// Marks are what is put on a message or takes it back: reactions and redactions. Networks with client tags and
// draft/message-redaction have them; on others a reaction is told in words.

var errNotThere = errors.New("this network cannot do that")

// ownLine is the id of a line to which the network has given none.
var ownLine = regexp.MustCompile(`^[0-9a-f]{16}-[0-9]+$`)

// networkID is the id that the network has given a message, or empty.
func networkID(row *database.Message) string {
	id, ok := strings.CutPrefix(string(row.ID), string(row.Room.ID)+"/")
	if !ok || ownLine.MatchString(id) {
		return ""
	}
	return id
}

// isOther reports whether a message of the network is that of another event.
func (n *network) isOther(ctx context.Context, o *outgoing, msgID string) bool {
	own, err := n.b.br.DB.Message.GetPartByMXID(ctx, o.EventID)
	if err != nil || own == nil {
		return false
	}
	row, err := n.b.br.DB.Message.GetFirstPartByID(ctx, own.Room.Receiver, remoteIDIn(own.Room, msgID))
	return err == nil && row != nil && row.MXID != o.EventID
}

// heardLast is when somebody on IRC was heard in a channel last, as far as that is in Matrix, or was stored by an earlier run.
func (n *network) heardLast(channel string) time.Time {
	ch := n.channel(channel)
	if ch == nil || n.b.br.DB == nil {
		return time.Time{}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var at int64
	key := channelKey(n.cfg.ID, ch.Name)
	err := n.b.br.DB.QueryRow(ctx, `SELECT timestamp FROM message WHERE bridge_id=$1 AND room_id=$2 AND room_receiver=$3 AND sender_id<>$4
		ORDER BY timestamp DESC LIMIT 1`, n.b.store.bridge, key.ID, key.Receiver, selfID(n.cfg.ID)).Scan(&at)
	if err != nil {
		if !errors.Is(err, sql.ErrNoRows) {
			n.log.Warn("what was said while the bridge was away is not asked for", "channel", ch.Name, "error", err)
		}
	}
	// What is stored is on its way to Matrix: after each of many crashes all of it would be asked for once more.
	last := n.inbox.heard[ch.Name]
	if at > 0 && time.Unix(0, at).After(last) {
		last = time.Unix(0, at)
	}
	return last
}

// tagsEntry makes an entry of a reaction, or of somebody's typing.
func (n *network) tagsEntry(e session.Tags) *entry {
	channels := n.configured([]string{e.Channel})
	if e.Echo || e.Channel == "" || len(channels) == 0 {
		return nil
	}
	if e.Typing != "" && e.React == "" && e.Unreact == "" {
		return &entry{event: e} // not stored: it is nothing a moment later
	}
	l := &line{Kind: lineReact, Time: e.Time, ID: lineID(e.Meta), Channels: channels, Nick: e.From.Nick, Ghost: n.ghostOf(e.From.Nick), ReplyTo: e.ReplyTo, Text: e.React}
	if e.React == "" {
		l.Kind, l.Text = lineUnreact, e.Unreact
	}
	if l.Text == "" || l.ReplyTo == "" {
		return nil
	}
	return lineEntry(l)
}

// redactionEntry makes an entry of a message that was taken back.
func (n *network) redactionEntry(e session.Redaction) *entry {
	channels := n.configured([]string{e.Channel})
	if e.Echo || len(channels) == 0 || e.ID == "" {
		return nil
	}
	l := &line{Kind: lineRedact, Time: e.Time, ID: lineID(e.Meta), Channels: channels, ReplyTo: e.ID, Text: e.Reason}
	if !isServerName(e.From.Nick) && n.session.Present(e.From.Nick) {
		l.Nick, l.Ghost = e.From.Nick, n.ghostOf(e.From.Nick)
	}
	return lineEntry(l)
}

func isServerName(nick string) bool { return nick == "" || strings.Contains(nick, ".") }

// queueReaction takes a reaction to its room.
func (n *network) queueReaction(ch *channel, l *line) {
	kind := bridgev2.RemoteEventReaction
	if l.Kind == lineUnreact {
		kind = bridgev2.RemoteEventReactionRemove
	}
	meta := n.meta(kind, ch, l.Time, l.ID, l.Ghost)
	meta.PostHandleFunc = func(context.Context, *bridgev2.Portal) { n.lineDone(l, false) }
	target := n.remoteID(ch, l.ReplyTo)
	meta.PreHandleFunc = func(ctx context.Context, portal *bridgev2.Portal) { n.awaitName(ctx, portal, target) }
	n.queue(&simplevent.Reaction{
		EventMeta: meta, TargetMessage: target, Emoji: l.Text, EmojiID: networkid.EmojiID(l.Text),
	})
}

// redact takes a message back in its room, in the name of who has done it if they may. It is called in a turn
// of the room's portal.
func (n *network) redact(ctx context.Context, portal *bridgev2.Portal, ch *channel, l *line) bool {
	return n.insist(ctx, "a message that was taken back", func() error {
		parts, err := portal.Bridge.DB.Message.GetAllPartsByID(ctx, portal.Receiver, n.remoteID(ch, l.ReplyTo))
		if err != nil {
			return err
		}
		for _, part := range parts {
			content := &event.Content{Parsed: &event.RedactionEventContent{Redacts: part.MXID, Reason: plainTopic(l.Text)}}
			sender := portal.Bridge.Bot
			if l.Ghost != "" {
				if ghost, err := portal.Bridge.GetGhostByID(ctx, l.Ghost); err == nil {
					sender = ghost.Intent
				}
			}
			_, err := sender.SendMessage(ctx, portal.MXID, event.EventRedaction, content, &bridgev2.MatrixSendExtra{Timestamp: l.Time})
			if err != nil && refused(err) && sender != portal.Bridge.Bot {
				_, err = portal.Bridge.Bot.SendMessage(ctx, portal.MXID, event.EventRedaction, content, &bridgev2.MatrixSendExtra{Timestamp: l.Time})
			}
			if err != nil {
				return err
			}
			n.forgetPage(ctx, part.MXID)
			if err := portal.Bridge.DB.Message.Delete(ctx, part.RowID); err != nil {
				return err
			}
		}
		return nil
	})
}

// handledReaction is the type that a relayed reaction is given when it has been dealt with, so that the
// framework does not report that it ignores it.
var handledReaction = event.Type{Type: "im.landbridge.irc.reaction", Class: event.MessageEventType}

// watchReactions has reactions handled of people who have no login, which is everybody. The framework drops them.
func (c *Connector) watchReactions() {
	c.watch(event.EventReaction, func(ctx context.Context, evt *event.Event) {
		br := c.b.br
		if evt.Sender == br.Bot.GetMXID() || br.IsGhostMXID(evt.Sender) {
			return
		}
		portal, err := br.GetPortalByMXID(ctx, evt.RoomID)
		if err != nil || portal == nil || portal.Relay == nil {
			return
		}
		handled := *evt
		evt.Type = handledReaction
		meta := simplevent.EventMeta{Type: bridgev2.RemoteEventUnknown, PortalKey: portal.PortalKey}
		meta.PreHandleFunc = func(ctx context.Context, portal *bridgev2.Portal) {
			//lint:ignore SA1019 there is no other way to have a relayed reaction handled
			res := portal.Internal().HandleMatrixReaction(ctx, portal.Relay, &handled)
			if res.Error != nil {
				status := refusal(res.Error)
				status.SendNotice = false
				br.Matrix.SendMessageStatus(ctx, &status, bridgev2.StatusEventInfoFromEvent(&handled))
			}
		}
		portal.Relay.QueueRemoteEvent(&meta)
	})
}

// watch has a handler called for events before the framework's.
func (c *Connector) watch(kind event.Type, f func(context.Context, *event.Event)) {
	switch mx := c.b.br.Matrix.(type) {
	case prepender:
		mx.PrependHandler(kind, f)
	case *matrix.Connector:
		mx.EventProcessor.PrependHandler(kind, f)
	}
}

// PreHandleMatrixReaction implements bridgev2.ReactionHandlingNetworkAPI.
func (n *network) PreHandleMatrixReaction(ctx context.Context, msg *bridgev2.MatrixReaction) (bridgev2.MatrixReactionPreResponse, error) {
	if _, err := n.b.br.GetGhostByID(ctx, selfID(n.cfg.ID)); err != nil {
		return bridgev2.MatrixReactionPreResponse{}, err
	}
	key := msg.Content.RelatesTo.Key
	return bridgev2.MatrixReactionPreResponse{
		SenderID: selfID(n.cfg.ID), EmojiID: networkid.EmojiID(string(msg.Event.Sender) + "|" + key), Emoji: key,
	}, nil
}

// reactionKey is a reaction as people on IRC see it.
func reactionKey(content *event.ReactionEventContent, raw map[string]any) string {
	key := content.RelatesTo.Key
	if strings.HasPrefix(key, "mxc://") {
		for _, name := range []string{"com.beeper.reaction.shortcode", "shortcode"} {
			if code, _ := raw[name].(string); code != "" {
				return cutBytes(":"+strings.Trim(code, ":")+":", 64)
			}
		}
		return ":image:"
	}
	return cutBytes(strings.Map(func(r rune) rune {
		if r < ' ' {
			return -1
		}
		return r
	}, key), 64)
}

// HandleMatrixReaction implements bridgev2.ReactionHandlingNetworkAPI.
func (n *network) HandleMatrixReaction(ctx context.Context, msg *bridgev2.MatrixReaction) (*database.Reaction, error) {
	key := reactionKey(msg.Content, msg.Event.Content.Raw)
	name := n.nameOf(ctx, msg.Event)
	to, err := n.targetOf(msg.Portal, msg.Event, name)
	if err != nil || key == "" {
		return nil, errors.Join(err)
	}
	o := n.mark(to, msg.Event, name, "reacts with "+key+" to "+strings.TrimSuffix(n.quote(msg.TargetMessage), " — "))
	if id := networkID(msg.TargetMessage); id != "" && to.box.session.ClientTag("draft/react") {
		o = n.tagged(to, msg.Event, map[string]string{"+draft/react": key, "+draft/reply": id, "+reply": id})
	} else if !n.cfg.TellReactions {
		return &database.Reaction{}, nil
	}
	_, err = n.take(ctx, to.box, o, nil)
	return &database.Reaction{}, err
}

// HandleMatrixReactionRemove implements bridgev2.ReactionHandlingNetworkAPI.
func (n *network) HandleMatrixReactionRemove(ctx context.Context, msg *bridgev2.MatrixReactionRemove) error {
	owner, key, own := strings.Cut(string(msg.TargetReaction.EmojiID), "|")
	if !own || owner != string(msg.Event.Sender) {
		return nil // somebody else's, which only they can take back there
	}
	row, err := n.b.br.DB.Message.GetPartByID(ctx, msg.Portal.Receiver, msg.TargetReaction.MessageID, msg.TargetReaction.MessagePartID)
	if err != nil || row == nil {
		return err
	}
	to, err := n.targetOf(msg.Portal, msg.Event, n.nameOf(ctx, msg.Event))
	if err != nil {
		return err
	}
	id := networkID(row)
	if id == "" || !to.box.session.ClientTag("draft/react") {
		return nil
	}
	_, err = n.take(ctx, to.box, n.tagged(to, msg.Event, map[string]string{"+draft/unreact": key, "+draft/reply": id, "+reply": id}), nil)
	return err
}

// HandleMatrixMessageRemove implements bridgev2.RedactionHandlingNetworkAPI.
func (n *network) HandleMatrixMessageRemove(ctx context.Context, msg *bridgev2.MatrixMessageRemove) error {
	if err := n.takeRemoval(ctx, msg); err != nil {
		return n.refuse(ctx, msg.Event, err)
	}
	return nil
}

func (n *network) takeRemoval(ctx context.Context, msg *bridgev2.MatrixMessageRemove) error {
	row := msg.TargetMessage
	n.forgetPage(ctx, row.MXID)
	name := senderName(msg.OrigSender, msg.Event.Sender)
	own := row.SenderMXID == msg.Event.Sender
	to, err := n.targetOf(msg.Portal, msg.Event, name)
	if err != nil {
		return err
	}
	if !own && to.puppet != nil {
		// A moderator's work, for which the bridge has the rights.
		to = &target{name: to.name, box: n.outbox}
	}
	if own && (to.box.cancel(row.MXID) || n.outbox.cancel(row.MXID)) {
		return nil // nobody has seen it
	}
	if id := networkID(row); id != "" && to.box.session.HasCap("draft/message-redaction") {
		step := []string{"REDACT", to.name, id}
		if reason := plainTopic(msg.Content.Reason); reason != "" {
			step = append(step, cutBytes(strings.ReplaceAll(reason, "\n", " "), maxReason))
		}
		_, err := n.take(ctx, to.box, &outgoing{
			EventID: msg.Event.ID, Channel: to.name, Command: "REDACT", Steps: [][]string{step}, Needs: "draft/message-redaction",
			Status: eventInfo{RoomID: msg.Event.RoomID, Type: msg.Event.Type, Sender: msg.Event.Sender},
		}, nil)
		return err
	}
	if !own || !n.cfg.TellReactions {
		return nil
	}
	_, err = n.take(ctx, to.box, n.mark(to, msg.Event, name, "has taken back what they said at "+row.Timestamp.UTC().Format("15:04")+" UTC"), nil)
	return err
}

// mark tells in words what somebody has done.
func (n *network) mark(to *target, evt *event.Event, name, does string) *outgoing {
	content := &event.MessageEventContent{MsgType: event.MsgEmote}
	o := n.outgoing(to, evt, content, name, []string{does})
	o.RelayNick = ""
	return o
}

// tagged is a message of tags alone.
func (n *network) tagged(to *target, evt *event.Event, tags map[string]string) *outgoing {
	return &outgoing{
		EventID: evt.ID, Channel: to.name, Command: "TAGMSG", Steps: [][]string{{"TAGMSG", to.name}}, Tags: tags, Needs: "message-tags",
		Status: eventInfo{RoomID: evt.RoomID, Type: evt.Type, Sender: evt.Sender},
	}
}

// nameOf is how the sender of an event is called in its room.
func (n *network) nameOf(ctx context.Context, evt *event.Event) string {
	member, err := n.b.br.Matrix.GetMemberInfo(ctx, evt.RoomID, evt.Sender)
	if err != nil || member == nil || member.Displayname == "" {
		return fmt.Sprint(evt.Sender)
	}
	return member.Displayname
}
