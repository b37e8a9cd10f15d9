package homeserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"path/filepath"
	"time"

	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/admin"
	"github.com/landbridge-im/landbridge/homeserver/appservices"
	"github.com/landbridge-im/landbridge/homeserver/claims"
	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/console"
	"github.com/landbridge-im/landbridge/homeserver/cutover"
	"github.com/landbridge-im/landbridge/homeserver/delayed"
	"github.com/landbridge-im/landbridge/homeserver/edge"
	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/exporter"
	"github.com/landbridge-im/landbridge/homeserver/federation/inbound"
	"github.com/landbridge-im/landbridge/homeserver/federation/joins"
	"github.com/landbridge-im/landbridge/homeserver/federation/keyring"
	"github.com/landbridge-im/landbridge/homeserver/federation/outbound"
	"github.com/landbridge-im/landbridge/homeserver/guests"
	"github.com/landbridge-im/landbridge/homeserver/identity"
	"github.com/landbridge-im/landbridge/homeserver/importer"
	"github.com/landbridge-im/landbridge/homeserver/keys"
	"github.com/landbridge-im/landbridge/homeserver/media"
	"github.com/landbridge-im/landbridge/homeserver/notices"
	"github.com/landbridge-im/landbridge/homeserver/oauth"
	"github.com/landbridge-im/landbridge/homeserver/presence"
	"github.com/landbridge-im/landbridge/homeserver/preview"
	"github.com/landbridge-im/landbridge/homeserver/pushers"
	"github.com/landbridge-im/landbridge/homeserver/retention"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/search"
	"github.com/landbridge-im/landbridge/homeserver/slidingsync"
	"github.com/landbridge-im/landbridge/homeserver/sso"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/homeserver/sync"
	"github.com/landbridge-im/landbridge/homeserver/unread"
	"github.com/landbridge-im/landbridge/homeserver/userdirectory"
	"github.com/landbridge-im/landbridge/registration"
	"github.com/landbridge-im/landbridge/web/page"
)

