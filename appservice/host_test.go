package appservice_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/appservice/appservicetest"
	"github.com/landbridge-im/landbridge/internal/inproc"
)

const (
	domain = "test.example"
	alice  = id.UserID("@alice:test.example")
)

// rig is a homeserver, a network and a host.
type rig struct {
	t    testing.TB
	hs   *appservicetest.Homeserver
	net  *appservicetest.Network
	host *appservice.Host
	dir  string
	ctx  context.Context
}

func testLog(t testing.TB) *slog.Logger {
	out := io.Discard
	if os.Getenv("TEST_LOG") != "" {
		out = os.Stderr
	}
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug})).With("test", t.Name())
}

func newRig(t testing.TB) *rig {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	r := &rig{t: t, hs: appservicetest.New(domain), net: appservicetest.NewNetwork(), dir: t.TempDir(), ctx: ctx}
	t.Cleanup(r.hs.Close)
	r.hs.AddUser(alice)
	r.host = r.newHost(r.dir)
	return r
}

// newHost makes a host on a folder.
func (r *rig) newHost(dir string) *appservice.Host {
	r.t.Helper()
	host, err := appservice.New(appservice.Options{
		Dir:        dir,
		Homeserver: appservice.Homeserver{URL: "http://homeserver", Domain: domain, Transport: inproc.Transport(r.hs)},
		Modules:    []appservice.Module{r.net.Module()},
		Log:        testLog(r.t),
		Backoff:    func(int) time.Duration { return 10 * time.Millisecond },
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(host.StopAll)
	return host
}

// add adds an instance to a host and to the homeserver.
func (r *rig) add(host *appservice.Host, cfg appservice.Instance) {
	r.t.Helper()
	if err := host.Add(r.ctx, cfg); err != nil {
		r.t.Fatal(err)
	}
	r.connect(host, cfg.ID)
}

// connect has the homeserver send to an instance of the host.
func (r *rig) connect(host *appservice.Host, instance string) {
	r.t.Helper()
	r.hs.AddService(r.service(host, instance))
}

func (r *rig) service(host *appservice.Host, instance string) appservicetest.Service {
	r.t.Helper()
	reg, err := host.Registration(instance)
	if err != nil {
		r.t.Fatal(err)
	}
	sv := appservicetest.Service{ID: reg.ID, ASToken: reg.ASToken, HSToken: reg.HSToken, SenderLocalpart: reg.SenderLocalpart, Transport: inproc.Transport(host.Handler(instance))}
	for _, ns := range reg.Namespaces.Users {
		sv.Users = append(sv.Users, ns.Regex)
	}
	return sv
}

func (r *rig) start(host *appservice.Host, instance string) {
	r.t.Helper()
	if err := host.Start(r.ctx, instance); err != nil {
		r.t.Fatal(err)
	}
}

// room waits for the room of a channel and has alice join it.
func (r *rig) room(channel string) id.RoomID {
	r.t.Helper()
	var room id.RoomID
	r.wait("room of "+channel, func() bool { room = r.hs.RoomByName(channel); return room != "" })
	r.hs.Join(room, alice)
	return room
}

func (r *rig) wait(what string, cond func() bool) {
	r.t.Helper()
	if err := r.hs.Wait(r.ctx, cond); err != nil {
		r.t.Fatalf("%s: %v", what, err)
	}
}

func (r *rig) waitSent(n int) []appservicetest.Sent {
	r.t.Helper()
	sent, err := r.net.WaitSent(r.ctx, n)
	if err != nil {
		r.t.Fatal(err)
	}
	return sent
}

// said reports whether somebody said something in a room.
func (r *rig) said(room id.RoomID, sender id.UserID, text string) bool {
	for _, e := range r.hs.Events(room, "m.room.message") {
		if e.Sender == sender && e.Get("body") == text {
			return true
		}
	}
	return false
}

func echo(channels ...string) appservice.Instance {
	return appservice.Instance{ID: "echo", Module: "echo", Config: appservicetest.Config(channels...)}
}

func TestConversation(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.add(r.host, echo("lobby"))
	r.start(r.host, "echo")
	room := r.room("lobby")

	if !r.net.Say("lobby", "bob", "hello from afar") {
		t.Fatal("no bridge is connected")
	}
	r.wait("bob's message", func() bool { return r.said(room, "@echo_bob:test.example", "hello from afar") })

	evt := r.hs.SendText(room, alice, "echo hello back")
	sent := r.waitSent(1)
	if sent[0].Event != evt || sent[0].Body != "echo hello back" || sent[0].Sender != alice || sent[0].Redelivered {
		t.Errorf("sent %+v", sent[0])
	}
	r.wait("the echo", func() bool { return r.said(room, "@echo_echo:test.example", "hello back") })

	status := r.host.Status()
	if len(status) != 1 || status[0].State != appservice.StateRunning || len(status[0].Logins) != 1 || status[0].Logins[0].State != "CONNECTED" {
		t.Errorf("status %+v", status)
	}
	r.wait("everything to be handled", func() bool { return r.host.Status()[0].Waiting == 0 })
}

func TestRestartKeepsEverything(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.add(r.host, echo("lobby"))
	other := echo("other")
	other.ID = "second"
	// The second instance is of the same module but another network.
	net2 := appservicetest.NewNetwork()
	host2, err := appservice.New(appservice.Options{Dir: t.TempDir(), Log: testLog(t), Modules: []appservice.Module{net2.Module()},
		Homeserver: appservice.Homeserver{URL: "http://homeserver", Domain: domain, Transport: inproc.Transport(r.hs)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(host2.StopAll)
	r.add(host2, other)
	r.start(r.host, "echo")
	r.start(host2, "second")
	room, room2 := r.room("lobby"), r.room("other")

	r.hs.SendText(room, alice, "one")
	r.waitSent(1)
	if err := r.host.Stop("echo"); err != nil {
		t.Fatal(err)
	}
	if s := r.host.Status()[0]; s.State != appservice.StateStopped {
		t.Errorf("state %v after Stop", s.State)
	}
	// The other one goes on, and nothing of the stopped one is lost.
	r.hs.SendText(room, alice, "two")
	r.hs.SendText(room2, alice, "to the other")
	if _, err := net2.WaitSent(r.ctx, 1); err != nil {
		t.Fatal(err)
	}
	r.wait("a refusal", func() bool { return r.hs.Failures("echo") > 0 })
	r.start(r.host, "echo")
	sent := r.waitSent(2)
	if sent[1].Body != "two" {
		t.Errorf("sent %+v", sent)
	}
	if err := r.host.Restart(r.ctx, "echo"); err != nil {
		t.Fatal(err)
	}
	r.hs.SendText(room, alice, "three")
	sent = r.waitSent(3)
	if got := sent[0].Body + sent[1].Body + sent[2].Body; got != "onetwothree" {
		t.Errorf("sent %q", got)
	}
	if got := r.hs.RoomByName("lobby"); got != room {
		t.Errorf("room %s became %s", room, got)
	}
}

func TestFailureLeadsToRestart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.add(r.host, echo("lobby"))
	r.start(r.host, "echo")
	room := r.room("lobby")
	r.net.Fail(errors.New("gateway burnt down"))
	r.wait("the restart", func() bool { s := r.host.Status()[0]; return s.Restarts == 1 && s.State == appservice.StateRunning })
	if s := r.host.Status()[0]; !strings.Contains(s.LastError, "gateway burnt down") {
		t.Errorf("last error %q", s.LastError)
	}
	r.hs.SendText(room, alice, "still there?")
	r.waitSent(1)
}

func TestPanicsInAModule(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	panics := 2
	mod := r.net.Module()
	inner := mod.New
	mod.New = func(ctx context.Context, env appservice.Env) (appservice.Bridge, error) {
		b, err := inner(ctx, env)
		return &panicking{Bridge: b, panics: &panics}, err
	}
	host, err := appservice.New(appservice.Options{Dir: t.TempDir(), Log: testLog(t), Modules: []appservice.Module{mod},
		Homeserver: appservice.Homeserver{URL: "http://homeserver", Domain: domain, Transport: inproc.Transport(r.hs)},
		Backoff:    func(int) time.Duration { return time.Millisecond }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(host.StopAll)
	r.add(host, echo("lobby"))
	if err := host.Start(r.ctx, "echo"); err == nil || !strings.Contains(err.Error(), "start module: panic: no luck") {
		t.Errorf("first start: %v", err)
	}
	r.wait("the third start", func() bool { s := host.Status()[0]; return s.State == appservice.StateRunning && s.Restarts == 2 })

	// A panic while a message is handled costs that message alone.
	r.net.OnSend = func(_ context.Context, sent appservicetest.Sent) error {
		if sent.Body == "boom" {
			panic("cannot say boom")
		}
		return nil
	}
	room := r.room("lobby")
	r.hs.SendText(room, alice, "boom")
	r.hs.SendText(room, alice, "after")
	if sent := r.waitSent(1); sent[0].Body != "after" {
		t.Errorf("sent %+v", sent)
	}
}

type panicking struct {
	appservice.Bridge
	panics *int
}

func (p *panicking) Start(ctx context.Context, br *bridgev2.Bridge) error {
	if *p.panics > 0 {
		*p.panics--
		panic("no luck")
	}
	return p.Bridge.Start(ctx, br)
}

func TestRegistrationIsKept(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if err := r.host.Add(r.ctx, echo()); err != nil {
		t.Fatal(err)
	}
	first, err := r.host.RegistrationYAML("echo")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"id: echo\n", "url: null\n", "sender_localpart: echobot\n", "x-module: echo\n",
		"receive_ephemeral: true\n", "org.matrix.msc3202: true\n", "io.element.msc4190: true\n", `regex: ^@echo_.*:test\.example$`, `regex: ^#echo_.*:test\.example$`} {
		if !strings.Contains(string(first), want) {
			t.Errorf("the registration does not have %q:\n%s", want, first)
		}
	}
	info, err := os.Stat(filepath.Join(r.dir, "echo", "registration.yaml"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("registration file: %v, %v", info.Mode(), err)
	}
	again := r.newHost(r.dir)
	cfg := echo()
	cfg.BotLocalpart = "bot"
	cfg.URL = "http://bridge:1"
	if err := again.Add(r.ctx, cfg); err != nil {
		t.Fatal(err)
	}
	a, _ := r.host.Registration("echo")
	b, _ := again.Registration("echo")
	if a.ASToken != b.ASToken || a.HSToken != b.HSToken || b.SenderLocalpart != "bot" || b.URL == nil || *b.URL != cfg.URL || b.Module != "" {
		t.Errorf("second registration %+v", b)
	}
}

func TestBadConfiguration(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if err := r.host.Add(r.ctx, echo("lobby")); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		change func(*appservice.Instance)
		want   string
	}{
		"id":          {func(c *appservice.Instance) { c.ID = "../up" }, `bridge id "../up"`},
		"same id":     {func(c *appservice.Instance) { c.ID = "echo"; c.GhostPrefix = "x_"; c.BotLocalpart = "y" }, "exists already"},
		"module":      {func(c *appservice.Instance) { c.Module = "telex" }, `no module "telex"`},
		"module part": {func(c *appservice.Instance) { c.Config = appservicetest.Config("a", "") }, "channels[1] is empty"},
		"bot":         {func(c *appservice.Instance) { c.BotLocalpart = "Bot" }, `bot localpart "Bot"`},
		"same bot":    {func(c *appservice.Instance) { c.BotLocalpart = "echobot" }, `both have the bot "echobot"`},
		"ghosts":      {func(c *appservice.Instance) { c.GhostPrefix = "echo_x_" }, "overlap"},
		"bot a ghost": {func(c *appservice.Instance) { c.BotLocalpart = "echo_bot" }, "within the ghost prefix"},
		"permission":  {func(c *appservice.Instance) { c.Permissions = map[string]string{"*": "king"} }, `"king"`},
		"avatar":      {func(c *appservice.Instance) { c.BotAvatar = "https://x" }, "mxc://"},
		"encryption":  {func(c *appservice.Instance) { c.Encryption.Default = true }, "need allow"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := echo("lobby")
			cfg.ID = "two"
			tc.change(&cfg)
			err := r.host.Add(r.ctx, cfg)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("err = %v, want it to say %q", err, tc.want)
			}
		})
	}
	if got := len(r.host.Status()); got != 1 {
		t.Errorf("%d instances after refusals", got)
	}
	if err := r.host.Start(r.ctx, "nope"); !errors.Is(err, appservice.ErrUnknown) {
		t.Errorf("start of an unknown bridge: %v", err)
	}
}

// A homeserver that refuses the bridge is asked again.
func TestHomeserverRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if err := r.host.Add(r.ctx, echo("lobby")); err != nil {
		t.Fatal(err)
	}
	if err := r.host.Start(r.ctx, "echo"); err == nil || !strings.Contains(err.Error(), "M_UNKNOWN_TOKEN") {
		t.Errorf("start without a registration: %v", err)
	}
	if s := r.host.Status()[0]; s.State == appservice.StateRunning || s.LastError == "" {
		t.Errorf("status %+v", s)
	}
	r.connect(r.host, "echo")
	r.wait("the start", func() bool { return r.host.Status()[0].State == appservice.StateRunning })
	r.hs.SendText(r.room("lobby"), alice, "at last")
	r.waitSent(1)
}

// Stop ends a start that cannot end by itself.
func TestStopDuringStart(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	asked := make(chan struct{}, 100)
	host, err := appservice.New(appservice.Options{Dir: t.TempDir(), Log: testLog(t), Modules: []appservice.Module{appservicetest.NewNetwork().Module()},
		Homeserver: appservice.Homeserver{URL: "http://homeserver", Domain: domain, Transport: inproc.Transport(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked <- struct{}{}
			<-r.Context().Done()
		}))}})
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Add(ctx, echo()); err != nil {
		t.Fatal(err)
	}
	started := make(chan error, 1)
	go func() { started <- host.Start(ctx, "echo") }()
	<-asked
	if err := host.Stop("echo"); err != nil {
		t.Fatal(err)
	}
	if err := <-started; err == nil {
		t.Error("Start returned no error")
	}
	if s := host.Status()[0]; s.State != appservice.StateStopped {
		t.Errorf("state %v", s.State)
	}
}

