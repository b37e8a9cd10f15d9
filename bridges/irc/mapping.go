package irc

import (
	"context"
	"fmt"

	"maunium.net/go/mautrix/bridgev2/networkid"

	"github.com/landbridge-im/landbridge/appservice"
)

var (
	_ appservice.Lister       = (*Bridge)(nil)
	_ appservice.ChannelNamer = (*Bridge)(nil)
)

// Channels implements appservice.Lister: the configured channels and the spaces of their networks.
func (b *Bridge) Channels(context.Context) (out []appservice.RemoteChannel, err error) {
	for _, n := range b.cfg.Networks {
		out = append(out, appservice.RemoteChannel{Key: spaceKey(n.ID), Name: n.Name, Alias: n.RoomAlias})
		for _, ch := range n.Channels {
			out = append(out, appservice.RemoteChannel{Key: channelKey(n.ID, ch.Name), Alias: ch.RoomAlias})
		}
	}
	return out, nil
}

// PortalKey implements appservice.ChannelNamer: "libera/#go" names a channel, "libera" a network, and where there
// is one network only, "#go" is enough.
func (b *Bridge) PortalKey(channel string) (networkid.PortalKey, error) {
	network, name := splitPortal(networkid.PortalID(channel))
	if b.network(network) == nil && len(b.cfg.Networks) == 1 {
		network, name = b.cfg.Networks[0].ID, channel
	}
	switch {
	case b.network(network) == nil:
		return networkid.PortalKey{}, fmt.Errorf("the channel %q is of no network: write NETWORK/#channel", channel)
	case name == "":
		return spaceKey(network), nil
	}
	return channelKey(network, name), nil
}