// Options say what server to run.
type Options struct {
	// Name is the server's name, the part of identifiers behind the colon.
	Name string
	// Version is that of the program, as administrators are told.
	Version string
	// PublicURL is where clients find the server.
	PublicURL string
	// Dir holds the signing key and whatever has no place of its own.
	Dir string
	// Database is a URI as the store understands it.
	Database string
	Readers  int
	// Relaxed trades the flush at every commit for speed; see store.Options.
	Relaxed bool
	// SharedSecret allows signing up with it; empty switches that off.
	SharedSecret string
	// PasswordMin is the least length of a new password in bytes; 0 means 8.
	PasswordMin int
	Settings    client.Settings
	// IdentityServers are those that are asked, and IdentityNetworks where they may be; see identity.Options.
	IdentityServers  []string
	IdentityNetworks []netip.Prefix
	// Lifetimes are those of tokens; Mailer sends mail, nil for none; TellKnown and JWT are as
	// accounts.Config has them.
	Lifetimes accounts.Lifetimes
	Mailer    Mailer
	TellKnown bool
	JWT       *accounts.JWT
	// Providers are those that people may log in with, and TrustedClients the web clients that need
	// not be confirmed then; see client.Options.
	Providers      []sso.Provider
	TrustedClients []string
	OAuth          OAuthOptions
	WellKnown      client.WellKnown
	// TrustedProxies say truly whose requests they pass on.
	TrustedProxies []netip.Prefix
	// UncheckedKeys takes device keys that are none, for conformance suites.
	UncheckedKeys bool
	// NoPresence switches off that users see whether others are there.
	NoPresence bool
	// Search lets people search messages; the index is a file in Dir.
	Search   bool
	Media    MediaOptions
	Previews PreviewOptions
	// Registrations are the application services, and Transport reaches them; see
	// appservices.Options.
	Registrations *registration.Set
	Transport     func(*registration.Registration) http.RoundTripper
	Federation    Federation
	// Push says how push gateways may be reached.
	Push PushOptions
	// VoIP is what clients are told about calls.
	VoIP client.VoIP
	Log  *slog.Logger
	// Tracer makes spans of requests, of calls to other servers and of writes for them; nil: none are made.
	Tracer trace.Tracer
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// PushOptions say how push gateways may be reached; see pushers.Options.
type PushOptions struct {
	AllowLoopback bool
	AllowNetworks []netip.Prefix
	// Backoff is the first pause after a failure; 0 means a second.
	Backoff time.Duration
}

// Mailer sends e-mail: about accounts, and of what is unread.
type Mailer interface {
	accounts.Mailer
	pushers.Mailer
}

// Server is a homeserver. Open makes one, Run lets it work, Close ends it.
type Server struct {
	o        Options
	signer   event.Signer
	outside  *outside
	store    *store.Store
	rooms    *room.Manager
	notifier *sync.Notifier
	typing   *sync.Typing
	presence *presence.Tracker // nil if it is switched off
	accounts *accounts.Accounts
	services *appservices.Services
	delayed  *delayed.Events
	guests   *guests.Guests
	keeper   *retention.Keeper
	identity *identity.Client
	notices  *notices.Notices
	unread   *unread.Counter
	pushers  *pushers.Pushers
	people   *userdirectory.Directory
	search   *search.Index // nil if it is switched off
	client   *client.API
	pages    *page.Site
	oauth    *oauth.Provider // nil if it is switched off
	claims   *claims.Claims
	cutover  *cutover.Cutover
	admin    *admin.Admin
	inbound  *inbound.API
	edge     *edge.Edge
	media    *media.Repo
	preview  *preview.Previewer
	keys     *keys.Keys
	// joins and senders are nil where there are no other servers.
	joins   *joins.Joins
	senders *outbound.Senders
	// draining is closed when Run ends.
	draining chan struct{}
}

// Open opens the database and makes the parts ready to serve.
func Open(ctx context.Context, o Options) (_ *Server, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{o: o, draining: make(chan struct{}), edge: edge.New(edge.Options{Log: o.Log, Now: o.Now, Tracer: o.Tracer})}
	own, err := keyring.Load(filepath.Join(o.Dir, "signing.key"), o.Name)
	if err != nil {
		return nil, err
	}
	s.signer = own.Signer()
	s.store, err = store.Open(ctx, store.Options{URI: o.Database, Readers: o.Readers, Relaxed: o.Relaxed, Log: o.Log, Publish: s.publish})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.store.Close())
		}
	}()
	if err := s.checkName(ctx); err != nil {
		return nil, err
	}
	if s.outside, err = s.openOutside(own); err != nil {
		return nil, err
	}
	s.rooms = room.NewManager(room.Options{Store: s.store, Signer: s.signer, Policy: s.outside.policy, Log: o.Log, Now: o.Now})
	s.notifier = sync.NewNotifier(s.store, o.Now)
	s.typing = sync.NewTyping(o.Now, s.typingChanged)
	s.accounts, err = accounts.New(accounts.Config{Server: o.Name, Store: s.store, Log: o.Log, Now: o.Now, SharedSecret: o.SharedSecret, PasswordMin: o.PasswordMin,
		Lifetimes: o.Lifetimes, Mailer: o.Mailer, TellKnown: o.TellKnown, JWT: o.JWT,
		Reserved: func(id string) bool { return s.services.Set().ExclusiveUser(id) != nil }})
	if err != nil {
		return nil, err
	}
	var single *sso.SSO
	if len(o.Providers) > 0 {
		single, err = sso.New(sso.Options{Providers: o.Providers, Callback: o.PublicURL + client.SSOCallbackPath, Accounts: s.accounts, Store: s.store, Log: o.Log, Now: o.Now})
		if err != nil {
			return nil, err
		}
	}
	if err := s.openMedia(ctx); err != nil {
		return nil, err
	}
	if err := s.openPages(); err != nil {
		return nil, err
	}
	if err := s.openOAuth(single); err != nil {
		return nil, err
	}
	if err := s.openClaims(); err != nil {
		return nil, err
	}
	crypto := keys.Config{Server: o.Name, Store: s.store, Log: o.Log, Now: o.Now, Unchecked: o.UncheckedKeys}
	if o.Federation.Enabled {
		crypto.Remote = s.outside.client
	}
	if s.keys, err = keys.New(crypto); err != nil {
		return nil, err
	}
	s.openSenders(s.keys)
	s.services = appservices.New(appservices.Options{Store: s.store, ServerName: o.Name, Set: o.Registrations,
		Transport: o.Transport, Typing: s.typing.In, Presence: func(user int64) presence.State { return s.presence.Get(user) }, Log: o.Log, Now: o.Now})
	s.unread = unread.New(unread.Options{Store: s.store, Log: o.Log})
	s.pushers = pushers.New(pushers.Options{Store: s.store, Unread: s.unread, Mailer: o.Mailer, HasEmail: s.hasEmail,
		AllowLoopback: o.Push.AllowLoopback, AllowNetworks: o.Push.AllowNetworks, RootCAs: o.Federation.RootCAs, Backoff: o.Push.Backoff, PublicURL: o.PublicURL, Key: s.secret("landbridge pushers"), ServerName: o.Name, Log: o.Log, Now: o.Now})
	s.delayed = delayed.New(delayed.Options{Store: s.store, Rooms: s.rooms, Log: o.Log, Now: o.Now})
	s.identity = identity.New(identity.Options{Signer: s.signer, Trusted: o.IdentityServers, AllowNetworks: o.IdentityNetworks, RootCAs: o.Federation.RootCAs})
	s.guests = guests.New(guests.Options{Store: s.store, Rooms: s.rooms, Log: o.Log})
	s.notices = notices.New(notices.Options{Store: s.store, Rooms: s.rooms, Accounts: s.accounts, ServerName: o.Name})
	syncing := sync.Options{Store: s.store, Notifier: s.notifier, Typing: s.typing, Devices: newDevices(s.store), Counter: s.unread, Now: o.Now, Draining: s.draining}
	if !o.NoPresence {
		s.presence = presence.New(presence.Options{Audience: audience{s.store, s.notifier, o.Log}, Now: o.Now, Changed: s.presenceChanged})
		syncing.Presence = s.presence
	}
	syncer := sync.New(syncing)
	if o.Search {
		s.search, err = search.Open(ctx, search.Options{Path: filepath.Join(o.Dir, "search.db"), Store: s.store, Log: o.Log})
		if err != nil {
			return nil, err
		}
	}
	s.people = userdirectory.New(userdirectory.Options{Store: s.store, Server: o.Name, Log: o.Log})
	var remote client.Remote
	var away client.Joins
	if o.Federation.Enabled {
		remote, away = s.outside.client, s.joins
	}
	var newAPI client.OAuth
	if s.oauth != nil {
		newAPI = s.oauth
	}
	s.client = client.New(client.Options{OAuth: newAPI, Tied: s.claims.Tied, Remote: remote, History: s.history(), Joins: away, ServerName: o.Name, PublicURL: o.PublicURL, Store: s.store, Rooms: s.rooms, Sync: syncer, Sliding: slidingsync.New(syncer),
		Notifier: s.notifier, Typing: s.typing, Presence: s.presence, Accounts: s.accounts, Services: s.services, Media: s.media, Preview: s.preview, Keys: s.keys, Delayed: s.delayed, Guests: s.guests, Identity: s.identity, Notices: s.notices,
		Directory: s.people, Search: s.search, Unread: s.unread, Pushers: s.pushers, VoIP: o.VoIP, Log: o.Log, Now: o.Now,
		SSO: single, TrustedClients: o.TrustedClients, WellKnown: o.WellKnown, TrustedProxies: o.TrustedProxies}, o.Settings)
	s.admin, err = admin.New(ctx, admin.Options{ServerName: o.Name, Version: o.Version, Store: s.store, Rooms: s.rooms, Accounts: s.accounts, Media: s.media,
		Pushers: s.pushers, Search: s.search, Client: s.client, Dropped: s.notifier.Drop, TryAgain: s.TryAgain, Log: o.Log, Now: o.Now})
	if err != nil {
		return nil, err
	}
	s.client.DeleteRoomsWith(s.admin.DeleteRoom)
	keeping := retention.Options{Store: s.store, Log: o.Log, Now: o.Now}
	if s.search != nil {
		keeping.Index = s.search
	}
	s.keeper = retention.New(keeping)
	s.inbound = s.openInbound(s.keys)
	return s, nil
}

