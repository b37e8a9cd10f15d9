package homeserver

import (
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// TestJoinUndone has somebody join while another server closes the room: when that is heard of, they are
// not in it and never were, by an event that is not about them.
func TestJoinUndone(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob := h.user("alice"), h.user("bob")
	id := h.room(alice, map[string]any{"preset": "public_chat", "room_version": "11", "power_level_content_override": map[string]any{"users": map[string]int{"@alice:test": 100, "@rob:far": 100}}})
	f := h.far(id, "@rob:far")
	f.join()
	before, none := f.last(), ""
	h.must(bob, "POST", "/v3/join/"+id, map[string]any{}, nil)
	h.must(bob, "PUT", "/v3/rooms/"+id+"/typing/@bob:test", map[string]any{"typing": true, "timeout": 60000}, nil)
	since := h.sync(alice, "").Get("next_batch").Str
	f.send(before, event.Proto{Type: "m.room.join_rules", StateKey: &none, Content: []byte(`{"join_rule":"invite"}`), TS: 3_000_000_000_000})
	if members := h.get(alice, "/v3/rooms/"+id+"/joined_members").Get("joined").Raw; strings.Contains(members, "@bob:test") {
		t.Errorf("the members are %s", members)
	}
	if r := joined(h.sync(alice, since), id); strings.Contains(r.Get("ephemeral").Raw, "@bob:test") {
		t.Errorf("somebody who is not in the room types: %s", r.Raw)
	}
}
