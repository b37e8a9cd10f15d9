package appservice_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"maunium.net/go/mautrix/bridgev2"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/appservice/appservicetest"
	"github.com/landbridge-im/landbridge/internal/inproc"
)

// TestDeadLetters: what the network refuses is kept, and can be tried again and dropped; what got across
// then is no dead letter any more.
func TestDeadLetters(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var refuse atomic.Bool
	r.net.OnSend = func(_ context.Context, sent appservicetest.Sent) error {
		if refuse.Load() && strings.HasPrefix(sent.Body, "bad") {
			return errors.New("the network is closed today")
		}
		return nil
	}
	r.add(r.host, echo("lobby"))
	if _, err := r.host.DeadLetters(r.ctx, "echo"); !errors.Is(err, appservice.ErrNotRunning) {
		t.Errorf("of a bridge that is stopped: %v", err)
	}
	r.start(r.host, "echo")
	room := r.room("lobby")
	refuse.Store(true)
	first := r.hs.SendText(room, alice, "bad one")
	second := r.hs.SendText(room, alice, "bad two")
	r.hs.SendText(room, alice, "good")
	r.waitSent(1)
	r.wait("the dead letters", func() bool { return r.host.Status()[0].DeadLetters == 2 })
	list, err := r.host.DeadLetters(r.ctx, "echo")
	if err != nil || len(list) != 2 || list[0].EventID != string(first) || list[0].Room != string(room) || list[0].Sender != string(alice) ||
		list[0].Type != "m.room.message" || list[0].Tries != 1 || !strings.Contains(list[0].Reason, "closed today") {
		t.Fatalf("the dead letters are %+v, %v", list, err)
	}
	// Tried again in vain, over a restart.
	if err := r.host.Restart(r.ctx, "echo"); err != nil {
		t.Fatal(err)
	}
	if n, err := r.host.RetryDeadLetters(r.ctx, "echo", string(first)); n != 1 || err != nil {
		t.Fatalf("tried %d: %v", n, err)
	}
	r.wait("the second try", func() bool {
		list, err := r.host.DeadLetters(r.ctx, "echo")
		return err == nil && len(list) == 2 && list[0].Tries == 2
	})
	if n, err := r.host.DropDeadLetters(r.ctx, "echo", string(second), "$unknown"); n != 1 || err != nil {
		t.Fatalf("dropped %d: %v", n, err)
	}
	refuse.Store(false)
	if n, err := r.host.RetryDeadLetters(r.ctx, "echo"); n != 1 || err != nil {
		t.Fatalf("tried %d: %v", n, err)
	}
	if sent := r.waitSent(2); sent[1].Body != "bad one" || sent[1].Event != first || sent[1].Sender != alice {
		t.Errorf("sent %+v", sent)
	}
	r.wait("no dead letters", func() bool { return r.host.Status()[0].DeadLetters == 0 })
	for _, p := range r.host.Status()[0].Portals {
		if p.Room == room && (p.ToRemote != 2 || p.Failed != 3 || p.Latency == 0) {
			t.Errorf("the portal is %+v", p)
		}
	}
}

// moody is a module that misbehaves once.
type moody struct {
	appservice.Bridge
	env   appservice.Env
	start func(context.Context, appservice.Env) error
}

func (m *moody) Start(ctx context.Context, br *bridgev2.Bridge) error {
	if err := m.start(ctx, m.env); err != nil {
		return err
	}
	return m.Bridge.Start(ctx, br)
}

// misbehaving is a host beside r's with a module that does something when it starts.
func (r *rig) misbehaving(limits appservice.Limits, start func(context.Context, appservice.Env) error) *appservice.Host {
	mod := r.net.Module()
	inner := mod.New
	mod.New = func(ctx context.Context, env appservice.Env) (appservice.Bridge, error) {
		b, err := inner(ctx, env)
		return &moody{b, env, start}, err
	}
	host, err := appservice.New(appservice.Options{Dir: r.t.TempDir(), Log: testLog(r.t), Modules: []appservice.Module{mod}, Limits: limits,
		Homeserver: appservice.Homeserver{URL: "http://homeserver", Domain: domain, Transport: inproc.Transport(r.hs)},
		Backoff:    func(int) time.Duration { return time.Millisecond }})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(host.StopAll)
	return host
}

