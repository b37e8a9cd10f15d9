package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/config"
)

func runBridge(ctx context.Context, args []string, std stdio) error {
	if std.describe == nil && (len(args) == 0 || strings.HasPrefix(args[0], "-") && args[0] != "-h" && args[0] != "-help" && args[0] != "--help") {
		return runBridgeHost(ctx, args, std)
	}
	return dispatch(ctx, "landbridge bridge", []command{
		{"run", "run the bridges beside another homeserver; what `landbridge bridge -c FILE` does", runBridgeHost},
		{"registration", "write the registration files for the other homeserver", runBridgeRegistration},
		{"plan", "tell what the configuration would make, move, rename and leave out, and change nothing", runBridgePlan},
		{"channels", "list the channels of a network before it is bridged", runBridgeChannels},
		{"add", "write a bridge into the configuration of the running server, and start it", runBridgeAdd},
		{"start", "start a bridge that was stopped", setBridgeCommand("start", "is started")},
		{"stop", "stop a bridge; what is said on Matrix meanwhile is delivered afterwards", setBridgeCommand("stop", "is stopped")},
		{"restart", "stop a bridge and start it again", setBridgeCommand("restart", "is restarted")},
		{"portals", "list the rooms of a bridge, with what goes through them", runBridgePortals},
		{"dead-letters", "list, retry and drop what did not get across", runDeadLetters},
	}, args, std)
}

func runBridgeHost(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge bridge")
	path := configFlag(fs)
	rest, err := parseFlags(fs, "landbridge bridge run -c FILE", args, std)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usageError("landbridge bridge: unexpected argument %q", rest[0])
	}
	h, err := openBridgeHost(ctx, *path, std)
	if err != nil {
		return err
	}
	defer h.unlock()
	return h.run(ctx)
}

// bridgeHost is a running "landbridge bridge": the host of bridges as ordinary application services
// of another homeserver.
type bridgeHost struct {
	path    string
	cfg     *config.Config // reload alone changes it, once it runs
	level   slog.LevelVar
	log     *slog.Logger
	host    *appservice.Host
	metrics *prometheus.Registry
	unlock  func()
}

// openBridgeHost makes the host and its bridges, not yet started.
func openBridgeHost(ctx context.Context, path string, std stdio) (h *bridgeHost, err error) {
	path = configPath(path)
	cfg, err := config.Load(path, os.Environ())
	if err != nil {
		return nil, err
	}
	on := enabled(cfg.Bridges)
	switch {
	case cfg.BridgeHost.HomeserverURL == "":
		return nil, fmt.Errorf("%s: bridge_host.homeserver_url is missing: write where the homeserver's client API is, such as http://127.0.0.1:8008", path)
	case len(on) == 0:
		return nil, fmt.Errorf("%s: bridges: there is none to run", path)
	}
	h = &bridgeHost{path: path, cfg: cfg, metrics: newMetrics()}
	h.log = newLog(std.Err, cfg.Log, &h.level)
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("making the data folder: %w", err)
	}
	if h.unlock, err = lockDir(cfg.DataDir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			h.unlock()
		}
	}()
	h.host, err = appservice.New(appservice.Options{
		Dir:        filepath.Join(cfg.DataDir, "bridges"),
		Homeserver: appservice.Homeserver{URL: strings.TrimRight(cfg.BridgeHost.HomeserverURL, "/"), Domain: cfg.Server.Name},
		Modules:    std.build.Modules, Log: h.log, Metrics: h.metrics,
	})
	if err != nil {
		return nil, err
	}
	for _, b := range on {
		if err := h.host.Add(ctx, hostedBridge(cfg, b)); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return h, nil
}

// hostedBridge is a bridge beside another homeserver.
func hostedBridge(c *config.Config, b config.Bridge) appservice.Instance {
	in := instance(b)
	in.URL = c.BridgeHost.Reach() + "/" + b.ID
	in.PublicURL = in.URL
	return in
}

// reload puts the bridges of the configuration file into force. What is wrong changes nothing.
func (h *bridgeHost) reload(ctx context.Context) {
	next, err := config.Load(h.path, os.Environ())
	if err != nil {
		h.log.ErrorContext(ctx, "the new configuration is wrong; the old one stays in force", "err", err)
		return
	}
	setLevel(&h.level, next.Log.Level)
	was := enabled(h.cfg.Bridges)
	if next.Server.Name != h.cfg.Server.Name || next.DataDir != h.cfg.DataDir || next.BridgeHost != h.cfg.BridgeHost || next.Metrics != h.cfg.Metrics {
		h.log.WarnContext(ctx, "these take effect at the next start", "keys", "server.name, data_dir, bridge_host, metrics")
	}
	// The bridges stay where they are reached.
	h.cfg.Bridges = next.Bridges
	before := map[string]string{}
	for _, st := range h.host.Status() {
		before[st.ID] = h.registrationOf(st.ID)
	}
	err = changeBridges(ctx, h.host, was, enabled(next.Bridges), func(b config.Bridge) appservice.Instance { return hostedBridge(h.cfg, b) }, func() error {
		for _, st := range h.host.Status() {
			if h.registrationOf(st.ID) != before[st.ID] {
				h.log.WarnContext(ctx, "the homeserver has to have this bridge's registration (anew): landbridge bridge registration", "bridge", st.ID)
			}
		}
		return nil
	})
	if err != nil {
		h.log.ErrorContext(ctx, "not all of the new configuration is in force", "err", err)
		return
	}
	h.log.InfoContext(ctx, "configuration reloaded", "bridges", len(h.host.Status()))
}

