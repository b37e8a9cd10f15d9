package irc_test

import (
	"fmt"
	"testing"

	"github.com/landbridge-im/landbridge/bridges/irc/demonet"
	"github.com/landbridge-im/landbridge/integration/ircd"
)

// setState has a user change a room's state.
func (h *homeserver) setState(room *fakeRoom, user, kind string, content obj) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	empty := ""
	return h.add(room, user, kind, &empty, content, 0)
}

// give gives a user a power level.
func (h *homeserver) give(room *fakeRoom, user string, level int) {
	h.mu.Lock()
	content := obj{}
	for k, v := range room.state[[2]string{"m.room.power_levels", ""}].Content {
		content[k] = v
	}
	h.mu.Unlock()
	content["users"] = obj{user: level, "@ircbot:test.example": 100}
	h.setState(room, "@admin:test.example", "m.room.power_levels", content)
}

// topicLevel matches power levels that let the topic be changed from a level on.
func topicLevel(level int) func(*fakeEvent) bool {
	return func(e *fakeEvent) bool {
		events, _ := e.Content["events"].(obj)
		now, ok := events["m.room.topic"]
		if !ok {
			now = 50 // that of all state
		}
		return e.Type == "m.room.power_levels" && fmt.Sprint(now) == fmt.Sprint(level)
	}
}

// TestTopicLock: who may change a topic in Matrix follows mode t of the channel.
func TestTopicLock(t *testing.T) {
	t.Parallel()
	t.Run("demonet", func(t *testing.T) {
		t.Parallel()
		d, err := demonet.Start(demonet.Options{Listen: "127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		testTopicLock(t, d.Addr())
	})
	withServers(t, func(t *testing.T, s *ircd.Server, _ bool) { testTopicLock(t, s.Addr) })
}

func testTopicLock(t *testing.T, addr string) {
	alice := ircd.Dial(t, addr, "alice") // the first is the operator
	alice.Join("#room")
	alice.Send("MODE #room +t")
	alice.Send("TOPIC #room :of alice")
	r := newRig(t, networkConfig(addr, ""))
	room := r.hs.byAlias("irc_net_#room")
	const bot = "@ircbot:test.example"
	topic := func(text, sender string) func(*fakeEvent) bool {
		return func(e *fakeEvent) bool {
			return e.Type == "m.room.topic" && e.Content["topic"] == text && e.Sender == sender
		}
	}
	r.hs.await(room, 0, "a locked topic from the beginning", topicLevel(50))
	_, at := r.hs.await(room, 0, "join of alice", memberEvent(ghostAlice, "join"))
	r.hs.enter(room, user, "Mia")

	// The bridge is an operator, so IRC would take whatever it sends.
	alice.Send("MODE #room +o bridge")
	alice.Expect("+o")
	id := r.hs.setState(room, user, "m.room.topic", obj{"topic": "not mine"})
	_, at = r.hs.await(room, at, "the old topic", topic("of alice", bot))
	r.hs.await(room, 0, "refusal", status(id, "FAIL_PERMANENT"))

	// -t, and anybody may.
	alice.Send("MODE #room -t")
	_, at = r.hs.await(room, at, "an open topic", topicLevel(0))
	r.hs.setState(room, user, "m.room.topic", obj{"topic": "mine"})
	alice.Expect("TOPIC #room :mine")

	// +t again, among other modes.
	alice.Send("MODE #room +mt-i+v bridge")
	_, at = r.hs.await(room, at, "a locked topic", topicLevel(50))
	id = r.hs.setState(room, user, "m.room.topic", obj{"topic": "mine again"})
	_, at = r.hs.await(room, at, "the old topic", topic("mine", bot))
	r.hs.await(room, 0, "refusal", status(id, "FAIL_PERMANENT"))

	// A moderator may.
	r.hs.give(room, user, 50)
	r.hs.setState(room, user, "m.room.topic", obj{"topic": "moderated"})
	alice.Expect("TOPIC #room :moderated")

	// If the channel's operators do not include the bridge, nobody can.
	alice.Send("MODE #room -o bridge")
	alice.Expect("-o")
	r.hs.setState(room, user, "m.room.topic", obj{"topic": "without rights"})
	_, at = r.hs.await(room, at, "the old topic", topic("moderated", bot))

	// A level that an administrator has chosen stays.
	r.hs.mu.Lock()
	levels := obj{"events": obj{"m.room.topic": 75}, "users": obj{bot: 100, user: 50}}
	r.hs.mu.Unlock()
	r.hs.setState(room, "@admin:test.example", "m.room.power_levels", levels)
	alice.Send("MODE #room -t")
	alice.Expect("-t")
	alice.Send("TOPIC #room :the end")
	_, at = r.hs.await(room, at, "the last topic", topic("the end", ghostAlice))
	r.hs.mu.Lock()
	defer r.hs.mu.Unlock()
	if now := room.state[[2]string{"m.room.power_levels", ""}]; !topicLevel(75)(now) {
		t.Errorf("the administrator's level became %v", now.Content)
	}
	for _, e := range room.timeline[at:] {
		if e.Type == "m.room.power_levels" {
			t.Errorf("power levels were changed: %v", e.Content)
		}
	}
}
