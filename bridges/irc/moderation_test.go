package irc_test

import (
	"testing"

	"github.com/landbridge-im/landbridge/integration/ircd"
)

// setMember has a user change the membership of another.
func (h *homeserver) setMember(room *fakeRoom, by, target, membership, reason string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.add(room, by, "m.room.member", &target, obj{"membership": membership, "reason": reason}, 0)
}

// Who is kicked or banned in Matrix is kicked or banned on IRC, if the bridge may.
func TestModeration(t *testing.T) {
	t.Parallel()
	withServers(t, func(t *testing.T, s *ircd.Server, _ bool) {
		alice, bob := ircd.Dial(t, s.Addr, "alice"), ircd.Dial(t, s.Addr, "bob")
		alice.Join("#room")
		bob.Join("#room")
		r := newRig(t, networkConfig(s.Addr, ""))
		room := r.hs.byAlias("irc_net_#room")
		r.hs.await(room, 0, "join of bob", memberEvent(ghostBob, "join"))
		r.hs.enter(room, user, "Mia")

		// The bridge is no operator, and the sender hears of it.
		id := r.hs.setMember(room, user, ghostBob, "leave", "spam")
		r.hs.await(room, 0, "refusal", status(id, "FAIL_PERMANENT"))
		_, at := r.hs.await(room, 0, "the words of the network", func(e *fakeEvent) bool {
			return e.Type == "m.room.message" && e.Sender == "@ircbot:test.example"
		})
		bob.Send("PRIVMSG #room :still here")
		_, at = r.hs.await(room, at, "a message", message(ghostBob, "still here"))

		alice.Send("MODE #room +o bridge")
		alice.Expect("+o")
		id = r.hs.setMember(room, user, ghostBob, "leave", "spam")
		bob.Expect("KICK #room bob :M\u200bia: spam")
		r.hs.await(room, at, "success", status(id, "SUCCESS"))
		bob.Join("#room")
		_, at = r.hs.await(room, at, "bob's return", memberEvent(ghostBob, "join"))

		r.hs.setMember(room, user, ghostBob, "ban", "")
		alice.Expect("+b")
		alice.Expect("KICK #room bob :M\u200bia")
		bob.Send("JOIN #room")
		bob.Expect(" 474 ")
		r.hs.setMember(room, user, ghostBob, "leave", "")
		alice.Expect("-b")
		bob.Join("#room")
		r.hs.await(room, at, "bob's return", memberEvent(ghostBob, "join"))

		// What people on IRC do is not sent back to them.
		alice.Send("KICK #room bob :out")
		_, at = r.hs.await(room, at, "a kick", memberEvent(ghostBob, "leave"))
		alice.Send("PRIVMSG #room :done")
		r.hs.await(room, at, "a message", message(ghostAlice, "done"))
	})
}
