package discord

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// loginID is the one login of the bridge: the bot.
const loginID networkid.UserLoginID = "bot"

// channelKey is the portal of a channel or a category.
func channelKey(channel wire.ID) networkid.PortalKey {
	return networkid.PortalKey{ID: networkid.PortalID(channel)}
}

// guildPrefix tells the portal of a guild from that of a channel: the ids of a guild
// and of one of its channels can be the same.
const guildPrefix = "guild."

// guildKey is the portal of a guild's space.
func guildKey(guild wire.ID) networkid.PortalKey {
	return networkid.PortalKey{ID: networkid.PortalID(guildPrefix + guild)}
}

// splitPortal is the reverse of guildKey and channelKey.
func splitPortal(portal networkid.PortalID) (guild, channel wire.ID) {
	if g, ok := strings.CutPrefix(string(portal), guildPrefix); ok {
		return wire.ID(g), ""
	}
	return "", wire.ID(portal)
}

// userID is the ghost of a user.
func userID(user wire.ID) networkid.UserID { return networkid.UserID(user) }

// webhookUserID is the ghost of what writes through a webhook under a name.
func webhookUserID(webhook wire.ID, name string) networkid.UserID {
	return networkid.UserID("webhook." + string(webhook) + "." + hash(name)[:10])
}

// authorID is the ghost of a message's author.
func authorID(m *wire.Message) networkid.UserID {
	if m.WebhookID != "" && m.ApplicationID == "" || m.WebhookID != "" && m.Author.ID == m.WebhookID {
		return webhookUserID(m.WebhookID, m.Author.Username)
	}
	return userID(m.Author.ID)
}

// matrixPrefix begins the ids under which Matrix users are in the tables of the
// framework, as the senders of reactions. They are nobody on Discord, and no ghost of
// them is ever shown.
const matrixPrefix = "matrix."

func matrixUserID(user id.UserID) networkid.UserID {
	return networkid.UserID(matrixPrefix + hash(string(user))[:16])
}

// selfID is the sender, in the framework's tables, of what the bridge writes.
const selfID networkid.UserID = matrixPrefix + "relay"

// isUser reports whether a ghost is a user of Discord.
func isUser(ghost networkid.UserID) bool { return ghost != "" && wire.ID(ghost).Uint() != 0 }

func messageID(m wire.ID) networkid.MessageID { return networkid.MessageID(m) }

// pendingPrefix begins the ids of messages that are not sent yet.
const pendingPrefix = "m/"

func pendingID(event id.EventID) networkid.MessageID {
	return networkid.MessageID(pendingPrefix + string(event))
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
