package apptest_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/app/apptest"
	"github.com/landbridge-im/landbridge/appservice/appservicetest"
)

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// TestRooms: channels are put into rooms that were there, which stay what they are; into spaces; get aliases; and only
// who speaks comes in where that is wanted. What would happen is told before.
func TestRooms(t *testing.T) {
	t.Parallel()
	net := appservicetest.NewNetwork()
	s := apptest.Start(t, "  - {id: echo, module: echo, config: {channels: [town]}}\n", net.Module())
	alice := s.Person("alice")
	alice.Enter("#echo_town:" + apptest.Domain)
	create := func(body map[string]any) string {
		t.Helper()
		var made struct {
			RoomID string `json:"room_id"`
		}
		if err := alice.Do(t.Context(), "POST", "/v3/createRoom", body, &made); err != nil {
			t.Fatal(err)
		}
		return made.RoomID
	}
	market := create(map[string]any{"name": "Our market", "topic": "As ever", "preset": "public_chat", "room_alias_name": "market"})
	space := create(map[string]any{"name": "The town", "preset": "public_chat", "room_alias_name": "all", "creation_content": map[string]any{"type": "m.space"},
		"power_level_content_override": map[string]any{"users_default": 0, "events": map[string]int{"m.space.child": 0}}})

	s.Configure("  - id: echo\n    module: echo\n    config: {channels: [town, market, quiet]}\n    rooms:\n      channels:\n" +
		"        - {channel: market, room: \"#market:test\", aliases: [bazaar], space: \"#all:test\"}\n" +
		"        - {channel: quiet, aliases: [silence, hush], space: \"#all:test\", members: active}\n")
	planned := s.Run("bridge", "plan", "echo")
	for _, want := range []string{"+ plumb market", "into " + market, "gets the alias #bazaar:test", "+ make  quiet", "members: active", "1 as they are", "the bot is not in the room: invite @echobot:test"} {
		if !strings.Contains(planned, want) {
			t.Errorf("the plan lacks %q:\n%s", want, planned)
		}
	}
	if _, err := alice.Resolve(t.Context(), "#bazaar:test"); err == nil {
		t.Error("planning has changed something")
	}
	s.Restart()

	if got := alice.Enter("#bazaar:test"); got != market {
		t.Errorf("the market is %s, not %s", got, market)
	}
	if !net.Say("market", "bob", "fresh fish") {
		t.Fatal("no bridge")
	}
	alice.Hears(market, "@echo_bob:test", "fresh fish")
	alice.Tell(market, "how much?")
	until(t, "the answer to be on the network", func() bool {
		for _, m := range net.Sent() {
			if m.Channel == "market" && m.Body == "how much?" {
				return true
			}
		}
		return false
	})
	for kind, want := range map[string]string{"m.room.name": "Our market", "m.room.topic": "As ever"} {
		var got map[string]any
		if err := alice.State(t.Context(), market, kind, "", &got); err != nil || got["name"] != want && got["topic"] != want {
			t.Errorf("%s of the market is %v, %v", kind, got, err)
		}
	}

	quiet := alice.Enter("#hush:test")
	until(t, "both rooms to be in the space", func() bool {
		for _, room := range []string{quiet, market} {
			var child struct {
				Via []string `json:"via"`
			}
			if err := alice.State(t.Context(), space, "m.space.child", room, &child); err != nil || len(child.Via) == 0 {
				return false
			}
		}
		return true
	})
	net.Say("quiet", "zoe", "psst")
	alice.Hears(quiet, "@echo_zoe:test", "psst")

	if planned = s.Run("bridge", "plan"); !strings.Contains(planned, "the bot may not") || strings.Contains(planned, "+") {
		t.Errorf("when all is done, the plan is\n%s", planned)
	}
	if got := s.Run("bridge", "plan", "-json"); !strings.Contains(got, fmt.Sprintf("%q: %q", "room_id", market)) && !strings.Contains(got, fmt.Sprintf("%q:%q", "room_id", market)) {
		t.Errorf("JSON: %s", got)
	}

	// What is not mapped any more stays what it is, and who deletes the portal parts the two: nobody has to go.
	s.Configure("  - {id: echo, module: echo, config: {channels: [town, market, quiet]}}\n")
	s.Restart()
	s.Run("user", "admin", "alice")
	until(t, "the bridge to run", func() bool { return net.Say("market", "bob", "still here") })
	alice.Hears(market, "@echo_bob:test", "still here")
	alice.Tell(market, "!echo delete-portal")
	until(t, "the bridge's people to leave", func() bool {
		members, err := alice.Members(t.Context(), market)
		_, ghost := members["@echo_bob:test"]
		_, bot := members["@echobot:test"]
		return err == nil && !ghost && !bot && len(members) == 1
	})
	var name struct{ Name string }
	if err := alice.State(t.Context(), market, "m.room.name", "", &name); err != nil || name.Name != "Our market" {
		t.Errorf("the market is called %q, %v", name.Name, err)
	}
}

