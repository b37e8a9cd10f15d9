package appservice

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"gopkg.in/yaml.v3"
	"maunium.net/go/mautrix/appservice"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice/crypto"
)

// Homeserver says how bridges reach their homeserver.
type Homeserver struct {
	// URL is the base of the client API. In the same process any URL will do;
	// it is never resolved.
	URL string
	// Domain is the server name, the part of user ids after the colon.
	Domain string
	// Transport carries the requests; default http.DefaultTransport. For a
	// homeserver in this process see package internal/inproc.
	Transport http.RoundTripper
}

// Options are what a host is made of.
type Options struct {
	Dir        string // one folder for each instance is made in it
	Homeserver Homeserver
	Modules    []Module
	Log        *slog.Logger
	// Standing tells what a user with the homeserver's name is there, at the moment; nil: everybody but the host's
	// own users is a Resident.
	Standing func(ctx context.Context, user id.UserID) (Standing, error)
	// Metrics, if not nil, gets the host's collectors.
	Metrics prometheus.Registerer
	// Tracer makes a span of each event that a bridge has handled; nil: none are made.
	Tracer trace.Tracer
	// HTTP is what modules reach their networks with; default a client with a
	// timeout of one minute.
	HTTP *http.Client
	// Links gives the ties of a bridge's people to accounts; nil, or giving nil: nobody keeps any.
	Links func(bridge string) Links
	// MaxPending bounds the events that wait to be handled by one bridge;
	// beyond it the homeserver is asked to try again later. Default 20,000.
	MaxPending int
	// Backoff is the time to wait after so many failures in a row; default one
	// second, doubling up to five minutes.
	Backoff func(failures int) time.Duration
	// Limits bound how long parts of a bridge may take.
	Limits Limits
	// Steady is how long a bridge must have run for its failures to be
	// forgotten; default ten minutes.
	Steady time.Duration
}

// Host runs bridges. All methods are safe for concurrent use.
type Host struct {
	opts    Options
	modules map[string]Module
	metrics *metrics

	mu        sync.Mutex
	instances map[string]*instance
}

var (
	// ErrUnknown means that the host has no instance of that id.
	ErrUnknown = errors.New("no such bridge")
	// ErrExists means that the host has an instance of that id already.
	ErrExists = errors.New("bridge exists already")
	// ErrHeld means that an instance is not to start; see Host.Hold.
	ErrHeld = errors.New("the bridge has been taken from its rooms, and does not start")
	// ErrLinked means that a remote person has an account already.
	ErrLinked = errors.New("this person is linked to an account already")
	// ErrBadCode means that a code for linking is wrong, used or too old.
	ErrBadCode = errors.New("the code is not valid (any more)")
	// ErrStranger means that somebody is of a bridge's network, and in nothing that the bridge knows.
	ErrStranger = errors.New("this person is in nothing that is bridged")
	// ErrNotReachable means that a remote person takes no direct messages.
	ErrNotReachable = errors.New("this person takes no direct messages")
)

// raise sets the process-wide knobs of bridgev2 to what several bridges need. A
// full portal queue holds up what fills it; see doc.go.
var raise = sync.OnceFunc(func() {
	bridgev2.PortalEventBuffer = 1024
	appservice.EventChannelSize = 1024
	crypto.SetErrors()
})

// New returns a host without instances.
func New(opts Options) (*Host, error) {
	if opts.Log == nil {
		return nil, errors.New("appservice: Options.Log is missing")
	}
	if opts.Dir == "" {
		return nil, errors.New("appservice: Options.Dir is missing")
	}
	if u, err := url.Parse(opts.Homeserver.URL); err != nil || u.Scheme == "" || u.Host == "" {
		return nil, fmt.Errorf("appservice: homeserver URL %q: must be like http://localhost:8008", opts.Homeserver.URL)
	}
	if opts.Homeserver.Domain == "" {
		return nil, errors.New("appservice: the homeserver's domain is missing")
	}
	if opts.Homeserver.Transport == nil {
		opts.Homeserver.Transport = http.DefaultTransport
	}
	if opts.HTTP == nil {
		opts.HTTP = &http.Client{Timeout: time.Minute}
	}
	if opts.MaxPending <= 0 {
		opts.MaxPending = 20_000
	}
	if opts.Backoff == nil {
		opts.Backoff = backoff
	}
	if opts.Steady <= 0 {
		opts.Steady = 10 * time.Minute
	}
	opts.Limits.complete()
	h := &Host{opts: opts, modules: make(map[string]Module), metrics: newMetrics(), instances: make(map[string]*instance)}
	for _, m := range opts.Modules {
		if m.Name == "" || m.New == nil {
			return nil, errors.New("appservice: a module has no name or no constructor")
		}
		if _, ok := h.modules[m.Name]; ok {
			return nil, fmt.Errorf("appservice: two modules are named %q", m.Name)
		}
		h.modules[m.Name] = m
	}
	if opts.Metrics != nil {
		if err := h.register(opts.Metrics); err != nil {
			return nil, err
		}
	}
	raise()
	return h, nil
}

