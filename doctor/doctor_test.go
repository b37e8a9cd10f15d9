package doctor

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/backup"
	"github.com/landbridge-im/landbridge/config"
	"github.com/landbridge-im/landbridge/homeserver/federation/keyring"
)

// names is a resolver that knows one name.
type names struct{ known string }

func (n names) LookupHost(_ context.Context, host string) ([]string, error) {
	if host != n.known {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return []string{"192.0.2.1"}, nil
}

func (n names) LookupSRV(_ context.Context, _, _, name string) (string, []*net.SRV, error) {
	return "", nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

// rig is a server called example.com whose every address leads to a stand-in with TLS.
type rig struct {
	options Options
	// answers by path; a path that is not there is not found.
	answers map[string]string
	dir     string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{answers: map[string]string{}, dir: filepath.Join(t.TempDir(), "data")}
	if err := os.Mkdir(r.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		text, ok := r.answers[req.URL.Path]
		if !ok {
			http.NotFound(w, req)
			return
		}
		fmt.Fprint(w, text)
	}))
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate()) // it is for example.com
	c := config.Default()
	c.Server.Name, c.DataDir, c.Federation.Enabled, c.Server.Listen = "example.com", r.dir, true, []string{"127.0.0.1:0"}
	r.options = Options{Config: c, Version: "1", Roots: roots, Resolver: names{"example.com"},
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, srv.Listener.Addr().String())
		},
		Ask: func(context.Context) (*Running, error) { return &Running{Version: "1"}, nil }}
	own, err := keyring.Load(filepath.Join(r.dir, "signing.key"), "example.com")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := own.Response(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	r.answers["/_matrix/key/v2/server"] = string(keys)
	r.answers["/_matrix/client/versions"] = `{"versions": ["v1.11"]}`
	r.answers["/.well-known/matrix/client"] = `{"m.homeserver": {"base_url": "https://example.com/"}}`
	if err := os.MkdirAll(c.BackupFolder(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.BackupFolder(), backup.Name(backup.Scheduled, time.Now())), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return r
}

// verdict is the worst of an area, with all that it says.
func (r *rig) verdict(t *testing.T, area string) (Verdict, string) {
	t.Helper()
	var text strings.Builder
	var list []Finding
	for _, f := range Examine(t.Context(), r.options) {
		if f.Area.String() == area {
			list = append(list, f)
			text.WriteString(f.Text.String() + " -> " + f.Mend.String() + "\n")
		}
		if f.Verdict == Bad && f.Mend.IsZero() {
			t.Errorf("%+v does not say how to mend it", f)
		}
	}
	if len(list) == 0 {
		t.Fatalf("nothing was said of %s", area)
	}
	return Worst(list), text.String()
}

// TestSound: nothing is found to be wrong with a server that is as it should be. The clock is that of
// the machine.
func TestSound(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, f := range Examine(t.Context(), r.options) {
		if f.Verdict != Good && f.Area.String() != "clock" && f.Area.String() != "limits" && f.Area.String() != "disk" && f.Area.String() != "database" {
			t.Errorf("%+v", f)
		}
	}
}

func TestFindings(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		area   string
		change func(t *testing.T, r *rig)
		want   Verdict
		text   string
	}{
		"no data folder":   {"data folder", func(_ *testing.T, r *rig) { r.options.Config.DataDir = r.dir + "x" }, Doubt, "not there yet"},
		"open data folder": {"data folder", func(t *testing.T, r *rig) { chmod(t, r.dir, 0o755) }, Doubt, "chmod 700"},
		"a file for it":    {"data folder", func(_ *testing.T, r *rig) { r.options.Config.DataDir = filepath.Join(r.dir, "signing.key") }, Bad, "no folder"},
		"open key":         {"signing key", func(t *testing.T, r *rig) { chmod(t, filepath.Join(r.dir, "signing.key"), 0o644) }, Bad, "chmod 600"},
		"broken key":       {"signing key", func(t *testing.T, r *rig) { write(t, filepath.Join(r.dir, "signing.key"), "x") }, Bad, "backup"},
		"broken database":  {"database", func(t *testing.T, r *rig) { write(t, filepath.Join(r.dir, "landbridge.db"), strings.Repeat("x", 9000)) }, Bad, "not a database"},
		"broken bridge": {"database", func(t *testing.T, r *rig) {
			write(t, filepath.Join(r.dir, "bridges", "irc", "bridge.db"), strings.Repeat("x", 9000))
			write(t, filepath.Join(r.dir, "landbridge.db"), "")
		}, Good, "there is none yet"},
		"port taken": {"ports", func(t *testing.T, r *rig) { r.options.Config.Server.Listen = []string{"192.0.2.7:80"} }, Bad, "192.0.2.7"},
		"no DNS":     {"dns", func(_ *testing.T, r *rig) { r.options.Resolver = names{} }, Bad, "A record"},
		"no TLS":     {"tls", func(_ *testing.T, r *rig) { r.options.Config.Server.PublicURL = "http://example.com" }, Bad, "without encryption"},
		"wrong name": {"tls", func(_ *testing.T, r *rig) { r.options.Config.Server.PublicURL = "https://example.org" }, Bad, "certificate for example.org"},
		"unknown CA": {"tls", func(_ *testing.T, r *rig) { r.options.Roots = x509.NewCertPool() }, Bad, "fullchain"},
		"old certificate": {"tls", func(_ *testing.T, r *rig) {
			r.options.Now = func() time.Time { return time.Date(2084, 1, 20, 0, 0, 0, 0, time.UTC) }
		}, Doubt, "ends in"},
		"refused":          {"tls", func(_ *testing.T, r *rig) { r.refuse() }, Bad, "firewall"},
		"another server":   {"public address", func(_ *testing.T, r *rig) { r.answers["/_matrix/client/versions"] = "<html>" }, Bad, "proxy"},
		"no proxy":         {"public address", func(_ *testing.T, r *rig) { delete(r.answers, "/_matrix/client/versions") }, Bad, "404"},
		"no well-known":    {"well-known", func(_ *testing.T, r *rig) { delete(r.answers, "/.well-known/matrix/client") }, Bad, `{"base_url": "https://example.com"}`},
		"wrong well-known": {"well-known", func(_ *testing.T, r *rig) { r.options.Config.Server.PublicURL = "https://m.example.com" }, Bad, "names"},
		"no federation":    {"federation", func(_ *testing.T, r *rig) { r.options.Config.Federation.Enabled = false }, Good, "switched off"},
		"another name": {"federation", func(_ *testing.T, r *rig) {
			r.answers["/_matrix/key/v2/server"] = `{"server_name": "x", "verify_keys": {}}`
		}, Bad, "another server"},
		"another key": {"federation", func(_ *testing.T, r *rig) {
			r.answers["/_matrix/key/v2/server"] = `{"server_name": "example.com", "verify_keys": {}}`
		}, Bad, "another key"},
		"not reached":   {"federation", func(_ *testing.T, r *rig) { r.refuse() }, Bad, "8448"},
		"open sign-up":  {"sign-up", func(_ *testing.T, r *rig) { r.options.Config.Registration.Open = true }, Doubt, "spam"},
		"no backup":     {"backups", func(_ *testing.T, r *rig) { r.options.Config.Backup.Folder = r.dir + "/none" }, Doubt, "backup.every"},
		"an old backup": {"backups", func(_ *testing.T, r *rig) { r.options.Now = func() time.Time { return time.Now().AddDate(0, 0, 3) } }, Doubt, "old"},
		"not running": {"server", func(_ *testing.T, r *rig) {
			r.options.Ask = func(context.Context) (*Running, error) { return nil, nil }
		}, Doubt, "does not run"},
		"another version": {"server", func(_ *testing.T, r *rig) { r.options.Version = "2" }, Doubt, "restart"},
		"silent": {"server", func(_ *testing.T, r *rig) {
			r.options.Ask = func(context.Context) (*Running, error) { return nil, errors.New("no answer") }
		}, Bad, "no answer"},
		"a bridge down": {"bridge irc", func(_ *testing.T, r *rig) { r.bridge(Bridge{ID: "irc", Text: "waiting"}) }, Bad, "bridge=irc"},
		"a bridge behind": {"bridge irc", func(_ *testing.T, r *rig) {
			r.bridge(Bridge{ID: "irc", Up: true, Behind: 5000, Text: "running"})
		}, Doubt, "5000"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			test.change(t, r)
			got, text := r.verdict(t, test.area)
			if got != test.want || !strings.Contains(text, test.text) {
				t.Errorf("%s is %s: %s\nwant %s with %q", test.area, got, text, test.want, test.text)
			}
		})
	}
}

func (r *rig) refuse() {
	r.options.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("connection refused") }
}

func (r *rig) bridge(b Bridge) {
	r.options.Ask = func(context.Context) (*Running, error) { return &Running{Version: "1", Bridges: []Bridge{b}}, nil }
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}
