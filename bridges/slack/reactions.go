package slack

import (
	"context"
	"errors"
	"strings"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/simplevent"
	"maunium.net/go/mautrix/event"

	"github.com/landbridge-im/landbridge/bridges/slack/format"
)

var errNoEmoji = errors.New("there is no such emoji in Slack")

// relayedReaction is the type that a relayed reaction is given when it has been dealt
// with, so that the framework does not report that it ignores it.
var relayedReaction = event.Type{Type: "im.landbridge.slack.reaction", Class: event.MessageEventType}

// relayReactions has reactions of people who are not logged in handled. The framework
// drops them.
func (b *Bridge) relayReactions() {
	intent, ok := b.br.Bot.(*matrix.ASIntent)
	if !ok {
		b.log.Error("reactions do not go to Slack: the Matrix connector is not known")
		return
	}
	intent.Connector.EventProcessor.PrependHandler(event.EventReaction, func(ctx context.Context, evt *event.Event) {
		if evt.Sender == b.br.Bot.GetMXID() || b.br.IsGhostMXID(evt.Sender) {
			return
		}
		portal, err := b.br.GetPortalByMXID(ctx, evt.RoomID)
		if err != nil || portal == nil || portal.Relay == nil {
			return
		}
		sender, err := b.br.GetUserByMXID(ctx, evt.Sender)
		if err != nil || sender == nil {
			return
		}
		if login, _, err := portal.FindPreferredLogin(ctx, sender, true); err != nil || login != nil {
			return
		}
		handled := *evt
		evt.Type = relayedReaction
		meta := simplevent.EventMeta{Type: bridgev2.RemoteEventUnknown, PortalKey: portal.PortalKey}
		meta.PreHandleFunc = func(ctx context.Context, portal *bridgev2.Portal) {
			//lint:ignore SA1019 there is no other way to have a relayed reaction handled
			res := portal.Internal().HandleMatrixReaction(ctx, portal.Relay, &handled)
			if res.Error != nil {
				status := refusal(res.Error)
				status.SendNotice = false
				b.br.Matrix.SendMessageStatus(ctx, &status, bridgev2.StatusEventInfoFromEvent(&handled))
			}
		}
		portal.Relay.QueueRemoteEvent(&meta)
	})
}

// emojiName returns what Slack calls the emoji of a reaction.
func (w *workspace) emojiName(content *event.ReactionEventContent, raw map[string]any) (string, bool) {
	key := content.RelatesTo.Key
	if strings.HasPrefix(key, "mxc://") {
		key, _ = raw["com.beeper.reaction.shortcode"].(string)
		if key == "" {
			key, _ = raw["shortcode"].(string)
		}
	}
	if name, ok := format.EmojiName(key); ok {
		return name, true
	}
	name := strings.Trim(key, ":")
	if _, ok := format.Emoji(name); ok || w.dir.hasEmoji(name) {
		return name, true
	}
	return "", false
}

// PreHandleMatrixReaction implements bridgev2.ReactionHandlingNetworkAPI.
func (w *workspace) PreHandleMatrixReaction(ctx context.Context, msg *bridgev2.MatrixReaction) (bridgev2.MatrixReactionPreResponse, error) {
	name, ok := w.emojiName(msg.Content, msg.Event.Content.Raw)
	if !ok {
		return bridgev2.MatrixReactionPreResponse{}, errNoEmoji
	}
	if _, err := w.b.br.GetGhostByID(ctx, w.selfID()); err != nil {
		return bridgev2.MatrixReactionPreResponse{}, err
	}
	return bridgev2.MatrixReactionPreResponse{
		SenderID: w.selfID(), EmojiID: emojiIDFor(name, msg.Event.Sender), Emoji: msg.Content.RelatesTo.Key,
	}, nil
}

// HandleMatrixReaction implements bridgev2.ReactionHandlingNetworkAPI.
func (w *workspace) HandleMatrixReaction(ctx context.Context, msg *bridgev2.MatrixReaction) (*database.Reaction, error) {
	return w.takeReaction(ctx, msg, nil)
}

// takeReaction stores a reaction for the outbox.
func (w *workspace) takeReaction(ctx context.Context, msg *bridgev2.MatrixReaction, as *person) (*database.Reaction, error) {
	a, err := w.action(msg.Portal, msg.Event, doReact)
	if err != nil {
		return nil, err
	}
	a.Target = msg.TargetMessage.MXID
	if as != nil {
		a.As = string(as.login.ID)
	}
	a.Emoji, _, _ = strings.Cut(string(msg.PreHandleResp.EmojiID), "|")
	row := &database.Reaction{
		Room: msg.Portal.PortalKey, SenderID: msg.PreHandleResp.SenderID, SenderMXID: msg.Event.Sender, EmojiID: msg.PreHandleResp.EmojiID,
		MXID: msg.Event.ID, Timestamp: time.UnixMilli(msg.Event.Timestamp),
	}
	// The message may have been given its id by Slack since the framework has looked for it.
	err = w.outbox.add(ctx, a, func(ctx context.Context) error {
		target, err := w.b.br.DB.Message.GetPartByMXID(ctx, a.Target)
		if err != nil || target == nil {
			return err
		}
		row.MessageID, row.MessagePartID = target.ID, target.PartID
		return w.b.br.DB.Reaction.Upsert(ctx, row)
	})
	if err != nil && !errors.Is(err, errDuplicate) {
		return nil, err
	}
	return row, nil
}

// HandleMatrixReactionRemove implements bridgev2.ReactionHandlingNetworkAPI.
func (w *workspace) HandleMatrixReactionRemove(ctx context.Context, msg *bridgev2.MatrixReactionRemove) error {
	return w.takeReactionRemove(ctx, msg, nil)
}

// takeReactionRemove stores for the outbox that a reaction was taken back.
func (w *workspace) takeReactionRemove(ctx context.Context, msg *bridgev2.MatrixReactionRemove, as *person) error {
	name, _, relayed := strings.Cut(string(msg.TargetReaction.EmojiID), "|")
	own := as != nil && msg.TargetReaction.SenderID == as.ghost()
	if !relayed && !own {
		return nil // somebody of Slack has reacted, which only they can take back there
	}
	a, err := w.action(msg.Portal, msg.Event, doUnreact)
	if err != nil {
		return err
	}
	if own {
		a.As = string(as.login.ID)
	}
	a.Emoji, a.Reaction = name, msg.TargetReaction.MXID
	row, err := w.b.br.DB.Message.GetPartByID(ctx, msg.Portal.Receiver, msg.TargetReaction.MessageID, msg.TargetReaction.MessagePartID)
	if err != nil {
		return err
	}
	if row == nil {
		return nil
	}
	a.Target = row.MXID
	if err := w.outbox.add(ctx, a, nil); err != nil && !errors.Is(err, errDuplicate) {
		return err
	}
	return nil
}

// others reports whether somebody else of Matrix has the same reaction: in Slack all
// of them are the bot's one.
func (w *workspace) others(ctx context.Context, row *database.Message, a *action) (bool, error) {
	for _, id := range []networkid.MessageID{row.ID, pendingID(string(row.MXID))} {
		list, err := w.b.br.DB.Reaction.GetAllToMessageBySender(ctx, row.Room.Receiver, id, w.selfID())
		if err != nil {
			return false, err
		}
		for _, r := range list {
			if strings.HasPrefix(string(r.EmojiID), a.Emoji+"|") && r.MXID != a.Reaction {
				return true, nil
			}
		}
	}
	return false, nil
}
