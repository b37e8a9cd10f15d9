package slack

import (
	"context"
	"strings"

	"go.mau.fi/util/configupgrade"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"

	"github.com/landbridge-im/landbridge/appservice"
)

// Connector is the NetworkConnector of a Bridge.
type Connector struct{ b *Bridge }

var (
	_ bridgev2.NetworkConnector            = (*Connector)(nil)
	_ bridgev2.IdentifierValidatingNetwork = (*Connector)(nil)
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
	return st.prune(ctx)
}

// GetName implements bridgev2.NetworkConnector.
func (c *Connector) GetName() bridgev2.BridgeName {
	return bridgev2.BridgeName{
		DisplayName: "Slack", NetworkURL: "https://slack.com", NetworkID: "slack",
		BeeperBridgeType:     "github.com/landbridge-im/landbridge/bridges/slack",
		DefaultCommandPrefix: "!slack",
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
func (c *Connector) LoadUserLogin(_ context.Context, login *bridgev2.UserLogin) error {
	if meta, ok := login.Metadata.(*LoginMetadata); ok && meta.User != "" {
		login.Client = &person{b: c.b, login: login, meta: meta, again: make(chan struct{}, 1), work: appservice.Work{By: c.b.spawn}}
		return nil
	}
	cfg, err := c.b.cfg.workspace(string(login.ID))
	if err != nil {
		return err
	}
	w := newWorkspace(c.b, cfg, login)
	if old, ok := login.Client.(*workspace); ok {
		w.ready = old.isReady() // made again to connect anew
	}
	login.Client = w
	return nil
}

// GetBridgeInfoVersion implements bridgev2.NetworkConnector.
func (c *Connector) GetBridgeInfoVersion() (info, capabilities int) { return 1, 1 }

// ValidateUserID implements bridgev2.IdentifierValidatingNetwork.
func (c *Connector) ValidateUserID(user networkid.UserID) bool {
	return len(user) > 5 && strings.ContainsRune("uwb", rune(user[0])) && !strings.ContainsFunc(string(user), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.'
	})
}
