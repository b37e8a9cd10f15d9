package appservicetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.mau.fi/util/configupgrade"
	"go.mau.fi/util/ptr"
	"gopkg.in/yaml.v3"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/simplevent"
	"maunium.net/go/mautrix/bridgev2/status"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice"
)

// Network is a remote network in memory. It outlives the bridges that connect to
// it, as a real one does. To a message that begins with "echo " it answers.
type Network struct {
	// OnSend, if set, is called when a message reaches the network; an error
	// is the network's refusal. Set it before a bridge starts.
	OnSend func(ctx context.Context, sent Sent) error

	mu      sync.Mutex
	changed chan struct{}
	sent    []Sent
	client  *echoClient // of the bridge that is connected
	failed  chan error
	next    int
}

// Sent is a message that a bridge has sent to the network.
type Sent struct {
	Channel     string
	Event       id.EventID
	Sender      id.UserID
	Name        string // how the sender is relayed
	Body        string
	Redelivered bool
}

// NewNetwork returns a network on which nothing was said.
func NewNetwork() *Network { return &Network{changed: make(chan struct{})} }

// Sent is what bridges have sent.
func (n *Network) Sent() []Sent {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]Sent(nil), n.sent...)
}

// WaitSent waits until bridges have sent count messages and returns them.
func (n *Network) WaitSent(ctx context.Context, count int) ([]Sent, error) {
	for {
		n.mu.Lock()
		have, changed := len(n.sent), n.changed
		n.mu.Unlock()
		if have >= count {
			return n.Sent(), nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return n.Sent(), fmt.Errorf("waiting for %d messages, have %d: %w", count, have, ctx.Err())
		}
	}
}

// Say has somebody on the network say something. It reports whether a bridge
// was there to hear it.
func (n *Network) Say(channel, nick, text string) bool {
	n.mu.Lock()
	n.next++
	msg, client := fmt.Sprint("remote", n.next), n.client
	n.mu.Unlock()
	if client == nil {
		return false
	}
	client.say(channel, nick, networkid.MessageID(msg), text)
	return true
}

// Fail has the bridge that is connected fail.
func (n *Network) Fail(err error) {
	n.mu.Lock()
	failed := n.failed
	n.mu.Unlock()
	failed <- err
}

// EchoConfig is the configuration of the module: the channels to bridge.
type EchoConfig struct {
	Channels []string `yaml:"channels"`
}

// Module returns the module that bridges the network, as a module's author would
// write it.
func (n *Network) Module() appservice.Module {
	return appservice.Module{Name: "echo", New: func(_ context.Context, env appservice.Env) (appservice.Bridge, error) {
		b := &echoBridge{network: n, env: env, failed: make(chan error, 1)}
		if env.Config != nil {
			if err := env.Config.Decode(&b.config); err != nil {
				return nil, fmt.Errorf("echo: %w", err)
			}
		}
		for i, c := range b.config.Channels {
			if c == "" {
				return nil, fmt.Errorf("line %d: channels[%d] is empty", env.Config.Line, i)
			}
		}
		return b, nil
	}}
}

// Config returns a configuration of the module.
func Config(channels ...string) *yaml.Node {
	node := new(yaml.Node)
	if err := node.Encode(EchoConfig{Channels: channels}); err != nil {
		panic(err) // a list of strings is YAML
	}
	return node
}

// echoBridge is one start of the module: it implements appservice.Bridge and is
// the network connector.
type echoBridge struct {
	network *Network
	env     appservice.Env
	config  EchoConfig
	br      *bridgev2.Bridge
	failed  chan error
}

var (
	_ appservice.Bridge         = (*echoBridge)(nil)
	_ appservice.Failer         = (*echoBridge)(nil)
	_ bridgev2.NetworkConnector = (*echoConnector)(nil)
	_ bridgev2.NetworkAPI       = (*echoClient)(nil)
)

func (b *echoBridge) Connector() bridgev2.NetworkConnector { return &echoConnector{b} }

func (b *echoBridge) Failed() <-chan error { return b.failed }

// Start is community mode: one login, owned by the bot, relays for everybody.
func (b *echoBridge) Start(ctx context.Context, br *bridgev2.Bridge) error {
	b.network.mu.Lock()
	b.network.failed = b.failed
	b.network.mu.Unlock()
	bot, err := br.GetUserByMXID(ctx, br.Bot.GetMXID())
	if err != nil {
		return fmt.Errorf("get the bot's user: %w", err)
	}
	login, err := bot.NewLogin(ctx, &database.UserLogin{ID: "community", RemoteName: "Echo"}, nil)
	if err != nil {
		return fmt.Errorf("make the login: %w", err)
	}
	login.Client.Connect(ctx)
	for _, channel := range b.config.Channels {
		portal, err := br.GetPortalByKey(ctx, networkid.PortalKey{ID: networkid.PortalID(channel)})
		if err != nil {
			return fmt.Errorf("get portal: %w", err)
		}
		if err := portal.SetRelay(ctx, login); err != nil {
			return fmt.Errorf("set relay: %w", err)
		}
		if portal.MXID == "" {
			if err := portal.CreateMatrixRoom(ctx, login, nil); err != nil {
				return fmt.Errorf("make room of %s: %w", channel, err)
			}
		}
		if err := appservice.SetAlias(ctx, br, portal.MXID, b.env.AliasPrefix+channel); err != nil {
			return fmt.Errorf("room of %s: %w", channel, err)
		}
	}
	return nil
}

