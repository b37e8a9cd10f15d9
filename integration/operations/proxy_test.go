package operations

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/ca"
	"github.com/landbridge-im/landbridge/integration/client"
	"github.com/landbridge-im/landbridge/integration/testserver"
	"github.com/landbridge-im/landbridge/internal/ports"
)

func TestMain(m *testing.M) { os.Exit(testserver.Main(m)) }

// tool finds a program that tests need.
func tool(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatalf("%s is missing; internal/testdeps.sh installs it", names[0])
	return ""
}

// front is a proxy before a server, with the ports that stand for :443 and :8448.
type front struct {
	https, federation string
	http              *http.Client
}

// open makes a proxy known by its ports; names lead to 127.0.0.1, whatever they are.
func open(https, federation string) *front {
	f := &front{https: https, federation: federation}
	f.http = &http.Client{Timeout: time.Minute, Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			to := map[string]string{"443": https, "8448": federation}
			_, port, err := net.SplitHostPort(addr)
			if err != nil {
				return nil, err
			}
			var d net.Dialer
			return d.DialContext(ctx, network, "127.0.0.1:"+to[port])
		}}}
	return f
}

func (f *front) get(t *testing.T, url string) (int, string) {
	t.Helper()
	res, err := f.http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(res.Body); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, body.String()
}

// behind starts a server as the quick start has it, without TLS.
func behind(t *testing.T) (s *testserver.Server, addr string) {
	t.Helper()
	s = testserver.New(t, testserver.Options{Name: "example.org", Extra: "federation: {enabled: true}\nwell_known: {server: \"matrix.example.org:443\"}\nbridges: []\n"})
	return s, strings.TrimPrefix(s.URL(), "http://")
}

