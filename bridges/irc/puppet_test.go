package irc_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/integration/ircd"
)

const userMia = "@mia:test.example"

// A Matrix user is somebody on IRC, with a nick of their own, from when they come into a room until
// they have left the last.
func TestPuppet(t *testing.T) {
	t.Parallel()
	withServers(t, func(t *testing.T, s *ircd.Server, _ bool) {
		alice := ircd.Dial(t, s.Addr, "alice") // the first is the operator
		alice.Join("#room")
		alice.Join("#Other")
		r := newRig(t, networkConfig(s.Addr, "    puppets: {nick: \"{localpart}[m]\", spread: 0s}\n"))
		room, other := r.hs.byAlias("irc_net_#room"), r.hs.byAlias("other")
		_, at := r.hs.await(room, 0, "join of alice", memberEvent(ghostAlice, "join"))

		r.hs.enter(room, userMia, "Mia")
		alice.Expect(":mia[m]!")
		r.hs.say(room, userMia, "m.room.message", obj{"msgtype": "m.text", "body": "hello"})
		if got := alice.Expect("PRIVMSG #room :"); !strings.HasPrefix(got, ":mia[m]!") || !strings.HasSuffix(got, " :hello") {
			t.Errorf("alice reads %q", got)
		}
		r.hs.say(room, userMia, "m.room.message", obj{"msgtype": "m.emote", "body": "waves"})
		if got := alice.Expect("ACTION"); !strings.HasPrefix(got, ":mia[m]!") || !strings.HasSuffix(got, "\x01ACTION waves\x01") {
			t.Errorf("alice reads %q", got)
		}
		// A second room, and an answer with a mention.
		r.hs.enter(other, userMia, "Mia")
		r.hs.say(other, userMia, "m.room.message", obj{"msgtype": "m.text", "body": "elsewhere"})
		alice.Expect("PRIVMSG #Other :elsewhere")
		alice.Send("PRIVMSG #room :mia[m]: welcome")
		e, at := r.hs.await(room, at, "the answer", message(ghostAlice, "mia[m]: welcome"))
		if mentions, _ := e.Content["m.mentions"].(map[string]any); fmt.Sprint(mentions["user_ids"]) != "["+userMia+"]" {
			t.Errorf("mentions: %v", e.Content["m.mentions"])
		}
		// Nobody is in the room twice, and nothing came back.
		for _, e := range room.timeline {
			if strings.Contains(e.Sender, "mia[m]") || strings.Contains(e.Sender, "mia=5bm") {
				t.Errorf("a ghost of a Matrix user: %+v", e)
			}
		}
		// A kick from the channel is one from the room.
		alice.Send("KICK #Other mia[m] :not here")
		e, _ = r.hs.await(other, 0, "the kick", memberEvent(userMia, "leave"))
		if reason := fmt.Sprint(e.Content["reason"]); !strings.Contains(reason, "alice") || !strings.Contains(reason, "not here") {
			t.Errorf("the reason is %q", reason)
		}
		// A restart brings her back.
		r.stop()
		alice.Expect("QUIT")
		r.start()
		alice.Expect(":mia[m]!")
		r.hs.say(room, userMia, "m.room.message", obj{"msgtype": "m.text", "body": "back"})
		if got := alice.Expect("PRIVMSG #room :back"); !strings.HasPrefix(got, ":mia[m]!") {
			t.Errorf("alice reads %q", got)
		}
		// Who leaves the last room leaves the network.
		r.hs.setMember(room, userMia, userMia, "leave", "")
		if line := alice.Expect(":mia[m]!"); !strings.Contains(line, "QUIT") && !strings.Contains(line, "PART #room") {
			t.Errorf("alice reads %q", line)
		}
		for free := false; !free; { // perhaps the server hears of it a moment later
			alice.Send("WHOIS mia[m]")
			alice.Send("PING x")
			for line := ""; !strings.Contains(line, "PONG"); {
				line = alice.Expect(" ")
				free = free || strings.Contains(line, " 401 ")
			}
		}
		alice.Send("PRIVMSG #room :after")
		r.hs.await(room, at, "what is said after it", message(ghostAlice, "after"))
	})
}

