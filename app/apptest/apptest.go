package apptest

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/app"
	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/internal/ports"
)

// Domain is the server's name, the part of user ids behind the colon.
const Domain = "test"

// patience is how long a start, a stop and an answer may take.
const patience = time.Minute

// Server is a Landbridge that runs.
type Server struct {
	// URL is the base of its client API.
	URL string

	t    testing.TB
	conf string
	head string // of the configuration, before the bridges
	mods []appservice.Module
	log  lockedBuffer

	end  context.CancelFunc
	done chan int
}

// Start runs Landbridge with the modules and a list of bridges in YAML, as it stands under "bridges:" in a
// configuration. It ends with the test.
func Start(t testing.TB, bridges string, modules ...appservice.Module) *Server {
	t.Helper()
	return StartWith(t, "registration: {open: true, admin_signup_token: false}", bridges, modules...)
}

// StartWith is Start with other lines of the configuration (YAML) than an open registration.
func StartWith(t testing.TB, settings, bridges string, modules ...appservice.Module) *Server {
	t.Helper()
	dir := t.TempDir()
	addr := ports.Addr(t)
	s := &Server{URL: "http://" + addr, t: t, mods: modules}
	s.head = fmt.Sprintf("server: {name: %s, public_url: %q, listen: [%q]}\ndata_dir: %q\nrate_limits: {enabled: false}\n%s\nbridges:\n",
		Domain, s.URL, addr, filepath.Join(dir, "data"), settings)
	s.conf = WriteConfig(t, dir, s.head+bridges)
	s.start()
	t.Cleanup(func() {
		s.stop()
		if t.Failed() {
			log := s.log.String()
			t.Logf("the end of the log:\n%s", log[max(0, len(log)-8000):])
		}
	})
	return s
}

// WriteConfig writes a configuration file into a folder, and gives its path.
func WriteConfig(t testing.TB, dir, text string) string {
	t.Helper()
	path := filepath.Join(dir, "landbridge.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (s *Server) start() {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s.end, s.done = cancel, make(chan int, 1)
	go func() {
		s.done <- app.Run(ctx, []string{"serve", "-c", s.conf}, app.Build{Version: "test", Modules: s.mods}, strings.NewReader(""), &s.log, &s.log)
	}()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if res, err := http.Get(s.URL + "/_matrix/client/versions"); err == nil {
			res.Body.Close()
			return
		}
		select {
		case code := <-s.done:
			s.done <- code
			s.t.Fatalf("Landbridge ended with code %d:\n%s", code, s.log.String())
		default:
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("Landbridge was not ready in time:\n%s", s.log.String())
		}
	}
}

func (s *Server) stop() {
	s.t.Helper()
	s.end()
	select {
	case code := <-s.done:
		if code != 0 {
			s.t.Errorf("Landbridge ended with code %d", code)
		}
	case <-time.After(patience):
		s.t.Error("Landbridge does not end")
	}
}

// Restart stops Landbridge as an administrator does, and starts it again on the same data. People's clients
// go on.
func (s *Server) Restart() {
	s.t.Helper()
	s.stop()
	s.start()
}

// Config is the path of the configuration file.
func (s *Server) Config() string { return s.conf }

// Configure writes another list of bridges into the configuration, for the next Restart.
func (s *Server) Configure(bridges string) {
	s.t.Helper()
	WriteConfig(s.t, filepath.Dir(s.conf), s.head+bridges)
}

// Run runs a command, such as "status" or "bridge dead-letters list irc", with the server's configuration, and
// gives what it prints. The test fails unless the command succeeds.
func (s *Server) Run(args ...string) string {
	s.t.Helper()
	return s.RunWith("", args...)
}

// RunWith is Run with something on standard input.
func (s *Server) RunWith(input string, args ...string) string {
	s.t.Helper()
	out, code := s.try(input, args)
	if code != 0 {
		s.t.Fatalf("landbridge %s: code %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

// Try runs a command as Run does, and gives what it prints, errors included, and its exit code.
func (s *Server) Try(args ...string) (string, int) {
	s.t.Helper()
	return s.try("", args)
}

func (s *Server) try(input string, args []string) (string, int) {
	var out strings.Builder
	code := app.Run(s.t.Context(), append(args, "-c", s.conf), app.Build{Version: "test", Modules: s.mods}, strings.NewReader(input), &out, &out)
	return out.String(), code
}

// Person is somebody with a Matrix client that follows /sync.
type Person struct {
	*bridgetest.Matrix
	t testing.TB
}

// Person signs somebody up.
func (s *Server) Person(name string) *Person {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	m, err := bridgetest.Register(ctx, s.URL, name, "")
	if err != nil {
		s.t.Fatal(err)
	}
	if err := m.Follow(context.WithoutCancel(ctx)); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(m.Close)
	return &Person{m, s.t}
}

// LogIn logs in to an account whose password is "a long password of NAME".
func (s *Server) LogIn(name string) *Person {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	m := bridgetest.NewMatrix(s.URL)
	var done struct {
		UserID string `json:"user_id"`
		Token  string `json:"access_token"`
	}
	err := m.Do(ctx, http.MethodPost, "/v3/login", map[string]any{"type": "m.login.password", "identifier": map[string]string{"type": "m.id.user", "user": name},
		"password": "a long password of " + name}, &done)
	if err == nil {
		m.UserID, m.Token = done.UserID, done.Token
		err = m.Follow(context.WithoutCancel(ctx))
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(m.Close)
	return &Person{m, s.t}
}

// Enter joins a room by its id or alias as soon as that is there, and gives the id.
func (p *Person) Enter(room string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	for {
		id, err := p.Join(ctx, room)
		if err == nil {
			return id
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			p.t.Fatalf("%s cannot join %s: %v", p.UserID, room, err)
		}
	}
}

// Tell says something in a room.
func (p *Person) Tell(room, text string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	if _, err := p.Say(ctx, room, text); err != nil {
		p.t.Fatal(err)
	}
}

// Hears waits until /sync has shown a message, and gives it.
func (p *Person) Hears(room, sender, text string) bridgetest.Event {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	e, _, err := p.Await(ctx, 0, room, fmt.Sprintf("%q of %s", text, sender), func(e bridgetest.Event) bool {
		return e.Type == "m.room.message" && e.Sender == sender && e.Body() == text
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return e
}

// lockedBuffer is a strings.Builder that several may write.
type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
