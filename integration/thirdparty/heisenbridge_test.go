package thirdparty

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/ircd"
	"github.com/landbridge-im/landbridge/integration/testserver"
	"github.com/landbridge-im/landbridge/integration/tools"
	"github.com/landbridge-im/landbridge/internal/ports"
)

// TestHeisenbridge has heisenbridge, which keeps all that it knows on the homeserver, connect its owner
// to an IRC network, and has either side restart.
func TestHeisenbridge(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	python := tools.Venv(t, "requirements.txt")
	irc := ircd.NgIRCd(t, "")
	host, port, err := net.SplitHostPort(irc.Addr)
	ok(t, err)
	dir := t.TempDir()
	ok(t, os.Mkdir(filepath.Join(dir, "registrations"), 0o755))
	file := filepath.Join(dir, "registrations", "heisenbridge.yaml")
	_, listen, err := net.SplitHostPort(ports.Addr(t))
	ok(t, err)
	args := []string{python, "-m", "heisenbridge", "-v", "-c", file, "-l", "127.0.0.1", "-p", listen}
	run(t, dir, append(args, "--generate")...)
	s := testserver.New(t, testserver.Options{Registrations: []string{filepath.Dir(file)}})
	alice := newPerson(t, ctx, s, "alice")
	bridge := newProgram(t, dir, "bridge is now running", append(args, "-o", alice.UserID, s.URL())...)
	const bot = "@heisenbridge:test"

	// The owner is invited to the control room, and there makes a network. Each command waits for the last
	// one's answer: heisenbridge saves what it knows after each, and two savings at once may pass each other.
	control := entered(t, alice, bot)
	alice.say(control, "addnetwork net")
	alice.sees(bot, "Network added")
	alice.say(control, "addserver net "+host+" "+port)
	alice.sees(bot, "Server added")
	alice.say(control, "open net")
	network := entered(t, alice, bot)
	alice.say(network, "nick alice")
	alice.sees(bot, "Nickname set to alice")
	alice.say(network, "connect")
	bob := ircd.Dial(t, irc.Addr, "bob")
	bob.Join("#town")
	alice.sees(bot, "Welcome to the Internet Relay Network")
	alice.say(network, "join #town")
	room := entered(t, alice, bot)
	bob.Expect("JOIN :#town")
	bob.Send("PRIVMSG #town :hello from afar")
	alice.sees("@irc_net_bob:test", "hello from afar")
	alice.say(room, "hello to you")
	bob.Expect("PRIVMSG #town :hello to you")

	// A private message makes a room.
	bob.Send("PRIVMSG alice :psst")
	entered(t, alice, bot)
	alice.sees("@irc_net_bob:test", "psst")

	// The homeserver is killed. Heisenbridge gives up what it cannot tell it at once, so bob waits.
	ok(t, s.Kill())
	ok(t, s.Start(ctx))
	for _, body := range numbered("said", 30) {
		bob.Send("PRIVMSG #town :" + body)
	}
	alice.sees("@irc_net_bob:test", "said 29")
	if got := alice.bodies(room, "@irc_net_bob:test", "said"); !slices.Equal(got, numbered("said", 30)) {
		t.Errorf("of what bob said there is %q", got)
	}
	for _, body := range numbered("answered", 5) {
		alice.say(room, body)
		expectNext(t, bob, "#town :answered", body)
	}

	// The bridge starts again, with what the homeserver has kept for it.
	bridge.kill()
	bob.Expect("QUIT")
	seen := alice.Events.Len()
	bridge.start()
	alice.seesAfter(seen, bot, "Joining channels #town")
	bob.Expect("JOIN :#town")
	alice.say(room, "I am back")
	bob.Expect("PRIVMSG #town :I am back")
	bob.Send("PRIVMSG #town :so am I")
	alice.sees("@irc_net_bob:test", "so am I")
}

// entered gives the next room that somebody makes for a person, who joins it unless they are there by
// themselves: bridges ask for that where the server can do it.
func entered(t *testing.T, p *person, by string) string {
	t.Helper()
	type state struct{ Events []bridgetest.Event }
	var sync struct {
		Rooms struct {
			Invite map[string]struct {
				State state `json:"invite_state"`
			}
			Join map[string]struct{ State, Timeline state }
		}
	}
	for p.ctx.Err() == nil {
		ok(t, p.Do(p.ctx, "GET", "/v3/sync?timeout=0", nil, &sync))
		for room, r := range sync.Rooms.Invite {
			if madeBy(r.State.Events, by) {
				_, err := p.Join(p.ctx, room)
				ok(t, err)
			}
		}
		for room, r := range sync.Rooms.Join {
			if !p.rooms[room] && madeBy(append(r.State.Events, r.Timeline.Events...), by) {
				p.rooms[room] = true
				return room
			}
		}
	}
	t.Fatalf("%s has made no room for %s", by, p.UserID)
	return ""
}

func madeBy(events []bridgetest.Event, user string) bool {
	return slices.ContainsFunc(events, func(e bridgetest.Event) bool { return e.Type == "m.room.create" && e.Sender == user })
}
