package discord

import (
	"context"
	"errors"
	"strings"

	"go.mau.fi/util/configupgrade"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
)

// Connector is the NetworkConnector of a Bridge.
type Connector struct{ b *Bridge }

var (
	_ bridgev2.NetworkConnector               = (*Connector)(nil)
	_ bridgev2.IdentifierValidatingNetwork    = (*Connector)(nil)
	_ bridgev2.PortalBridgeInfoFillingNetwork = (*Connector)(nil)
)

// Init implements bridgev2.NetworkConnector.
func (c *Connector) Init(br *bridgev2.Bridge) { c.b.br = br }

// Start implements bridgev2.NetworkConnector.
func (c *Connector) Start(ctx context.Context) error {
	st, err := openStore(ctx, c.b.br)
	if err != nil {
		return err
	}
	c.b.store = st
	return nil
}

// GetName implements bridgev2.NetworkConnector.
func (c *Connector) GetName() bridgev2.BridgeName {
	return bridgev2.BridgeName{
		DisplayName: "Discord", NetworkURL: "https://discord.com", NetworkID: "discord",
		BeeperBridgeType:     "github.com/landbridge-im/landbridge/bridges/discord",
		DefaultCommandPrefix: "!discord",
	}
}

// GetDBMetaTypes implements bridgev2.NetworkConnector.
func (c *Connector) GetDBMetaTypes() database.MetaTypes { return metaTypes() }

// GetCapabilities implements bridgev2.NetworkConnector.
func (c *Connector) GetCapabilities() *bridgev2.NetworkGeneralCapabilities {
	return &bridgev2.NetworkGeneralCapabilities{}
}

// GetConfig implements bridgev2.NetworkConnector. The module has its own
// configuration, which New has read.
func (c *Connector) GetConfig() (example string, data any, upgrader configupgrade.Upgrader) {
	return "", nil, nil
}

// LoadUserLogin implements bridgev2.NetworkConnector.
func (c *Connector) LoadUserLogin(ctx context.Context, login *bridgev2.UserLogin) error {
	n, err := newBot(ctx, c.b, login)
	if err != nil {
		return err
	}
	if old, ok := login.Client.(*bot); ok {
		n.ready = old.ready // made again to connect anew
	}
	login.Client = n
	return nil
}

// GetLoginFlows implements bridgev2.NetworkConnector: the bot comes from the
// configuration, and nobody logs in.
func (c *Connector) GetLoginFlows() []bridgev2.LoginFlow { return nil }

// CreateLogin implements bridgev2.NetworkConnector.
func (c *Connector) CreateLogin(context.Context, *bridgev2.User, string) (bridgev2.LoginProcess, error) {
	return nil, errors.New("the Discord bot is set up in the configuration; logging in with an account of your own is against Discord's terms")
}

// GetBridgeInfoVersion implements bridgev2.NetworkConnector.
func (c *Connector) GetBridgeInfoVersion() (info, capabilities int) { return 1, 1 }

// ValidateUserID implements bridgev2.IdentifierValidatingNetwork.
func (c *Connector) ValidateUserID(user networkid.UserID) bool {
	return isUser(user) || strings.HasPrefix(string(user), "webhook.")
}

// FillPortalBridgeInfo implements bridgev2.PortalBridgeInfoFillingNetwork.
func (c *Connector) FillPortalBridgeInfo(portal *bridgev2.Portal, content *event.BridgeEventContent) {
	guildID, channel := splitPortal(portal.ID)
	n := c.b.client()
	if n == nil {
		return
	}
	if ch, ok := n.guilds.channel(channel); ok {
		guildID = ch.GuildID
	}
	n.guilds.read(guildID, func(g *guild) {
		content.Network = &event.BridgeInfoSection{ID: string(g.ID), DisplayName: g.Name, ExternalURL: "https://discord.com/channels/" + string(g.ID)}
	})
	if channel != "" && guildID != "" {
		content.Channel.ExternalURL = "https://discord.com/channels/" + string(guildID) + "/" + string(channel)
	}
}
