package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/backup"
	"github.com/landbridge-im/landbridge/bridges/irc"
	"github.com/landbridge-im/landbridge/config"
	"github.com/landbridge-im/landbridge/homeserver"
	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/internal/acme"
	"github.com/landbridge-im/landbridge/internal/tracing"
	"github.com/landbridge-im/landbridge/migration/desk"
	"github.com/landbridge-im/landbridge/registration"
	"github.com/landbridge-im/landbridge/web/console"
)

// shutdownTime is how long requests under way are given when the server stops.
const shutdownTime = 10 * time.Second

func runServe(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge serve")
	path := fs.String("c", "", "configuration `file`; without one, the defaults")
	rest, err := parseFlags(fs, "landbridge serve [-c FILE]", args, std)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usageError("landbridge serve: unexpected argument %q", rest[0])
	}
	cfg, err := config.Load(configPath(*path), os.Environ())
	if err != nil {
		return err
	}
	s := &serving{cfg: cfg, std: std, began: time.Now()}
	if file := configPath(*path); file != "" {
		s.path.Store(&file)
	}
	err = s.run(ctx)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // it was asked to stop while it started
	}
	return err
}

// configPath is the configuration file in use: as given, or in the environment, or the one that the
// console has made, or none.
func configPath(given string) string {
	if path := cmp.Or(given, os.Getenv(config.EnvConfig)); path != "" {
		return path
	}
	made := defaultFile(config.Default())
	if dir := os.Getenv("LANDBRIDGE_DATA_DIR"); dir != "" {
		made = filepath.Join(dir, madeFile)
	}
	if _, err := os.Stat(made); err == nil {
		return made
	}
	return ""
}

// madeFile is the configuration file that the console makes in the data folder where there is none.
const madeFile = "landbridge.yaml"

func defaultFile(c *config.Config) string { return filepath.Join(c.DataDir, madeFile) }

// serving is a running "landbridge serve".
type serving struct {
	cfg       *config.Config                // in force; for what starts the server and reloads
	current   atomic.Pointer[config.Config] // the same, for everybody else
	path      atomic.Pointer[string]        // the configuration file; see file
	reloading sync.Mutex
	std       stdio
	began     time.Time
	level     slog.LevelVar
	log       *slog.Logger
	hs        *homeserver.Server
	host      *appservice.Host
	irc       atomic.Pointer[irc.Bridge] // the newest, for its demonstration network
	metrics   *prometheus.Registry
	backups   backups
	lines     *console.Lines
	pages     webPages
	desk      *desk.Desk
	held      atomic.Pointer[string] // the bridge that must not run now
	watch     *registration.Watcher
	tracing   *tracing.Tracing   // nil: nothing is traced
	roots     *x509.CertPool     // who vouches for other machines; nil: the system's
	certs     *acme.Certificates // nil: none are had by ACME
}

// file is the configuration file, empty if there is none.
func (s *serving) file() string {
	if p := s.path.Load(); p != nil {
		return *p
	}
	return ""
}

func (s *serving) run(ctx context.Context) (err error) {
	s.current.Store(s.cfg)
	s.lines = console.NewLines()
	s.log = slog.New(s.lines.Handler(newLog(s.std.Err, s.cfg.Log, &s.level).Handler()))
	s.metrics = newMetrics()
	s.backups.init(s.metrics)
	if err := os.MkdirAll(s.cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("making the data folder: %w", err)
	}
	unlock, err := lockDir(s.cfg.DataDir)
	if err != nil {
		return err
	}
	defer unlock()
	// The addresses are taken first: that they are in use should not be found out after a
	// minute of opening databases.
	if s.roots, err = extraRoots(s.cfg.Federation); err != nil {
		return err
	}
	if err := s.openACME(); err != nil {
		return err
	}
	if err := s.openTracing(ctx); err != nil {
		return err
	}
	defer s.closeTracing()
	listeners, err := s.listen(ctx)
	if err != nil {
		return err
	}
	defer func() {
		for _, l := range listeners {
			l.Close() // closed already, unless the start failed
		}
	}()
	up := &upgrade{s.cfg, s.file(), s.std.build.Version, s.log, func(made backupMade, err error) { s.note(backup.Upgrade, made, err) }}
	if err := up.prepare(ctx); err != nil {
		return err
	}
	if err := s.open(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.hs.Close()) }()
	if err := s.openPages(); err != nil {
		return err
	}
	return s.serve(ctx, listeners)
}

