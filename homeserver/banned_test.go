package homeserver

import "testing"

// Who was banned from a room is told so at a first sync too; a room that the user has left is not
// there.
func TestBannedIsTold(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob := h.user("alice"), h.user("bob")
	banned := h.room(alice, map[string]any{"preset": "public_chat"})
	left := h.room(alice, map[string]any{"preset": "public_chat"})
	for _, room := range []string{banned, left} {
		h.ok(bob, "POST", "/v3/join/"+room, map[string]any{})
	}
	h.ok(alice, "POST", "/v3/rooms/"+banned+"/ban", map[string]any{"user_id": "@bob:test"})
	h.ok(bob, "POST", "/v3/rooms/"+left+"/leave", map[string]any{})
	rooms := h.get(bob, "/v3/sync").Get("rooms.leave").Map()
	if _, told := rooms[banned]; !told || len(rooms) != 1 {
		t.Errorf("the first sync tells of %v", rooms)
	}
	// What was said while they were there stays theirs to read, the state by itself does not.
	h.refused(403, "M_FORBIDDEN", bob, "GET", "/v3/rooms/"+banned+"/state", nil)
	h.refused(403, "M_FORBIDDEN", bob, "GET", "/v3/rooms/"+banned+"/state/m.room.member/@bob:test", nil)
	h.ok(bob, "GET", "/v3/rooms/"+left+"/state/m.room.member/@bob:test", nil)
	h.ok(bob, "GET", "/v3/rooms/"+banned+"/messages?dir=b", nil)
	h.ok(bob, "POST", "/v3/rooms/"+banned+"/forget", map[string]any{})
	if rooms := h.get(bob, "/v3/sync").Get("rooms.leave").Map(); len(rooms) != 0 {
		t.Errorf("after it was forgotten, %v", rooms)
	}
}
