package irc_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/ircd"
)

// TestLostAnswer: a message that the homeserver took without saying so is not
// shown twice.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	s := ircd.NgIRCd(t, "")
	r := newRig(t, networkConfig(s.Addr, ""))
	room := r.hs.byAlias("irc_net_#room")
	alice := ircd.Dial(t, s.Addr, "alice")
	alice.Join("#room")
	_, at := r.hs.await(room, 0, "join of alice", memberEvent(ghostAlice, "join"))
	r.hs.mu.Lock()
	r.hs.answersLost = 2
	r.hs.mu.Unlock()
	for i := range 4 {
		alice.Send(fmt.Sprintf("PRIVMSG #room :line %d", i))
	}
	r.hs.await(room, at, "the last line", message(ghostAlice, "line 3"))
	r.hs.mu.Lock()
	defer r.hs.mu.Unlock()
	n := 0
	for _, e := range room.timeline[at:] {
		if e.Type == "m.room.message" {
			if e.Content["body"] != fmt.Sprintf("line %d", n) {
				t.Errorf("message %d is %v", n, e.Content["body"])
			}
			n++
		}
	}
	if n != 4 {
		t.Errorf("%d messages came", n)
	}
}

// TestRefusedForGood: what the homeserver will never take does not hold up the
// rest of the room.
func TestRefusedForGood(t *testing.T) {
	t.Parallel()
	s := ircd.NgIRCd(t, "")
	alice, bob := ircd.Dial(t, s.Addr, "alice"), ircd.Dial(t, s.Addr, "bob")
	alice.Join("#room") // the operator: the bridge cannot ban anybody
	bob.Join("#room")
	r := newRig(t, networkConfig(s.Addr, ""))
	room := r.hs.byAlias("irc_net_#room")
	r.hs.await(room, 0, "join of alice", memberEvent(ghostAlice, "join"))
	_, at := r.hs.await(room, 0, "join of bob", memberEvent(ghostBob, "join"))
	bobID := ghostBob
	r.hs.mu.Lock()
	r.hs.add(room, "@admin:test.example", "m.room.member", &bobID, obj{"membership": "ban"}, 0)
	r.hs.mu.Unlock()
	start := time.Now()
	for i := range 5 {
		bob.Send(fmt.Sprintf("PRIVMSG #room :spam %d", i))
	}
	alice.Expect("spam 4")
	alice.Send("PRIVMSG #room :hello")
	_, at = r.hs.await(room, at, "alice's message", message(ghostAlice, "hello"))
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("alice's message took %v", took)
	}
	if m, _ := r.hs.membership(room, ghostBob); m != "ban" {
		t.Errorf("bob's membership is %s", m)
	}
	// Nothing of it waits for the next start.
	r.stop()
	r.start()
	alice.Expect("JOIN")
	alice.Send("PRIVMSG #room :again")
	r.hs.await(room, at, "alice's message", message(ghostAlice, "again"))
}

// TestStoppedInTheMiddle: what was read and not yet taken by the homeserver comes
// after the next start, once and in order.
func TestStoppedInTheMiddle(t *testing.T) {
	t.Parallel()
	s := ircd.NgIRCd(t, "")
	r := newRig(t, networkConfig(s.Addr, ""))
	room := r.hs.byAlias("irc_net_#room")
	alice := ircd.Dial(t, s.Addr, "alice")
	alice.Join("#room")
	_, at := r.hs.await(room, 0, "join of alice", memberEvent(ghostAlice, "join"))
	r.hs.mu.Lock()
	r.hs.sendFails = 1 << 30
	r.hs.mu.Unlock()
	for i := range 20 {
		alice.Send(fmt.Sprintf("PRIVMSG #room :line %d", i))
	}
	alice.Send("NICK alicia")
	alice.Send("PRIVMSG #room :renamed")
	alice.Send("PRIVMSG bridge :\x01PING all\x01")
	alice.Expect("PING all") // the bridge has read everything
	r.stop()
	alice.Drain(0)
	r.hs.mu.Lock()
	r.hs.sendFails = 0
	r.hs.mu.Unlock()
	r.start()
	for i := range 20 {
		_, at = r.hs.await(room, at, "line in order", message(ghostAlice, fmt.Sprintf("line %d", i)))
	}
	r.hs.await(room, at, "what was said under the new name", message(ghostAlice, "renamed"))
}
