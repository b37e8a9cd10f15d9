package irc

import (
	"context"
	"errors"
	"fmt"

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
	_ bridgev2.StoppableNetwork               = (*Connector)(nil)
	_ bridgev2.IdentifierValidatingNetwork    = (*Connector)(nil)
	_ bridgev2.PortalBridgeInfoFillingNetwork = (*Connector)(nil)
)

// Init implements bridgev2.NetworkConnector.
func (c *Connector) Init(br *bridgev2.Bridge) { c.b.br = br }

// Start implements bridgev2.NetworkConnector.
func (c *Connector) Start(ctx context.Context) error {
	st, err := openStore(ctx, c.b.br, c.b.dir)
	if err != nil {
		return err
	}
	c.b.store = st
	c.b.servePages()
	c.watchMembers()
	c.watchModes()
	c.watchReactions()
	c.watchTyping()
	return c.b.startDemo()
}

// Stop implements bridgev2.StoppableNetwork.
func (c *Connector) Stop() { c.b.Stop() }

// GetName implements bridgev2.NetworkConnector.
func (c *Connector) GetName() bridgev2.BridgeName {
	return bridgev2.BridgeName{
		DisplayName: "IRC", NetworkURL: "https://modern.ircdocs.horse", NetworkID: "irc",
		BeeperBridgeType:     "github.com/landbridge-im/landbridge/bridges/irc",
		DefaultCommandPrefix: "!irc",
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
	cfg := c.b.network(string(login.ID))
	if cfg == nil {
		return fmt.Errorf("the network %s is not configured any more", login.ID)
	}
	n, err := newNetwork(ctx, c.b, *cfg, login)
	if err != nil {
		return err
	}
	if old, ok := login.Client.(*network); ok {
		n.ready = old.ready // made again to connect anew
	}
	login.Client = n
	return nil
}

// GetLoginFlows implements bridgev2.NetworkConnector: in community mode networks
// come from the configuration, and nobody logs in.
func (c *Connector) GetLoginFlows() []bridgev2.LoginFlow { return nil }

// CreateLogin implements bridgev2.NetworkConnector.
func (c *Connector) CreateLogin(context.Context, *bridgev2.User, string) (bridgev2.LoginProcess, error) {
	return nil, errors.New("IRC networks are set up in the configuration")
}

// GetBridgeInfoVersion implements bridgev2.NetworkConnector.
func (c *Connector) GetBridgeInfoVersion() (info, capabilities int) { return 1, 1 }

// ValidateUserID implements bridgev2.IdentifierValidatingNetwork.
func (c *Connector) ValidateUserID(user networkid.UserID) bool {
	network, nick, ok := splitGhost(user)
	return ok && nick != "" && c.b.network(network) != nil
}

// FillPortalBridgeInfo implements bridgev2.PortalBridgeInfoFillingNetwork.
func (c *Connector) FillPortalBridgeInfo(portal *bridgev2.Portal, content *event.BridgeEventContent) {
	network, channel := splitPortal(portal.ID)
	cfg := c.b.network(network)
	if cfg == nil {
		return
	}
	content.Network = &event.BridgeInfoSection{ID: cfg.ID, DisplayName: cfg.Name}
	if channel != "" {
		content.Channel.ID = channel
	}
}