// backoff is the default Options.Backoff: with some chance in it, so that
// bridges that failed together do not come back together.
func backoff(failures int) time.Duration {
	d := 5 * time.Minute
	if failures < 10 {
		d = min(d, time.Second<<(failures-1))
	}
	return d + time.Duration(rand.Int64N(int64(d)/4+1))
}

// Add adds an instance, stopped. Its configuration is checked, the module's part
// included, and its registration is made.
func (h *Host) Add(ctx context.Context, cfg Instance) error {
	in, err := h.prepare(ctx, &cfg)
	if err != nil {
		return err
	}
	reg, err := h.makeFolder(cfg)
	if err != nil {
		return err
	}
	in.config, in.reg = cfg, reg
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.instances[cfg.ID]; ok {
		return fmt.Errorf("bridge %s: %w", cfg.ID, ErrExists)
	}
	for id, other := range h.instances {
		other.mu.Lock()
		o := other.config
		other.mu.Unlock()
		if err := collide(cfg, o); err != nil {
			return fmt.Errorf("bridge %s and bridge %s: %w", cfg.ID, id, err)
		}
	}
	h.instances[cfg.ID] = in
	return nil
}

// collide reports what two instances cannot share.
func collide(a, b Instance) error {
	switch {
	case a.BotLocalpart == b.BotLocalpart:
		return fmt.Errorf("both have the bot %q", a.BotLocalpart)
	case prefixed(a.GhostPrefix, b.GhostPrefix):
		return fmt.Errorf("the ghost prefixes %q and %q overlap", a.GhostPrefix, b.GhostPrefix)
	case prefixed(a.BotLocalpart, b.GhostPrefix) && len(a.BotLocalpart) >= len(b.GhostPrefix):
		return fmt.Errorf("the bot %q is within the ghost prefix %q", a.BotLocalpart, b.GhostPrefix)
	case prefixed(b.BotLocalpart, a.GhostPrefix) && len(b.BotLocalpart) >= len(a.GhostPrefix):
		return fmt.Errorf("the bot %q is within the ghost prefix %q", b.BotLocalpart, a.GhostPrefix)
	case prefixed(a.AliasPrefix, b.AliasPrefix):
		return fmt.Errorf("the alias prefixes %q and %q overlap", a.AliasPrefix, b.AliasPrefix)
	}
	return nil
}

// prefixed reports whether one of a and b begins with the other.
func prefixed(a, b string) bool {
	n := min(len(a), len(b))
	return a[:n] == b[:n]
}

// Configure replaces the configuration of an instance. It takes effect at the
// next start; the registration at once. A configuration that is refused changes
// nothing.
func (h *Host) Configure(ctx context.Context, cfg Instance) error {
	in, err := h.instance(cfg.ID)
	if err != nil {
		return err
	}
	if _, err := h.prepare(ctx, &cfg); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, other := range h.instances {
		if id == cfg.ID {
			continue
		}
		other.mu.Lock()
		o := other.config
		other.mu.Unlock()
		if err := collide(cfg, o); err != nil {
			return fmt.Errorf("bridge %s and bridge %s: %w", cfg.ID, id, err)
		}
	}
	reg, err := h.makeFolder(cfg)
	if err != nil {
		return err
	}
	in.mu.Lock()
	in.config, in.reg = cfg, reg
	in.mu.Unlock()
	return nil
}

// prepare completes and checks a configuration.
func (h *Host) prepare(ctx context.Context, cfg *Instance) (*instance, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	module, ok := h.modules[cfg.Module]
	if !ok {
		return nil, fmt.Errorf("bridge %s: there is no module %q", cfg.ID, cfg.Module)
	}
	in := &instance{
		id: cfg.ID, host: h, log: h.opts.Log.With("bridge", cfg.ID), metrics: h.metrics.of(cfg.ID),
		status: InstanceStatus{State: StateStopped, Since: time.Now()}, changed: make(chan struct{}),
	}
	err := guard("check configuration", func() error {
		_, err := module.New(ctx, in.env(*cfg, nil))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("bridge %s: %w", cfg.ID, err)
	}
	return in, nil
}

func (h *Host) makeFolder(cfg Instance) (Registration, error) {
	dir := filepath.Join(h.opts.Dir, cfg.ID)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Registration{}, fmt.Errorf("bridge %s: make folder: %w", cfg.ID, err)
	}
	reg, err := loadRegistration(dir, cfg, h.opts.Homeserver.Domain)
	if err != nil {
		return Registration{}, fmt.Errorf("bridge %s: %w", cfg.ID, err)
	}
	return reg, nil
}