func TestConfigureAndRemove(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.add(r.host, echo("lobby"))
	r.start(r.host, "echo")
	r.room("lobby")
	if err := r.host.Configure(r.ctx, echo("lobby", "")); err == nil {
		t.Error("a bad configuration was taken")
	}
	if err := r.host.Configure(r.ctx, echo("lobby", "attic")); err != nil {
		t.Fatal(err)
	}
	if err := r.host.Restart(r.ctx, "echo"); err != nil {
		t.Fatal(err)
	}
	r.room("attic")
	if err := r.host.Remove("echo"); err != nil {
		t.Fatal(err)
	}
	if len(r.host.Status()) != 0 || r.host.Bridge("echo") != nil {
		t.Error("the instance is still there")
	}
	reg := r.service(r.newHostWith(r.dir, "lobby"), "echo") // the tokens are kept
	if status, _ := put(t, r.host, "POST", "/_matrix/app/v1/ping", reg.HSToken, "{}"); status != http.StatusServiceUnavailable {
		t.Errorf("a removed bridge answers %d", status)
	}
}

func (r *rig) newHostWith(dir string, channels ...string) *appservice.Host {
	r.t.Helper()
	host := r.newHost(dir)
	if err := host.Add(r.ctx, echo(channels...)); err != nil {
		r.t.Fatal(err)
	}
	return host
}

