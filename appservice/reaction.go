package appservice

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

// HasReaction reports whether the homeserver does not take a reaction because it is there. Client-Server API, PUT .../send/...:
// "M_DUPLICATE_ANNOTATION: The request is an attempt to send a duplicate annotation".
func HasReaction(err error) bool {
	return errors.Is(err, mautrix.RespError{ErrCode: "M_DUPLICATE_ANNOTATION"})
}

// AdoptReaction takes note of a reaction of a ghost that a room has, with an emoji that is key in Matrix: a crash has kept that from
// being recorded when it was sent, and the network tells of it again. Otherwise it could not be taken back. A reaction that is not found is no
// error. It is called in a turn of the portal.
func AdoptReaction(ctx context.Context, portal *bridgev2.Portal, target networkid.MessageID, sender networkid.UserID, emoji networkid.EmojiID, key string) error {
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
			if bareEmoji(e.Content.AsReaction().RelatesTo.Key) != bareEmoji(key) {
				continue
			}
			return portal.Bridge.DB.Reaction.Upsert(ctx, &database.Reaction{
				Room: portal.PortalKey, MessageID: row.ID, MessagePartID: row.PartID, SenderID: sender, SenderMXID: e.Sender,
				EmojiID: emoji, MXID: e.ID, Timestamp: time.UnixMilli(e.Timestamp),
			})
		}
		if from = page.NextBatch; from == "" || len(page.Chunk) == 0 {
			return nil
		}
	}
}

// bareEmoji is an emoji without the sign that says that it is one.
func bareEmoji(key string) string { return strings.ReplaceAll(key, "\ufe0f", "") }
