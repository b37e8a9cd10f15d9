package apptest_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/app/apptest"
	"github.com/landbridge-im/landbridge/appservice/appservicetest"
	"github.com/landbridge-im/landbridge/integration/bridgetest"
)

const bot = "@echobot:" + apptest.Domain

// answer is what the bot says next, after an event.
func answer(t *testing.T, p *apptest.Person, from int, room string, words ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	e, _, err := p.Await(ctx, from, room, "an answer with "+strings.Join(words, ", "), func(e bridgetest.Event) bool {
		if e.Type != "m.room.message" || e.Sender != bot {
			return false
		}
		for _, w := range words {
			if !strings.Contains(e.Body(), w) {
				return false
			}
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return e.Body()
}

// ask gives a command, and gives the answer.
func ask(t *testing.T, p *apptest.Person, room, command string, words ...string) string {
	t.Helper()
	from := p.Events.Len()
	p.Tell(room, command)
	return answer(t, p, from, room, words...)
}

// TestCommands: people of the server may give the bot commands, in a bridged room and in a room with the bot alone;
// administrators may give it more, from the moment on at which they are made such; who stands behind a ghost may not.
func TestCommands(t *testing.T) {
	t.Parallel()
	net := appservicetest.NewNetwork()
	s := apptest.Start(t, "  - id: echo\n    module: echo\n    config: {channels: [town]}\n"+
		"    permissions: {\"@carol:test\": relay}\n", net.Module())
	alice, carol := s.Person("alice"), s.Person("carol")
	town := alice.Enter("#echo_town:" + apptest.Domain)
	carol.Enter(town)

	help := ask(t, alice, town, "!echo help", "!echo status", "General")
	for _, not := range []string{"login", "set-relay", "start-chat", "sudo", "delete-portal", "mute"} {
		if strings.Contains(help, not) {
			t.Errorf("help has %q:\n%s", not, help)
		}
	}
	ask(t, alice, town, "!echo help status", "Show whether the bridge is connected")
	ask(t, alice, town, "!echo status", "connected", "town")
	ask(t, alice, town, "!echo login", "nobody logs in")
	ask(t, alice, town, "!echo sudo @carol:test help", "limited to bridge administrators")

	// A room with the bot alone.
	dm := invite(t, alice)
	answer(t, alice, 0, dm, "no prefix is needed")
	ask(t, alice, dm, "help", "as it stands below")
	ask(t, alice, dm, "status", "The bridge to Echo")

	// What has been a command is not bridged, and who may not gets no answer.
	carol.Tell(town, "!echo help")
	carol.Tell(town, "the end")
	if sent, err := net.WaitSent(t.Context(), 1); err != nil || sent[0].Body != "the end" {
		t.Errorf("%v, %v", sent, err)
	}
	if got := s.Run("bridge", "dead-letters", "list", "echo"); strings.Contains(got, "carol") {
		t.Errorf("a command is a dead letter: %s", got)
	}

	// Whoever is made an administrator is one at once.
	s.Run("user", "admin", "alice")
	help = ask(t, alice, dm, "help", "Administration", "sudo", "delete-portal")
	for _, not := range []string{"login-matrix", "set-relay", "register-push"} {
		if strings.Contains(help, not) {
			t.Errorf("an administrator's help has %q:\n%s", not, help)
		}
	}
	s.Run("user", "admin", "alice", "-undo")
	ask(t, alice, dm, "sudo @carol:test help", "limited to bridge administrators")

	// It is still there after a restart.
	s.Restart()
	ask(t, alice, dm, "status", "The bridge to Echo")
}

// invite makes a direct chat with the bot.
func invite(t *testing.T, p *apptest.Person) string {
	t.Helper()
	var made struct {
		RoomID string `json:"room_id"`
	}
	err := p.Do(t.Context(), "POST", "/v3/createRoom", map[string]any{"preset": "trusted_private_chat", "is_direct": true, "invite": []string{bot}}, &made)
	if err != nil {
		t.Fatal(err)
	}
	return made.RoomID
}
