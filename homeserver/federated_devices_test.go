package homeserver

import (
	"testing"
)

// TestDevicesIntroduced: whoever joins a room of another server makes their devices known there, with
// and without keys: "when that user joins a room which contains servers which are not already receiving
// updates for that user's device list".
func TestDevicesIntroduced(t *testing.T) {
	t.Parallel()
	p := sites(t, 2)
	a, b := p[0], p[1]
	alice, bob := a.user("alice"), b.user("bob")
	room := a.room(alice, obj{"preset": "public_chat"})
	b.joinVia(bob, room, a)
	nid, err := a.store.UserNID(t.Context(), b.id("bob"))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "bob's devices", func() bool {
		_, err := a.store.RemoteDeviceList(t.Context(), nid)
		return err == nil
	})
}
