package encryption_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/ircd"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

func TestMain(m *testing.M) { os.Exit(testserver.Main(m)) }

// rig is a server with a bridge to an IRC server, and bob on that.
type rig struct {
	*testserver.Server
	ctx context.Context
	bob *bridgetest.Person
}

func newRig(t *testing.T, encryption string) *rig {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	ng := ircd.NgIRCd(t, "")
	s := testserver.New(t, testserver.Options{Extra: "bridges:\n" + bridgetest.IRCBridge("irc", encryption,
		bridgetest.IRCNetwork{ID: "ng", Addr: ng.Addr, Channels: []string{"#chan"}})})
	bob, err := bridgetest.DialIRC(ctx, ng.Addr, "bob", "#chan")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bob.Close)
	r := &rig{Server: s, ctx: ctx, bob: bob}
	r.bridged(t)
	if log := s.Log(); strings.Contains(log, "without end-to-bridge encryption") {
		t.Errorf("the bridge says that it cannot encrypt:\n%s", log)
	}
	return r
}

// bridged waits until the bridge is in the channel.
func (r *rig) bridged(t *testing.T) {
	t.Helper()
	for {
		names, err := r.bob.Names(r.ctx, "#chan")
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(strings.Join(names, " "), "lbridge") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// join joins the channel's room.
func (r *rig) join(t *testing.T, e *encrypting) id.RoomID {
	t.Helper()
	for {
		resp, err := e.client.JoinRoom(r.ctx, "#irc_ng_#chan:test", nil)
		if err == nil {
			return resp.RoomID
		}
		if r.ctx.Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// both has one thing said in either direction.
func (r *rig) both(t *testing.T, e *encrypting, room id.RoomID, mark string) {
	t.Helper()
	from := r.bob.Lines.Len()
	if _, err := e.say(r.ctx, room, "to IRC "+mark); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.bob.Await(r.ctx, from, "lbridge", "PRIVMSG", "to IRC "+mark); err != nil {
		t.Fatal(err)
	}
	at := e.Events.Len()
	r.bob.Say("#chan", "to Matrix "+mark)
	evt, err := e.await(r.ctx, at, room, "to Matrix "+mark)
	if err != nil {
		t.Fatal(err)
	}
	if evt.Sender != "@irc_ng.bob:test" {
		t.Errorf("bob's message came from %s", evt.Sender)
	}
}

// clear fails the test if the room holds a message that was not encrypted.
func clear(t *testing.T, r *rig, e *encrypting, room id.RoomID, since id.EventID) {
	t.Helper()
	resp, err := e.client.Messages(r.ctx, room, "", "", mautrix.DirectionBackward, nil, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, evt := range resp.Chunk {
		if evt.ID == since {
			return
		}
		if evt.Type == event.EventMessage {
			t.Errorf("a message in the clear: %s %v", evt.Sender, evt.Content.Raw)
		}
	}
}

// TestDefault has a bridge whose rooms are encrypted from the beginning.
func TestDefault(t *testing.T) {
	t.Parallel()
	r := newRig(t, "default")
	anna := newEncrypting(r.ctx, t, r.Server, "anna")
	room := r.join(t, anna)
	var encryption event.EncryptionEventContent
	if err := anna.client.StateEvent(r.ctx, room, event.StateEncryption, "", &encryption); err != nil || encryption.Algorithm != id.AlgorithmMegolmV1 {
		t.Fatalf("the room is not encrypted: %v %v", encryption, err)
	}
	r.both(t, anna, room, "one")
	r.both(t, anna, room, "two")
	if err := r.Restart(r.ctx); err != nil {
		t.Fatal(err)
	}
	r.bridged(t)
	r.both(t, anna, room, "after a restart")
	if err := r.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := r.Start(r.ctx); err != nil {
		t.Fatal(err)
	}
	r.bridged(t)
	r.both(t, anna, room, "after a crash")
	// Somebody who comes later reads on from there.
	carl := newEncrypting(r.ctx, t, r.Server, "carl")
	r.join(t, carl)
	// Anna's client must know of it before it gives its key away.
	if _, _, err := anna.Events.Wait(r.ctx, 0, func(evt *event.Event) bool {
		return evt.Type == event.StateMember && evt.GetStateKey() == string(carl.client.UserID)
	}); err != nil {
		t.Fatal(err)
	}
	at := carl.Events.Len()
	r.both(t, anna, room, "with carl")
	if _, err := carl.await(r.ctx, at, room, "to Matrix with carl"); err != nil {
		t.Error(err)
	}
	if _, err := carl.await(r.ctx, at, room, "to IRC with carl"); err != nil {
		t.Error(err)
	}
	r.both(t, carl, room, "from carl")
	clear(t, r, anna, room, "")
}

// TestAllow has a room in which encryption is switched on while people talk.
func TestAllow(t *testing.T) {
	t.Parallel()
	r := newRig(t, "allow")
	anna := newEncrypting(r.ctx, t, r.Server, "anna")
	room := r.join(t, anna)
	from := r.bob.Lines.Len()
	if _, err := anna.client.SendText(r.ctx, room, "in the clear"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.bob.Await(r.ctx, from, "lbridge", "PRIVMSG", "in the clear"); err != nil {
		t.Fatal(err)
	}
	// A message that is encrypted in a room that is not is read as well.
	from = r.bob.Lines.Len()
	if err := anna.state.SetEncryptionEvent(r.ctx, room, &event.EncryptionEventContent{Algorithm: id.AlgorithmMegolmV1}); err != nil {
		t.Fatal(err)
	}
	if _, err := anna.say(r.ctx, room, "in secret"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.bob.Await(r.ctx, from, "lbridge", "PRIVMSG", "in secret"); err != nil {
		t.Fatal(err)
	}
}
