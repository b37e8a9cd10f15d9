package thirdparty

import (
	"context"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/cryptohelper"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	bridgecrypto "github.com/landbridge-im/landbridge/appservice/crypto"
)

// encrypting is a client of a person that encrypts, and what it has read.
type encrypting struct {
	*mautrix.Client
	read chan *event.Event
}

func newEncrypting(t *testing.T, ctx context.Context, p *person, url string) *encrypting {
	t.Helper()
	var login struct {
		DeviceID id.DeviceID `json:"device_id"`
		Token    string      `json:"access_token"`
	}
	ok(t, p.Do(ctx, "GET", "/v3/account/whoami", nil, &login))
	c, err := mautrix.NewClient(url, id.UserID(p.UserID), p.Token)
	ok(t, err)
	c.DeviceID = login.DeviceID
	// This test, other than the bridge, is built with GOEXPERIMENT=jsonv2, with which mautrix-go signs badly.
	store := crypto.NewMemoryStore(nil)
	bridgecrypto.SignOneTimeKeys(c, store)
	c.StateStore = mautrix.NewMemoryStateStore().(*mautrix.MemoryStateStore)
	helper, err := cryptohelper.NewCryptoHelper(c, []byte("pickle key of a test"), store)
	ok(t, err)
	e := &encrypting{c, make(chan *event.Event, 1000)}
	ok(t, helper.Init(ctx))
	c.Crypto = helper
	c.Syncer.(*mautrix.DefaultSyncer).OnEventType(event.EventMessage, func(_ context.Context, evt *event.Event) { e.read <- evt })
	syncing, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = c.SyncWithContext(syncing) // it ends with the test
	}()
	t.Cleanup(func() { stop(); <-done })
	return e
}

// reads waits for a message that came encrypted.
func (e *encrypting) reads(t *testing.T, ctx context.Context, sender id.UserID, body string) {
	t.Helper()
	for {
		select {
		case evt := <-e.read:
			if evt.Sender == sender && evt.Content.AsMessage().Body == body {
				if !evt.Mautrix.WasEncrypted {
					t.Errorf("%q was not encrypted", body)
				}
				return
			}
		case <-ctx.Done():
			t.Fatalf("%s's %q is not read", sender, body)
		}
	}
}

// TestStockBridgeEncrypts: the same bridge in rooms that are encrypted, with a /sync of its own and by transactions.
func TestStockBridgeEncrypts(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string]map[string]any{
		"by sync":         {"encryption/appservice": false, "encryption/msc4190": false},
		"by transactions": {"encryption/appservice": true, "encryption/msc4190": true, "encryption/self_sign": true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings["encryption/allow"], settings["encryption/default"] = true, true
			settings["backfill/enabled"] = false
			s := newStock(t, settings)
			ctx, cancel := context.WithTimeout(t.Context(), stockPatience)
			defer cancel()
			alice := newPerson(t, ctx, s.server, "alice")
			device := newEncrypting(t, ctx, alice, s.server.URL())
			s.login(alice, "anna")
			s.happens("Kind", "message", "Chat", "c1", "Sender", "eve", "ID", "m1", "Text", "hello, in secret")
			device.reads(t, ctx, "@stock_eve:test", "hello, in secret")
			room := id.RoomID(alice.portal("Chat c1"))
			say := func(body string) {
				t.Helper()
				_, err := device.SendText(ctx, room, body)
				ok(t, err)
				s.says("heard message " + body + " answers")
			}
			say("hello to you")
			s.kill()
			s.start()
			say("are you still there?")
			s.happens("Kind", "message", "Chat", "c1", "Sender", "eve", "ID", "m2", "Text", "I am")
			device.reads(t, ctx, "@stock_eve:test", "I am")
			for _, e := range alice.Events.All(0) {
				if e.RoomID == string(room) && e.Type == "m.room.message" && e.Sender != alice.UserID {
					t.Errorf("it is in clear: %v", e)
				}
			}
		})
	}
}
