package crypto_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/signatures"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/appservice/appservicetest"
	bridgecrypto "github.com/landbridge-im/landbridge/appservice/crypto"
	"github.com/landbridge-im/landbridge/internal/inproc"
)

const (
	domain = "test.example"
	alice  = id.UserID("@alice:test.example")
	bot    = id.UserID("@echobot:test.example")
	bob    = id.UserID("@echo_bob:test.example")
)

// rig is a bridge that encrypts and a person with an ordinary Matrix client.
type rig struct {
	t    *testing.T
	ctx  context.Context
	hs   *appservicetest.Homeserver
	net  *appservicetest.Network
	host *appservice.Host
	room id.RoomID
	mach *crypto.OlmMachine // alice's
}

func newRig(t *testing.T) *rig {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	r := &rig{t: t, ctx: ctx, hs: appservicetest.New(domain), net: appservicetest.NewNetwork()}
	t.Cleanup(r.hs.Close)
	token := r.hs.AddUser(alice)
	out := io.Discard
	if os.Getenv("TEST_LOG") != "" {
		out = os.Stderr
	}
	host, err := appservice.New(appservice.Options{
		Dir: t.TempDir(), Modules: []appservice.Module{r.net.Module()},
		Log:        slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Homeserver: appservice.Homeserver{URL: "http://homeserver", Domain: domain, Transport: inproc.Transport(r.hs)},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(host.StopAll)
	r.host = host
	err = host.Add(ctx, appservice.Instance{ID: "echo", Module: "echo", Config: appservicetest.Config("lobby"),
		Encryption: appservice.Encryption{Allow: true, Default: true, Require: true}})
	if err != nil {
		t.Fatal(err)
	}
	reg, err := host.Registration("echo")
	if err != nil {
		t.Fatal(err)
	}
	sv := appservicetest.Service{ID: reg.ID, ASToken: reg.ASToken, HSToken: reg.HSToken, SenderLocalpart: reg.SenderLocalpart, Transport: inproc.Transport(host.Handler("echo"))}
	for _, ns := range reg.Namespaces.Users {
		sv.Users = append(sv.Users, ns.Regex)
	}
	r.hs.AddService(sv)
	if err := host.Start(ctx, "echo"); err != nil {
		t.Fatal(err)
	}
	r.wait("the room", func() bool { r.room = r.hs.RoomByName("lobby"); return r.room != "" })
	if r.hs.State(r.room, "m.room.encryption", "") == nil {
		t.Fatal("the bridge's room is not encrypted")
	}

	client, err := mautrix.NewClient("http://homeserver", alice, token)
	if err != nil {
		t.Fatal(err)
	}
	client.DeviceID = appservicetest.UserDevice
	client.Client = &http.Client{Transport: inproc.Transport(r.hs)}
	state := mautrix.NewMemoryStateStore().(*mautrix.MemoryStateStore)
	client.StateStore = state
	encryption := &event.EncryptionEventContent{Algorithm: id.AlgorithmMegolmV1}
	if err := state.SetEncryptionEvent(ctx, r.room, encryption); err != nil {
		t.Fatal(err)
	}
	nop := zerolog.Nop()
	if os.Getenv("TEST_LOG") != "" {
		nop = zerolog.New(os.Stderr)
	}
	store := crypto.NewMemoryStore(nil)
	bridgecrypto.SignOneTimeKeys(client, store)
	r.mach = crypto.NewOlmMachine(client, &nop, store, state)
	if err := r.mach.Load(ctx); err != nil {
		t.Fatal(err)
	}
	if err := r.mach.ShareKeys(ctx, -1); err != nil {
		t.Fatal(err)
	}
	r.hs.Join(r.room, alice)
	r.wait("the join to be handled", func() bool { return host.Status()[0].Waiting == 0 })
	return r
}

func (r *rig) wait(what string, cond func() bool) {
	r.t.Helper()
	if err := r.hs.Wait(r.ctx, cond); err != nil {
		r.t.Fatalf("%s: %v", what, err)
	}
}

// encrypt encrypts a text as alice's client does, making a session if needed.
func (r *rig) encrypt(text string) *event.EncryptedEventContent {
	r.t.Helper()
	content := &event.MessageEventContent{MsgType: event.MsgText, Body: text}
	encrypted, err := r.mach.EncryptMegolmEvent(r.ctx, r.room, event.EventMessage, content)
	if errors.Is(err, crypto.ErrNoGroupSession) || errors.Is(err, crypto.ErrSessionNotShared) || errors.Is(err, crypto.ErrSessionExpired) {
		if err := r.mach.ShareGroupSession(r.ctx, r.room, []id.UserID{bot, alice}); err != nil {
			r.t.Fatal(err)
		}
		encrypted, err = r.mach.EncryptMegolmEvent(r.ctx, r.room, event.EventMessage, content)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return encrypted
}

// receive decrypts the n-th encrypted event of bob as alice's client does.
func (r *rig) receive(n int) string {
	r.t.Helper()
	var raw []appservicetest.Event
	r.wait("an encrypted event", func() bool {
		raw = slices.DeleteFunc(r.hs.Events(r.room, "m.room.encrypted"), func(e appservicetest.Event) bool { return e.Sender != bob })
		return len(raw) > n
	})
	for _, msg := range r.hs.TakeToDevice(alice, appservicetest.UserDevice) {
		evt := new(event.Event)
		if err := json.Unmarshal(msg, evt); err != nil {
			r.t.Fatal(err)
		}
		evt.Type.Class = event.ToDeviceEventType
		if err := evt.Content.ParseRaw(evt.Type); err != nil {
			r.t.Fatal(err)
		}
		r.mach.HandleToDeviceEvent(r.ctx, evt)
	}
	data, err := json.Marshal(raw[n])
	if err != nil {
		r.t.Fatal(err)
	}
	evt := new(event.Event)
	if err := json.Unmarshal(data, evt); err != nil {
		r.t.Fatal(err)
	}
	evt.Type.Class = event.MessageEventType
	if err := evt.Content.ParseRaw(evt.Type); err != nil {
		r.t.Fatal(err)
	}
	decrypted, err := r.mach.DecryptMegolmEvent(r.ctx, evt)
	if err != nil {
		r.t.Fatalf("decrypt: %v", err)
	}
	return decrypted.Content.AsMessage().Body
}

func (r *rig) sent(n int) string {
	r.t.Helper()
	sent, err := r.net.WaitSent(r.ctx, n)
	if err != nil {
		r.t.Fatal(err)
	}
	return sent[n-1].Body
}

func TestBothWays(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.hs.Send(r.room, alice, "m.room.encrypted", r.encrypt("secret one"))
	if got := r.sent(1); got != "secret one" {
		t.Errorf("the network got %q", got)
	}
	if !r.net.Say("lobby", "bob", "secret two") {
		t.Fatal("no bridge is connected")
	}
	if got := r.receive(0); got != "secret two" {
		t.Errorf("alice got %q", got)
	}
	for _, e := range r.hs.Events(r.room, "m.room.message") {
		t.Errorf("a plain message was sent: %s", e.Content)
	}

	// The device and its sessions outlive a restart.
	if err := r.host.Restart(r.ctx, "echo"); err != nil {
		t.Fatal(err)
	}
	r.hs.Send(r.room, alice, "m.room.encrypted", r.encrypt("secret three"))
	if got := r.sent(2); got != "secret three" {
		t.Errorf("the network got %q", got)
	}
	r.net.Say("lobby", "bob", "secret four")
	if got := r.receive(1); got != "secret four" {
		t.Errorf("alice got %q", got)
	}
}

// Whatever the JSON package, a key is signed as the specification has it.
func TestOneTimeKeySignatures(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, keys := range r.hs.DeviceKeys(bot) {
		var device struct {
			Keys map[string]id.Ed25519 `json:"keys"`
		}
		if err := json.Unmarshal(keys.Device, &device); err != nil {
			t.Fatal(err)
		}
		signing := device.Keys["ed25519:"+string(name)]
		if ok, err := signatures.VerifySignatureJSON(keys.Device, bot, string(name), signing); !ok {
			t.Errorf("device keys are signed wrongly: %v", err)
		}
		if len(keys.OneTime) == 0 {
			t.Error("there are no one-time keys")
		}
		for keyID, key := range keys.OneTime {
			if ok, err := signatures.VerifySignatureJSON(key, bot, string(name), signing); !ok {
				t.Errorf("%s is signed wrongly: %v", keyID, err)
			}
		}
	}
}

// The homeserver says that one-time keys are running out; the bridge uploads
// new ones.
func TestKeyCounts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	full := r.hs.KeyCount(bot)
	if full < 10 {
		t.Fatalf("the bot has %d one-time keys", full)
	}
	r.hs.DropOneTimeKeys(bot, 1)
	r.wait("new keys", func() bool { return r.hs.KeyCount(bot) > full/2 })
}

// An event that comes before its key is decrypted when the key is there.
func TestLateKey(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	// The key is made and shared with nobody but the homeserver's queue, which
	// is emptied into our hands.
	held := make(chan struct{})
	r.hs.HoldToDevice(held)
	content := r.encrypt("too early")
	r.hs.Send(r.room, alice, "m.room.encrypted", content)
	r.wait("the event to be taken over", func() bool { return r.host.Status()[0].Waiting > 0 })
	close(held)
	if got := r.sent(1); got != "too early" {
		t.Errorf("the network got %q", got)
	}
}

// What is not encrypted is refused where encryption is required.
func TestPlainMessageIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.hs.SendText(r.room, alice, "in the clear")
	r.hs.Send(r.room, alice, "m.room.encrypted", r.encrypt("in secret"))
	if got := r.sent(1); got != "in secret" {
		t.Errorf("the network got %q", got)
	}
}

// A homeserver that has lost the bot's device gets a new one.
func TestLostDevice(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if err := r.host.Stop("echo"); err != nil {
		t.Fatal(err)
	}
	r.hs.ForgetDevices(bot)
	if err := r.host.Start(r.ctx, "echo"); err != nil {
		t.Fatal(err)
	}
	// Alice's client hears of the change in /sync.
	r.mach.HandleDeviceLists(r.ctx, &mautrix.DeviceLists{Changed: []id.UserID{bot}}, "")
	if err := r.mach.CryptoStore.RemoveOutboundGroupSession(r.ctx, r.room); err != nil {
		t.Fatal(err)
	}
	r.hs.Send(r.room, alice, "m.room.encrypted", r.encrypt("hello again"))
	if got := r.sent(1); got != "hello again" {
		t.Errorf("the network got %q", got)
	}
	r.net.Say("lobby", "bob", "and back")
	if got := r.receive(0); got != "and back" {
		t.Errorf("alice got %q", got)
	}
}
