package discord

import (
	"context"
	"errors"
	"strings"

	"go.mau.fi/util/variationselector"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// The framework has no reactions of relayed users. They are taken before it sees them,
// and handed to its own handling of reactions with the relay as the sender. Each Matrix
// user has a row of their own in its table; on Discord the bot reacts once, with the
// first of them, and takes it back with the last.

// handlers is a Matrix connector that lets others look at events first.
type handlers interface {
	PrependHandler(event.Type, func(context.Context, *event.Event))
}

// hookReactions takes the reactions of relayed users.
func (b *Bridge) hookReactions() {
	switch mx := b.br.Matrix.(type) {
	case handlers:
		mx.PrependHandler(event.EventReaction, b.onMatrixReaction)
		mx.PrependHandler(event.EventUnstablePollStart, b.onMatrixPoll)
		mx.PrependHandler(eventPollStart, b.onMatrixPoll)
	case *matrix.Connector:
		mx.EventProcessor.PrependHandler(event.EventReaction, b.onMatrixReaction)
	default:
		b.log.Warn("reactions from Matrix cannot be relayed: the Matrix connector does not let them be seen")
	}
}

func (b *Bridge) onMatrixReaction(ctx context.Context, evt *event.Event) {
	n := b.client()
	if n == nil || evt.Sender == b.br.Bot.GetMXID() || b.br.IsGhostMXID(evt.Sender) {
		return
	}
	portal, err := b.br.GetPortalByMXID(ctx, evt.RoomID)
	if err != nil || portal == nil || portal.Relay != n.login {
		return
	}
	if evt.Content.Parsed == nil {
		if err := evt.Content.ParseRaw(evt.Type); err != nil {
			return
		}
	}
	ctx = b.br.Log.WithContext(ctx)
	//lint:ignore SA1019 the portal's queue drops the reactions of relayed users
	if res := portal.Internal().HandleMatrixReaction(ctx, n.login, evt); !res.Success && res.Error != nil {
		b.log.Warn("a reaction is not relayed", "event_id", evt.ID, "error", res.Error)
		status := refusal(res.Error)
		if info := bridgev2.StatusEventInfoFromEvent(evt); !errors.Is(res.Error, bridgev2.ErrTargetMessageNotFound) { // as the bot's own are not
			n.tellSender(ctx, &status, info)
			b.br.Matrix.SendMessageStatus(ctx, &status, info)
		}
	}
}

// PreHandleMatrixReaction implements bridgev2.ReactionHandlingNetworkAPI.
func (n *bot) PreHandleMatrixReaction(ctx context.Context, msg *bridgev2.MatrixReaction) (bridgev2.MatrixReactionPreResponse, error) {
	sender := matrixUserID(msg.Event.Sender)
	// The table of reactions refers to that of ghosts.
	if _, err := n.b.br.GetGhostByID(ctx, sender); err != nil {
		return bridgev2.MatrixReactionPreResponse{}, err
	}
	key := msg.Content.RelatesTo.Key
	_, emoji, err := n.emojiOf(ctx, key)
	if err != nil {
		return bridgev2.MatrixReactionPreResponse{}, refusal(err)
	}
	return bridgev2.MatrixReactionPreResponse{SenderID: sender, EmojiID: emoji, Emoji: key}, nil
}

var errNoEmoji = errors.New("only emoji can be reactions on Discord")

// emojiOf reads the key of a reaction: as Discord's requests name it, and as the
// framework's tables do.
func (n *bot) emojiOf(ctx context.Context, key string) (string, networkid.EmojiID, error) {
	if strings.HasPrefix(key, "mxc://") {
		_, md, err := n.b.store.emoji(ctx, "none", key)
		name, id, ok := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(md, "a"), ":"), ":")
		if err != nil || !ok {
			return "", "", errNoEmoji
		}
		return name + ":" + id, networkid.EmojiID(id), nil
	}
	if key == "" || key[0] < 0x80 && !strings.ContainsRune(key, '\u20e3') || len(key) > 60 {
		return "", "", errNoEmoji
	}
	return variationselector.FullyQualify(key), networkid.EmojiID(variationselector.Remove(key)), nil
}

// HandleMatrixReaction implements bridgev2.ReactionHandlingNetworkAPI.
func (n *bot) HandleMatrixReaction(ctx context.Context, msg *bridgev2.MatrixReaction) (*database.Reaction, error) {
	others, err := n.relayed(ctx, msg.Portal, msg.TargetMessage.ID, msg.PreHandleResp.EmojiID, msg.PreHandleResp.SenderID)
	if err != nil {
		return nil, err
	}
	if others {
		return &database.Reaction{}, nil
	}
	return &database.Reaction{}, n.react(ctx, jobReact, msg.Portal, msg.Event, msg.TargetMessage, msg.Content.RelatesTo.Key)
}

// relayed reports whether somebody else in Matrix has reacted with an emoji.
func (n *bot) relayed(ctx context.Context, portal *bridgev2.Portal, message networkid.MessageID, emoji networkid.EmojiID, but networkid.UserID) (bool, error) {
	list, err := n.b.br.DB.Reaction.GetAllToMessage(ctx, portal.Receiver, message)
	for _, r := range list {
		if strings.HasPrefix(string(r.SenderID), matrixPrefix) && r.SenderID != but && r.EmojiID == emoji {
			return true, err
		}
	}
	return false, err
}

// HandleMatrixReactionRemove implements bridgev2.ReactionHandlingNetworkAPI.
func (n *bot) HandleMatrixReactionRemove(ctx context.Context, msg *bridgev2.MatrixReactionRemove) error {
	r := msg.TargetReaction
	if !strings.HasPrefix(string(r.SenderID), matrixPrefix) {
		return refusal(errors.New("somebody else's reaction on Discord cannot be removed from here"))
	}
	others, err := n.relayed(ctx, msg.Portal, r.MessageID, r.EmojiID, r.SenderID)
	if err != nil || others {
		return err
	}
	target, err := n.b.br.DB.Message.GetPartByID(ctx, msg.Portal.Receiver, r.MessageID, r.MessagePartID)
	if err != nil || target == nil {
		return err
	}
	key := string(r.EmojiID)
	if strings.Trim(key, "0123456789") == "" {
		mxc, _, err := n.b.store.emoji(ctx, wire.ID(key), "none")
		if err != nil {
			return err
		}
		key = mxc
	}
	return n.react(ctx, jobUnreact, msg.Portal, msg.Event, target, key)
}

// react puts a change of the bot's reactions into the outbox.
func (n *bot) react(ctx context.Context, kind jobKind, portal *bridgev2.Portal, evt *event.Event, target *database.Message, key string) error {
	ch, err := n.channelOf(ctx, portal, evt.Sender)
	if err != nil && !errors.Is(err, errReadOnly) {
		return refusal(err)
	}
	j := n.newJob(kind, queueOf(&ch), evt, nil)
	n.aim(j, &ch, target)
	if j.Emoji, _, err = n.emojiOf(ctx, key); err != nil {
		return refusal(err)
	}
	if err := n.outbox.add(ctx, j, nil); err != nil && !errors.Is(err, errDuplicate) {
		return refusal(err)
	}
	return nil
}