// open makes the homeserver.
func (s *serving) open(ctx context.Context) error {
	c := s.cfg
	if err := s.openBridges(ctx); err != nil {
		return err
	}
	builtin, err := s.builtin()
	if err != nil {
		return err
	}
	s.watch, err = registration.NewWatcher(registration.WatchOptions{ServerName: c.Server.Name, Paths: c.AppServices.Registrations,
		Builtin: builtin, Log: s.log, OnChange: s.registrationsChanged})
	if err != nil {
		return err
	}
	o := options(c, s.std.build.Version)
	o.Registrations, o.Transport, o.Log, o.Tracer = s.watch.Set(), s.transport, s.log, s.tracer()
	if d := c.Testing.ClockOffset; d != 0 {
		s.log.WarnContext(ctx, "the clock is wrong on purpose, for a test", "by", d)
	}
	if o.Mailer, err = mailer(c); err != nil {
		return err
	}
	if o.Federation, err = federationOptions(c.Federation, s.roots); err != nil {
		return err
	}
	s.hs, err = homeserver.Open(ctx, o)
	if err != nil {
		return err
	}
	s.hs.Claims().Configure(claimSettings(c))
	s.hs.Claims().Use(claimBridges{s})
	s.hs.Cutover().Use(endingBridges{claimBridges{s}})
	s.hs.LogAccess(c.Log.Access)
	s.hs.ShowAllUsers(c.Search.AllUsers)
	s.hs.SetRetention(retentionPolicy(c))
	return s.metrics.Register(s.hs.Collector())
}

// pushOptions say how push gateways may be reached. The networks have been checked.
func pushOptions(c *config.Config) homeserver.PushOptions {
	o := homeserver.PushOptions{AllowLoopback: c.Push.AllowLoopback}
	for _, s := range c.Push.AllowNetworks {
		if p, err := netip.ParsePrefix(s); err == nil {
			o.AllowNetworks = append(o.AllowNetworks, p)
		}
	}
	return o
}

// voip is what clients are told about calls.
func voip(c *config.Config) client.VoIP {
	v := c.VoIP
	return client.VoIP{TURNURIs: v.TURNURIs, TURNSecret: v.TURNSecret.Reveal(), TURNUsername: v.TURNUsername, TURNPassword: v.TURNPassword.Reveal(),
		TURNLifetime: v.TURNUserLifetime.Std(), LiveKitURLs: v.LiveKitURLs}
}

// settings are what the client API can change while it runs.
func settings(c *config.Config) client.Settings {
	out := client.Settings{OpenRegistration: c.Registration.Open, OldMedia: c.Media.AllowOldEndpoints, OldMediaUntil: c.Media.Frozen(),
		MaxBody: c.Limits.MaxRequestBody.Bytes(), SyncTimeout: c.Limits.SyncTimeoutMax.Std(),
		Guests: c.Registration.Guests, RequireEmail: c.Registration.RequireEmail, Policies: policies(c),
		NoPasswordLogin: !c.Login.Password, NoLoginTokens: !c.Login.Tokens, ConfirmWithin: c.Login.ConfirmWithin.Std(),
		RoomVersion: event.Version(c.Rooms.DefaultVersion)}
	if r := c.RateLimits; r.Enabled {
		out.Messages = client.Rate{PerSecond: r.MessagePerSecond, Burst: r.MessageBurst}
		out.Logins = client.Rate{PerSecond: r.LoginPerSecond, Burst: r.LoginBurst}
		out.Registrations = client.Rate{PerSecond: r.RegistrationPerSecond, Burst: r.RegistrationBurst}
		out.Joins = client.Rate{PerSecond: r.JoinPerSecond, Burst: r.JoinBurst}
		out.Invites = client.Rate{PerSecond: r.InvitePerSecond, Burst: r.InviteBurst}
		out.MessagesOut = client.Rate{PerSecond: r.EmailPerSecond, Burst: r.EmailBurst}
		out.Strangers = client.Rate{PerSecond: r.StrangerPerSecond, Burst: r.StrangerBurst}
		out.Uploads = client.Rate{PerSecond: r.UploadPerSecond, Burst: r.UploadBurst}
		out.Previews = client.Rate{PerSecond: r.PreviewPerSecond, Burst: r.PreviewBurst}
	}
	return out
}

func (s *serving) registrationsChanged(set *registration.Set) {
	s.hs.Services().Replace(set)
}

// listener is an address that is served. The one of the metrics has no handler.
type listener struct {
	net.Listener
	handler func() http.Handler
}