// From the homeserver's event to the remote network, one at a time.
func BenchmarkToRemote(b *testing.B) {
	r := newRig(b)
	r.add(r.host, echo("lobby"))
	r.start(r.host, "echo")
	room := r.room("lobby")
	n := 0
	for b.Loop() {
		n++
		r.hs.SendText(room, alice, "hello")
		r.waitSent(n)
	}
}

// The same with many under way in 16 rooms.
func BenchmarkToRemoteMany(b *testing.B) {
	r := newRig(b)
	var names []string
	for i := range 16 {
		names = append(names, fmt.Sprint("room", i))
	}
	r.add(r.host, echo(names...))
	r.start(r.host, "echo")
	var rooms []id.RoomID
	for _, name := range names {
		rooms = append(rooms, r.room(name))
	}
	n := 0
	for b.Loop() {
		r.hs.SendText(rooms[n%16], alice, "hello")
		if n++; n%100 == 0 {
			r.waitSent(n)
		}
	}
}

// From the remote network to the homeserver.
func BenchmarkToMatrix(b *testing.B) {
	r := newRig(b)
	r.add(r.host, echo("lobby"))
	r.start(r.host, "echo")
	room := r.room("lobby")
	const send = "PUT /_matrix/client/v3/rooms/{room}/send/{type}/{txn}"
	r.net.Say("lobby", "bob", "first")
	r.wait("bob's ghost", func() bool { return len(r.hs.Events(room, "m.room.message")) == 1 })
	n := r.hs.Requests(send)
	for b.Loop() {
		n++
		r.net.Say("lobby", "bob", "hello")
		r.wait("the message", func() bool { return r.hs.Requests(send) >= n })
	}
}
