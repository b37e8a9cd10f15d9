package synapse

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"text/template"
	"time"

	"github.com/landbridge-im/landbridge/integration/testserver"
	"github.com/landbridge-im/landbridge/integration/tools"
	"github.com/landbridge-im/landbridge/internal/ports"
)

// startTime is how long Synapse may take to make its tables and start.
const startTime = 2 * time.Minute

var config = template.Must(template.New("").Funcs(template.FuncMap{"json": func(v any) (string, error) {
	raw, err := json.Marshal(v)
	return string(raw), err
}}).Parse(`server_name: "test"
public_baseurl: "http://{{.Addr}}/"
pid_file: "{{.Dir}}/synapse.pid"
log_config: "{{.Dir}}/log.yaml"
media_store_path: "{{.Dir}}/media"
signing_key_path: "{{.Dir}}/signing.key"
listeners:
  - {bind_addresses: ["127.0.0.1"], port: {{.Port}}, type: http, tls: false, resources: [{names: [client, media]}]}
trusted_key_servers: []
suppress_key_server_warning: true
database: {name: sqlite3, args: {database: "{{.Dir}}/homeserver.db"}}
app_service_config_files: {{json .Registrations}}
enable_registration: true
enable_registration_without_verification: true
macaroon_secret_key: "macaroons"
form_secret: "forms"
report_stats: false
bcrypt_rounds: 4
experimental_features: {msc2409_to_device_messages_enabled: true, msc3202_transaction_extensions: true, msc3202_device_masquerading: true, msc4190_enabled: true}
rc_message: {per_second: 10000, burst_count: 10000}
rc_registration: {per_second: 10000, burst_count: 10000}
rc_login: {address: {per_second: 10000, burst_count: 10000}, account: {per_second: 10000, burst_count: 10000}, failed_attempts: {per_second: 10000, burst_count: 10000}}
rc_joins: {local: {per_second: 10000, burst_count: 10000}, remote: {per_second: 10000, burst_count: 10000}}
rc_joins_per_room: {per_second: 10000, burst_count: 10000}
rc_room_creation: {per_second: 10000, burst_count: 10000}
rc_invites: {per_room: {per_second: 10000, burst_count: 10000}, per_user: {per_second: 10000, burst_count: 10000}, per_issuer: {per_second: 10000, burst_count: 10000}}
`))

const logging = `version: 1
formatters: {plain: {format: "%%(asctime)s %%(levelname)s %%(name)s %%(request)s %%(message)s"}}
handlers: {file: {class: logging.FileHandler, filename: %q, formatter: plain}}
root: {level: INFO, handlers: [file]}
disable_existing_loggers: false
`

// Server is a Synapse named "test" that runs, or has run and may again. Its methods must not be called
// concurrently.
type Server struct {
	t                 testing.TB
	python, dir, addr string
	child             *testserver.Child
}

// requirements is the file of what is installed, looked for from the test's folder: a program that was built with -trimpath
// does not know where its sources are.
func requirements(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		path := filepath.Join(dir, "integration", "synapse", "requirements.txt")
		if _, err := os.Stat(path); err == nil {
			return path
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("the tests are not run within the sources")
		}
	}
}

// New starts a Synapse for a test, with registrations of application services, and ends it with the test.
func New(t testing.TB, registrations ...string) *Server {
	t.Helper()
	s := &Server{t: t, python: tools.Venv(t, requirements(t)), dir: t.TempDir(), addr: ports.Addr(t)}
	_, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	var conf bytes.Buffer
	err = errors.Join(config.Execute(&conf, map[string]any{"Addr": s.addr, "Port": port, "Dir": s.dir, "Registrations": registrations}),
		os.WriteFile(s.path("homeserver.yaml"), conf.Bytes(), 0o600),
		os.WriteFile(s.path("log.yaml"), fmt.Appendf(nil, logging, s.path("homeserver.log")), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	gen := exec.CommandContext(t.Context(), s.python, "-m", "synapse._scripts.generate_signing_key", "-o", s.path("signing.key"))
	if out, err := gen.CombinedOutput(); err != nil {
		t.Fatalf("making Synapse's key: %v\n%s", err, out)
	}
	s.Start()
	t.Cleanup(func() {
		s.Kill()
		if t.Failed() {
			t.Logf("the end of Synapse's log:\n%s", s.log(8000))
		}
	})
	return s
}

func (s *Server) path(name string) string { return filepath.Join(s.dir, name) }

// URL is where clients reach it; it stays the same over restarts.
func (s *Server) URL() string { return "http://" + s.addr }

// log is the end of the log, and of what Synapse wrote otherwise.
func (s *Server) log(n int) string {
	var out []byte
	for _, name := range []string{"output", "homeserver.log"} {
		raw, err := os.ReadFile(s.path(name))
		if err != nil {
			s.t.Log(err)
		}
		out = append(out, raw[max(0, len(raw)-n):]...)
	}
	return string(out)
}

// Start starts it again, and waits until it answers.
func (s *Server) Start() {
	s.t.Helper()
	out, err := os.OpenFile(s.path("output"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(s.python, "-m", "synapse.app.homeserver", "-c", s.path("homeserver.yaml"))
	cmd.Stdout, cmd.Stderr, cmd.Dir = out, out, s.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "TZ=UTC"}
	if s.child, err = testserver.StartChild(cmd); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), startTime)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, "GET", s.URL()+"/_matrix/client/versions", nil)
		if err != nil {
			s.t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-s.child.Exited():
			s.t.Fatalf("Synapse ended:\n%s", s.log(4000))
		case <-ctx.Done():
			s.t.Fatalf("Synapse was not ready in time: %v\n%s", err, s.log(4000))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Kill ends it as a crash does.
func (s *Server) Kill() {
	s.t.Helper()
	if s.child == nil {
		return
	}
	if err := s.child.Kill(); err != nil {
		s.t.Error(err)
	}
	s.child = nil
}