// hasEmail tells whether an e-mail address is a user's own.
func (s *Server) hasEmail(ctx context.Context, user int64, address string) (bool, error) {
	address, err := accounts.CanonicalEmail(address)
	if err != nil {
		return false, nil // it is no address at all
	}
	p, err := s.store.ThreePID(ctx, "email", address)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && p.User == user, err
}

// publish passes fresh log entries on. The store calls it from its writer, also while the parts
// are still being made.
func (s *Server) publish(entries []store.Entry) {
	// First, so that whoever is woken counts right.
	if s.unread != nil {
		s.unread.Publish(entries)
	}
	if s.notifier != nil {
		s.notifier.Publish(entries)
	}
	if s.keys != nil {
		s.keys.Publish(context.Background(), entries)
	}
	if s.services != nil {
		s.services.Publish(entries)
	}
	if s.senders != nil {
		s.senders.Publish(entries)
	}
	if s.pushers != nil {
		s.pushers.Publish(entries)
	}
	if s.guests != nil {
		s.guests.Publish(entries)
	}
	for _, e := range entries {
		// Whoever has gone does not type any more.
		if m := e.Member; m != nil && m.Membership != "join" && s.typing != nil {
			// A change of state has no event.
			if user, err := s.store.UserID(context.Background(), m.User); err == nil {
				s.typing.Set(e.Room, user, 0)
			}
		}
	}
	if s.search != nil {
		s.search.Publish()
	}
}

func (s *Server) typingChanged(room int64) {
	s.notifier.WakeRoom(room)
	s.services.TypingChanged(room)
	if s.senders != nil {
		s.senders.TypingChanged(room)
	}
}

