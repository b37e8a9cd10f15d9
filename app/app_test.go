package app

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/configs"
	"github.com/landbridge-im/landbridge/registration"
)

// testBuild is what tests run.
var testBuild = Build{Version: "dev", Modules: Modules()}

// cli runs a command line and returns the exit code and what was written.
func cli(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e strings.Builder
	code = run(t.Context(), args, stdio{In: strings.NewReader(""), Out: &o, Err: &e, build: testBuild})
	return code, o.String(), e.String()
}

func writeFile(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args     string
		code     int
		out, err string
	}{
		{"", exitUsage, "", "Commands:"},
		{"help", 0, "Commands:", ""},
		{"-h", 0, "Commands:", ""},
		{"version", 0, "landbridge dev", ""},
		{"slack manifest -name Ours", 0, "display_name: Ours", ""},
		{"slack manifest -events-url http://x", 1, "", "must begin with https://"},
		{"slack manifest x", exitUsage, "", "unexpected argument"},
		{"version -h", 0, "Usage: landbridge version", ""},
		{"verison", exitUsage, "", `is "version" meant?`},
		{"nonsense", exitUsage, "", "the commands are serve, bridge, status, user, token, room, report, federation, media, migrate, export, keys, backup, restore, audit, log, charts"},
		{"registration", exitUsage, "", "generate"},
		{"registration generate", exitUsage, "", "-id is missing"},
		{"registration generate -id x extra", exitUsage, "", "too many arguments: extra"},
		{"registration generate -idd x", exitUsage, "", "not defined: -idd"},
		{"registration list -h", 0, "-json", ""},
		{"registration list x", exitUsage, "", "too many"},
		{"config check a b", exitUsage, "", "too many"},
		{"config check /none.yaml", exitFailure, "", "/none.yaml: error: there is no such file"},
		{"registration check -server-name example.org /none.yaml", exitFailure, "/none.yaml: error: there is no such file", "1 error, no warnings; no registrations good"},
	} {
		code, out, errOut := cli(t, strings.Fields(tt.args)...)
		if code != tt.code || !strings.Contains(out, tt.out) || !strings.Contains(errOut, tt.err) || tt.err == "" && errOut != "" {
			t.Errorf("%q: code %d, out %q, err %q", tt.args, code, out, errOut)
		}
	}
}

func TestConfigCommands(t *testing.T) {
	dir := t.TempDir()
	code, out, _ := cli(t, "config", "example")
	if code != 0 || out != configs.Example() {
		t.Errorf("example: %d", code)
	}
	good := writeFile(t, filepath.Join(dir, "good.yaml"), out)
	if code, out, errOut := cli(t, "config", "check", "-c", good); code != 0 || !strings.Contains(out, "server localhost at http://127.0.0.1:8008") {
		t.Errorf("check: %d %q %q", code, out, errOut)
	}
	bad := writeFile(t, filepath.Join(dir, "bad.yaml"), "server:\n  nmae: x\nlog: {level: loud}\n")
	code, _, errOut := cli(t, "config", "check", bad)
	want := bad + `:2:3: error: server.nmae: unknown key "nmae"; write "name" if that is what was meant` + "\n" +
		bad + `:3:14: error: log.level: is "loud"; write debug, info, warn or error` + "\n"
	if code != exitFailure || errOut != want {
		t.Errorf("check: %d %q, want %q", code, errOut, want)
	}
	t.Setenv("LANDBRIDGE_CONFIG", bad)
	if code, _, _ := cli(t, "config", "show"); code != exitFailure {
		t.Errorf("LANDBRIDGE_CONFIG was not read: %d", code)
	}
	t.Setenv("LANDBRIDGE_CONFIG", good)
	t.Setenv("LANDBRIDGE_REGISTRATION_SHARED_SECRET", "hunter2hunter2")
	code, out, errOut = cli(t, "config", "show")
	if code != 0 || strings.Contains(out, "hunter2") || !strings.Contains(out, "shared_secret: '***' # environment variable") {
		t.Errorf("show: %d %q %q", code, out, errOut)
	}
}

func TestRegistrationCommands(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "irc.yaml")
	if code, _, errOut := cli(t, "registration", "generate", "-id", "irc", "-server-name", "example.org", "-url", "http://localhost:1", "-protocols", "irc", "-o", file); code != 0 {
		t.Fatalf("generate: %d %s", code, errOut)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if code, _, errOut := cli(t, "registration", "generate", "-id", "irc", "-server-name", "example.org", "-o", file); code != exitFailure || !strings.Contains(errOut, "exists already") {
		t.Errorf("generate over a file: %d %s", code, errOut)
	}
	if after, err := os.ReadFile(file); err != nil || string(after) != string(before) {
		t.Error("the file was changed")
	}
	code, out, errOut := cli(t, "registration", "check", file, "-server-name", "example.org")
	if code != 0 || !strings.Contains(out, `acts as @ircbot:example.org`) || !strings.HasSuffix(out, "1 registration good, no warnings\n") {
		t.Errorf("check: %d %q %q", code, out, errOut)
	}

	writeFile(t, filepath.Join(dir, "z-twin.yaml"), string(before))
	writeFile(t, filepath.Join(dir, "doubt.yaml"), "id: doubt\nurl: http://u:hunter2@h\nas_token: "+strings.Repeat("a", 40)+"\nhs_token: "+strings.Repeat("h", 40)+"\nsender_localpart: doubt\nnamespaces: {users: [{exclusive: false, regex: '@.*'}]}\n")
	conf := writeFile(t, filepath.Join(dir, "conf"), "server: {name: example.org}\napp_services: {registrations: ["+dir+"]}\n")
	code, out, errOut = cli(t, "registration", "check", "-q", "-c", conf)
	if code != exitFailure || !strings.Contains(out, "z-twin.yaml:2:5: error: id: ") || !strings.Contains(errOut, "2 registrations good") {
		t.Errorf("check: %d %q %q", code, out, errOut)
	}
	code, out, _ = cli(t, "registration", "list", "-c", conf)
	for _, want := range []string{"ID ", "irc    http://localhost:1", `^@irc_.+:example\.org$`, "no warnings", "@.* (shared)", "z-twin.yaml:2:5: error", "Not served because of"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("list: %d, no %q in\n%s", code, want, out)
		}
	}
	code, out, _ = cli(t, "registration", "list", "-json", "-c", conf)
	var got struct {
		Registrations []struct {
			ID, File, URL, Sender string
			Namespaces            map[string][]struct{ Regex string }
			Problems              []struct{ Severity string }
		}
		Problems []struct {
			File, Severity, Key string
			Line                int
		}
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 {
		t.Fatalf("list -json: %d %v\n%s", code, err, out)
	}
	if len(got.Registrations) != 2 || got.Registrations[1].ID != "irc" || got.Registrations[1].Sender != "@ircbot:example.org" ||
		len(got.Registrations[1].Namespaces["users"]) != 2 || len(got.Problems) == 0 || got.Problems[0].Severity != "error" || got.Problems[0].Line != 2 {
		t.Errorf("got %+v", got)
	}
	r, err := registration.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out, r.ASToken) || strings.Contains(out, "hunter2") {
		t.Errorf("a secret is shown:\n%s", out)
	}

	empty := writeFile(t, filepath.Join(dir, "empty"), "{}\n")
	if code, out, _ := cli(t, "registration", "list", "-c", empty); code != 0 || !strings.Contains(out, "No registrations") {
		t.Errorf("list: %d %q", code, out)
	}
}