func (b *echoBridge) Stop() {
	b.network.mu.Lock()
	defer b.network.mu.Unlock()
	if b.network.client != nil && b.network.client.bridge == b {
		b.network.client = nil
	}
}

type echoConnector struct{ *echoBridge }

func (c *echoConnector) Init(br *bridgev2.Bridge)    { c.br = br }
func (c *echoConnector) Start(context.Context) error { return nil }

func (c *echoConnector) GetName() bridgev2.BridgeName {
	return bridgev2.BridgeName{DisplayName: "Echo", NetworkURL: "https://echo.example", NetworkID: "echo", BeeperBridgeType: "echo"}
}

func (c *echoConnector) GetDBMetaTypes() database.MetaTypes { return database.MetaTypes{} }
func (c *echoConnector) GetCapabilities() *bridgev2.NetworkGeneralCapabilities {
	return &bridgev2.NetworkGeneralCapabilities{}
}
func (c *echoConnector) GetConfig() (string, any, configupgrade.Upgrader) {
	return "", nil, configupgrade.NoopUpgrader
}
func (c *echoConnector) GetLoginFlows() []bridgev2.LoginFlow            { return nil }
func (c *echoConnector) GetBridgeInfoVersion() (info, capabilities int) { return 1, 1 }
func (c *echoConnector) CreateLogin(context.Context, *bridgev2.User, string) (bridgev2.LoginProcess, error) {
	return nil, errors.New("echo has no logins")
}
func (c *echoConnector) LoadUserLogin(_ context.Context, login *bridgev2.UserLogin) error {
	login.Client = &echoClient{bridge: c.echoBridge, login: login}
	return nil
}

type echoClient struct {
	bridge *echoBridge
	login  *bridgev2.UserLogin
}

func (c *echoClient) Connect(context.Context) {
	c.bridge.network.mu.Lock()
	c.bridge.network.client = c
	c.bridge.network.mu.Unlock()
	c.login.BridgeState.Send(status.BridgeState{StateEvent: status.StateConnected})
}
func (c *echoClient) Disconnect()                                       {}
func (c *echoClient) IsLoggedIn() bool                                  { return true }
func (c *echoClient) LogoutRemote(context.Context)                      {}
func (c *echoClient) IsThisUser(context.Context, networkid.UserID) bool { return false }
func (c *echoClient) GetUserInfo(_ context.Context, g *bridgev2.Ghost) (*bridgev2.UserInfo, error) {
	return &bridgev2.UserInfo{Name: ptr.Ptr(string(g.ID))}, nil
}
func (c *echoClient) GetChatInfo(_ context.Context, p *bridgev2.Portal) (*bridgev2.ChatInfo, error) {
	return &bridgev2.ChatInfo{
		Name:     ptr.Ptr(string(p.ID)),
		Type:     ptr.Ptr(database.RoomTypeDefault),
		JoinRule: &event.JoinRulesEventContent{JoinRule: event.JoinRulePublic},
		Members:  &bridgev2.ChatMemberList{},
	}, nil
}
func (c *echoClient) GetCapabilities(context.Context, *bridgev2.Portal) *event.RoomFeatures {
	return &event.RoomFeatures{ID: "echo", MaxTextLength: 4000, PerMessageProfileRelay: true}
}

func (c *echoClient) HandleMatrixMessage(ctx context.Context, msg *bridgev2.MatrixMessage) (*bridgev2.MatrixMessageResponse, error) {
	n := c.bridge.network
	sent := Sent{Channel: string(msg.Portal.ID), Event: msg.Event.ID, Sender: msg.Event.Sender, Body: msg.Content.Body,
		Redelivered: appservice.Redelivered(c.bridge.br, msg.Event.ID)}
	if msg.OrigSender != nil {
		sent.Name = msg.OrigSender.DisambiguatedName
	}
	if n.OnSend != nil {
		if err := n.OnSend(ctx, sent); err != nil {
			return nil, err
		}
	}
	n.mu.Lock()
	n.next++
	remote := networkid.MessageID(fmt.Sprint("remote", n.next))
	n.sent = append(n.sent, sent)
	close(n.changed)
	n.changed = make(chan struct{})
	n.mu.Unlock()
	if text, ok := strings.CutPrefix(sent.Body, "echo "); ok {
		c.say(sent.Channel, "echo", remote+"-echo", text)
	}
	return &bridgev2.MatrixMessageResponse{DB: &database.Message{ID: remote, SenderID: "community", Timestamp: time.Now()}}, nil
}

// say queues a message of the network for its portal.
func (c *echoClient) say(channel, nick string, msg networkid.MessageID, text string) {
	c.login.QueueRemoteEvent(&simplevent.PreConvertedMessage{
		EventMeta: simplevent.EventMeta{
			Type:         bridgev2.RemoteEventMessage,
			PortalKey:    networkid.PortalKey{ID: networkid.PortalID(channel)},
			Sender:       bridgev2.EventSender{Sender: networkid.UserID(nick)},
			CreatePortal: true,
			Timestamp:    time.Now(),
		},
		ID: msg,
		Data: &bridgev2.ConvertedMessage{Parts: []*bridgev2.ConvertedMessagePart{{
			Type:    event.EventMessage,
			Content: &event.MessageEventContent{MsgType: event.MsgText, Body: text},
		}}},
	})
}
