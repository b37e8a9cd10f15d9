package homeserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/appservices"
	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/federation/keyring"
	"github.com/landbridge-im/landbridge/homeserver/keys"
	"github.com/landbridge-im/landbridge/homeserver/media"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/homeserver/sync"
	"github.com/landbridge-im/landbridge/registration"
)

// Options say what server to run.
type Options struct {
	// Name is the server's name, the part of identifiers behind the colon.
	Name string
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
	Settings     client.Settings
	// MediaDir is where files are kept, and MaxUpload their largest size in bytes.
	MediaDir  string
	MaxUpload int64
	// Registrations are the application services, and Transport reaches them; see
	// appservices.Options.
	Registrations *registration.Set
	Transport     func(*registration.Registration) http.RoundTripper
	Federation    Federation
	Log           *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
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
	accounts *accounts.Accounts
	services *appservices.Services
	client   *client.API
	// draining is closed when Run ends.
	draining chan struct{}
}

// Open opens the database and makes the parts ready to serve.
func Open(ctx context.Context, o Options) (_ *Server, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{o: o, draining: make(chan struct{})}
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
	s.rooms = room.NewManager(room.Options{Store: s.store, Signer: s.signer, Log: o.Log, Now: o.Now})
	s.notifier = sync.NewNotifier(s.store, o.Now)
	s.typing = sync.NewTyping(o.Now, s.typingChanged)
	s.accounts, err = accounts.New(accounts.Config{Server: o.Name, Store: s.store, Log: o.Log, Now: o.Now, SharedSecret: o.SharedSecret})
	if err != nil {
		return nil, err
	}
	repo, err := media.New(media.Config{Dir: o.MediaDir, Server: o.Name, Store: s.store, Log: o.Log, Now: o.Now, MaxUpload: o.MaxUpload})
	if err != nil {
		return nil, err
	}
	encryption, err := keys.New(keys.Config{Server: o.Name, Store: s.store, Log: o.Log, Now: o.Now})
	if err != nil {
		return nil, err
	}
	s.services = appservices.New(appservices.Options{Store: s.store, ServerName: o.Name, Set: o.Registrations,
		Transport: o.Transport, Typing: s.typing.In, Log: o.Log, Now: o.Now})
	syncer := sync.New(sync.Options{Store: s.store, Notifier: s.notifier, Typing: s.typing, Devices: devices{s.store}, Now: o.Now, Draining: s.draining})
	s.client = client.New(client.Options{ServerName: o.Name, PublicURL: o.PublicURL, Store: s.store, Rooms: s.rooms, Sync: syncer,
		Notifier: s.notifier, Typing: s.typing, Accounts: s.accounts, Services: s.services, Media: repo, Keys: encryption, Log: o.Log, Now: o.Now}, o.Settings)
	return s, nil
}

// publish passes fresh log entries on. The store calls it from its writer, also while the parts
// are still being made.
func (s *Server) publish(entries []store.Entry) {
	if s.notifier != nil {
		s.notifier.Publish(entries)
	}
	if s.services != nil {
		s.services.Publish(entries)
	}
}

func (s *Server) typingChanged(room int64) {
	s.notifier.WakeRoom(room)
	s.services.TypingChanged(room)
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

// Client is the client-server API.
func (s *Server) Client() http.Handler { return s.client }

// Federation is what other servers may ask.
func (s *Server) Federation() http.Handler { return s.federation() }

// Accounts gives access to the accounts, for commands.
func (s *Server) Accounts() *accounts.Accounts { return s.accounts }

// Services gives access to the application services.
func (s *Server) Services() *appservices.Services { return s.services }

// Store gives access to the store, for commands and measurements.
func (s *Server) Store() *store.Store { return s.store }

// Configure changes what can be changed while the server runs.
func (s *Server) Configure(set client.Settings) { s.client.Configure(set) }

// Run does what goes on by itself, until ctx ends. From then on nobody waits for news any more.
// It is called once.
func (s *Server) Run(ctx context.Context) error {
	defer close(s.draining)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.services.Run(ctx) })
	g.Go(func() error { return s.outside.backoff.Run(ctx) })
	return g.Wait()
}

// Close ends the server: requests must have ended, and Run returned.
func (s *Server) Close() error {
	s.rooms.Close()
	s.outside.close()
	s.typing.Close()
	s.accounts.Close()
	return s.store.Close()
}
