package federation

import (
	"bytes"
	"context"
	"fmt"
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

// synapseStart is how long Synapse may take to make its tables and start.
const synapseStart = 2 * time.Minute

// synapseConfig is a Synapse without limits of rates, whose patience with servers that don't answer is
// measured in seconds.
var synapseConfig = template.Must(template.New("").Parse(`server_name: "{{.Name}}"
public_baseurl: "http://{{.Client}}/"
pid_file: "{{.Dir}}/synapse.pid"
log_config: "{{.Dir}}/log.yaml"
media_store_path: "{{.Dir}}/media"
signing_key_path: "{{.Dir}}/signing.key"
listeners:
  - {bind_addresses: ["127.0.0.1"], port: {{.ClientPort}}, type: http, tls: false, resources: [{names: [client, media]}]}
  - {bind_addresses: ["127.0.0.1"], port: {{.Port}}, type: http, tls: true, resources: [{names: [federation, keys, media]}]}
tls_certificate_path: "{{.Cert}}"
tls_private_key_path: "{{.Key}}"
federation_custom_ca_list: ["{{.CA}}"]
ip_range_blacklist: []
ip_range_whitelist: ["127.0.0.1/32"]
trusted_key_servers: []
suppress_key_server_warning: true
allow_public_rooms_over_federation: true
allow_public_rooms_without_auth: true
database: {name: sqlite3, args: {database: "{{.Dir}}/homeserver.db"}}
enable_registration: true
enable_registration_without_verification: true
macaroon_secret_key: "macaroons"
form_secret: "forms"
report_stats: false
room_list_publication_rules: [{action: allow}]
bcrypt_rounds: 4
presence: {enabled: true}
enable_media_repo: true
federation:
  client_timeout: 10s
  max_long_retry_delay: 1s
  max_short_retry_delay: 1s
  destination_min_retry_interval: 500
  destination_retry_multiplier: 1
  destination_max_retry_interval: 1000
rc_message: {per_second: 10000, burst_count: 10000}
rc_registration: {per_second: 10000, burst_count: 10000}
rc_login: {address: {per_second: 10000, burst_count: 10000}, account: {per_second: 10000, burst_count: 10000}, failed_attempts: {per_second: 10000, burst_count: 10000}}
rc_admin_redaction: {per_second: 10000, burst_count: 10000}
rc_joins: {local: {per_second: 10000, burst_count: 10000}, remote: {per_second: 10000, burst_count: 10000}}
rc_joins_per_room: {per_second: 10000, burst_count: 10000}
rc_room_creation: {per_second: 10000, burst_count: 10000}
rc_invites: {per_room: {per_second: 10000, burst_count: 10000}, per_user: {per_second: 10000, burst_count: 10000}, per_issuer: {per_second: 10000, burst_count: 10000}}
rc_federation: {window_size: 1000, sleep_limit: 100000, sleep_delay: 1, reject_limit: 100000, concurrent: 100}
rc_key_requests: {per_second: 10000, burst_count: 10000}
rc_presence: {per_user: {per_second: 10000, burst_count: 10000}}
rc_media_create: {per_second: 10000, burst_count: 10000}
remote_media_download_burst_count: 1000M
`))

const synapseLog = `version: 1
formatters: {plain: {format: "%%(asctime)s %%(levelname)s %%(name)s %%(request)s %%(message)s"}}
handlers: {file: {class: logging.FileHandler, filename: %q, formatter: plain}}
root: {level: INFO, handlers: [file]}
loggers: {synapse.storage.SQL: {level: INFO}}
disable_existing_loggers: false
`

// synapse is a Synapse that runs, or has run and may again.
type synapse struct {
	python, dir  string
	name, client string
	child        *testserver.Child
}

// newSynapse starts a Synapse for a test.
func newSynapse(t *testing.T, a *authority) *synapse {
	t.Helper()
	s := &synapse{python: tools.Venv(t, "requirements.txt"), dir: t.TempDir(), name: ports.Addr(t), client: ports.Addr(t)}
	cert, key := a.certify(t)
	var conf bytes.Buffer
	ok(t, synapseConfig.Execute(&conf, map[string]string{"Name": s.name, "Port": port(t, s.name), "Client": s.client, "ClientPort": port(t, s.client),
		"Dir": s.dir, "Cert": cert, "Key": key, "CA": a.file()}))
	ok(t, os.WriteFile(filepath.Join(s.dir, "homeserver.yaml"), conf.Bytes(), 0o600))
	ok(t, os.WriteFile(filepath.Join(s.dir, "log.yaml"), fmt.Appendf(nil, synapseLog, filepath.Join(s.dir, "homeserver.log")), 0o600))
	gen := exec.CommandContext(t.Context(), s.python, "-m", "synapse._scripts.generate_signing_key", "-o", filepath.Join(s.dir, "signing.key"))
	if out, err := gen.CombinedOutput(); err != nil {
		t.Fatalf("making Synapse's key: %v\n%s", err, out)
	}
	s.start(t)
	t.Cleanup(func() {
		if s.child != nil {
			if err := s.child.Kill(); err != nil {
				t.Error(err)
			}
		}
		if t.Failed() {
			t.Logf("the end of Synapse's log:\n%s", s.log(t, 8000))
		}
	})
	return s
}

// log is the end of the log, and of what Synapse wrote otherwise.
func (s *synapse) log(t *testing.T, n int) string {
	var out []byte
	for _, name := range []string{"output", "homeserver.log"} {
		raw, err := os.ReadFile(filepath.Join(s.dir, name))
		if err != nil {
			t.Log(err)
		}
		out = append(out, raw[max(0, len(raw)-n):]...)
	}
	return string(out)
}

func (s *synapse) start(t *testing.T) {
	t.Helper()
	out, err := os.OpenFile(filepath.Join(s.dir, "output"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	ok(t, err)
	defer out.Close()
	cmd := exec.Command(s.python, "-m", "synapse.app.homeserver", "-c", filepath.Join(s.dir, "homeserver.yaml"))
	cmd.Stdout, cmd.Stderr, cmd.Dir = out, out, s.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "TZ=UTC"}
	s.child, err = testserver.StartChild(cmd)
	ok(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), synapseStart)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, "GET", "http://"+s.client+"/_matrix/client/versions", nil)
		ok(t, err)
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-s.child.Exited():
			t.Fatalf("Synapse ended:\n%s", s.log(t, 4000))
		case <-ctx.Done():
			t.Fatalf("Synapse was not ready in time: %v\n%s", err, s.log(t, 4000))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *synapse) kill(t *testing.T) {
	t.Helper()
	ok(t, s.child.Kill())
	s.child = nil
}
