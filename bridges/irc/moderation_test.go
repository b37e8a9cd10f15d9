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

// A ban that was taken back before the bridge came to show its kick is none: who comes back is in the room again.
func TestShortBan(t *testing.T) {
	t.Parallel()
	withServers(t, func(t *testing.T, s *ircd.Server, _ bool) {
		alice, bob := ircd.Dial(t, s.Addr, "alice"), ircd.Dial(t, s.Addr, "bob")
		alice.Join("#room")
		bob.Join("#room")
		r := newRig(t, networkConfig(s.Addr, ""))
		room := r.hs.byAlias("irc_net_#room")
		r.hs.await(room, 0, "join of bob", memberEvent(ghostBob, "join"))
		r.hs.enter(room, user, "Mia")
		alice.Expect(" JOIN ")
		alice.Send("MODE #room +o bridge")
		alice.Expect("+o")
		ban := func(on bool) {
			t.Helper()
			if on {
				r.hs.setMember(room, user, ghostBob, "ban", "")
				alice.Expect("+b")
				alice.Expect("KICK #room bob :M\u200bia")
				bob.Expect("KICK #room")
				return
			}
			r.hs.setMember(room, user, ghostBob, "leave", "")
			alice.Expect("-b")
		}

		// The room is busy while all of it happens.
		release := r.hs.hold()
		defer release()
		alice.Send("PRIVMSG #room :wait")
		ban(true)
		ban(false)
		bob.Join("#room")
		bob.Send("PRIVMSG #room :here again")
		alice.Expect("here again")
		release()
		_, at := r.hs.await(room, 0, "what bob says", message(ghostBob, "here again"))
		if now, _ := r.hs.membership(room, ghostBob); now != "join" {
			t.Errorf("bob is %q", now)
		}

		// A ban that begins on IRC can be ended in Matrix.
		alice.Send("MODE #room +b bob!*@*")
		alice.Send("KICK #room bob :out")
		r.hs.await(room, at, "the ban", memberEvent(ghostBob, "ban"))
		ban(false)
		bob.Join("#room")
		bob.Send("PRIVMSG #room :and again")
		r.hs.await(room, at, "what bob says", message(ghostBob, "and again"))
		if now, _ := r.hs.membership(room, ghostBob); now != "join" {
			t.Errorf("bob is %q", now)
		}
	})
}

// A Matrix user who is banned on IRC is banned from the room, and ending that ends it on IRC too.
func TestBannedPuppet(t *testing.T) {
	t.Parallel()
	withServers(t, func(t *testing.T, s *ircd.Server, _ bool) {
		alice := ircd.Dial(t, s.Addr, "alice")
		alice.Join("#room")
		r := newRig(t, networkConfig(s.Addr, "    puppets: {nick: \"{localpart}[m]\", spread: 0s}\n"))
		room := r.hs.byAlias("irc_net_#room")
		r.hs.await(room, 0, "join of alice", memberEvent(ghostAlice, "join"))
		alice.Send("MODE #room +o bridge")
		alice.Expect("+o")
		r.hs.enter(room, userMia, "Mia")
		alice.Expect(":mia[m]!")
		alice.Send("KICK #room mia[m] :out")
		_, at := r.hs.await(room, 0, "the kick", memberEvent(userMia, "leave"))
		alice.Send("MODE #room +b mia[m]!*@*")
		_, at = r.hs.await(room, at, "the ban", memberEvent(userMia, "ban"))
		r.hs.setMember(room, user, userMia, "leave", "")
		alice.Expect(" -b ")
		r.hs.enter(room, userMia, "Mia")
		alice.Expect(":mia[m]!")
		r.hs.say(room, userMia, "m.room.message", obj{"msgtype": "m.text", "body": "back"})
		alice.Expect(" :back")

		// The ban may come before the kick, too.
		alice.Send("MODE #room +b mia[m]!*@*")
		alice.Send("KICK #room mia[m] :out")
		_, at = r.hs.await(room, at, "the second ban", memberEvent(userMia, "ban"))
		alice.Send("MODE #room -b mia[m]!*@*")
		r.hs.await(room, at, "its end", func(e *fakeEvent) bool {
			return memberEvent(userMia, "leave")(e) && e.Sender == "@ircbot:test.example"
		})
	})
}
