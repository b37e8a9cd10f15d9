package slack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"gopkg.in/yaml.v3"
	"maunium.net/go/mautrix/bridgev2"

	"github.com/landbridge-im/landbridge/appservice"
)

// Deps is what the module needs of its host.
type Deps struct {
	Log *slog.Logger
	// HTTP makes the calls to Slack; nil for a client of its own.
	HTTP *http.Client
	// AliasPrefix begins the aliases of the rooms; default "slack_".
	AliasPrefix string
	// DataDir is the bridge's folder, in which it keeps the tokens that it was given by Slack; "" to keep none.
	DataDir string
	// Links ties people of Slack to accounts; nil if nobody keeps such ties.
	Links appservice.Links
	// Go starts a goroutine, a panic in which has the bridge started anew; nil: a plain one.
	Go func(f func())
}

// Bridge is a configured Slack bridge. New makes it; the host runs its Connector in a
// bridgev2.Bridge, calls Start when that has started, and Stop when it has stopped.
type Bridge struct {
	cfg  *Config
	log  *slog.Logger
	http *http.Client

	links  appservice.Links
	prefix string       // of aliases
	spawn  func(func()) // starts goroutines
	dir    string       // where tokens are kept; "" for nowhere

	tokens *tokens
	pages  *pages // nil without a public address

	br    *bridgev2.Bridge
	store *store
}

// New checks a configuration and makes a bridge of it. Errors name line and key.
func New(_ context.Context, cfg *yaml.Node, deps Deps) (*Bridge, error) {
	if deps.AliasPrefix == "" {
		deps.AliasPrefix = "slack_"
	}
	parsed, err := ParseConfig(cfg, deps.AliasPrefix)
	if err != nil {
		return nil, fmt.Errorf("the Slack configuration: %w", err)
	}
	b := &Bridge{cfg: parsed, log: deps.Log, http: deps.HTTP, links: deps.Links, prefix: deps.AliasPrefix, dir: deps.DataDir, spawn: deps.Go}
	b.tokens = newTokens(deps.DataDir)
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	return b, nil
}

// Connector returns the NetworkConnector.
func (b *Bridge) Connector() bridgev2.NetworkConnector { return &Connector{b: b} }

// Start makes the logins of the configured workspaces and connects to them. It does not
// wait for Slack. It is called once, after the framework has started.
func (b *Bridge) Start(ctx context.Context, br *bridgev2.Bridge) error {
	if b.br != br {
		return errors.New("the Slack bridge belongs to another bridge")
	}
	b.openPages()
	b.addCommands()
	b.relayReactions()
	b.relayState()
	for i := range b.cfg.Workspaces {
		cfg := &b.cfg.Workspaces[i]
		login, err := b.ensureLogin(ctx, cfg)
		if err != nil {
			return err
		}
		w, ok := login.Client.(*workspace)
		if !ok {
			return fmt.Errorf("the login of %s has no client", cfg.ID)
		}
		w.mu.Lock()
		w.ready = true
		w.mu.Unlock()
		w.Connect(ctx)
	}
	return nil
}

// Stop ends what the framework does not: there is nothing.
func (b *Bridge) Stop() {}
