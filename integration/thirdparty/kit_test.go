package thirdparty

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

func TestMain(m *testing.M) { os.Exit(testserver.Main(m)) }

// patience is how long anything may take that is waited for.
const patience = 60 * time.Second

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// program is somebody's bridge as a process, which can be stopped and started again.
type program struct {
	t     *testing.T
	dir   string
	args  []string
	ready string // what it says when it runs
	child *testserver.Child
	read  int // how much of its output was there at the last start
}

// newProgram starts a bridge, and ends it with the test.
func newProgram(t *testing.T, dir, ready string, args ...string) *program {
	t.Helper()
	p := &program{t: t, dir: dir, args: args, ready: ready}
	p.start()
	t.Cleanup(func() {
		if p.child != nil {
			ok(t, p.child.Kill())
		}
		if t.Failed() {
			out := p.output()
			t.Logf("the end of what the bridge said:\n%s", out[max(0, len(out)-8000):])
		}
	})
	return p
}

func (p *program) output() string {
	raw, err := os.ReadFile(filepath.Join(p.dir, "output"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		p.t.Error(err)
	}
	return string(raw)
}

func (p *program) start() {
	p.t.Helper()
	p.read = len(p.output())
	out, err := os.OpenFile(filepath.Join(p.dir, "output"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	ok(p.t, err)
	defer out.Close()
	cmd := exec.Command(p.args[0], p.args[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = out, out, p.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir, "TZ=UTC", "PYTHONUNBUFFERED=1"}
	p.child, err = testserver.StartChild(cmd)
	ok(p.t, err)
	p.says(p.ready)
}

// says waits until the bridge has said something since its last start.
func (p *program) says(text string) {
	p.t.Helper()
	for end := time.Now().Add(patience); !strings.Contains(p.output()[p.read:], text); {
		select {
		case <-p.child.Exited():
			p.t.Fatalf("the bridge has ended, and not said %q", text)
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(end) {
			p.t.Fatalf("the bridge has not said %q", text)
		}
	}
}

func (p *program) kill() {
	p.t.Helper()
	ok(p.t, p.child.Kill())
	p.child = nil
}

func run(t testing.TB, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// person is somebody with a Matrix client that follows what happens.
type person struct {
	*bridgetest.Matrix
	t     *testing.T
	ctx   context.Context
	rooms map[string]bool // those that entered has told of
}

func newPerson(t *testing.T, ctx context.Context, s *testserver.Server, name string) *person {
	t.Helper()
	m, err := bridgetest.Register(ctx, s.URL(), name, "")
	ok(t, err)
	ok(t, m.Follow(ctx))
	t.Cleanup(m.Close)
	return &person{m, t, ctx, map[string]bool{}}
}

// sees waits for a message, anywhere.
func (p *person) sees(sender, body string) bridgetest.Event {
	p.t.Helper()
	return p.seesAfter(0, sender, body)
}

// seesAfter is sees, for what comes after so many events.
func (p *person) seesAfter(after int, sender, body string) bridgetest.Event {
	p.t.Helper()
	e, _, err := p.Events.Wait(p.ctx, after, func(e bridgetest.Event) bool {
		return e.Type == "m.room.message" && e.Sender == sender && strings.Contains(e.Body(), body)
	})
	if err != nil {
		p.t.Fatalf("%q of %s: %v; %s has seen %v", body, sender, err, p.UserID, p.Events.All(after))
	}
	return e
}

func (p *person) say(room, body string) {
	p.t.Helper()
	_, err := p.Say(p.ctx, room, body)
	ok(p.t, err)
}

// bodies are the lines of a sender that begin with something, in the order of a room's history.
func (p *person) bodies(room, sender, begin string) (out []string) {
	p.t.Helper()
	all, err := p.History(p.ctx, room)
	ok(p.t, err)
	for _, e := range all {
		if e.Sender == sender && strings.HasPrefix(e.Body(), begin) {
			out = append(out, strings.Split(e.Body(), "\n")...) // heisenbridge puts lines together
		}
	}
	return out
}

func numbered(what string, n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("%s %d", what, i))
	}
	return out
}