// TestManyNetworksOneRoom: two bridges in one room carry to each other, and nothing comes back; the same channel of the same
// network is not bridged to one room twice.
func TestManyNetworksOneRoom(t *testing.T) {
	t.Parallel()
	one, two := appservicetest.NewNetwork(), appservicetest.NewNetwork()
	second := two.Module()
	second.Name = "two"
	s := apptest.Start(t, "  - {id: one, module: echo, config: {channels: [square]}}\n"+
		"  - {id: two, module: two, config: {channels: [plaza]}, rooms: {channels: [{channel: plaza, room: \"#one_square:test\"}]}}\n"+
		"  - {id: tri, module: two, enabled: false, config: {channels: [plaza]}}\n", one.Module(), second)
	alice := s.Person("alice")
	room := alice.Enter("#one_square:test")
	// The second bridge may have started before there was a room with that alias.
	s.Restart()
	until(t, "the second network to be there", func() bool {
		var got string
		got, _ = s.Try("bridge", "plan", "two")
		return strings.Contains(got, "= keep  plaza")
	})

	one.Say("square", "bob", "hello plaza")
	alice.Hears(room, "@one_bob:test", "hello plaza")
	two.Say("plaza", "zoe", "hello square")
	alice.Hears(room, "@two_zoe:test", "hello square")
	alice.Tell(room, "hello both")
	bodies := func(n *appservicetest.Network) (out []string) {
		for _, m := range n.Sent() {
			out = append(out, m.Body)
		}
		return out
	}
	until(t, "all to be on both networks", func() bool { return len(bodies(one)) >= 2 && len(bodies(two)) >= 2 })
	if got := s.Run("status", "-portals"); !strings.Contains(got, room) {
		t.Errorf("status does not have the room:\n%s", got)
	}
	alice.Tell(room, "the end")
	until(t, "the end to be on both networks", func() bool { return len(bodies(one)) >= 3 && len(bodies(two)) >= 3 })
	if got := strings.Join(bodies(one), "|"); got != "hello square|hello both|the end" {
		t.Errorf("the first network has heard %s", got)
	}
	if got := strings.Join(bodies(two), "|"); got != "hello plaza|hello both|the end" {
		t.Errorf("the second network has heard %s", got)
	}

	text, err := os.ReadFile(s.Config())
	if err != nil {
		t.Fatal(err)
	}
	again := strings.Replace(string(text), "{id: tri, module: two, enabled: false, config: {channels: [plaza]}}",
		"{id: tri, module: two, config: {channels: [plaza]}, rooms: {channels: [{channel: plaza, room: \"#one_square:test\"}]}}", 1)
	if err := os.WriteFile(s.Config(), []byte(again), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Restart()
	// Before its bot is in the room, the third bridge can't see who else is.
	until(t, "the plan to tell of the loop", func() bool {
		got, _ := s.Try("bridge", "plan", "tri")
		return strings.Contains(got, "@twobot:test bridges this channel to the room already")
	})
}