// TestPanicInAGoroutine: a module whose goroutine panics is started anew.
func TestPanicInAGoroutine(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(env appservice.Env, f func()){
		"by Env.Go": func(env appservice.Env, f func()) { env.Go(f) },
		"by Work": func(env appservice.Env, f func()) {
			work := appservice.Work{By: env.Go}
			work.Go(f)
			work.Wait()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			var once atomic.Bool
			host := r.misbehaving(appservice.Limits{}, func(_ context.Context, env appservice.Env) error {
				if once.CompareAndSwap(false, true) {
					start(env, func() { panic("no luck") })
				}
				return nil
			})
			r.add(host, echo("lobby"))
			_ = host.Start(r.ctx, "echo") // it may have failed by then, or not yet
			r.wait("the restart", func() bool { s := host.Status()[0]; return s.Restarts >= 1 && s.State == appservice.StateRunning })
			if s := host.Status()[0]; !strings.Contains(s.LastError, "no luck") {
				t.Errorf("the last error is %q", s.LastError)
			}
			r.hs.SendText(r.room("lobby"), alice, "still there?")
			r.waitSent(1)
		})
	}
}

// started matches what starts a goroutine by itself.
var started = regexp.MustCompile(`\bgo (func\b|[a-zA-Z_.]+\()|[wW]ork\.Go\(|errgroup`)

// TestModulesGuardGoroutines: no module of the project starts a goroutine in which a panic would end the program.
func TestModulesGuardGoroutines(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../bridges/*/*.go")
	if err != nil || len(files) < 100 {
		t.Fatalf("the modules are not found: %d files, %v", len(files), err)
	}
	// These wait for what they start with the Go of their options.
	below, err := filepath.Glob("../bridges/*/*/*.go")
	if err != nil || len(below) < 20 {
		t.Fatalf("the packages below the modules are not found: %d files, %v", len(below), err)
	}
	for _, file := range below {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if found := started.FindAll(raw, -1); !strings.HasSuffix(file, "_test.go") && !strings.Contains(file, "test/") && !strings.Contains(file, "/demonet/") && len(found) > bytes.Count(raw, []byte("Go = func(f func()) { go f() }")) {
			t.Errorf("%s: %q: use the Go of the options", file, found)
		}
	}
	plain := regexp.MustCompile(`(?m)^\s*go (func|[a-zA-Z_.]+\()|sync\.WaitGroup|errgroup`)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if found := plain.Find(raw); found != nil {
			t.Errorf("%s: %q: use appservice.Work", file, found)
		}
	}
}

// TestStartHangs: a module whose start hangs is started anew.
func TestStartHangs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var once atomic.Bool
	never := make(chan struct{})
	t.Cleanup(func() { close(never) })
	host := r.misbehaving(appservice.Limits{Start: 8 * time.Second}, func(context.Context, appservice.Env) error {
		if once.CompareAndSwap(false, true) {
			<-never
		}
		return nil
	})
	r.add(host, echo("lobby"))
	if err := host.Start(r.ctx, "echo"); err == nil || !strings.Contains(err.Error(), "start module: it hangs") {
		t.Errorf("the start: %v", err)
	}
	r.wait("the restart", func() bool { return host.Status()[0].State == appservice.StateRunning })
	r.hs.SendText(r.room("lobby"), alice, "still there?")
	r.waitSent(1)
}

// TestHandlerHangs: an event that a handler does not come back from becomes a dead letter, and the bridge
// goes on without it.
func TestHandlerHangs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	never := make(chan struct{})
	t.Cleanup(func() { close(never) })
	r.net.OnSend = func(_ context.Context, sent appservicetest.Sent) error {
		if sent.Body == "trap" {
			<-never
		}
		return nil
	}
	host := r.misbehaving(appservice.Limits{Handle: 5 * time.Second, Stop: time.Second}, func(context.Context, appservice.Env) error { return nil })
	r.add(host, echo("lobby"))
	r.start(host, "echo")
	room := r.room("lobby")
	trap := r.hs.SendText(room, alice, "trap")
	r.hs.SendText(room, alice, "after it")
	if sent := r.waitSent(1); sent[0].Body != "after it" {
		t.Errorf("sent %+v", sent)
	}
	list, err := host.DeadLetters(r.ctx, "echo")
	if err != nil || len(list) != 1 || list[0].EventID != string(trap) || !strings.Contains(list[0].Reason, "not handled within") {
		t.Errorf("the dead letters are %+v, %v", list, err)
	}
}
