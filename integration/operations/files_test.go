package operations

import (
	"context"
	"debug/elf"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/landbridge-im/landbridge/config"
	"github.com/landbridge-im/landbridge/integration/client"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

func read(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("../..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestUnits: systemd understands the units, and holds the service to little.
func TestUnits(t *testing.T) {
	t.Parallel()
	analyze := tool(t, "systemd-analyze")
	dir := t.TempDir()
	service := strings.ReplaceAll(read(t, "configs/systemd/landbridge.service"), "/usr/bin/landbridge", testserver.Binary())
	if !strings.Contains(service, testserver.Binary()+" serve -c /etc/landbridge/landbridge.yaml") {
		t.Error("the service does not run the program as the package has it")
	}
	for name, text := range map[string]string{"landbridge.service": service, "landbridge.socket": read(t, "configs/systemd/landbridge.socket")} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	unit := filepath.Join(dir, "landbridge.service")
	out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", unit, filepath.Join(dir, "landbridge.socket")).CombinedOutput()
	if err != nil || strings.Contains(string(out), dir) {
		t.Errorf("%v %s", err, out)
	}
	// Of 100, the worst; what a service without any hardening has is 96.
	if out, err := exec.CommandContext(t.Context(), analyze, "security", "--offline=true", "--no-pager", "--threshold=25", unit).CombinedOutput(); err != nil {
		t.Errorf("%v %s", err, out)
	}
}

// TestContainer: what the image is made of is there, needs nothing else, and what it and the compose file set is taken by
// the program; proxy and server find each other.
func TestContainer(t *testing.T) {
	t.Parallel()
	file := read(t, "configs/container/Containerfile")
	stages := strings.Split(file, "FROM ")
	if last := stages[len(stages)-1]; !strings.HasPrefix(last, "scratch\n") {
		t.Errorf("the image is made from %.20q", last)
	}
	for _, m := range regexp.MustCompile(`(?m)^COPY (?:--chmod=\S+ )?([^-\n].*) \S+$`).FindAllStringSubmatch(file, -1) {
		for _, name := range strings.Fields(m[1]) {
			if name == "bin/landbridge" { // made by make build
				continue
			}
			if _, err := os.Stat(filepath.Join("../..", name)); err != nil {
				t.Error(err)
			}
		}
	}
	// The program runs where nothing is but itself.
	e, err := elf.Open(testserver.Binary())
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if libs, err := e.ImportedLibraries(); err != nil || len(libs) > 0 || slices.ContainsFunc(e.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		t.Errorf("the program is not static: %v %v", libs, err)
	}
	env := map[string]string{}
	for _, kv := range strings.Fields(regexp.MustCompile(`(?m)^ENV (.*)$`).FindStringSubmatch(file)[1]) {
		k, v, _ := strings.Cut(kv, "=")
		env[k] = v
	}
	var compose struct {
		Services map[string]struct {
			Build       struct{ Context, Dockerfile string }
			Environment map[string]string
			Volumes     []string
			Ports       []string
		}
		Volumes map[string]any
	}
	if err := yaml.Unmarshal([]byte(read(t, "configs/container/compose.yaml")), &compose); err != nil {
		t.Fatal(err)
	}
	server, proxy := compose.Services["landbridge"], compose.Services["caddy"]
	if _, err := os.Stat(filepath.Join("../../configs/container", server.Build.Context, server.Build.Dockerfile)); err != nil {
		t.Error(err)
	}
	for k, v := range server.Environment {
		env[k] = v
	}
	var list []string
	for k, v := range env {
		list = append(list, k+"="+v)
	}
	c, err := config.Load("", list)
	if err != nil {
		t.Fatalf("the program does not take what is set: %v", err)
	}
	if c.Server.Name != "example.org" || c.DataDir != "/data" || !slices.Contains(c.Server.Listen, ":8008") || !c.Federation.Enabled || c.Backup.Every == 0 {
		t.Errorf("%+v", c.Server)
	}
	if !slices.ContainsFunc(server.Volumes, func(v string) bool { return strings.HasSuffix(v, ":"+c.DataDir) }) {
		t.Errorf("the data folder is not kept: %v", server.Volumes)
	}
	for _, v := range append(server.Volumes, proxy.Volumes...) {
		from, _, _ := strings.Cut(v, ":")
		if strings.HasPrefix(from, ".") {
			if _, err := os.Stat(filepath.Join("../../configs/container", from)); err != nil {
				t.Error(err)
			}
		} else if _, ok := compose.Volumes[from]; !ok {
			t.Errorf("there is no volume %q", from)
		}
	}
	if text := read(t, "configs/proxy/Caddyfile"); !strings.Contains(text, "reverse_proxy landbridge:8008") || !slices.Contains(proxy.Ports, "8448:8448") || !slices.Contains(proxy.Ports, "443:443") {
		t.Error("the proxy does not lead to the server")
	}
}

// TestTraefik: the file can be read, and leads to where the server listens by itself. Traefik is in no Debian.
func TestTraefik(t *testing.T) {
	t.Parallel()
	var file struct {
		HTTP struct {
			Routers map[string]struct {
				Rule, Service string
				EntryPoints   []string `yaml:"entryPoints"`
				TLS           map[string]string
			}
			Services map[string]struct {
				LoadBalancer struct{ Servers []struct{ URL string } } `yaml:"loadBalancer"`
			}
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, "configs/proxy/traefik.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	rules := ""
	for name, r := range file.HTTP.Routers {
		if s, ok := file.HTTP.Services[r.Service]; !ok || len(s.LoadBalancer.Servers) != 1 || s.LoadBalancer.Servers[0].URL != "http://"+config.Default().Server.Listen[0] {
			t.Errorf("the router %s leads to %+v", name, s)
		}
		rules += r.Rule + "\n"
	}
	for _, want := range []string{"Host(`matrix.example.org`)", "Host(`example.org`) && PathPrefix(`/.well-known/matrix/`)"} {
		if !strings.Contains(rules, want) {
			t.Errorf("no rule %s in %s", want, rules)
		}
	}
}

var metricName = regexp.MustCompile(`\b(?:landbridge|process|go)_[a-z_]+`)

// rare are measured once something has happened that does not happen here.
var rare = map[string]bool{"landbridge_bridge_errors_total": true, "landbridge_bridge_restarts_total": true}

// TestMetrics: whatever the dashboard and the alerts name is measured by a running server, bridge and backup.
func TestMetrics(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "lb") // a short path, for the socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := testserver.New(t, testserver.Options{Dir: dir, Extra: "bridges: [{id: irc, module: irc}]\n"})
	anna, err := (&client.Client{URL: s.URL()}).Register(t.Context(), "anna")
	if err != nil {
		t.Fatal(err)
	}
	wait(t, "the bridge's room", func() bool { return anna.Join(t.Context(), "#irc_demo_#lobby:test") == nil })
	if out, err := exec.CommandContext(t.Context(), testserver.Binary(), "backup", "create", "-o", filepath.Join(dir, "x.tar.zst"), "-c", s.Config()).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	asked := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", filepath.Join(s.DataDir(), "debug.sock"))
	}}}
	f := &front{http: asked}
	missing := func() (out []string) {
		_, text := f.get(t, "http://debug/metrics")
		for file, parse := range map[string]func([]byte, any) error{"grafana.json": json.Unmarshal, "alerts.yaml": yaml.Unmarshal, "prometheus.yaml": yaml.Unmarshal} {
			raw := read(t, "configs/monitoring/"+file)
			var any map[string]any
			if err := parse([]byte(raw), &any); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			for _, name := range metricName.FindAllString(raw, -1) {
				if !rare[name] && !strings.Contains(text, "\n"+name+" ") && !strings.Contains(text, "\n"+name+"{") {
					out = append(out, file+": "+name)
				}
			}
		}
		return out
	}
	wait(t, "all metrics", func() bool { return len(missing()) == 0 || t.Context().Err() != nil })
	// The profiles are on the same socket.
	if status, _ := f.get(t, "http://debug/debug/pprof/heap"); status != 200 {
		t.Errorf("a profile: %d", status)
	}
	if list := missing(); len(list) > 0 {
		t.Errorf("nobody measures %v", list)
	}
}
