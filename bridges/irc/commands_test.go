package irc_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/ircd"
	"github.com/landbridge-im/landbridge/integration/ircd/modern"
)

const admin = "@admin:test.example"

// answer waits for what the bot says to a command in a room.
func (r *rig) answer(room *fakeRoom, at int, text string) int {
	r.t.Helper()
	_, at = r.hs.await(room, at, "an answer with "+text, func(e *fakeEvent) bool {
		return e.Type == "m.room.message" && e.Sender == "@ircbot:test.example" && strings.Contains(fmt.Sprint(e.Content["body"]), text)
	})
	return at
}

func (r *rig) command(room *fakeRoom, user, text string) {
	r.hs.say(room, user, "m.room.message", obj{"msgtype": "m.text", "body": "!irc " + text})
}

// People ask who is there, and channels come and go, by command.
func TestCommands(t *testing.T) {
	t.Parallel()
	withServers(t, func(t *testing.T, s *ircd.Server, _ bool) {
		alice := ircd.Dial(t, s.Addr, "alice")
		alice.Join("#room")
		alice.Join("#more")
		r := newRig(t, networkConfig(s.Addr, ownNick))
		room := r.hs.byAlias("irc_net_#room")
		_, at := r.hs.await(room, 0, "join of alice", memberEvent(ghostAlice, "join"))
		r.hs.enter(room, userMia, "Mia")
		r.hs.enter(room, admin, "Admin")
		alice.Expect(":mia[m]!")
		r.command(room, userMia, "names")
		at = r.answer(room, at, "alice")
		r.command(room, userMia, "whois alice")
		at = r.answer(room, at, "alice!")
		r.command(room, userMia, "whois nobody")
		at = r.answer(room, at, "Nobody is called")
		r.command(room, userMia, "list")
		at = r.answer(room, at, "#more")
		r.command(room, userMia, "nick miamia")
		alice.Expect("NICK :miamia")
		r.command(room, userMia, "join #more")
		at = r.answer(room, at, "for the bridge's admins")
		r.command(room, admin, "join #more")
		at = r.answer(room, at, "#more is")
		alice.Expect("JOIN :#more")
		more := r.hs.byAlias("irc_net_#more")
		r.hs.await(more, 0, "the invitation", memberEvent(admin, "invite"))
		r.hs.await(more, 0, "alice there", memberEvent(ghostAlice, "join"))
		// It is there after a restart.
		r.stop()
		r.start()
		alice.Expect("JOIN :#more")
		alice.Send("PRIVMSG #more :still bridged")
		r.hs.await(more, 0, "the message", message(ghostAlice, "still bridged"))
		r.command(room, admin, "unplumb #more")
		r.answer(room, at, "not bridged any more")
		r.hs.await(more, 0, "alice gone", memberEvent(ghostAlice, "leave"))
	})
}

// Who looks for an alias finds the channel, where the network is so configured.
func TestOpenAlias(t *testing.T) {
	t.Parallel()
	s := modern.Start(t, modern.Options{})
	alice := tagged(t, s.Addr, "alice")
	alice.Join("#found")
	alice.Join("#closed")
	s.Mode("#closed", "+i")
	r := newRig(t, networkConfig(s.Addr, "    dynamic: true\n"))
	r.hs.await(r.hs.byAlias("irc_net_#room"), 0, "the topic lock", func(e *fakeEvent) bool { return e.Type == "m.room.canonical_alias" })
	alice.Send("NAMES #room")
	for {
		if ok, err := r.bridge.OpenAlias(context.Background(), "net_#found"); err != nil {
			t.Fatal(err)
		} else if ok {
			break
		}
		if t.Context().Err() != nil {
			t.Fatal("the channel is not found")
		}
		time.Sleep(10 * time.Millisecond) // the bridge is still connecting
	}
	found := r.hs.byAlias("irc_net_#found")
	r.hs.await(found, 0, "alice there", memberEvent(ghostAlice, "join"))
	for _, name := range []string{"net_#closed", "net_nothing", "other_#found"} {
		if ok, err := r.bridge.OpenAlias(context.Background(), name); ok || err != nil {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
	}
}

// Bans on IRC are bans in Matrix, for who is gone, until they end; and the other way with the best mask there is.
func TestBans(t *testing.T) {
	t.Parallel()
	s, alice, r, room := modernRig(t, modern.Options{}, "")
	bob := tagged(t, s.Addr, "bob")
	bob.Join("#room")
	_, at := r.hs.await(room, 0, "bob", memberEvent(ghostBob, "join"))
	alice.Send("MODE #room +b bob!*@*")
	alice.Send("KICK #room bob :out")
	_, at = r.hs.await(room, at, "the ban", memberEvent(ghostBob, "ban"))
	alice.Send("MODE #room -b bob!*@*")
	_, at = r.hs.await(room, at, "its end", memberEvent(ghostBob, "leave"))
	bob.Send("JOIN #room")
	_, at = r.hs.await(room, at, "bob again", memberEvent(ghostBob, "join"))
	s.Mode("#room", "+o", "bridge")
	r.hs.setMember(room, user, ghostBob, "ban", "")
	alice.Expect("+b bob!*@*")
	alice.Expect("KICK #room bob")
	r.hs.setMember(room, user, ghostBob, "leave", "")
	alice.Expect("-b bob!*@*")
	// Modes m and s.
	alice.Send("MODE #room +ms")
	r.hs.await(room, at, "moderated", func(e *fakeEvent) bool {
		return e.Type == "m.room.power_levels" && fmt.Sprint(e.Content["events_default"]) == "1"
	})
	space := r.hs.byAlias("irc_net")
	r.hs.await(space, 0, "hidden", func(e *fakeEvent) bool {
		return e.Type == "m.space.child" && *e.StateKey == room.id && e.Content["via"] == nil
	})
}

// An invitation on IRC is one in Matrix, and what a server says goes to the network's room.
func TestInviteAndNotices(t *testing.T) {
	t.Parallel()
	_, alice, r, room := modernRig(t, modern.Options{}, ownNick)
	r.hs.enter(room, userMia, "Mia")
	alice.Expect(":mia[m]!")
	bob := r.hs.byAlias("other")
	alice.Join("#Other")
	alice.Send("INVITE mia[m] #Other")
	r.hs.await(bob, 0, "the invitation", memberEvent(userMia, "invite"))
	alice.Send("PRIVMSG bridge :are you there?")
	r.hs.await(r.hs.roomOf(admin, "invite"), 0, "the words", message("@ircbot:test.example", "‹alice› are you there?"))
}
