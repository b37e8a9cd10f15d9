package docs

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/testserver"
	"github.com/landbridge-im/landbridge/internal/ports"
)

func TestMain(m *testing.M) { os.Exit(testserver.Main(m)) }

// tool finds a program that the commands need.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing; internal/testdeps.sh installs it", name)
	}
	return path
}

// block is a part of a page with commands.
type block struct {
	text   string
	hidden bool // a comment, which readers do not see: it prepares, or checks
	shown  bool // a block that is only shown
}

// command begins what is a command, in a block that does not say so.
var command = regexp.MustCompile(`^(?:\$ |sudo |[A-Z_]+=\S+ )*(?:landbridge|make|\./bin/\w+|go|cd|curl|docker|podman|systemctl|apt|apt-get|git|export) `)

// blocks are the commands of a page, without the indentation that they have in lists: those that readers see
// ("sh run"), those in comments ("<!-- run"), and those that are not run.
func blocks(text string) (out []block) {
	var b block
	var lines []string
	end, indent, shell := "", "", false
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		bare := strings.TrimLeft(line, " ")
		if end != "" {
			if bare != end {
				lines = append(lines, strings.TrimPrefix(line, indent))
				continue
			}
			b.text = strings.Join(lines, "\n")
			// What is no command at all has no shell, and does not begin with a program's name.
			if !b.shown || shell || command.MatchString(b.text) {
				out = append(out, b)
			}
			end = ""
			continue
		}
		indent, lines, b = line[:len(line)-len(bare)], nil, block{}
		switch {
		case bare == "```sh run":
			end = "```"
		case bare == "<!-- run":
			end, b.hidden = "-->", true
		case bare == "```sh", bare == "```":
			end, b.shown, shell = "```", true, bare == "```sh"
		case strings.HasPrefix(bare, "```"):
			end, b.shown, shell = "```", true, false // another language
		}
	}
	return out
}

// elsewhere are the commands that are only shown here, by their beginning, with what runs them.
var elsewhere = map[string]string{
	"make run": "TestMakeRun", "make test": "CI",
	"CGO_ENABLED=0 GOEXPERIMENT=jsonv2 go build -tags goolm .":     "TestModuleBuild",
	"export CGO_ENABLED=0 GOEXPERIMENT=jsonv2 GOFLAGS=-tags=goolm": "the Makefile, which has the same three settings: TestSettings",
	"go test ./homeserver/store -run FrozenSchema -update":         "CI, without the flag, which writes into the sources",
	"landbridge migrate registration -server":                      "integration/migration TestElsewhere", "landbridge bridge registration -c bridge.yaml -o .": "integration/migration TestElsewhereTakeover",
	"landbridge migrate plan export.zip -workspace acme -c bridge.yaml": "integration/migration TestElsewhere", "landbridge migrate invite": "integration/web TestMoveFromSlack",
}

// manual are the pages with commands.
func manual(t *testing.T) []string {
	t.Helper()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal(err)
	}
	return append(pages, "../../README.md", "../../CONTRIBUTING.md")
}

// TestAllAreRun: there is no command in the documentation that nothing runs.
func TestAllAreRun(t *testing.T) {
	t.Parallel()
	for _, page := range manual(t) {
		raw, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range blocks(string(raw)) {
			known := false
			for begin := range elsewhere {
				known = known || strings.HasPrefix(b.text, begin)
			}
			if b.shown && !known {
				t.Errorf("%s: nothing runs\n%s", page, b.text)
			}
		}
	}
}

// TestCommands runs them, each page in a folder of its own.
func TestCommands(t *testing.T) {
	t.Parallel()
	bash := tool(t, "bash")
	run := 0
	for _, page := range manual(t) {
		raw, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		var script []string
		for _, b := range blocks(string(raw)) {
			switch {
			case b.hidden:
				script = append(script, b.text)
			case !b.shown:
				script = append(script, "{\n"+stands.Replace(b.text)+"\n} > last.out\ncat last.out")
			}
		}
		if len(script) == 0 {
			continue
		}
		run++
		t.Run(filepath.Base(page), func(t *testing.T) {
			t.Parallel()
			dir, err := os.MkdirTemp("", "lb") // a short path, for the sockets
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			bin := t.TempDir()
			own := environment(t, bin, dir)
			// The tests' own variables are none of the configuration.
			env := slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "LANDBRIDGE") })
			cmd := exec.CommandContext(t.Context(), bash, "-euo", "pipefail", "-c", "trap stop EXIT\nset -x\n"+strings.Join(script, "\n"))
			cmd.Dir = dir
			cmd.Env = append(append(env, "PATH="+bin+":"+os.Getenv("PATH")), own...)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	if run < 10 {
		t.Errorf("only %d pages have commands", run)
	}
}

// TestLinks: links within the documentation lead somewhere.
func TestLinks(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, "../../README.md", "../../CONTRIBUTING.md") {
		raw, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split(string(raw), "](")[1:] {
			target, _, _ := strings.Cut(part, ")")
			if target, _, _ = strings.Cut(target, "#"); target == "" || strings.Contains(target, ":") || strings.ContainsAny(target, " \n") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), target)); err != nil {
				t.Errorf("%s links to %s: %v", page, target, err)
			}
		}
	}
}

// TestMakeRun: "make run" in a fresh checkout, with no configuration, builds the program and serves: the first page leads to
// where the printed token makes the administrator's account.
func TestMakeRun(t *testing.T) {
	t.Parallel()
	data, err := os.MkdirTemp("", "lb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(data) })
	addr := ports.Addr(t)
	cmd := exec.Command(tool(t, "make"), "-C", "../..", "run")
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "LANDBRIDGE") })
	cmd.Env = append(env, "LANDBRIDGE_DATA_DIR="+data, "LANDBRIDGE_SERVER_LISTEN="+addr, "LANDBRIDGE_SERVER_PUBLIC_URL=http://"+addr)
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // make's child ends with it
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		_ = cmd.Wait() // make tells of the signal
	}()
	said := ""
	for deadline := time.Now().Add(5 * time.Minute); !strings.Contains(said, "registration token is"); time.Sleep(100 * time.Millisecond) {
		raw, err := os.ReadFile(out.Name())
		if err != nil {
			t.Fatal(err)
		}
		if said = string(raw); time.Now().After(deadline) {
			t.Fatalf("it does not come up: %s", said)
		}
	}
	for path, want := range map[string]string{"/": "/account/sign-up", "/account/sign-up": "Registration token", "/console/": "Sign in"} {
		res, err := http.Get("http://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || !strings.Contains(string(body), want) {
			t.Errorf("%s: %v %s", path, err, body)
		}
	}
	if !strings.Contains(said, "http://"+addr+"/account/sign-up") {
		t.Errorf("the page for signing up is not named: %s", said)
	}
}