// listen takes the addresses.
func (s *serving) listen(ctx context.Context) (out []listener, err error) {
	defer func() {
		if err != nil {
			for _, l := range out {
				err = errors.Join(err, l.Close())
			}
		}
	}()
	given, err := inherited()
	if err != nil {
		return nil, err
	}
	defer func() {
		for addr, l := range given {
			s.log.WarnContext(ctx, "a socket was passed that no address in the configuration is for", "address", addr)
			err = errors.Join(err, l.Close())
		}
	}()
	var lc net.ListenConfig
	add := func(addr string, tlsConf *tls.Config, h func() http.Handler) error {
		l, err := take(given, addr), error(nil)
		if l == nil {
			l, err = lc.Listen(ctx, "tcp", addr)
		}
		if err != nil {
			return fmt.Errorf("listening on %s: %w", addr, err)
		}
		if tlsConf != nil {
			l = tls.NewListener(l, tlsConf)
		}
		out = append(out, listener{l, h})
		return nil
	}
	for _, addr := range s.cfg.Server.Listen {
		if err := add(addr, nil, s.publicHandler); err != nil {
			return out, err
		}
	}
	if s.certs != nil {
		for _, addr := range s.cfg.ACME.Listen {
			if err := add(addr, s.certs.TLS(), s.publicHandler); err != nil {
				return out, err
			}
		}
		for _, addr := range s.cfg.ACME.HTTPListen {
			if err := add(addr, nil, s.certs.HTTP); err != nil {
				return out, err
			}
		}
	}
	if s.cfg.Metrics.Enabled {
		if err := add(s.cfg.Metrics.Listen, nil, nil); err != nil {
			return out, err
		}
	}
	f := s.cfg.Federation
	if !f.Enabled || len(f.Listen) == 0 {
		return out, nil
	}
	var conf *tls.Config
	if s.certs != nil {
		conf = s.certs.TLS()
	}
	if f.TLSCert != "" {
		cert, err := tls.LoadX509KeyPair(f.TLSCert, f.TLSKey)
		if err != nil {
			return out, fmt.Errorf("reading the federation certificate: %w", err)
		}
		conf = &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}}
	}
	for _, addr := range f.Listen {
		if err := add(addr, conf, func() http.Handler { return s.hs.Federation() }); err != nil {
			return out, err
		}
	}
	return out, nil
}

// publicHandler serves the addresses that clients use.
func (s *serving) publicHandler() http.Handler {
	federation, clients := s.hs.Federation(), s.hs.Client()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := r.URL.Path
		switch {
		case s.servePage(w, r):
		case strings.HasPrefix(p, bridgePath):
			s.serveBridge(w, r)
		case strings.HasPrefix(p, "/_matrix/federation/"), strings.HasPrefix(p, "/_matrix/key/"):
			federation.ServeHTTP(w, r)
		default:
			clients.ServeHTTP(w, r)
		}
	})
}

// serve answers requests until ctx ends.
func (s *serving) serve(ctx context.Context, listeners []listener) error {
	g, ctx := errgroup.WithContext(ctx)
	if err := s.serveConsole(ctx, g); err != nil {
		return err
	}
	if err := s.serveDebug(ctx, g); err != nil {
		return err
	}
	g.Go(func() error { return s.hs.Run(ctx) })
	g.Go(func() error { return s.watch.Run(ctx) })
	g.Go(func() error { return s.reloads(ctx) })
	g.Go(func() error { return s.runBridges(ctx) })
	g.Go(func() error { return s.runBackups(ctx) })
	g.Go(func() error { return s.pages.console.Run(ctx) })
	g.Go(func() error { return s.desk.Work(ctx) })
	if s.certs != nil {
		g.Go(func() error { return s.certs.Run(ctx) })
	}
	for _, l := range listeners {
		if l.handler == nil {
			g.Go(func() error { return serveMetrics(ctx, s.metrics, s.log, l.Listener) })
			continue
		}
		b := &busy{of: map[net.Conn]struct{}{}}
		srv := &http.Server{Handler: l.handler(), ReadHeaderTimeout: 20 * time.Second, IdleTimeout: 5 * time.Minute, MaxHeaderBytes: 64 << 10, ConnState: b.state,
			ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)}
		served := make(chan struct{})
		g.Go(func() error {
			defer close(served)
			if err := srv.Serve(l.Listener); !errors.Is(err, http.ErrServerClosed) && ctx.Err() == nil {
				return err
			}
			return nil
		})
		g.Go(func() error {
			<-ctx.Done()
			if err := l.Close(); err != nil {
				s.log.Debug("closing an address", "err", err)
			}
			// Who was taken in just before is counted only by the time that the server has noticed the end.
			b.settle(served)
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
			defer cancel()
			if err := srv.Shutdown(end); err != nil {
				return srv.Close()
			}
			return nil
		})
	}
	if err := s.greet(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	err := g.Wait()
	s.log.Info("stopped")
	return err
}

// How often, and with which pauses, a data folder is tried to be locked.
const (
	lockTries = 20
	lockPause = 25 * time.Millisecond
)

// errInUse says that a data folder belongs to a process that runs.
var errInUse = errors.New("is in use by another Landbridge")

// lockDir makes sure that one server at a time works on a data folder.
func lockDir(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the data folder: %w", err)
	}
	// Whoever has just let go of it may be seen holding it for a moment: a process that is being
	// forked has all files of its parent until it runs something else.
	for try := 0; ; try++ {
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
			break
		}
		if try == lockTries {
			f.Close()
			return nil, fmt.Errorf("the data folder %s %w", dir, errInUse)
		}
		time.Sleep(lockPause)
	}
	return func() { f.Close() }, nil
}
