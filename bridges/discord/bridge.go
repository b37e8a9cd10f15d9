package discord

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"gopkg.in/yaml.v3"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"

	"github.com/landbridge-im/landbridge/appservice"
)

// Deps is what the module needs of its host.
type Deps struct {
	Log *slog.Logger
	// HTTP makes requests to Discord; nil for a client of its own.
	HTTP *http.Client
	// AliasPrefix begins the aliases of the rooms; default "discord_".
	AliasPrefix string
	// Links ties people of Discord to accounts; nil if nobody keeps such ties.
	Links appservice.Links
	// Go starts a goroutine, a panic in which has the bridge started anew; nil: a plain one.
	Go func(f func())
	// BackoffMin and BackoffMax are the least and the most time between attempts to
	// connect; zero for the defaults.
	BackoffMin, BackoffMax time.Duration
}

// Bridge is a configured Discord bridge. New makes it; the host runs its Connector in a
// bridgev2.Bridge, calls Start when that has started, and Stop before it is stopped.
type Bridge struct {
	cfg  *Config
	deps Deps
	log  *slog.Logger

	br    *bridgev2.Bridge
	store *store
	drawn *drawnStickers

	bot    atomic.Pointer[bot]
	failed chan error
}

// New checks a configuration and makes a bridge of it. Errors name line and key.
func New(_ context.Context, cfg *yaml.Node, deps Deps) (*Bridge, error) {
	parsed, err := ParseConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("configuration of the Discord bridge: %w", err)
	}
	if deps.AliasPrefix == "" {
		deps.AliasPrefix = "discord_"
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if parsed.Proxy != "" {
		if deps.HTTP, err = proxied(deps.HTTP, parsed.Proxy); err != nil {
			return nil, fmt.Errorf("configuration of the Discord bridge: proxy: %w", err)
		}
	}
	return &Bridge{cfg: parsed, deps: deps, log: deps.Log, drawn: newDrawnStickers(), failed: make(chan error, 1)}, nil
}

// proxied is a client that makes all its connections through a proxy.
func proxied(client *http.Client, address string) (*http.Client, error) {
	proxy, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	out, base := &http.Client{}, http.DefaultTransport
	if client != nil {
		*out = *client
		base = cmp.Or(client.Transport, base)
	}
	t, ok := base.(*http.Transport)
	if !ok {
		return nil, errors.New("the host's connections cannot go through one")
	}
	t = t.Clone()
	t.Proxy = http.ProxyURL(proxy)
	out.Transport = t
	return out, nil
}

// Connector returns the NetworkConnector.
func (b *Bridge) Connector() bridgev2.NetworkConnector { return &Connector{b: b} }

// Failed yields an error when the bridge cannot go on: Discord refuses the bot.
func (b *Bridge) Failed() <-chan error { return b.failed }

// Start makes the login, if it is missing, and connects. It is called once, after the
// framework has started.
func (b *Bridge) Start(ctx context.Context, br *bridgev2.Bridge) error {
	if b.br != br {
		return errors.New("the Discord bridge belongs to another bridge")
	}
	login, err := b.ensureLogin(ctx)
	if err != nil {
		return err
	}
	n, ok := login.Client.(*bot)
	if !ok {
		return errors.New("the login of the bot has no client")
	}
	b.bot.Store(n)
	b.hookReactions()
	b.addCommands()
	n.Connect(ctx)
	n.start()
	return nil
}

// Stop implements the host's interface; the framework disconnects the login.
func (b *Bridge) Stop() {}

// client is the bot, nil before Start.
func (b *Bridge) client() *bot { return b.bot.Load() }

// ensureLogin returns the bot's login, which belongs to the bridge bot in Matrix.
func (b *Bridge) ensureLogin(ctx context.Context) (*bridgev2.UserLogin, error) {
	user, err := b.br.GetUserByMXID(ctx, b.br.Bot.GetMXID())
	if err != nil {
		return nil, fmt.Errorf("load the bridge bot's user: %w", err)
	}
	login, err := b.br.GetExistingUserLoginByID(ctx, loginID)
	if err != nil {
		return nil, fmt.Errorf("load the login: %w", err)
	}
	if login == nil {
		if login, err = user.NewLogin(ctx, &database.UserLogin{ID: loginID, RemoteName: "Discord"}, nil); err != nil {
			return nil, fmt.Errorf("make the login: %w", err)
		}
	}
	return login, nil
}
