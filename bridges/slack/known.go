package slack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/bridgev2/networkid"

	"github.com/landbridge-im/landbridge/bridges/slack/format"
)

// What follows is for imports of history, which have to call things as the bridge does, so that it
// knows them.

// SpaceKey is the portal of a workspace's space, by the workspace's configured id.
func SpaceKey(workspace string) networkid.PortalKey { return spaceKey(workspace) }

// ChannelKey is the portal of a channel.
func ChannelKey(channel string) networkid.PortalKey { return channelKey(channel) }

// GhostID is the ghost of somebody.
func GhostID(user string) networkid.UserID { return ghostID(user) }

// BotGhostID is the ghost of a bot that says something under a name; own is the bot's usual name.
func BotGhostID(bot, name, own string) networkid.UserID {
	ghost := ghostID(bot)
	if name != "" && name != own {
		// An app that speaks under several names is several people.
		sum := sha256.Sum256([]byte(name))
		ghost += networkid.UserID("." + hex.EncodeToString(sum[:4]))
	}
	return ghost
}

// MessageID names a part of a message: 0 for the first, further ones are its files.
func MessageID(channel, ts string, part int) networkid.MessageID {
	id := messageID(channel, ts)
	if part > 0 {
		id = networkid.MessageID(fmt.Sprintf("%s~%d", id, part))
	}
	return id
}

// Time is the time of a ts, zero if it is none, and TS is the ts of a time.
func Time(ts string) time.Time { return tsTime(ts) }

// TS is the ts of a time.
func TS(t time.Time) string { return timeTS(t) }

// FileMark is what tells versions of a message apart by its files.
type FileMark struct{ ID, Mode string }

// ContentMark tells what is to be seen of a message from what is not: MessageMetadata.Content.
func ContentMark(text string, blocks, attachments json.RawMessage, files []FileMark) string {
	h := sha256.New()
	body := ""
	if len(blocks)+len(attachments) > 0 {
		body = format.ToMatrix(format.FromSlack("", blocks, attachments), nil).Body
	}
	fmt.Fprintf(h, "%s\x00%s", text, body)
	for _, f := range files {
		fmt.Fprintf(h, "\x00%s\x00%s", f.ID, f.Mode)
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// NewMetadata is what is kept with a message: who says it, the text of its first part, its mark, and
// how many further parts it has.
func NewMetadata(name, body, mark string, files int) *MessageMetadata {
	return &MessageMetadata{Name: name, Text: cutBytes(body, maxMeta), Content: mark, Files: files}
}

// Cursors say how far the channels of workspaces are, in the database of a bridge that does not run.
type Cursors struct{ s *store }

// OpenCursors finds them, and makes the module's tables if they are not there yet.
func OpenCursors(ctx context.Context, db *dbutil.Database, bridge networkid.BridgeID) (*Cursors, error) {
	s, err := openTables(ctx, db, bridge)
	if err != nil {
		return nil, err
	}
	return &Cursors{s}, nil
}

// Set records the last message of a channel that is in its room, unless a later one is recorded:
// the bridge goes on with what comes after it.
func (c *Cursors) Set(ctx context.Context, workspace, channel, ts string) error {
	return c.s.handled(ctx, workspace, nil, map[string]string{channel: ts})
}
