package irc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"gopkg.in/yaml.v3"
	"maunium.net/go/mautrix/bridgev2"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/bridges/irc/demonet"
	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

// Deps is what the module needs of its host.
type Deps struct {
	Log *slog.Logger
	// AliasPrefix begins the aliases of the rooms; default "irc_".
	AliasPrefix string
	// DataDir is a folder for files of the module, the one of the bridge's database.
	// Without one, what is known of a line that was being written when the process
	// died is in the database alone, and later; see the package's documentation.
	DataDir string
	// Go starts a goroutine, a panic in which has the bridge started anew; nil: a plain one.
	Go func(f func())
}

// Bridge is a configured IRC bridge. New makes it; the host runs its Connector
// in a bridgev2.Bridge, calls Start when that has started, and Stop when it has
// stopped.
type Bridge struct {
	cfg  *Config
	log  *slog.Logger
	dir  string
	demo bool
	// backoff is that of new connections; zero for the defaults.
	backoff session.Backoff
	spawn   func(func()) // starts goroutines

	br          *bridgev2.Bridge
	store       *store
	aliasPrefix string
	ident       *ident // nil without an ident server
	identEnd    func()
	pages       string // the address of the pages of long messages, up to their ids; empty without one

	mu     sync.Mutex
	server *demonet.Server
}

// New checks a configuration and makes a bridge of it. Errors name line and key.
func New(_ context.Context, cfg *yaml.Node, deps Deps) (*Bridge, error) {
	if deps.AliasPrefix == "" {
		deps.AliasPrefix = "irc_"
	}
	parsed, err := ParseConfig(cfg, deps.AliasPrefix)
	if err != nil {
		return nil, fmt.Errorf("IRC configuration: %w", err)
	}
	b := &Bridge{cfg: parsed, log: deps.Log, dir: deps.DataDir, aliasPrefix: deps.AliasPrefix, spawn: deps.Go}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	if len(parsed.Networks) == 0 {
		b.demo = true
		parsed.Networks = []NetworkConfig{demoNetwork(deps.AliasPrefix)}
		b.backoff = session.Backoff{Min: 100 * time.Millisecond, Max: 5 * time.Second}
	}
	return b, nil
}

// demoNetwork is the configuration for the demonstration network; its address is
// known when it has started.
func demoNetwork(aliasPrefix string) NetworkConfig {
	n := NetworkConfig{
		ID: "demo", Name: "Demonstration network", Nick: "landbridge", Realname: "Landbridge",
		RelayFormat: "<{name}> ", TellReactions: true, LongMessage: 5, Burst: 100, PerSecond: 100, Queue: 10_000, OutageNotice: time.Minute,
	}
	for _, name := range demonet.Channels() {
		n.Channels = append(n.Channels, ChannelConfig{Name: name})
	}
	n.fill(aliasPrefix)
	return n
}

// Connector returns the NetworkConnector.
func (b *Bridge) Connector() bridgev2.NetworkConnector { return &Connector{b: b} }

// Start makes what is missing of the logins and rooms of the configured networks
// and connects to them. It is called once, after the framework has started.
func (b *Bridge) Start(ctx context.Context, br *bridgev2.Bridge) error {
	if b.br != br {
		return errors.New("the IRC bridge belongs to another bridge")
	}
	b.addCommands()
	if err := b.startIdent(ctx); err != nil {
		return err
	}
	for _, cfg := range b.cfg.Networks {
		login, err := b.ensureLogin(ctx, cfg)
		if err != nil {
			return err
		}
		n, ok := login.Client.(*network)
		if !ok {
			return fmt.Errorf("the login of %s has no client", cfg.ID)
		}
		if err := n.ensureRooms(ctx); err != nil {
			return err
		}
		n.Connect(ctx)
		n.roomsReady()
	}
	return nil
}

// startIdent starts the ident server, if there is to be one.
func (b *Bridge) startIdent(ctx context.Context) error {
	if b.cfg.IdentListen == "" {
		return nil
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", b.cfg.IdentListen)
	if err != nil {
		return fmt.Errorf("the ident server: %w", err)
	}
	b.ident = newIdent()
	b.ident.spawn = b.spawn
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	appservice.Spawn(b.spawn, func() {
		defer close(done)
		b.ident.serve(ctx, l, b.log)
	})
	b.mu.Lock()
	b.identEnd = func() { cancel(); <-done }
	b.mu.Unlock()
	return nil
}

// Stop ends what the framework does not: the demonstration network and the ident server.
func (b *Bridge) Stop() {
	b.mu.Lock()
	end := b.identEnd
	b.identEnd = nil
	b.mu.Unlock()
	if end != nil {
		end()
	}
	b.mu.Lock()
	server := b.server
	b.server = nil
	b.mu.Unlock()
	if server != nil {
		server.Close()
	}
}

// DemoAddr returns where the demonstration network listens, or "" without one.
func (b *Bridge) DemoAddr() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.server == nil {
		return ""
	}
	return b.server.Addr()
}

// startDemo starts the demonstration network, on another port if its own is
// taken.
func (b *Bridge) startDemo() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.demo || b.server != nil {
		return nil
	}
	opts := demonet.Options{Listen: b.cfg.DemoListen, People: true, Log: b.log}
	server, err := demonet.Start(opts)
	if err != nil {
		b.log.Warn("the port of the demonstration network is taken, using another", "address", opts.Listen, "error", err)
		opts.Listen = "127.0.0.1:0"
		if server, err = demonet.Start(opts); err != nil {
			return err
		}
	}
	b.server = server
	b.cfg.Networks[0].Address = server.Addr()
	b.log.Info("the demonstration IRC network is running", "address", server.Addr())
	return nil
}

func (b *Bridge) network(id string) *NetworkConfig {
	for i := range b.cfg.Networks {
		if b.cfg.Networks[i].ID == id {
			return &b.cfg.Networks[i]
		}
	}
	return nil
}