// The rank of a Matrix user in a channel is theirs in its room, where nobody has given them another one.
func TestPuppetRank(t *testing.T) {
	t.Parallel()
	withServers(t, func(t *testing.T, s *ircd.Server, _ bool) {
		alice := ircd.Dial(t, s.Addr, "alice")
		alice.Join("#room")
		alice.Send("MODE #room +m")
		r := newRig(t, networkConfig(s.Addr, "    puppets: {nick: \"{localpart}[m]\", spread: 0s}\n"))
		room := r.hs.byAlias("irc_net_#room")
		r.hs.await(room, 0, "join of alice", memberEvent(ghostAlice, "join"))
		r.hs.enter(room, userMia, "Mia")
		alice.Expect(":mia[m]!")
		alice.Send("MODE #room +v mia[m]")
		_, at := r.hs.await(room, 0, "a voice", levels(map[string]int{userMia: 1}))
		r.hs.say(room, userMia, "m.room.message", obj{"msgtype": "m.text", "body": "heard"})
		alice.Expect(" :heard")
		alice.Send("MODE #room -v mia[m]")
		_, at = r.hs.await(room, at, "no voice", levels(map[string]int{userMia: 0}))
		alice.Send("MODE #room +o mia[m]")
		_, at = r.hs.await(room, at, "an operator", levels(map[string]int{userMia: 50}))
		r.hs.give(room, userMia, 60)
		_, at = r.hs.await(room, at, "a level of Matrix", levels(map[string]int{userMia: 60}))
		alice.Send("MODE #room -o mia[m]")
		alice.Send("MODE #room +v alice")
		alice.Send("MODE #room -o alice")
		r.hs.await(room, at, "the level still there", levels(map[string]int{userMia: 60, ghostAlice: 1}))
	})
}

// What is said to a Matrix user alone comes into a room of the two.
func TestPrivateConversation(t *testing.T) {
	t.Parallel()
	withServers(t, func(t *testing.T, s *ircd.Server, _ bool) {
		alice := ircd.Dial(t, s.Addr, "alice")
		alice.Join("#room")
		r := newRig(t, networkConfig(s.Addr, "    puppets: {nick: \"{localpart}[m]\"}\n"))
		room := r.hs.byAlias("irc_net_#room")
		r.hs.await(room, 0, "join of alice", memberEvent(ghostAlice, "join"))
		r.hs.enter(room, userMia, "Mia")
		alice.Expect(":mia[m]!")
		alice.Send("PRIVMSG mia[m] :psst")
		direct := r.hs.roomOf(userMia, "invite")
		r.hs.await(direct, 0, "what was said", message(ghostAlice, "psst"))
		e, _ := r.hs.await(direct, 0, "the invitation", memberEvent(userMia, "invite"))
		if e.Content["is_direct"] != true {
			t.Errorf("the invitation: %v", e.Content)
		}
		r.hs.enter(direct, userMia, "Mia")
		r.hs.say(direct, userMia, "m.room.message", obj{"msgtype": "m.text", "body": "yes?"})
		if got := alice.Expect("PRIVMSG alice"); !strings.HasPrefix(got, ":mia[m]!") || !strings.HasSuffix(got, " :yes?") {
			t.Errorf("alice reads %q", got)
		}
		// It goes on in the same room.
		alice.Send("PRIVMSG mia[m] :\x01ACTION nods\x01")
		e, _ = r.hs.await(direct, 0, "the second message", message(ghostAlice, "nods"))
		if e.Content["msgtype"] != "m.emote" {
			t.Errorf("it is %v", e.Content)
		}
	})
}

// roomOf waits for a room in which somebody has a membership.
func (h *homeserver) roomOf(user, membership string) *fakeRoom {
	h.t.Helper()
	for {
		h.mu.Lock()
		changed := h.changed
		for _, room := range h.rooms {
			if e := room.state[[2]string{"m.room.member", user}]; e != nil && e.Content["membership"] == membership {
				h.mu.Unlock()
				return room
			}
		}
		h.mu.Unlock()
		select {
		case <-changed:
		case <-h.t.Context().Done():
			h.t.Fatal("there is no such room")
		}
	}
}
