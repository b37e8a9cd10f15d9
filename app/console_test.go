package app

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// TestConsoleCommands: the commands for administrators do the same while the server runs and while
// it is stopped.
func TestConsoleCommands(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "lb") // t.TempDir is too long for a socket on some systems
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	conf := writeFile(t, filepath.Join(dir, "c.yaml"), "server: {name: test, listen: [\"127.0.0.1:0\"]}\ndata_dir: "+filepath.Join(dir, "data")+"\nbridges: []\n")
	must := func(want string, args ...string) string {
		t.Helper()
		code, out, errOut := cli(t, append(args, "-c", conf)...)
		if code != 0 || !strings.Contains(out, want) {
			t.Fatalf("%q: %d %q %q, want %q", args, code, out, errOut, want)
		}
		return out
	}
	refused := func(want string, args ...string) {
		t.Helper()
		code, out, errOut := cli(t, append(args, "-c", conf)...)
		if code == 0 || !strings.Contains(errOut, want) {
			t.Errorf("%q: %d %q %q, want %q", args, code, out, errOut, want)
		}
	}
	refused("the data folder", "user", "list")

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan int, 1)
	var out, errOut lockedBuffer
	go func() {
		ended <- run(ctx, []string{"serve", "-c", conf}, stdio{In: strings.NewReader(""), Out: &out, Err: &errOut, build: testBuild})
	}()
	socket := filepath.Join(dir, "data", "console.sock")
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("unix", socket); err == nil {
			c.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server has not started: %s", errOut.String())
		}
	}
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v, %v", info.Mode(), err)
	}
	password := writeFile(t, filepath.Join(dir, "password"), "correct horse\n")
	for _, state := range []string{"running", "stopped"} {
		name := "anna-" + state
		id := "@" + name + ":test"
		must("Made "+id, "user", "create", name, "-admin", "-password-file", password)
		if made := must("The password of @"+name+"2:test is ", "user", "create", name+"2"); len(made) < 60 {
			t.Errorf("%q", made)
		}
		refused("is taken", "user", "create", name)
		refused("may hold only", "user", "create", "Ü")
		refused("too short", "user", "create", "short", "-password-file", writeFile(t, filepath.Join(dir, "short"), "x\n"))
		refused("no account", "user", "show", "nobody")
		must(id+"  ", "user", "list")
		must(`"user_id":"`+id+`"`, "user", "list", "-json")
		must("admin", "user", "show", id)
		must(id+" is now an ordinary user", "user", "admin", name, "-undo")
		must("is now suspended", "user", "suspend", name)
		must("is now suspended, locked", "user", "lock", name)
		must("is now suspended", "user", "lock", name, "-undo")
		must("Changed the password", "user", "password", name, "-password-file", password)
		token := strings.TrimSpace(must("", "token", "create", "-uses", "2", "-expires", "1h"))
		must(token+" ", "token", "list")
		must(`"uses_allowed":2,"used":0`, "token", "list", "-json")
		must("Deleted "+token, "token", "delete", token)
		refused("no registration token", "token", "delete", token)
		refused("at most 64", "token", "create", "-token", "not good!")
		must("ROOM", "room", "list")
		if state == "running" {
			must("No bridges run here.", "status")
			must(`"services":[]`, "status", "-json")
			refused("no such bridge", "bridge", "dead-letters", "list", "irc")
			refused("no such bridge", "bridge", "dead-letters", "retry", "irc", "$x")
		} else {
			refused("nothing runs", "status")
			refused("nothing runs", "bridge", "dead-letters", "drop", "irc")
		}
		refused("no room", "room", "show", "!x:test")
		must("Deactivated", "user", "deactivate", name, "-erase")
		if out := must("USER", "user", "list"); strings.Contains(out, id+" ") {
			t.Errorf("a deactivated account is listed:\n%s", out)
		}
		must("deactivated", "user", "list", "-all")
		refused("no such account", "user", "deactivate", name)
		refused("too few arguments", "user", "deactivate")
		refused("too many arguments", "user", "list", "x")
		if state == "running" {
			stop()
			select {
			case code := <-ended:
				if code != 0 {
					t.Fatalf("serve: %d %s", code, errOut.String())
				}
			case <-time.After(30 * time.Second):
				t.Fatal("serve does not end")
			}
		}
	}
	if strings.Contains(errOut.String(), "correct horse") {
		t.Error("the log has a password")
	}
	// What changed something is in the audit log, whether the server ran or not.
	db, err := store.Open(t.Context(), store.Options{URI: filepath.Join(dir, "data", "landbridge.db"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	audits, err := db.Audits(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	did := map[string]bool{}
	for _, a := range audits {
		if a.Who != "command line" || strings.Contains(a.To+a.More, "correct horse") {
			t.Errorf("%+v", a)
		}
		did[a.Did+" "+a.To] = true
	}
	for _, want := range []string{"create user anna-running", "create user anna-stopped", "set user anna-running", "password user anna-stopped", "create token ", "delete token ", "create user (failed) Ü"} {
		if !did[want] {
			t.Errorf("the audit log has no %q: %v", want, did)
		}
	}
	for what := range did {
		if strings.HasPrefix(what, "list ") || strings.HasPrefix(what, "show ") {
			t.Errorf("the audit log has %q", what)
		}
	}
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
