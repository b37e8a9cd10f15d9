package testserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/internal/ports"
)

// Options say what server to run. The zero value is a server with open registration and without
// rate limits, which flushes every commit.
type Options struct {
	// Binary is what to run; empty means the one of Main.
	Binary string
	// Dir is where everything is kept; it must exist.
	Dir string
	// Name is the server's name; empty means "test".
	Name string
	// Registrations are files, folders and globs of application services.
	Registrations []string
	// Extra is further configuration: whole top-level keys in YAML that are not set here.
	Extra string
	// Env overrides keys, such as "LANDBRIDGE_RATE_LIMITS_ENABLED=true".
	Env []string
	// StartTimeout is how long a start may take; 0 means 30 s.
	StartTimeout time.Duration
}

// SharedSecret is the secret for registration of every server made here.
const SharedSecret = "secret-of-tests"

// Server is a server that runs, or has run and may again. Its methods must not be called
// concurrently, except for URL, Name and Log.
type Server struct {
	o    Options
	addr string
	free func() // gives the address to others

	child *Child // nil while it doesn't run

	// StartTime is how long the last start took, until the first answer.
	StartTime time.Duration
}

// New starts a server for a test, and ends it with the test. The server's log is shown if the
// test fails.
func New(t testing.TB, o Options) *Server {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("stopping the server: %v", err)
		}
		s.free()
		if t.Failed() {
			t.Logf("the end of the server's log:\n%s", tail(s.Log(), 6000))
		}
	})
	return s
}

// Start starts a server and waits until it answers. Its address is its own until the process ends.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Binary == "" {
		if o.Binary = os.Getenv(binaryEnv); o.Binary == "" {
			return nil, errors.New("testserver: no binary: TestMain must call testserver.Main")
		}
	}
	if o.Name == "" {
		o.Name = "test"
	}
	if o.StartTimeout == 0 {
		o.StartTimeout = 30 * time.Second
	}
	addr, free, err := ports.Reserve()
	if err != nil {
		return nil, err
	}
	s := &Server{o: o, addr: addr, free: free}
	if err = s.configure(); err == nil {
		err = s.Start(ctx)
	}
	if err != nil {
		free()
		return nil, err
	}
	return s, nil
}

// configure writes the configuration.
func (s *Server) configure() error {
	var regs []string
	for _, r := range s.o.Registrations {
		regs = append(regs, fmt.Sprintf("%q", r))
	}
	conf := fmt.Sprintf(`server:
  name: %q
  public_url: %q
  listen: [%q]
data_dir: %q
registration:
  open: true
  shared_secret: %q
  admin_signup_token: false
rate_limits:
  enabled: false
app_services:
  registrations: [%s]
%s`, s.o.Name, s.URL(), s.addr, s.DataDir(), SharedSecret, strings.Join(regs, ", "), s.o.Extra)
	if err := os.WriteFile(s.configPath(), []byte(conf), 0o600); err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	return nil
}

func (s *Server) configPath() string { return filepath.Join(s.o.Dir, "landbridge.yaml") }

// Config is the server's configuration file, for commands.
func (s *Server) Config() string { return s.configPath() }

func (s *Server) logPath() string { return filepath.Join(s.o.Dir, "server.log") }

// URL is where clients reach the server; it stays the same over restarts.
func (s *Server) URL() string { return "http://" + s.addr }

// Name is the server's name.
func (s *Server) Name() string { return s.o.Name }

// UserID is the id of a user of this server.
func (s *Server) UserID(localpart string) string { return "@" + localpart + ":" + s.o.Name }

// DataDir is the server's data_dir.
func (s *Server) DataDir() string { return filepath.Join(s.o.Dir, "data") }

// Database is the server's SQLite file.
func (s *Server) Database() string { return filepath.Join(s.DataDir(), "landbridge.db") }

// PID is the running process, 0 if there is none.
func (s *Server) PID() int {
	if s.child == nil {
		return 0
	}
	return s.child.PID()
}

// Log is all that the server has logged, over all its starts.
func (s *Server) Log() string {
	raw, err := os.ReadFile(s.logPath())
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// Start starts the server that was stopped or killed, and waits until it answers.
func (s *Server) Start(ctx context.Context) error {
	if s.child != nil {
		return errors.New("testserver: the server is running")
	}
	log, err := os.OpenFile(s.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening the log: %w", err)
	}
	defer log.Close()
	// Not exec.CommandContext: the server outlives the start.
	cmd := exec.Command(s.o.Binary, "serve", "-c", s.configPath())
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = s.o.Dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.o.Dir, "TZ=UTC"}, s.o.Env...)
	began := time.Now()
	if s.child, err = StartChild(cmd); err != nil {
		return fmt.Errorf("starting %s: %w", s.o.Binary, err)
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.StartTimeout)
	defer cancel()
	if err := s.ready(ctx); err != nil {
		return errors.Join(fmt.Errorf("%w\n%s", err, tail(s.Log(), 4000)), s.Kill())
	}
	s.StartTime = time.Since(began)
	return nil
}

// ready waits for the first answer.
func (s *Server) ready(ctx context.Context) error {
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+"/_matrix/client/versions", nil)
		if err != nil {
			return err
		}
		res, err := c.Do(req)
		if err == nil {
			_, err = io.Copy(io.Discard, res.Body)
			res.Body.Close()
			if err == nil && res.StatusCode == http.StatusOK {
				return nil
			}
			err = errors.Join(err, fmt.Errorf("answered %s", res.Status))
		}
		select {
		case <-s.child.Exited():
			return fmt.Errorf("the server ended before it was ready: %w", s.child.ended())
		case <-ctx.Done():
			return fmt.Errorf("the server was not ready in time: %w", err)
		case <-time.After(time.Millisecond):
		}
	}
}

// SetEnv gives what overrides keys from the next start on.
func (s *Server) SetEnv(env ...string) { s.o.Env = env }

// Kill ends the server as a crash does (SIGKILL), and waits until it is gone.
func (s *Server) Kill() error {
	c := s.child
	s.child = nil
	if c == nil {
		return nil
	}
	return c.Kill()
}

// Stop ends the server as an administrator does (SIGTERM). It is an error if it does not end
// in time and well. Stopping a server that does not run does nothing.
func (s *Server) Stop() error {
	c := s.child
	s.child = nil
	if c == nil {
		return nil
	}
	return c.Stop(30 * time.Second)
}

// Restart stops the server and starts it again.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.Stop(); err != nil {
		return err
	}
	return s.Start(ctx)
}

// Signal sends a signal, such as SIGHUP.
func (s *Server) Signal(sig os.Signal) error {
	if s.child == nil {
		return errors.New("testserver: the server is not running")
	}
	return s.child.Signal(sig)
}

func tail(s string, n int) string {
	if len(s) > n {
		return "..." + s[len(s)-n:]
	}
	return s
}
