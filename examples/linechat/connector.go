package linechat

import (
	"context"
	"errors"

	"go.mau.fi/util/configupgrade"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
)

// connector is what bridgev2 wants to know of the network as a whole.
type connector struct{ b *bridge }

var _ bridgev2.NetworkConnector = (*connector)(nil)

// Init implements bridgev2.NetworkConnector.
func (c *connector) Init(br *bridgev2.Bridge) { c.b.br = br }

// Start implements bridgev2.NetworkConnector; the bridge begins in bridge.Start.
func (c *connector) Start(context.Context) error { return nil }

// GetName implements bridgev2.NetworkConnector.
func (c *connector) GetName() bridgev2.BridgeName {
	return bridgev2.BridgeName{DisplayName: "Line chat", NetworkURL: "https://linechat.example", NetworkID: "linechat", BeeperBridgeType: "linechat"}
}

// GetDBMetaTypes implements bridgev2.NetworkConnector: the module keeps nothing of its own in the tables.
func (c *connector) GetDBMetaTypes() database.MetaTypes { return database.MetaTypes{} }

// GetCapabilities implements bridgev2.NetworkConnector.
func (c *connector) GetCapabilities() *bridgev2.NetworkGeneralCapabilities {
	return &bridgev2.NetworkGeneralCapabilities{}
}

// GetConfig implements bridgev2.NetworkConnector: the host has read the configuration.
func (c *connector) GetConfig() (example string, data any, upgrader configupgrade.Upgrader) {
	return "", nil, configupgrade.NoopUpgrader
}

// GetBridgeInfoVersion implements bridgev2.NetworkConnector: to be counted up when what is told of rooms or
// of what they can do changes.
func (c *connector) GetBridgeInfoVersion() (info, capabilities int) { return 1, 1 }

// GetLoginFlows implements bridgev2.NetworkConnector: nobody logs in with an account of their own.
func (c *connector) GetLoginFlows() []bridgev2.LoginFlow { return nil }

// CreateLogin implements bridgev2.NetworkConnector.
func (c *connector) CreateLogin(context.Context, *bridgev2.User, string) (bridgev2.LoginProcess, error) {
	return nil, errors.New("line chat has no accounts")
}

// LoadUserLogin implements bridgev2.NetworkConnector.
func (c *connector) LoadUserLogin(_ context.Context, login *bridgev2.UserLogin) error {
	login.Client = &client{b: c.b, login: login}
	return nil
}
