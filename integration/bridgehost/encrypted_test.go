package bridgehost

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/ircd"
	"github.com/landbridge-im/landbridge/integration/synapse"
	"github.com/landbridge-im/landbridge/internal/ports"
)

// TestSynapseEncrypted has the IRC module serve a Synapse in rooms that are encrypted, by the homeserver's support of
// MSC2409, MSC3202 and MSC4190; also after a restart.
func TestSynapseEncrypted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ng := ircd.NgIRCd(t, "")
	bob, err := bridgetest.DialIRC(ctx, ng.Addr, "Bob", "#chan")
	ok(t, err)
	t.Cleanup(bob.Close)
	b := &bridges{t: t, dir: t.TempDir()}
	address := ports.Addr(t)
	write := func(hs string) {
		ok(t, os.WriteFile(b.config(), fmt.Appendf(nil, "server: {name: test}\ndata_dir: %q\nbridge_host: {homeserver_url: %q, listen: %q}\nbridges:\n%s",
			filepath.Join(b.dir, "data"), hs, address, bridgetest.IRCBridge("irc", "default", bridgetest.IRCNetwork{ID: "ng", Addr: ng.Addr, Channels: []string{"#chan"}})), 0o600))
	}
	write("http://127.0.0.1:1")
	s := synapse.New(t, b.registration("irc"))
	write(s.URL())
	t.Cleanup(func() {
		if b.child != nil {
			b.end(false)
		}
		if t.Failed() {
			raw, _ := os.ReadFile(filepath.Join(b.dir, "log"))
			t.Logf("the end of the bridges' log:\n%s", raw[max(0, len(raw)-6000):])
		}
	})
	anna, err := bridgetest.Register(ctx, s.URL(), "anna", "")
	ok(t, err)
	t.Cleanup(anna.Close)
	device, err := bridgetest.NewEncrypting(ctx, anna)
	ok(t, err)
	t.Cleanup(device.Close)
	b.start()
	room := ""
	for room == "" {
		if room, err = anna.Join(ctx, "#irc_ng_#chan:test"); err != nil && ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	ok(t, anna.State(ctx, room, "m.room.encryption", "", nil))
	both := func(round int) {
		t.Helper()
		text := fmt.Sprintf("hello to you, %d", round)
		_, err := device.SendText(ctx, id.RoomID(room), text)
		ok(t, err)
		_, _, err = bob.Await(ctx, 0, "lbridge", "PRIVMSG", text)
		ok(t, err)
		bob.Say("#chan", fmt.Sprintf("hello from afar, %d", round))
		ok(t, device.Reads(ctx, "@irc_ng.bob:test", fmt.Sprintf("hello from afar, %d", round)))
	}
	both(1)
	for i, kill := range []bool{true, false} {
		b.end(kill)
		b.start()
		both(2 + i)
	}
	// The device is the bridge's still.
	s.Kill()
	s.Start()
	both(4)
}
