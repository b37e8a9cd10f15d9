package slack

import (
	"fmt"
	"strings"

	"maunium.net/go/mautrix/bridgev2/networkid"

	"github.com/landbridge-im/landbridge/appservice"
)

var _ appservice.ChannelNamer = (*Bridge)(nil)

// PortalKey implements appservice.ChannelNamer: channels are named by their ids, as Slack shows them (C0123ABCD).
func (b *Bridge) PortalKey(channel string) (networkid.PortalKey, error) {
	if channel == "" || strings.ContainsAny(channel, "# ") {
		return networkid.PortalKey{}, fmt.Errorf("%q is no channel's id: Slack shows it at the end of the channel's details", channel)
	}
	return channelKey(channel), nil
}
