package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"
)

// debugSocket is where a running server shows its insides: profiles of net/http/pprof, and the
// metrics. Only who may enter the data folder reaches it.
const debugSocket = "debug.sock"

// serveDebug listens for whoever looks for what the server spends its time and memory on.
func (s *serving) serveDebug(ctx context.Context, g *errgroup.Group) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{}))
	return s.serveSocket(ctx, g, filepath.Join(s.cfg.DataDir, debugSocket), mux)
}

// serveSocket serves a socket until ctx ends. Only its owner may open it.
func (s *serving) serveSocket(ctx context.Context, g *errgroup.Group, path string, h http.Handler) error {
	if len(path) > maxSocketPath {
		s.log.WarnContext(ctx, "the path of the data folder is too long for a socket in it: landbridge user, token and room work only while the server is stopped", "path", path)
		return nil
	}
	// One that is there is of a server that was killed: the folder is locked.
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing an old socket: %w", err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return fmt.Errorf("listening on a socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(fmt.Errorf("protecting a socket: %w", err), l.Close())
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 20 * time.Second, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)}
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
	return nil
}
