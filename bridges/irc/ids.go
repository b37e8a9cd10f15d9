package irc

import (
	"strings"

	"maunium.net/go/mautrix/bridgev2/networkid"

	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

// spaceKey is the portal of a network's space.
func spaceKey(network string) networkid.PortalKey {
	return networkid.PortalKey{ID: networkid.PortalID(network)}
}

// channelKey is the portal of a channel. The name is folded as ASCII alone,
// because ids must be known before a server tells its casemapping.
func channelKey(network, channel string) networkid.PortalKey {
	return networkid.PortalKey{ID: networkid.PortalID(network + "/" + session.CasemapASCII.Fold(channel))}
}

// splitPortal is the reverse of spaceKey and channelKey.
func splitPortal(id networkid.PortalID) (network, channel string) {
	network, channel, _ = strings.Cut(string(id), "/")
	return network, channel
}

// ghostID is the ghost of a nick that is folded already. Neither a network's id nor
// a nick has a dot in it, and Matrix ids need not escape one, as they do "_".
func ghostID(network, folded string) networkid.UserID {
	return networkid.UserID(network + "." + folded)
}

// splitGhost is the reverse of ghostID.
func splitGhost(id networkid.UserID) (network, folded string, ok bool) {
	network, folded, ok = strings.Cut(string(id), ".")
	return network, folded, ok && network != ""
}

// selfID is the sender of what the bridge itself says on IRC; no ghost of it is
// ever shown.
func selfID(network string) networkid.UserID { return networkid.UserID(network + ".") }

// aliasLocalpart makes the localpart of a channel's alias, irc_libera_#go.
func aliasLocalpart(prefix, network, channel string) string {
	name := session.CasemapASCII.Fold(channel)
	return prefix + network + "_" + strings.NewReplacer(":", "=3a", "\x00", "", " ", "").Replace(name)
}

// SpaceKey is the portal of a network's space, ChannelKey that of a channel, and Ghost the ghost of a nick, for imports of logs, which have
// to call things as the bridge does. Ghost knows nothing of accounts.
func SpaceKey(network string) networkid.PortalKey { return spaceKey(network) }

// ChannelKey is the portal of a channel.
func ChannelKey(network, channel string) networkid.PortalKey { return channelKey(network, channel) }

// Ghost is the ghost of a nick.
func Ghost(network, nick string) networkid.UserID {
	return ghostID(network, session.CasemapRFC1459.Fold(nick))
}
