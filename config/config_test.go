package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/config/diag"
	"github.com/landbridge-im/landbridge/configs"
	"gopkg.in/yaml.v3"
)

// TestExample: the annotated example is the defaults, and leaves out no key.
func TestExample(t *testing.T) {
	t.Parallel()
	c, err := Parse("landbridge.example.yaml", []byte(configs.Example()), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range Keys() {
		if strings.HasPrefix(key, "bridges[]") {
			name := strings.TrimPrefix(key, "bridges[].")
			if !strings.Contains(configs.Example(), " "+name+": ") && !strings.Contains(configs.Example(), "- "+name+": ") {
				t.Errorf("the example does not name %s", key)
			}
		} else if c.Origin(key) == "" {
			t.Errorf("the example does not name %s", key)
		}
	}
	c.origins = nil
	if want := Default(); !reflect.DeepEqual(c, want) {
		t.Errorf("the example is not the defaults:\n got %+v\nwant %+v", *c, *want)
	}

	// The commented-out bridge is one that parses.
	var bridge strings.Builder
	in := false
	for line := range strings.Lines(configs.Example()) {
		if strings.HasPrefix(line, "#   bridges:") {
			in = true
		}
		if in && strings.HasPrefix(line, "#   ") {
			bridge.WriteString(strings.TrimPrefix(line, "#   "))
		}
	}
	text, _, _ := strings.Cut(bridge.String(), "landbridge registration")
	if c, err = Parse("bridge.yaml", []byte(text), nil); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if len(c.Bridges) != 3 || c.Bridges[0].ID != "libera" || c.Bridges[0].Config == nil || c.Bridges[1].Module != "slack" || c.Bridges[2].Module != "discord" {
		t.Errorf("got %+v", c.Bridges)
	}
}

// TestReloadMarks: the comments "(reload)" of the example say what Reloadable says.
func TestReloadMarks(t *testing.T) {
	t.Parallel()
	doc, problems := diag.Parse("example", []byte(configs.Example()), diag.DefaultLimits())
	if doc == nil {
		t.Fatal(problems)
	}
	marked := map[string]bool{}
	var walk func(n *yaml.Node, path string, mark bool)
	walk = func(n *yaml.Node, path string, mark bool) {
		for i := 0; i+1 < len(n.Content); i += 2 {
			m := mark || strings.Contains(n.Content[i].HeadComment, "(reload)")
			key := diag.Join(path, n.Content[i].Value)
			if n.Content[i+1].Kind == yaml.MappingNode {
				walk(n.Content[i+1], key, m)
			} else {
				marked[key] = m
			}
		}
	}
	walk(doc, "", false)
	for _, f := range Default().fields() {
		if marked[f.path] != f.reload {
			t.Errorf("%s: reload is %t, but the example says %t", f.path, f.reload, marked[f.path])
		}
	}
}

func TestNoFile(t *testing.T) {
	t.Parallel()
	for name, load := range map[string]func() (*Config, error){
		"none": func() (*Config, error) {
			return Load("", []string{"PATH=/bin", "LANDBRIDGE_CONFIG=x", "LANDBRIDGE_TEST_X=1"})
		},
		"comments": func() (*Config, error) { return Parse("x", []byte("# nothing\n\n---\n"), nil) },
		"empty":    func() (*Config, error) { return Parse("x", []byte{}, nil) },
		"sections": func() (*Config, error) { return Parse("x", []byte("server:\nlog:\nbridges:\n"), nil) },
	} {
		c, err := load()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		c.origins = nil
		if !reflect.DeepEqual(c, Default()) {
			t.Errorf("%s: got %+v", name, *c)
		}
		if c.PublicURL() != "http://127.0.0.1:8008" || c.DatabaseURI() != "sqlite:data/landbridge.db" || c.MediaPath() != "data/media" {
			t.Errorf("%s: derived %s %s %s", name, c.PublicURL(), c.DatabaseURI(), c.MediaPath())
		}
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	c, err := Parse("x.yaml", []byte(`
server: {name: "example.org:8448", public_url: "https://m.example.org/", listen: [":8008", "[::1]:0", "[::1]:0"]}
database: {uri: "postgres://u:hunter2@h/d", synchronous: normal}
registration: {open: true, shared_secret: hunter2hunter2}
rate_limits: {message_per_second: 5, login_per_second: 0.5}
media: {max_upload: 1 GB}
limits: {max_request_body: 1048576, sync_timeout_max: 1h}
bridges:
  - {id: a, module: irc}
  - {id: b, module: irc, enabled: false, config: {x: [1, 2], token: hunter2}}
`), []string{"LANDBRIDGE_LOG_LEVEL=debug", "LANDBRIDGE_RATE_LIMITS_MESSAGE_PER_SECOND=7.5", "LANDBRIDGE_MEDIA_MAX_UPLOAD=2gib",
		"LANDBRIDGE_APP_SERVICES_REGISTRATIONS=a.yaml, b", "LANDBRIDGE_FEDERATION_LISTEN=", "LANDBRIDGE_METRICS_ENABLED=1"})
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Server = Server{"example.org:8448", "https://m.example.org/", []string{":8008", "[::1]:0", "[::1]:0"}, []string{}}
	want.Database.URI, want.Database.Synchronous = "postgres://u:hunter2@h/d", "normal"
	want.Registration.Open, want.Registration.SharedSecret = true, "hunter2hunter2"
	want.RateLimits.MessagePerSecond, want.RateLimits.LoginPerSecond = 7.5, 0.5
	want.Media.MaxUpload = 2 << 30
	want.Limits.MaxRequestBody, want.Limits.SyncTimeoutMax = 1<<20, Duration(time.Hour)
	want.Log.Level, want.Metrics.Enabled = "debug", true
	want.AppServices.Registrations = []string{"a.yaml", "b"}
	if c.Bridges[1].Config == nil || c.Bridges[1].Config.Line != 10 {
		t.Errorf("config of the bridge: %+v", c.Bridges[1].Config)
	}
	moduleConfig := c.Bridges[1].Config
	c.Bridges[1].Config = nil
	want.Bridges = []Bridge{
		{ID: "a", Module: "irc", Enabled: true, Encryption: "none", Admins: []string{}, Permissions: map[string]string{}, Rooms: BridgeRooms{Members: "all", Channels: []BridgeRoom{}}},
		{ID: "b", Module: "irc", Encryption: "none", Admins: []string{}, Permissions: map[string]string{}, Rooms: BridgeRooms{Members: "all", Channels: []BridgeRoom{}}},
	}
	origins := c.origins
	c.origins = nil
	if !reflect.DeepEqual(c, want) {
		t.Errorf("\n got %+v\nwant %+v", *c, *want)
	}
	c.origins, c.Bridges[1].Config = origins, moduleConfig
	if c.PublicURL() != "https://m.example.org" || c.DatabaseURI().Reveal() != "postgres://u:hunter2@h/d" {
		t.Errorf("derived %s %s", c.PublicURL(), c.DatabaseURI())
	}
	if got := c.Origin("log.level"); got != "environment variable LANDBRIDGE_LOG_LEVEL" {
		t.Errorf("origin %q", got)
	}

	// Secrets show nowhere, and what is shown can be read again.
	shown, err := c.Show()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	b.Write(shown)
	fmt.Fprintf(&b, "%v %+v %#v %s", *c, *c, *c, c.Registration.SharedSecret)
	if err := json.NewEncoder(&b).Encode(c); err != nil {
		t.Fatal(err)
	}
	if err := yaml.NewEncoder(&b).Encode(c.Registration); err != nil {
		t.Fatal(err)
	}
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "c", c, "s", c.Registration.SharedSecret, "u", c.Database.URI)
	if strings.Contains(b.String(), "hunter2") {
		t.Errorf("a secret is shown:\n%s", &b)
	}
	again, err := Parse("shown", shown, nil)
	if err == nil || !strings.Contains(err.Error(), "registration.shared_secret: has only 3 characters") || len(err.(Problems)) != 1 {
		t.Errorf("what is shown: %v, %v\n%s", again, err, shown)
	}
	for _, want := range []string{"level: debug # environment variable LANDBRIDGE_LOG_LEVEL", "name: example.org:8448 # x.yaml:2", "uri: postgres://u:xxxxx@h/d"} {
		if !strings.Contains(string(shown), want) {
			t.Errorf("no %q in\n%s", want, shown)
		}
	}
}

// TestMistakes: everything that is wrong is told at once, with place, value and remedy.
func TestMistakes(t *testing.T) {
	t.Parallel()
	_, err := Parse("bad.yaml", []byte(`servr: {}
server:
  nam: x
  name: https://Example.org/
  public_url: ftp://x
  listen: 127.0.0.1:8008
  level: debug
data_dir:
database: {uri: mysql://u:hunter2@h, max_readers: many, synchronous: ful}
registration: {open: "true", shared_secret: 12345678}
rate_limits: {login_per_second: -1, message_burst: 0, join_burst: 1.5}
federation: {tls_cert: a.pem, listen: [8448, "x"], key_servers: [a b]}
media: {max_upload: 50 bananas}
limits: {max_request_body: 1, sync_timeout_max: 30}
app_services: [a.yaml]
bridges:
  - {id: a, module: irc}
  - {id: a, modul: irc}
  - {id: "A b", module: irc, config: {any: thing}}
  - libera
log: {level: warning, format: xml}
metrics: {listen: "127.0.0.1:99999"}
metrics: {}
`), []string{"LANDBRIDGE_SERVER_NAMES=x", "LANDBRIDGE_NONSENSE=x", "LANDBRIDGE_BRIDGES=x", "LANDBRIDGE_METRICS_ENABLED=perhaps", "LANDBRIDGE_DATA_DIR="})
	want := `bad.yaml:1:1: error: servr: unknown key "servr"; write "server" if that is what was meant
bad.yaml:3:3: error: server.nam: unknown key "nam"; write "name" if that is what was meant
bad.yaml:4:9: error: server.name: "https://Example.org/" is an address, not a name; write example.org
bad.yaml:5:15: error: server.public_url: "ftp://x" is no http or https address; write https://matrix.example.org, say
bad.yaml:6:11: error: server.listen: must be a list but is the text "127.0.0.1:8008"; write ["127.0.0.1:8008"]
bad.yaml:7:3: error: server.level: unknown key "level"; the key log.level is meant, perhaps: check the indentation
bad.yaml:8:10: error: data_dir: must be a text but is nothing (null); write "" to leave it empty
bad.yaml:9:17: error: database.uri: is neither sqlite: nor postgres://; write sqlite:/var/lib/landbridge/landbridge.db or postgres://user:password@host/database?sslmode=disable
bad.yaml:9:51: error: database.max_readers: must be a whole number but is the text "many"; write 10, say
bad.yaml:9:70: error: database.synchronous: is "ful"; write full if that is what was meant
bad.yaml:10:22: error: registration.open: must be true or false but is the text "true"; write true without quotes
bad.yaml:10:45: error: registration.shared_secret: must be a text but is a number; write it in quotes
bad.yaml:11:33: error: rate_limits.login_per_second: must be more than 0 and at most 1000000 but is -1; write rate_limits: {enabled: false} to have no limits
bad.yaml:11:52: error: rate_limits.message_burst: must be from 1 to 1000000 but is 0; write rate_limits: {enabled: false} to have no limits
bad.yaml:11:67: error: rate_limits.join_burst: must be a whole number but is the number 1.5; write 10, say
bad.yaml:12:24: error: federation.tls_cert: is set without federation.tls_key; name the file with the private key too
bad.yaml:12:39: error: federation.listen: must be a list of texts, but entry 1 is the number 8448; put each entry in quotes
bad.yaml:12:65: error: federation.key_servers: entry 1 "a b" holds ' ', which no server name may hold; write the name of a server, such as matrix.org
bad.yaml:13:21: error: media.max_upload: must be a size but is "50 bananas"; write 50MiB, say
bad.yaml:14:28: error: limits.max_request_body: must be from 64KiB to 1GiB but is 1
bad.yaml:14:49: error: limits.sync_timeout_max: must be a duration with its unit but is the number 30; write 30s or 5m, say
bad.yaml:15:15: error: app_services: must hold further keys but is a list of 1; write them indented below it
bad.yaml:18:10: error: bridges[1].id: "a" is also the id of bridges[0]; give each bridge an id of its own
bad.yaml:18:13: error: bridges[1].modul: unknown key "modul"; write "module" if that is what was meant
bad.yaml:19:10: error: bridges[2].id: "A b" is no name for this; use lower-case letters, digits, - and _, at most 32
bad.yaml:20:5: error: bridges[3]: must have the keys id, module and config but is the text "libera"; begin each bridge with: - id: libera
bad.yaml:21:14: error: log.level: is "warning"; write debug, info, warn or error
bad.yaml:21:31: error: log.format: is "xml"; write text or json
bad.yaml:22:19: error: metrics.listen: "127.0.0.1:99999" has no port from 0 to 65535; write host and port, "127.0.0.1:8008" or ":8008" for all addresses
bad.yaml:23:1: error: metrics: this key stands already in line 22; remove one of the two
environment variable LANDBRIDGE_SERVER_NAMES: error: names no key of the configuration; write LANDBRIDGE_SERVER_NAME if that is what was meant
environment variable LANDBRIDGE_NONSENSE: error: names no key of the configuration; remove it, or see ` + "`landbridge config example`" + ` for the keys
environment variable LANDBRIDGE_BRIDGES: error: bridges: cannot be set by the environment; write it into the configuration file
environment variable LANDBRIDGE_METRICS_ENABLED: error: metrics.enabled: must be true or false but is "perhaps"; write true, say`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\n\nwant\n%s", err, want)
	}
	var p Problem
	if !errors.As(err, &p) || p.Line != 1 {
		t.Errorf("errors.As found %+v", p)
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte(" from-a-file \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "c.yaml")
	if err := os.WriteFile(path, []byte("registration:\n  shared_secret_file: "+secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Registration.SharedSecret.Reveal(); got != "from-a-file" {
		t.Errorf("secret %q", got)
	}
	for want, env := range map[string]string{
		"keep one of the two":   "LANDBRIDGE_REGISTRATION_SHARED_SECRET=abcdefghijk",
		"there is no such file": "LANDBRIDGE_REGISTRATION_SHARED_SECRET_FILE=/none",
		"is a folder":           "LANDBRIDGE_REGISTRATION_SHARED_SECRET_FILE=" + dir,
		"more than 4096 bytes":  "LANDBRIDGE_REGISTRATION_SHARED_SECRET_FILE=/dev/zero",
		"is empty":              "LANDBRIDGE_REGISTRATION_SHARED_SECRET_FILE=/dev/null",
	} {
		if _, err := Load(path, []string{env}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", env, err, want)
		}
	}
	for want, path := range map[string]string{"no such file": filepath.Join(dir, "none"), "is a folder": dir, "more than the limit": "/dev/zero"} {
		if _, err := Load(path, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

func TestEnvNamesAreDistinct(t *testing.T) {
	t.Parallel()
	names := EnvNames()
	slices.Sort(names)
	if n := len(slices.Compact(slices.Clone(names))); n != len(names) || n < 30 {
		t.Errorf("%d names, %d of them distinct", len(names), n)
	}
	for _, reserved := range names {
		if reserved == EnvConfig || strings.HasPrefix(reserved, EnvPrefix+"TEST_") {
			t.Errorf("%s means something else", reserved)
		}
	}
}

func TestServerNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"localhost", "example.org", "example.org:8448", "1.2.3.4", "1.2.3.4:1", "[::1]", "[1234:5678::abcd]:5678", "hs1", "xn--bcher-kva.example", strings.Repeat("a", 230)} {
		if err := CheckServerName(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"", ":80", "example.org:", "example.org:0", "example.org:65536", "example.org:+80", "example.org:080808", "Example.org", "exa mple", "a_b.org", "https://x", "x/y", "@x", "[::1", "[::1]80", "[1.2.3.4]", "[fe80::1%eth0]", "::1", "bücher.example", strings.Repeat("a", 231), "a\x00"} {
		if err := CheckServerName(name); err == nil {
			t.Errorf("%q: no error", name)
		}
	}
}

func TestSizesAndDurations(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Size{"0": 0, "1": 1, "1B": 1, "64KiB": 65536, "50 MiB": 50 << 20, "1gib": 1 << 30, "2KB": 2000, "8589934591GiB": 8589934591 << 30} {
		got, err := ParseSize(text)
		if err != nil || got != want {
			t.Errorf("ParseSize(%q) = %d, %v", text, got, err)
		}
		if again, err := ParseSize(got.String()); err != nil || again != want {
			t.Errorf("%q is written %q", text, got)
		}
	}
	for _, text := range []string{"", "x", "-1", "1.5MiB", "MiB", "99999999999GiB", "1 MiB x", "1e3"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("ParseSize(%q) = %d", text, got)
		}
	}
	for text, want := range map[string]string{"60s": "1m", "90s": "1m30s", "1h": "1h", "3600s": "1h", "0s": "0s", "10m": "10m", "1h0m5s": "1h0m5s", "250ms": "250ms"} {
		if d, err := ParseDuration(text); err != nil || d.String() != want {
			t.Errorf("ParseDuration(%q) = %s, %v", text, d, err)
		}
	}
}

func TestReloadable(t *testing.T) {
	t.Parallel()
	parse := func(text string) *Config {
		t.Helper()
		c, err := Parse("x", []byte(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	before := parse("bridges: [{id: same, module: irc, config: {a: [1]}}, {id: gone, module: irc}, {id: other, module: irc, config: {a: 1}}]")
	after := parse(`
server: {name: example.org}
log: {level: debug}
media: {path: x, max_upload: 1MiB}
bridges:
  - {id: other, module: irc, config: {a: 2}}
  - {id: new, module: irc}
  - {id: same, module: irc, config: {a: [1]}}
`)
	changed, restart := Reloadable(before, after)
	if want := []string{"bridges.gone", "bridges.new", "bridges.other", "log.level"}; !slices.Equal(changed, want) {
		t.Errorf("changed %q, want %q", changed, want)
	}
	if want := []string{"server.name", "media.max_upload", "media.path"}; !slices.Equal(restart, want) {
		t.Errorf("needRestart %q, want %q", restart, want)
	}
	if changed, restart = Reloadable(after, after); changed != nil || restart != nil {
		t.Errorf("without a change: %q %q", changed, restart)
	}
}

// FuzzParse: whatever the file, there is a configuration that can be shown, or problems.
func FuzzParse(f *testing.F) {
	f.Add([]byte(configs.Example()), "LANDBRIDGE_SERVER_NAME=x")
	f.Add([]byte("bridges: [{id: a, module: b, config: &a [*a]}]"), "LANDBRIDGE_MEDIA_MAX_UPLOAD=9KB")
	f.Add([]byte("server: &s {name: a}\nlog: *s"), "")
	f.Fuzz(func(t *testing.T, data []byte, env string) {
		// Paths in the input must not make the test read files.
		if bytes.Contains(data, []byte("_file")) || strings.Contains(env, "_FILE") {
			return
		}
		c, err := Parse("fuzz.yaml", data, []string{env})
		if err != nil {
			var p Problem
			if c != nil || !errors.As(err, &p) {
				t.Fatalf("c %v, err %#v", c, err)
			}
			return
		}
		if _, err := c.Show(); err != nil {
			t.Fatal(err)
		}
		Reloadable(Default(), c)
	})
}

func TestPushAndCallMistakes(t *testing.T) {
	t.Parallel()
	_, err := Parse("bad.yaml", []byte(`push: {allow_networks: [10.0.0.1]}
voip:
  turn_uris: ["turn:ok.example:3478?transport=udp", "https://turn.example"]
  turn_secret: "hush"
  turn_username: "u"
  turn_user_lifetime: 1s
  livekit_urls: [rtc.example]
`), nil)
	want := `bad.yaml:1:24: error: push.allow_networks: "10.0.0.1" is no network; write 10.1.0.0/16 or fd00:1::/32, say
bad.yaml:3:14: error: voip.turn_uris: "https://turn.example" is no TURN server; write turn:turn.example.org:3478?transport=udp, say
bad.yaml:4:16: error: voip.turn_secret: is set together with voip.turn_username or voip.turn_password; keep one of the two ways
bad.yaml:6:23: error: voip.turn_user_lifetime: must be from 1m to a year but is 1s; write 24h
bad.yaml:7:17: error: voip.livekit_urls: "rtc.example" is no http or https address; write https://rtc.example.org, say`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\n\nwant\n%s", err, want)
	}
}

// TestClockOffset: a clock that is wrong is for servers that nobody else reaches.
func TestClockOffset(t *testing.T) {
	t.Parallel()
	c, err := Parse("x.yaml", []byte(`{server: {listen: ["127.0.0.1:0", "[::1]:0"]}, testing: {clock_offset: -10m}}`), nil)
	if err != nil || c.Testing.ClockOffset.Std() != -10*time.Minute {
		t.Errorf("%v %v", c, err)
	}
	for doc, want := range map[string]string{
		`{server: {name: a.example, public_url: "https://a.example", listen: [":8008"]}, testing: {clock_offset: 1s}}`: "x.yaml:1:105: error: testing.clock_offset: is for tests alone, but :8008 can be reached from other machines; remove it",
		`{server: {listen: ["127.0.0.1:0"]}, testing: {clock_offset: 25h}}`:                                            "x.yaml:1:61: error: testing.clock_offset: must be at most 24h but is 25h; write 10m, or -10m",
	} {
		if _, err := Parse("x.yaml", []byte(doc), nil); err == nil || err.Error() != want {
			t.Errorf("got\n%v\n\nwant\n%s", err, want)
		}
	}
}