// checkName refuses a database of another server: its identifiers would all be wrong.
func (s *Server) checkName(ctx context.Context) error {
	const key = "server_name"
	have, err := s.store.Meta(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return s.store.Write(ctx, func(t *store.Tx) error { return t.SetMeta(key, s.o.Name) })
	}
	if err != nil {
		return err
	}
	if have != s.o.Name {
		return fmt.Errorf("the database belongs to the server name %q, and the configuration says %q: a server can't be renamed", have, s.o.Name)
	}
	return nil
}

// Client is the client-server API, and the pages that the server shows to people.
func (s *Server) Client() http.Handler { return s.edge.Wrap(s.web(s.client)) }

// Federation is what other servers may ask.
func (s *Server) Federation() http.Handler { return s.edge.Wrap(s.inbound) }

// Accounts gives access to the accounts, for commands.
func (s *Server) Accounts() *accounts.Accounts { return s.accounts }

// Deactivate closes an account for good, after its user has left all rooms; see
// accounts.Accounts.Deactivate for erase.
func (s *Server) Deactivate(ctx context.Context, userID string, erase bool) error {
	return s.client.Deactivate(ctx, userID, erase)
}

// Console is what commands on the machine itself ask; it asks nobody who they are.
func (s *Server) Console() http.Handler {
	return console.New(console.Options{Accounts: s.accounts, Store: s.store, Deactivate: s.Deactivate, Claims: s.claims, Cutover: s.cutover, Media: s.media, Log: s.o.Log,
		Export: s.Exporter().Handler(s.o.Log), Server: s.o.Name, API: s.command, LastFailure: s.LastFailure, Retry: s.TryAgain,
		Import: importer.New(importer.Options{Server: s.o.Name, Store: s.store, Rooms: s.rooms, Accounts: s.accounts, Media: s.media, Log: s.o.Log})})
}

// Exporter reads what is here of a community or a person, for exports.
func (s *Server) Exporter() *exporter.Exporter {
	return &exporter.Exporter{Name: s.o.Name, Store: s.store, Media: s.media}
}

// Services gives access to the application services.
func (s *Server) Services() *appservices.Services { return s.services }

// Notices sends messages of the server to its users.
func (s *Server) Notices() *notices.Notices { return s.notices }

// Store gives access to the store, for commands and measurements.
func (s *Server) Store() *store.Store { return s.store }

// Configure changes what can be changed while the server runs.
func (s *Server) Configure(set client.Settings) { s.client.Configure(set) }

// ShowAllUsers lets the user directory show everybody with an account here.
func (s *Server) ShowAllUsers(on bool) { s.people.ShowAll(on) }

// SetRetention says how long messages are kept; until it is called, for ever.
func (s *Server) SetRetention(p retention.Policy) { s.keeper.SetPolicy(p) }

// LogAccess switches the access log.
func (s *Server) LogAccess(on bool) { s.edge.LogAccess(on) }

// Run does what goes on by itself, until ctx ends. From then on nobody waits for news any more.
// It is called once.
func (s *Server) Run(ctx context.Context) error {
	defer close(s.draining)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.services.Run(ctx) })
	g.Go(func() error { return s.outside.backoff.Run(ctx) })
	if s.senders != nil {
		g.Go(func() error { return s.senders.Run(ctx) })
	}
	g.Go(func() error { return s.keys.Run(ctx) })
	g.Go(func() error { return s.delayed.Run(ctx) })
	g.Go(func() error { return s.guests.Run(ctx) })
	g.Go(func() error { return s.keeper.Run(ctx) })
	g.Go(func() error { return s.claims.Run(ctx) })
	g.Go(func() error { return s.cutover.Run(ctx) })
	g.Go(func() error { return s.admin.Run(ctx) })
	g.Go(func() error { return s.admin.LockEnded(ctx) })
	g.Go(func() error { return s.unread.Run(ctx) })
	g.Go(func() error { return s.pushers.Run(ctx) })
	if s.presence != nil {
		g.Go(func() error { return s.presence.Run(ctx) })
	}
	g.Go(func() error { return s.people.Run(ctx) })
	if s.search != nil {
		g.Go(func() error { return s.search.Run(ctx) })
	}
	g.Go(func() error { return s.media.Run(ctx) })
	if s.o.Federation.Enabled {
		g.Go(func() error { return s.inbound.Run(ctx) })
		g.Go(func() error { return s.joins.Run(ctx) })
	}
	return g.Wait()
}

// Close ends the server: requests must have ended, and Run returned.
func (s *Server) Close() error {
	s.preview.Close()
	s.identity.Close()
	s.media.Close()
	s.rooms.Close()
	s.outside.close()
	s.typing.Close()
	s.accounts.Close()
	var err error
	if s.search != nil {
		err = s.search.Close()
	}
	return errors.Join(err, s.store.Close())
}
