package slack

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
)

// hasReaction reports whether the homeserver does not take a reaction because it is there. Client-Server API, PUT .../send/...:
// "M_DUPLICATE_ANNOTATION: The request is an attempt to send a duplicate annotation".
func hasReaction(err error) bool {
	return errors.Is(err, mautrix.RespError{ErrCode: "M_DUPLICATE_ANNOTATION"})
}

// adoptReaction takes note of a reaction that a room has: a crash has kept that from being recorded when it was sent, and what was
// missed meanwhile tells of it in another way. Otherwise it could not be taken back.
func (w *workspace) adoptReaction(ctx context.Context, portal *bridgev2.Portal, target networkid.MessageID, sender networkid.UserID, name, key string) error {
	row, err := portal.Bridge.DB.Message.GetFirstPartByID(ctx, portal.Receiver, target)
	if err != nil || row == nil {
		return err
	}
	bot, ok := portal.Bridge.Bot.(*matrix.ASIntent)
	if !ok {
		return nil
	}
	mxid := portal.Bridge.Matrix.GhostIntent(sender).GetMXID()
	from := ""
	for {
		page, err := bot.Matrix.GetRelations(ctx, portal.MXID, row.MXID, &mautrix.ReqGetRelations{RelationType: event.RelAnnotation, EventType: event.EventReaction, From: from, Limit: 100})
		if err != nil {
			return fmt.Errorf("look for a reaction that is there: %w", err)
		}
		for _, e := range page.Chunk {
			if e.Sender != mxid || e.Content.Parsed == nil && e.Content.ParseRaw(event.EventReaction) != nil {
				continue
			}
			if bare(e.Content.AsReaction().RelatesTo.Key) != bare(key) {
				continue
			}
			return portal.Bridge.DB.Reaction.Upsert(ctx, &database.Reaction{
				Room: portal.PortalKey, MessageID: row.ID, MessagePartID: row.PartID, SenderID: sender, SenderMXID: e.Sender,
				EmojiID: networkid.EmojiID(name), MXID: e.ID, Timestamp: time.UnixMilli(e.Timestamp),
			})
		}
		if from = page.NextBatch; from == "" || len(page.Chunk) == 0 {
			return nil
		}
	}
}

// bare is an emoji without the sign that says that it is one.
func bare(key string) string { return strings.ReplaceAll(key, "\ufe0f", "") }
