package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"

	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/appservice/community"
	"github.com/landbridge-im/landbridge/bridges/discord"
	"github.com/landbridge-im/landbridge/bridges/irc"
	"github.com/landbridge-im/landbridge/bridges/slack"
	"github.com/landbridge-im/landbridge/config"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/internal/inproc"
	"github.com/landbridge-im/landbridge/internal/tracing"
	"github.com/landbridge-im/landbridge/registration"
)

// Modules are the modules of the project itself.
func Modules() []appservice.Module {
	return []appservice.Module{
		{Name: "discord", New: func(ctx context.Context, env appservice.Env) (appservice.Bridge, error) {
			return discord.New(ctx, env.Config, discord.Deps{Log: env.Log, HTTP: env.HTTP, AliasPrefix: env.AliasPrefix, Links: env.Links, Go: env.Go})
		}},
		{Name: "irc", New: func(ctx context.Context, env appservice.Env) (appservice.Bridge, error) {
			return irc.New(ctx, env.Config, irc.Deps{Log: env.Log, AliasPrefix: env.AliasPrefix, DataDir: env.DataDir, Go: env.Go})
		}},
		{Name: "slack", New: func(ctx context.Context, env appservice.Env) (appservice.Bridge, error) {
			return slack.New(ctx, env.Config, slack.Deps{Log: env.Log, HTTP: env.HTTP, AliasPrefix: env.AliasPrefix, DataDir: env.DataDir, Links: env.Links, Go: env.Go})
		}},
	}
}

// noticed are the modules of the build; of each IRC bridge that they make s takes note.
func (s *serving) noticed() []appservice.Module {
	out := slices.Clone(s.std.build.Modules)
	for i, m := range out {
		out[i].New = func(ctx context.Context, env appservice.Env) (appservice.Bridge, error) {
			b, err := m.New(ctx, env)
			if made, ok := b.(*irc.Bridge); ok && err == nil {
				s.irc.Store(made)
			}
			return b, err
		}
	}
	return out
}

// openBridges makes the host and its bridges, not yet started. The homeserver need not be there
// yet: it is called when they run.
func (s *serving) openBridges(ctx context.Context) (err error) {
	homeserver := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.hs.Client().ServeHTTP(w, r) })
	s.host, err = appservice.New(appservice.Options{
		Dir:        filepath.Join(s.cfg.DataDir, "bridges"),
		Homeserver: appservice.Homeserver{URL: "http://in-process", Domain: s.cfg.Server.Name, Transport: inproc.Transport(homeserver)},
		Modules:    s.noticed(), Links: s.links, Tracer: s.tracer(), Log: s.log, Metrics: s.metrics, Standing: s.standing,
	})
	if err != nil {
		return err
	}
	for _, b := range s.bridges(s.cfg) {
		if err := s.host.Add(ctx, servedBridge(s.cfg, b)); err != nil {
			return fmt.Errorf("bridge %s: %w", b.ID, err)
		}
	}
	return nil
}

// standing tells bridges who administers this server, and who of it are people: not guests, and not the users of
// application services.
func (s *serving) standing(ctx context.Context, user id.UserID) (appservice.Standing, error) {
	account, err := s.hs.Accounts().LocalAccount(ctx, string(user))
	switch {
	case mxerror.Is(err, "M_NOT_FOUND"), mxerror.Is(err, "M_INVALID_PARAM"):
		return appservice.Stranger, nil
	case err != nil:
		return appservice.Stranger, err
	case account.Admin:
		return appservice.Administrator, nil
	case account.Kind != "user", account.Service != "", s.watch.Set().ExclusiveUser(string(user)) != nil:
		return appservice.Stranger, nil
	}
	return appservice.Resident, nil
}

// demoBridge runs when Landbridge is started without any configuration: an IRC bridge to a small
// network of its own.
var demoBridge = config.Bridge{ID: "irc", Module: "irc", Enabled: true}

// bridges are the bridges to run.
func (s *serving) bridges(c *config.Config) []config.Bridge {
	if s.file() == "" && len(c.Bridges) == 0 { // see demo
		return []config.Bridge{demoBridge}
	}
	return slices.DeleteFunc(enabled(c.Bridges), func(b config.Bridge) bool { return s.ended(b.ID) })
}

// enabled are those of some bridges that are not switched off.
func enabled(all []config.Bridge) (on []config.Bridge) {
	for _, b := range all {
		if b.Enabled {
			on = append(on, b)
		}
	}
	return on
}

