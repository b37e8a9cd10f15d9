package app

import (
	"bytes"
	"context"
	"encoding/json/v2"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/landbridge-im/landbridge/config"
	"github.com/landbridge-im/landbridge/homeserver"
	"github.com/landbridge-im/landbridge/homeserver/console"
	"github.com/landbridge-im/landbridge/internal/inproc"
)

// socketPath is where a running server listens for commands.
func socketPath(c *config.Config) string { return filepath.Join(c.DataDir, "console.sock") }

// maxSocketPath is the longest path that all systems take for a socket.
const maxSocketPath = 103

// serveConsole listens for commands until ctx ends. Only who may enter the data folder reaches the
// socket.
func (s *serving) serveConsole(ctx context.Context, g *errgroup.Group) error {
	return serveSocket(ctx, g, socketPath(s.cfg), s.consoleHandler(), s.log)
}

// reply answers a command.
func reply(w http.ResponseWriter, v any, err error) {
	var raw []byte
	if err == nil {
		raw, err = json.Marshal(v, json.Deterministic(true))
	}
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		raw, _ = json.Marshal(console.Failure{Message: err.Error()}) // a text can be written
	}
	_, _ = w.Write(raw) // whoever asked may be gone
}

// commander gives commands to a server.
type commander struct {
	client *http.Client
	close  func() error
	// running tells that it is a server that runs, and not its database.
	running bool
}

// dial reaches the running server of a configuration; nil if it does not run.
func dial(ctx context.Context, cfg *config.Config) (*commander, error) {
	socket := socketPath(cfg)
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", socket)
	if err == nil {
		conn.Close()
		tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", socket) }}
		return &commander{&http.Client{Transport: tr}, func() error { tr.CloseIdleConnections(); return nil }, true}, nil
	}
	if !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED) && len(socket) <= maxSocketPath {
		return nil, fmt.Errorf("reaching the running server: %w", err)
	}
	if _, err := os.Stat(cfg.DataDir); err != nil {
		return nil, fmt.Errorf("the data folder: %w (is -c missing, or the folder that the server is started in another?)", err)
	}
	return nil, nil
}

// startTime is how long a command waits for a server that has the data folder and does not listen yet.
const startTime = 10 * time.Second

// reach reaches the running server or, if it does not run, locks its data folder: unlock is nil otherwise.
func reach(ctx context.Context, cfg *config.Config) (c *commander, unlock func(), err error) {
	for end := time.Now().Add(startTime); ; {
		if c, err = dial(ctx, cfg); c != nil || err != nil {
			return c, nil, err
		}
		unlock, err = lockDir(cfg.DataDir)
		if !errors.Is(err, errInUse) || time.Now().After(end) {
			return nil, unlock, err
		}
		select { // it is being started, or is about to end
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

// connect reaches the running server of a configuration or, if it does not run, works on its
// database.
func connect(ctx context.Context, path, version string) (*commander, error) {
	cfg, err := config.Load(configPath(path), os.Environ())
	if err != nil {
		return nil, err
	}
	c, unlock, err := reach(ctx, cfg)
	if c != nil || err != nil {
		return c, err
	}
	o := options(cfg, version)
	o.Log = slog.New(slog.DiscardHandler)
	up := &upgrade{cfg: cfg, file: configPath(path), version: version, log: o.Log}
	if err := up.prepare(ctx); err != nil {
		unlock()
		return nil, err
	}
	hs, err := homeserver.Open(ctx, o)
	if err != nil {
		unlock()
		return nil, err
	}
	return &commander{&http.Client{Transport: inproc.Transport(hs.Console())}, func() error {
		defer unlock()
		return hs.Close()
	}, false}, nil
}

// do gives a command and reads the answer into out.
func (c *commander) do(ctx context.Context, path string, in, out any) error {
	raw, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://console"+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	res, err := c.client.Do(req)
	if err != nil {
		return fmt.Errorf("asking the server: %w", err)
	}
	defer res.Body.Close()
	if raw, err = io.ReadAll(res.Body); err != nil {
		return fmt.Errorf("reading the server's answer: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		var f console.Failure
		if json.Unmarshal(raw, &f) != nil || f.Message == "" {
			f.Message = "the server answers " + res.Status
		}
		return &exitError{exitFailure, f.Message}
	}
	return json.Unmarshal(raw, out)
}

// order is a subcommand that gives commands to a server: its flags, how many arguments it takes (-1: one, or one more),
// and what it does with the connection.
type order struct {
	name, usage string
	args        int
	flags       *flag.FlagSet
	do          func(ctx context.Context, c *commander, args []string) error
}

// run reads the arguments, connects, and does what was ordered.
func (o order) run(ctx context.Context, args []string, std stdio) (err error) {
	path := o.flags.String("c", "", "configuration `file`; without one, the defaults")
	rest, err := parseFlags(o.flags, o.usage, args, std)
	if err != nil {
		return err
	}
	least, most := o.args, o.args
	if o.args < 0 {
		least, most = -o.args, 1-o.args
	}
	switch {
	case len(rest) < least:
		return usageError("%s: too few arguments\nUsage: %s", o.name, o.usage)
	case len(rest) > most:
		return usageError("%s: too many arguments: %s", o.name, strings.Join(rest[most:], " "))
	}
	c, err := connect(ctx, *path, std.build.Version)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	return o.do(ctx, c, rest)
}

// printJSON prints an answer for programs.
func printJSON(std stdio, v any) error {
	raw, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(std.Out, string(raw))
	return err
}

// table prints rows for people.
func table(std stdio, rows [][]string) error {
	w := tabwriter.NewWriter(std.Out, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintln(w, strings.Join(r, "\t"))
	}
	return w.Flush()
}

// when writes a time in milliseconds; 0 is the given text.
func when(ms int64, never string) string {
	if ms == 0 {
		return never
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04")
}