// Remove stops an instance and forgets it. Its files stay.
func (h *Host) Remove(id string) error {
	in, err := h.instance(id)
	if err != nil {
		return err
	}
	in.end()
	h.mu.Lock()
	delete(h.instances, id)
	h.mu.Unlock()
	h.metrics.forget(id)
	return nil
}

func (h *Host) instance(id string) (*instance, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	in, ok := h.instances[id]
	if !ok {
		return nil, fmt.Errorf("bridge %s: %w", id, ErrUnknown)
	}
	return in, nil
}

// Start starts an instance and waits until it runs or its first attempt has
// failed. After a failure, which is returned, the host goes on trying until
// Stop. ctx bounds the waiting alone. To start what runs is no error.
func (h *Host) Start(ctx context.Context, id string) error {
	in, err := h.instance(id)
	if err != nil {
		return err
	}
	return in.start(ctx)
}

// Stop stops an instance and waits until it has. What the homeserver sends
// meanwhile is refused, so that it comes later. To stop what is stopped is no
// error.
func (h *Host) Stop(id string) error {
	in, err := h.instance(id)
	if err != nil {
		return err
	}
	in.end()
	return nil
}

// Restart stops an instance and starts it with its newest configuration.
func (h *Host) Restart(ctx context.Context, id string) error {
	if err := h.Stop(id); err != nil {
		return err
	}
	return h.Start(ctx, id)
}

// Hold keeps an instance, which is stopped, from being started by anybody, or ends that. StartAll passes over it.
func (h *Host) Hold(id string, hold bool) error {
	in, err := h.instance(id)
	if err != nil {
		return err
	}
	if hold {
		in.end()
	}
	in.mu.Lock()
	in.held = hold
	in.mu.Unlock()
	if hold {
		in.end() // if somebody was quicker
	}
	return nil
}

// StartAll starts all instances at once. The errors of those that failed are
// joined; the others run.
func (h *Host) StartAll(ctx context.Context) error {
	return h.each(func(in *instance) error {
		if err := in.start(ctx); !errors.Is(err, ErrHeld) {
			return err
		}
		return nil
	})
}

// StopAll stops all instances at once.
func (h *Host) StopAll() {
	_ = h.each(func(in *instance) error { in.end(); return nil }) // end has no error
}

// runs are those of the instances but one that run.
func (h *Host) runs(but string) (out []*run) {
	h.mu.Lock()
	list := maps.Clone(h.instances)
	h.mu.Unlock()
	for id, in := range list {
		if r, _ := in.current(); r != nil && id != but && r.ready.Load() {
			out = append(out, r)
		}
	}
	return out
}

func (h *Host) each(f func(*instance) error) error {
	h.mu.Lock()
	var list []*instance
	for _, in := range h.instances {
		list = append(list, in)
	}
	h.mu.Unlock()
	errs := make([]error, len(list))
	var wg sync.WaitGroup
	for i, in := range list {
		wg.Go(func() { errs[i] = f(in) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Registration returns the registration of an instance.
func (h *Host) Registration(id string) (Registration, error) {
	in, err := h.instance(id)
	if err != nil {
		return Registration{}, err
	}
	_, reg := in.current()
	return reg, nil
}

// RegistrationYAML returns the registration of an instance as a homeserver's
// administrator would install it. It holds secrets.
func (h *Host) RegistrationYAML(id string) ([]byte, error) {
	reg, err := h.Registration(id)
	if err != nil {
		return nil, err
	}
	out, err := yaml.Marshal(reg)
	if err != nil {
		return nil, fmt.Errorf("bridge %s: encode registration: %w", id, err)
	}
	return out, nil
}

// Bridge returns the bridgev2 bridge of an instance that runs, for commands and
// consoles; nil when it does not run. It is valid until the instance stops.
func (h *Host) Bridge(id string) *bridgev2.Bridge {
	in, err := h.instance(id)
	if err != nil {
		return nil
	}
	if r, _ := in.current(); r != nil {
		return r.br
	}
	return nil
}