func instance(b config.Bridge) appservice.Instance {
	in := appservice.Instance{ID: b.ID, Module: b.Module, Config: b.Config, Permissions: map[string]string{}}
	in.ProvisioningSecret, in.StatusEvents = b.Provisioning.Secret.Reveal(), b.MessageStatus.Events
	in.Checkpoints = appservice.Checkpoints{URL: b.MessageStatus.URL, Token: b.MessageStatus.Token.Reveal()}
	in.Rooms.Members = community.Members(b.Rooms.Members)
	for _, c := range b.Rooms.Channels {
		in.Rooms.Channels = append(in.Rooms.Channels, community.Channel{Channel: c.Channel, Room: c.Room, Aliases: c.Aliases, Space: c.Space, Members: community.Members(c.Members)})
	}
	in.Encryption.Allow = b.Encryption == "allow" || b.Encryption == "default" || b.Encryption == "require"
	in.Encryption.Default = b.Encryption == "default" || b.Encryption == "require"
	in.Encryption.Require = b.Encryption == "require"
	maps.Copy(in.Permissions, b.Permissions)
	for _, admin := range b.Admins {
		in.Permissions[admin] = "admin"
	}
	return in
}

// servedBridge is a bridge in the process of the homeserver, on whose addresses it can be reached.
func servedBridge(c *config.Config, b config.Bridge) appservice.Instance {
	in := instance(b)
	in.PublicURL = bridgeAddress(c, b.ID)
	return in
}

// builtin are the registrations of the bridges in this process.
func (s *serving) builtin() ([]*registration.Registration, error) {
	var out []*registration.Registration
	for _, st := range s.host.Status() {
		raw, err := s.host.RegistrationYAML(st.ID)
		if err != nil {
			return nil, err
		}
		r, err := registration.Parse("bridge "+st.ID, raw)
		if err != nil {
			return nil, fmt.Errorf("the registration of bridge %s: %w", st.ID, err)
		}
		out = append(out, r)
	}
	return out, nil
}

// transport reaches an application service: by a direct call if it is one of our bridges, else
// over HTTP.
func (s *serving) transport(r *registration.Registration) http.RoundTripper {
	if r.Module != "" && r.URL == "" {
		return tracing.Transport(inproc.Transport(s.host.Handler(r.ID)), s.tracer(), "application service "+r.ID, nil)
	}
	if r.URL == "" {
		return nil
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{RootCAs: s.roots}
	t.Proxy = nil // bridges are near; a proxy for the world is not meant for them
	return tracing.Transport(t, s.tracer(), "application service "+r.ID, nil)
}

// runBridges runs the bridges until ctx ends. One that does not start is tried again by the
// host; the server goes on without it.
func (s *serving) runBridges(ctx context.Context) error {
	if err := s.holdEnded(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	if err := s.host.StartAll(ctx); err != nil && ctx.Err() == nil {
		s.log.ErrorContext(ctx, "not all bridges have started; they are tried again", "err", err)
	}
	if s.demo() && ctx.Err() == nil {
		s.greetDemo()
	}
	<-ctx.Done()
	s.host.StopAll()
	return nil
}

// reloadBridges puts another configuration of bridges into force: those that changed are
// restarted, the others go on.
func (s *serving) reloadBridges(ctx context.Context, next *config.Config) error {
	return changeBridges(ctx, s.host, s.bridges(s.cfg), s.bridges(next),
		func(b config.Bridge) appservice.Instance { return servedBridge(next, b) },
		func() error {
			// The homeserver must know a bridge before it starts.
			builtin, err := s.builtin()
			if err != nil {
				return err
			}
			return s.watch.Reconfigure(ctx, next.AppServices.Registrations, builtin...)
		})
}

// changeBridges has a host run other bridges: those that are gone or have changed are stopped, known is called, and what
// is new or has changed starts. A bridge whose new configuration is refused goes on with the old one.
func changeBridges(ctx context.Context, host *appservice.Host, was, next []config.Bridge, made func(config.Bridge) appservice.Instance, known func() error) error {
	want := map[string]config.Bridge{}
	for _, b := range next {
		want[b.ID] = b
	}
	var errs []error
	for _, st := range host.Status() {
		if _, ok := want[st.ID]; !ok {
			errs = append(errs, host.Remove(st.ID))
		}
	}
	old := map[string]config.Bridge{}
	for _, b := range was {
		old[b.ID] = b
	}
	for id, b := range want {
		if was, ok := old[id]; ok && config.SameBridge(was, b) {
			delete(want, id)
			continue
		}
		err := host.Configure(ctx, made(b))
		if errors.Is(err, appservice.ErrUnknown) {
			err = host.Add(ctx, made(b))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("bridge %s: %w", id, err))
			delete(want, id)
		}
	}
	if err := known(); err != nil {
		return errors.Join(append(errs, err)...)
	}
	for id := range want {
		errs = append(errs, host.Restart(ctx, id))
	}
	return errors.Join(errs...)
}
