package pgtest

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/lib/pq" // driver "postgres"
)

// Server is a PostgreSQL server that starts when it is first asked for a database. The zero
// value is ready; it is safe for concurrent use. TestMain owns it and must call Stop:
//
//	var pg pgtest.Server
//
//	func TestMain(m *testing.M) {
//		code := m.Run()
//		pg.Stop()
//		os.Exit(code)
//	}
type Server struct {
	mu    sync.Mutex
	err   error
	admin *sql.DB
	dir   string
	next  int
	cmd   *exec.Cmd
	hold  io.Closer // the server ends when this is closed, or with this process
}

const superuser = "landbridge"

// startTimeout bounds installing, initdb and the start of the server.
const startTimeout = 3 * time.Minute

// Database makes an empty database for a test and returns its URI. Without PostgreSQL the test
// fails, saying what to install.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.admin == nil && s.err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		if s.err = s.start(ctx); s.err != nil {
			s.stop()
		}
	}
	if s.err != nil {
		t.Fatalf("PostgreSQL for tests: %v", s.err)
	}
	s.next++
	name := fmt.Sprintf("test%d", s.next)
	if _, err := s.admin.ExecContext(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatalf("making a database: %v", err)
	}
	return s.uri(name)
}

// Stop ends the server and removes all it has written.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop()
}

func (s *Server) stop() {
	if s.admin != nil {
		s.admin.Close()
		s.admin = nil
	}
	if s.hold != nil {
		s.hold.Close()
		s.cmd.Wait() // its status says only that it was told to end
		s.hold = nil
	}
	if s.dir != "" {
		os.RemoveAll(s.dir)
		s.dir = ""
	}
}

func (s *Server) uri(database string) string {
	u := url.URL{Scheme: "postgres", User: url.User(superuser), Path: "/" + database,
		RawQuery: url.Values{"host": {s.dir}, "sslmode": {"disable"}}.Encode()}
	return u.String()
}

func (s *Server) start(ctx context.Context) error {
	initdb, postgres, err := find(ctx)
	if err != nil {
		return err
	}
	// Not below t.TempDir: the server's user could not enter it, and its path is too long for a
	// socket.
	if s.dir, err = os.MkdirTemp("", "pgtest"); err != nil {
		return err
	}
	attr, err := asServerUser(s.dir)
	if err != nil {
		return err
	}
	data := filepath.Join(s.dir, "data")
	cmd := exec.CommandContext(ctx, initdb, "-D", data, "-U", superuser, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
	cmd.SysProcAttr, cmd.Dir = attr, s.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	// The shell ends the server, and cleans up, when its standard input is closed: also when this
	// process is killed, and cannot do it.
	s.cmd = exec.Command("/bin/sh", "-c", `dir=$1; shift; "$@" </dev/null & read x; kill -QUIT $!; wait; cd /; rm -rf "$dir"`, "sh", s.dir, postgres, "-D", data,
		"-c", "listen_addresses=", "-c", "unix_socket_directories="+s.dir, "-c", "fsync=off", "-c", "full_page_writes=off",
		"-c", "max_connections=300", "-c", "shared_buffers=32MB", "-c", "autovacuum=off")
	s.cmd.SysProcAttr, s.cmd.Dir = attr, s.dir
	var out strings.Builder
	s.cmd.Stdout, s.cmd.Stderr = &out, &out
	if s.hold, err = s.cmd.StdinPipe(); err != nil {
		return err
	}
	if err := s.cmd.Start(); err != nil {
		s.hold = nil
		return err
	}
	if s.admin, err = sql.Open("postgres", s.uri("postgres")); err != nil {
		return err
	}
	for tick := time.NewTicker(10 * time.Millisecond); ; {
		if err = s.admin.PingContext(ctx); err == nil {
			tick.Stop()
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			tick.Stop()
			return fmt.Errorf("the server does not answer: %w", err)
		}
	}
}
