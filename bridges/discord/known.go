package discord

import (
	"context"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/bridgev2/networkid"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// What follows is for imports of history, which have to call things as the bridge does.

// GuildKey is the portal of a guild's space, and ChannelKey that of a channel or category.
func GuildKey(guild string) networkid.PortalKey { return guildKey(wire.ID(guild)) }

// ChannelKey is the portal of a channel or a category.
func ChannelKey(channel string) networkid.PortalKey { return channelKey(wire.ID(channel)) }

// WebhookGhost is the ghost of what writes through a webhook under a name.
func WebhookGhost(webhook, name string) networkid.UserID {
	return webhookUserID(wire.ID(webhook), name)
}

// EmojiID is what a reaction is known by.
func EmojiID(id, name string) networkid.EmojiID {
	return emojiID(wire.Emoji{ID: wire.ID(id), Name: name})
}

// EmbedText appends the embeds of a bot's message to its text, as Discord's markdown.
func EmbedText(text string, embeds []wire.Embed) string {
	return embedText(&wire.Message{Embeds: embeds}, text)
}

// NewMetadata is what is kept with a message: where it is, who says it, and its text.
func NewMetadata(channel, name, text string) *MessageMetadata {
	return &MessageMetadata{Channel: wire.ID(channel), Name: name, Text: cutBytes(text, maxMeta)}
}

// Cursors say how far channels and threads are, in the database of a bridge that does not run.
type Cursors struct{ s *store }

// OpenCursors finds them, and makes the module's tables if they are not there yet.
func OpenCursors(ctx context.Context, db *dbutil.Database, bridge networkid.BridgeID) (*Cursors, error) {
	s, err := openTables(ctx, db, bridge)
	if err != nil {
		return nil, err
	}
	return &Cursors{s}, nil
}

// Set records the newest message of a channel or thread that is in its room, unless a later one is
// recorded: the bridge goes on with what comes after it. channel is the one whose room it is.
func (c *Cursors) Set(ctx context.Context, channel, in, message string) error {
	have, err := c.s.cursors(ctx)
	if err != nil {
		return err
	}
	if in != channel {
		threads, err := c.s.threads(ctx)
		if err != nil {
			return err
		}
		if threads[wire.ID(in)] == "" {
			if err := c.s.setThread(ctx, wire.ID(in), wire.ID(channel), ""); err != nil {
				return err
			}
		}
	}
	if known := have[wire.ID(in)]; known != "" && !wire.ID(message).After(known) {
		return nil
	}
	return c.s.setCursor(ctx, wire.ID(in), wire.ID(message))
}