// pair writes a certificate and its key.
func pair(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	a, err := ca.New()
	if err != nil {
		t.Fatal(err)
	}
	c, k, err := a.Certify()
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, raw := range map[string][]byte{cert: c, key: k} {
		if err := os.WriteFile(name, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// run starts a proxy, and waits until it answers.
func run(t *testing.T, f *front, cmd *exec.Cmd) {
	t.Helper()
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	child, err := testserver.StartChild(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = child.Kill()
		if t.Failed() {
			t.Logf("the proxy says:\n%s", log.String())
		}
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		conn, err := net.Dial("tcp", "127.0.0.1:"+f.https)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the proxy does not come up")
		}
	}
}

// passes looks whether a proxy lets everything through that clients and servers need.
func passes(t *testing.T, f *front, s *testserver.Server) {
	t.Helper()
	ctx := t.Context()
	if status, body := f.get(t, "https://example.org/.well-known/matrix/server"); status != 200 || !strings.Contains(body, "matrix.example.org:443") {
		t.Errorf("well-known: %d %s", status, body)
	}
	if status, body := f.get(t, "https://matrix.example.org:8448/_matrix/key/v2/server"); status != 200 || !strings.Contains(body, `"server_name":"example.org"`) {
		t.Errorf("federation: %d %s", status, body)
	}
	for path, want := range map[string]string{"/": "Welcome to example.org", "/account/sign-in": "Sign in to example.org", "/console/": "Sign in to example.org", "/read": "read", "/link": "Sign in"} {
		if status, body := f.get(t, "https://matrix.example.org"+path); status != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	anna, err := (&client.Client{URL: "https://matrix.example.org", HTTP: f.http}).Register(ctx, "anna")
	if err != nil {
		t.Fatal(err)
	}
	room, err := anna.CreateRoom(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	// What is escaped in an address arrives as it was.
	for _, key := range []string{"a/b", "a b%2F+?#", "//", "ä"} {
		if _, err := anna.SetState(ctx, room, "im.test", key, map[string]string{"key": key}); err != nil {
			t.Errorf("%q: %v", key, err)
		}
		if got, err := anna.StateContent(ctx, room, "im.test", key); err != nil || got["key"] != key {
			t.Errorf("%q: %v %v", key, got, err)
		}
	}
	// A file is larger than proxies let through by themselves.
	if status, answer, err := anna.Raw(ctx, "POST", "/_matrix/media/v3/upload", nil, make([]byte, 8<<20)); err != nil || status != 200 {
		t.Errorf("a file: %d %s %v", status, answer, err)
	}
	// Who waits is answered when there is something.
	first, err := anna.Sync(ctx, client.SyncOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 1)
	go func() {
		_, err := anna.Follow(ctx, client.SyncOptions{Since: first.Next}, func(y *client.Sync) bool {
			return strings.Contains(fmt.Sprintf("%+v", y), "are you there")
		})
		got <- err
	}()
	if _, err := anna.Send(ctx, room, "m.room.message", "1", client.Message("are you there")); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-got:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("nothing came by /sync")
	}
	if s.Log() == "" {
		t.Error("the server has no log")
	}
}

// TestNginx runs nginx with our file, in which names of files, ports and the server's address are others.
func TestNginx(t *testing.T) {
	t.Parallel()
	program := tool(t, "nginx", "/usr/sbin/nginx")
	s, addr := behind(t)
	raw, err := os.ReadFile("../../configs/proxy/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key := pair(t, dir)
	f := open(fmt.Sprint(ports.Port(t)), fmt.Sprint(ports.Port(t)))
	text := string(raw)
	for pattern, to := range map[string]string{`listen \[::\]:\d+ [^;]*;`: "", `listen 443 `: "listen 127.0.0.1:" + f.https + " ", `listen 8448 `: "listen 127.0.0.1:" + f.federation + " ",
		`/etc/letsencrypt/\S*fullchain.pem`: cert, `/etc/letsencrypt/\S*privkey.pem`: key, `127\.0\.0\.1:8008`: addr} {
		re := regexp.MustCompile(pattern)
		if !re.MatchString(text) {
			t.Errorf("the file has no %s", pattern)
		}
		text = re.ReplaceAllString(text, to)
	}
	paths := ""
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		paths += fmt.Sprintf("%s_temp_path %s;\n", kind, filepath.Join(dir, kind))
	}
	conf := filepath.Join(dir, "nginx.conf")
	text = fmt.Sprintf("daemon off;\nmaster_process off;\npid %s;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n%s%s}\n", filepath.Join(dir, "pid"), paths, text)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), program, "-t", "-q", "-c", conf, "-e", "stderr").CombinedOutput(); err != nil {
		t.Fatalf("nginx -t: %v %s", err, out)
	}
	run(t, f, exec.Command(program, "-c", conf, "-e", "stderr"))
	passes(t, f, s)
	if status, _ := f.get(t, "https://example.org/_matrix/client/versions"); status != 404 {
		t.Errorf("the server is reached at the wrong name: %d", status)
	}
}

// TestCaddy runs Caddy with our file, in which ports, the certificates and the server's address are others.
func TestCaddy(t *testing.T) {
	t.Parallel()
	program := tool(t, "caddy")
	s, addr := behind(t)
	raw, err := os.ReadFile("../../configs/proxy/Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key := pair(t, dir)
	f := open(fmt.Sprint(ports.Port(t)), fmt.Sprint(ports.Port(t)))
	own := "{\n\ttls " + cert + " " + key
	text := "{\n\tadmin off\n\tauto_https disable_redirects\n\tdefault_bind 127.0.0.1\n\tservers {\n\t\tprotocols h1 h2\n\t}\n}\n" + string(raw)
	for _, change := range [][2]string{{"matrix.example.org, matrix.example.org:8448 {", "matrix.example.org:" + f.https + ", matrix.example.org:" + f.federation + " " + own},
		{"\nexample.org {", "\nexample.org:" + f.https + " " + own}, {"reverse_proxy landbridge:8008", "reverse_proxy " + addr}} {
		if !strings.Contains(text, change[0]) {
			t.Errorf("the file has no %q", change[0])
		}
		text = strings.ReplaceAll(text, change[0], change[1])
	}
	conf := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "run", "--config", conf, "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	run(t, f, cmd)
	passes(t, f, s)
}

// wait waits for something that comes about by itself.
func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("no %s within a minute", what)
			return
		}
	}
}
