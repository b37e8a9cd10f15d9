package irc_test

import (
	"fmt"
	"strings"

	"github.com/landbridge-im/landbridge/integration/bridgetest"
)

func (k *talk) topics() {
	t := k.t
	topic := func(text string) func(bridgetest.Event) bool {
		return func(e bridgetest.Event) bool { return e.Type == "m.room.topic" && e.Field("topic") == text }
	}
	if k.network != "demo" {
		e := k.toMatrix("a topic", topic("from IRC"), func() {
			k.bob.Send("TOPIC " + k.channel + " :from IRC")
		})
		if e.Sender != k.ghost("bob") && !strings.HasPrefix(e.Sender, "@ircbot") {
			t.Errorf("the topic was set by %s", e.Sender)
		}
	}
	// Who may change the topic in Matrix follows the channel's mode t, also where the bridge is an
	// operator, so that IRC would take whatever it sends.
	mayBe := func(want bool) {
		t.Helper()
		waitFor(k.ctx, t, fmt.Sprintf("members may change the topic: %v", want), func() bool {
			var levels struct {
				Events map[string]int `json:"events"`
			}
			if err := k.anna.Do(k.ctx, "GET", "/v3/rooms/"+k.room+"/state/m.room.power_levels", nil, &levels); err != nil {
				t.Fatal(err)
			}
			level, ok := levels.Events["m.room.topic"]
			return (ok && level == 0) == want
		})
	}
	set := func(text string) error {
		return k.anna.SetState(k.ctx, k.room, "m.room.topic", "", map[string]string{"topic": text})
	}
	if k.network != "demo" {
		k.bob.Send("MODE " + k.channel + " +o lbridge")
		if _, _, err := k.bob.Await(k.ctx, 0, "", "MODE", "lbridge"); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			k.bob.Send("MODE " + k.channel + " +t")
			mayBe(false)
			if err := set("not allowed"); !bridgetest.IsStatus(err, 403) {
				t.Errorf("a member set the topic of a +t channel: %v", err)
			}
			k.bob.Send("MODE " + k.channel + " -t")
			mayBe(true)
		}
	}
	mayBe(true)
	if err := set("from Matrix"); err != nil {
		t.Errorf("a member cannot set the topic: %v", err)
		return
	}
	if _, _, err := k.bob.Await(k.ctx, 0, "", "TOPIC", "from Matrix"); err != nil {
		t.Error(err)
	}
	for _, l := range k.bob.Lines.All(0) {
		if l.Command == "TOPIC" && l.Text() == "not allowed" {
			t.Error("a topic that was refused came to IRC")
		}
	}
}
