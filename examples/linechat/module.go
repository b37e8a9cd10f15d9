package linechat

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/commands"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"

	"github.com/landbridge-im/landbridge/appservice"
)

// Module is the module, for app.Main.
func Module() appservice.Module {
	return appservice.Module{Name: "linechat", New: func(_ context.Context, env appservice.Env) (appservice.Bridge, error) {
		c, err := readConfig(env.Config)
		if err != nil {
			return nil, err
		}
		return &bridge{env: env, config: c, failed: make(chan error, 1)}, nil
	}}
}

// loginID is the one login of the bridge: its own connection, which speaks for everybody.
const loginID networkid.UserLoginID = "community"

// bridge is one life of a bridge, from a start to the next stop.
type bridge struct {
	env    appservice.Env
	config config
	br     *bridgev2.Bridge
	failed chan error

	login *bridgev2.UserLogin
	conn  net.Conn
	ended sync.WaitGroup

	mu sync.Mutex // orders writes to conn
}

var (
	_ appservice.Bridge      = (*bridge)(nil)
	_ appservice.Failer      = (*bridge)(nil)
	_ appservice.AliasOpener = (*bridge)(nil)
)

// Connector implements appservice.Bridge.
func (b *bridge) Connector() bridgev2.NetworkConnector { return &connector{b} }

// Failed implements appservice.Failer: the host starts the bridge anew when the connection is lost, after a
// pause that grows.
func (b *bridge) Failed() <-chan error { return b.failed }

// dialTime bounds how long connecting may take.
const dialTime = 30 * time.Second

// Start implements appservice.Bridge: it connects, and makes the login and a room for each channel.
func (b *bridge) Start(ctx context.Context, br *bridgev2.Bridge) error {
	d := net.Dialer{Timeout: dialTime}
	conn, err := d.DialContext(ctx, "tcp", b.config.Address)
	if err != nil {
		return fmt.Errorf("connect to the network: %w", err)
	}
	b.conn = conn
	bot, err := br.GetUserByMXID(ctx, br.Bot.GetMXID())
	if err != nil {
		return fmt.Errorf("get the bot's user: %w", err)
	}
	if b.login, err = bot.NewLogin(ctx, &database.UserLogin{ID: loginID, RemoteName: b.config.Address}, nil); err != nil {
		return fmt.Errorf("make the login: %w", err)
	}
	b.login.Client.Connect(ctx)
	br.Commands.(*commands.Processor).AddHandlers(&commands.FullHandler{
		Name: "channels",
		Func: func(ce *commands.Event) { ce.Reply("Bridged: %s", strings.Join(b.config.Channels, ", ")) },
		Help: commands.HelpMeta{Section: commands.HelpSectionChats, Description: "Show which channels are bridged."},
	})
	for _, channel := range b.config.Channels {
		if err := b.open(ctx, br, channel); err != nil {
			return fmt.Errorf("channel %s: %w", channel, err)
		}
	}
	b.ended.Add(1)
	// Not a plain go: a panic in it is to end the bridge, not the program.
	b.env.Go(func() {
		defer b.ended.Done()
		b.failed <- b.read(ctx, bufio.NewScanner(conn))
	})
	return nil
}

// open makes the room of a channel, unless it is there, with an alias, and has everybody's messages go through
// the login.
func (b *bridge) open(ctx context.Context, br *bridgev2.Bridge, channel string) error {
	portal, err := br.GetPortalByKey(ctx, portalKey(channel))
	if err != nil {
		return fmt.Errorf("get the portal: %w", err)
	}
	if err := portal.SetRelay(ctx, b.login); err != nil {
		return fmt.Errorf("set the relay: %w", err)
	}
	if portal.MXID == "" {
		if err := portal.CreateMatrixRoom(ctx, b.login, nil); err != nil {
			return fmt.Errorf("make the room: %w", err)
		}
	}
	return appservice.SetAlias(ctx, br, portal.MXID, b.env.AliasPrefix+channel)
}

// OpenAlias implements appservice.AliasOpener: somebody wants to join a channel that is not bridged yet.
func (b *bridge) OpenAlias(ctx context.Context, channel string) (bool, error) {
	if !b.config.Open || !channelPattern.MatchString(channel) {
		return false, nil
	}
	return true, b.open(ctx, b.br, channel)
}

// Stop implements appservice.Bridge.
func (b *bridge) Stop() {
	if b.conn != nil {
		b.conn.Close() // ends read
	}
	b.ended.Wait()
}

func portalKey(channel string) networkid.PortalKey {
	return networkid.PortalKey{ID: networkid.PortalID(channel)}
}