// registrationOf is the registration of a bridge as a homeserver has it; "" if there is none.
func (h *bridgeHost) registrationOf(id string) string {
	raw, err := h.host.RegistrationYAML(id)
	if err != nil {
		return ""
	}
	return string(raw)
}

// run serves until ctx ends. The homeserver reaches each bridge below a path of its own.
func (h *bridgeHost) run(ctx context.Context) error {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", h.cfg.BridgeHost.Listen)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", h.cfg.BridgeHost.Listen, err)
	}
	g, ctx := errgroup.WithContext(ctx)
	serveHTTP(ctx, g, &http.Server{Handler: h.handler(), ReadHeaderTimeout: 20 * time.Second, IdleTimeout: 5 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(h.log.Handler(), slog.LevelDebug)}, listener)
	if err := serveSocket(ctx, g, socketPath(h.cfg), bridgeConsole(h.host, nil, h.log), h.log); err != nil {
		g.Go(func() error { return err }) // ends what has begun
	}
	if h.cfg.Metrics.Enabled {
		l, err := lc.Listen(ctx, "tcp", h.cfg.Metrics.Listen)
		g.Go(func() error {
			if err != nil {
				return fmt.Errorf("listening on %s: %w", h.cfg.Metrics.Listen, err)
			}
			return serveMetrics(ctx, h.metrics, h.log, l)
		})
	}
	h.log.InfoContext(ctx, "ready", "homeserver", h.cfg.BridgeHost.HomeserverURL, "listening", listener.Addr().String(), "bridges", len(h.host.Status()))
	g.Go(func() error {
		if err := h.host.StartAll(ctx); err != nil && ctx.Err() == nil {
			h.log.ErrorContext(ctx, "not all bridges have started; they are tried again", "err", err)
		}
		<-ctx.Done()
		h.host.StopAll()
		return nil
	})
	g.Go(func() error { return onHangup(ctx, h.reload) })
	err = g.Wait()
	h.log.Info("stopped")
	return err
}

// handler finds the bridge that a path begins with.
func (h *bridgeHost) handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		to := h.host.Public(id)
		if strings.HasPrefix(r.URL.Path, "/"+id+"/_matrix/app/") {
			to = h.host.Handler(id)
		}
		http.StripPrefix("/"+id, to).ServeHTTP(w, r)
	})
}

// serveHTTP serves until ctx ends, and then lets requests under way finish.
func serveHTTP(ctx context.Context, g *errgroup.Group, srv *http.Server, l net.Listener) {
	g.Go(func() error {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
		defer cancel()
		if err := srv.Shutdown(end); err != nil {
			return srv.Close()
		}
		return nil
	})
}

func runBridgeRegistration(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge bridge registration")
	path := configFlag(fs)
	out := fs.String("o", "", "the `folder` to write ID.yaml into; without it, the registration of the one bridge is printed")
	ids, err := parseFlags(fs, "landbridge bridge registration -c FILE [-o FOLDER] [ID...]", args, std)
	if err != nil {
		return err
	}
	h, err := openBridgeHost(ctx, *path, std)
	if err != nil {
		return err
	}
	defer h.unlock()
	if len(ids) == 0 {
		for _, st := range h.host.Status() {
			ids = append(ids, st.ID)
		}
	}
	if *out == "" && len(ids) > 1 {
		return usageError("landbridge bridge registration: there are several bridges (%s): name one, or give -o FOLDER", strings.Join(ids, ", "))
	}
	for _, id := range ids {
		raw, err := h.host.RegistrationYAML(id)
		if err != nil {
			return err
		}
		if *out == "" {
			_, err = std.Out.Write(raw)
			return err
		}
		if err := os.MkdirAll(*out, 0o700); err != nil {
			return fmt.Errorf("making the folder: %w", err)
		}
		file := filepath.Join(*out, id+".yaml")
		// The tokens are made once and kept, so writing the file anew does no harm.
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			return fmt.Errorf("writing the registration: %w", err)
		}
		fmt.Fprintf(std.Out, "%s: have the homeserver read this file (Synapse: app_service_config_files), and restart it.\n", file)
	}
	return nil
}
