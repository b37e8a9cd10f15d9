package slack

import (
	"strings"

	"maunium.net/go/mautrix/bridgev2/networkid"
)

// Slack's ids are of capital letters and digits and never differ in case alone. In
// Matrix ids capitals would be escaped, so there they are small.

// spaceKey is the portal of a workspace's space.
func spaceKey(workspace string) networkid.PortalKey {
	return networkid.PortalKey{ID: networkid.PortalID("workspace/" + workspace)}
}

// sectionKey is the portal of a workspace's sub-space.
func sectionKey(workspace, section string) networkid.PortalKey {
	return networkid.PortalKey{ID: networkid.PortalID("workspace/" + workspace + "/" + section)}
}

// channelKey is the portal of a channel. A channel that two workspaces share has one
// id, and so one room.
func channelKey(channel string) networkid.PortalKey {
	return networkid.PortalKey{ID: networkid.PortalID(strings.ToLower(channel))}
}

// channelOf is the reverse of channelKey; "" for a space.
func channelOf(key networkid.PortalKey) string {
	if strings.Contains(string(key.ID), "/") {
		return ""
	}
	return strings.ToUpper(string(key.ID))
}

func ghostID(user string) networkid.UserID { return networkid.UserID(strings.ToLower(user)) }

// slackID is the reverse of ghostID, without the mark of a bot's other name.
func slackID(ghost networkid.UserID) string {
	id, _, _ := strings.Cut(string(ghost), ".")
	return strings.ToUpper(id)
}

// messageID names a message: a ts is unique in its channel.
func messageID(channel, ts string) networkid.MessageID {
	return networkid.MessageID(strings.ToLower(channel) + "/" + ts)
}

// pendingID is the id of a message from Matrix until Slack has it.
func pendingID(event string) networkid.MessageID { return networkid.MessageID("m/" + event) }

// tsOf is the ts of a message, or "" if Slack does not have it.
func tsOf(id networkid.MessageID) string {
	if strings.HasPrefix(string(id), "m/") {
		return ""
	}
	_, ts, _ := strings.Cut(string(id), "/")
	ts, _, _ = strings.Cut(ts, "~")
	return ts
}
