package thirdparty

import (
	"context"
	"testing"

	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/integration/bridgetest"
)

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
			device, err := bridgetest.NewEncrypting(ctx, alice.Matrix)
			ok(t, err)
			t.Cleanup(device.Close)
			s.login(alice, "anna")
			s.happens("Kind", "message", "Chat", "c1", "Sender", "eve", "ID", "m1", "Text", "hello, in secret")
			ok(t, device.Reads(ctx, "@stock_eve:test", "hello, in secret"))
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
			ok(t, device.Reads(ctx, "@stock_eve:test", "I am"))
			for _, e := range alice.Events.All(0) {
				if e.RoomID == string(room) && e.Type == "m.room.message" && e.Sender != alice.UserID {
					t.Errorf("it is in clear: %v", e)
				}
			}
		})
	}
}
