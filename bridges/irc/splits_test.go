package irc_test

import (
	"fmt"
	"strings"
	"testing"
)

// memberEvents counts the changes of ghosts' memberships from a place of a room's
// timeline on.
func (h *homeserver) memberEvents(room *fakeRoom, from int) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range room.timeline[from:] {
		if e.Type == "m.room.member" && strings.HasPrefix(*e.StateKey, "@irc_net.") {
			n++
		}
	}
	return n
}

// A split of the network that takes 400 people away and brings all but a few back
// is no storm of memberships.
func TestNetsplit(t *testing.T) {
	t.Parallel()
	for _, batched := range []bool{false, true} {
		t.Run(fmt.Sprintf("batch %v", batched), func(t *testing.T) {
			t.Parallel()
			const people, lost = 400, 5
			names := make([]string, people)
			for i := range names {
				names[i] = fmt.Sprint("p", i)
			}
			caps, tag, reason := "", "", "hub.test.example leaf.test.example"
			if batched {
				caps, tag, reason = "batch message-tags", "@batch=x ", "*.net *.split was hidden"
			}
			s := newStandin(t, caps, map[string]string{"#room": "@alice " + strings.Join(names, " ")})
			r := newRig(t, networkConfig(s.addr, "    netsplit_wait: 2s"))
			room := r.hs.byAlias("irc_net_#room")
			for _, nick := range []string{"alice", "p0", "p399"} {
				r.hs.await(room, 0, "join of "+nick, memberEvent("@irc_net."+nick+":test.example", "join"))
			}
			s.send(":alice!a@h PRIVMSG #room :before")
			_, at := r.hs.await(room, 0, "a message", message(ghostAlice, "before"))

			var quits, joins []string
			for i, nick := range names {
				quits = append(quits, fmt.Sprintf("%s:%s!u@h QUIT :%s", tag, nick, reason))
				if i >= lost {
					joins = append(joins, fmt.Sprintf("%s:%s!u@h JOIN #room", strings.ReplaceAll(tag, "x", "y"), nick))
				}
			}
			if batched {
				quits = append(append([]string{"BATCH +x netsplit hub leaf"}, quits...), "BATCH -x")
				joins = append(append([]string{"BATCH +y netjoin hub leaf"}, joins...), "BATCH -y")
			}
			s.send(quits...)
			s.send(":alice!a@h PRIVMSG #room :alone")
			r.hs.await(room, at, "a message", message(ghostAlice, "alone"))
			s.send(joins...)
			s.send(":p399!u@h PRIVMSG #room :back again")
			_, end := r.hs.await(room, at, "a message", message("@irc_net.p399:test.example", "back again"))
			if n := r.hs.memberEvents(room, at); n != 0 {
				t.Errorf("the split made %d changes of membership", n)
			}
			// Who stays away has gone.
			for i := range lost {
				r.hs.await(room, end, "a leave", memberEvent(fmt.Sprintf("@irc_net.p%d:test.example", i), "leave"))
			}
			s.send(":p0!u@h JOIN #room", ":p7!u@h QUIT :Quit: good night")
			r.hs.await(room, end, "a later return", memberEvent("@irc_net.p0:test.example", "join"))
			r.hs.await(room, end, "a leave", memberEvent("@irc_net.p7:test.example", "leave"))
			if n := r.hs.memberEvents(room, at); n != lost+2 {
				t.Errorf("%d changes of membership, want %d", n, lost+2)
			}
		})
	}
}

// A split that ends in a new connection of the bridge leaves nobody behind.
func TestNetsplitAndReconnect(t *testing.T) {
	t.Parallel()
	s := newStandin(t, "", map[string]string{"#room": "alice bob carol"})
	r := newRig(t, networkConfig(s.addr, "    netsplit_wait: 1h"))
	room := r.hs.byAlias("irc_net_#room")
	_, at := r.hs.await(room, 0, "join of bob", memberEvent(ghostBob, "join"))
	s.send(":bob!u@h QUIT :a.example b.example", ":carol!u@h QUIT :a.example b.example", ":alice!u@h PRIVMSG #room :alone")
	r.hs.await(room, 0, "a message", message(ghostAlice, "alone"))
	s.mu.Lock()
	s.names["#room"] = "alice bob"
	s.mu.Unlock()
	s.hangUp()
	r.hs.await(room, at, "leave of carol", memberEvent("@irc_net.carol:test.example", "leave"))
	s.send(":bob!u@h PRIVMSG #room :here")
	r.hs.await(room, at, "a message", message(ghostBob, "here"))
	r.hs.mu.Lock()
	defer r.hs.mu.Unlock()
	for _, e := range room.timeline[at:] {
		if memberEvent(ghostBob, "leave")(e) {
			t.Error("bob has left")
		}
	}
}

// With the policy "speaking", and above members_max, people come to a room when
// they say something.
func TestMembersSpeaking(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"members: speaking", "members_max: 3"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			s := newStandin(t, "", map[string]string{"#room": "@alice bob carol dave", "#Other": "alice"})
			r := newRig(t, networkConfig(s.addr, "    "+policy))
			room := r.hs.byAlias("irc_net_#room")
			s.expect(0, "MODE #room")
			s.send(":erin!u@h JOIN #room", ":bob!u@h NICK bobby", ":carol!u@h QUIT :bye", ":bobby!u@h PRIVMSG #room :hello")
			r.hs.await(room, 0, "a message", message(ghostBob, "hello"))
			r.hs.await(room, 0, "join of bob", memberEvent(ghostBob, "join"))
			if n := r.hs.memberEvents(room, 0); n != 1 {
				t.Errorf("%d changes of membership, want 1", n)
			}
			s.send(":bobby!u@h PART #room :bye")
			_, at := r.hs.await(room, 0, "leave of bob", memberEvent(ghostBob, "leave"))
			// Somebody who speaks again comes again.
			s.send(":bob!u@h JOIN #room", ":bob!u@h PRIVMSG #room :again")
			r.hs.await(room, at, "a message", message(ghostBob, "again"))
			if r.hs.profiles["@irc_net.erin:test.example"] != nil {
				t.Error("somebody who has said nothing has an account")
			}
		})
	}
}
