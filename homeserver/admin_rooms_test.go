package homeserver

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/tidwall/gjson"
)

func TestAdminRooms(t *testing.T) {
	t.Parallel()
	h, root := startAdmin(t)
	alice, bob := h.user("alice"), h.user("bob")
	one := h.room(alice, obj{"name": "Apples", "topic": "fruit", "preset": "public_chat", "visibility": "public", "room_alias_name": "apples"})
	two := h.room(alice, obj{"name": "Bananas", "preset": "private_chat", "creation_content": obj{"type": "m.space", "m.federate": false}})
	three := h.room(bob, obj{"name": "Cherries", "initial_state": []obj{{"type": "m.room.encryption", "content": obj{"algorithm": "m.megolm.v1.aes-sha2"}}}})
	h.join(bob, one)
	h.ok(bob, "POST", "/v3/rooms/"+three+"/leave", nil)
	for query, rooms := range map[string]string{
		"":                             "Apples Bananas Cherries",
		"dir=b":                        "Cherries Bananas Apples",
		"order_by=joined_members":      "Apples Bananas Cherries",
		"order_by=size&dir=b&limit=2":  "Cherries Bananas",
		"limit=1&from=1":               "Bananas",
		"search_term=NAN":              "Bananas",
		"search_term=" + three:         "Cherries",
		"search_term=apples":           "Apples",
		"public_rooms=true":            "Apples",
		"public_rooms=false":           "Bananas Cherries",
		"empty_rooms=true":             "Cherries",
		"order_by=encryption&dir=b":    "Cherries Apples Bananas",
		"order_by=creator&limit=2":     "Apples Bananas",
		"order_by=federatable&limit=1": "Bananas",
	} {
		if out := h.admOK(root, "GET", "/v1/rooms?"+query, nil); all(out.Get("rooms"), "name") != rooms {
			t.Errorf("%s: %s", query, out.Raw)
		}
	}
	want(t, h.admOK(root, "GET", "/v1/rooms?limit=1&from=1", nil), map[string]string{"offset": "1", "total_rooms": "3", "next_batch": "2", "prev_batch": "0"})
	for _, order := range []string{"canonical_alias", "joined_local_members", "version", "public", "join_rules", "guest_access", "history_visibility", "state_events"} {
		h.admOK(root, "GET", "/v1/rooms?order_by="+order, nil)
	}
	h.admNo(400, "M_INVALID_PARAM", root, "GET", "/v1/rooms?order_by=x", nil)
	h.admNo(400, "M_INVALID_PARAM", root, "GET", "/v1/rooms?search_term=", nil)

	want(t, h.admOK(root, "GET", "/v1/rooms/"+one, nil), map[string]string{"room_id": one, "name": "Apples", "topic": "fruit", "canonical_alias": "#apples:test", "joined_members": "2",
		"joined_local_members": "2", "joined_local_devices": "2", "version": "12", "creator": "@alice:test", "encryption": "", "federatable": "true", "public": "true",
		"join_rules": "public", "history_visibility": "shared", "room_type": "", "forgotten": "false", "tombstoned": "false", "replacement_room": ""})
	want(t, h.admOK(root, "GET", "/v1/rooms/"+two, nil), map[string]string{"room_type": "m.space", "federatable": "false", "public": "false"})
	h.admNo(404, "M_NOT_FOUND", root, "GET", "/v1/rooms/!none:test", nil)
	h.admNo(400, "M_INVALID_PARAM", root, "GET", "/v1/rooms/none", nil)
	want(t, h.admOK(root, "GET", "/v1/rooms/"+one+"/members", nil), map[string]string{"total": "2", "members.0": "@alice:test", "members.1": "@bob:test"})
	want(t, h.admOK(root, "GET", "/v1/rooms/"+one+"/state?type=m.room.name", nil), map[string]string{"state.#": "1", "state.0.content.name": "Apples"})

	// What only its members see, the administrator sees too.
	id := h.say(alice, two, "secret")
	want(t, h.admOK(root, "GET", "/v1/rooms/"+two+"/messages?dir=b&limit=1", nil), map[string]string{"chunk.0.event_id": id})
	want(t, h.admOK(root, "GET", "/v1/rooms/"+two+"/context/"+id, nil), map[string]string{"event.event_id": id})
	want(t, h.admOK(root, "GET", "/v1/rooms/"+two+"/timestamp_to_event?ts=0", nil), map[string]string{"origin_server_ts": h.admOK(root, "GET", "/v1/rooms/"+two+"/messages?limit=1", nil).Get("chunk.0.origin_server_ts").Raw})
	want(t, h.admOK(root, "GET", "/v1/rooms/"+two+"/hierarchy", nil), map[string]string{"rooms.0.room_id": two})
	want(t, h.admOK(root, "GET", "/v1/fetch_event/"+id, nil), map[string]string{"event.event_id": id})
	h.admNo(404, "M_NOT_FOUND", root, "GET", "/v1/fetch_event/$none", nil)
	h.refused(403, "M_FORBIDDEN", root, "GET", "/v3/rooms/"+two+"/messages?dir=b", nil)
	want(t, h.admOK(root, "GET", "/v1/rooms/"+two+"/forward_extremities", nil), map[string]string{"count": "1", "results.0.event_id": id})
	want(t, h.admOK(root, "DELETE", "/v1/rooms/"+two+"/forward_extremities", nil), map[string]string{"deleted": "0"})

	// Joining others, and power.
	want(t, h.admOK(root, "POST", "/v1/join/"+url.PathEscape("#apples:test"), obj{"user_id": "@root:test"}), map[string]string{"room_id": one})
	h.admNo(403, "M_FORBIDDEN", root, "POST", "/v1/join/"+two, obj{"user_id": "@bob:test"})
	h.admNo(404, "M_NOT_FOUND", root, "POST", "/v1/join/"+one, obj{"user_id": "@nobody:test"})
	h.admOK(root, "POST", "/v1/rooms/"+two+"/make_room_admin", obj{"user_id": "@bob:test"})
	h.join(bob, two)
	h.state(bob, two, "m.room.name", "", obj{"name": "Berries"})
	h.admNo(400, "M_UNKNOWN", root, "POST", "/v1/rooms/"+three+"/make_room_admin", nil)

	// Blocked rooms, known and not.
	want(t, h.admOK(root, "PUT", "/v1/rooms/"+one+"/block", obj{"block": true}), map[string]string{"block": "true"})
	want(t, h.admOK(root, "GET", "/v1/rooms/"+one+"/block", nil), map[string]string{"block": "true", "user_id": "@root:test"})
	carol := h.user("carol")
	h.refused(403, "M_FORBIDDEN", carol, "POST", "/v3/join/"+one, nil)
	h.refused(403, "M_FORBIDDEN", alice, "POST", "/v3/rooms/"+one+"/invite", obj{"user_id": "@carol:test"})
	h.refused(403, "M_FORBIDDEN", carol, "PUT", "/v3/rooms/"+one+"/state/m.room.member/@carol:test", obj{"membership": "join"})
	h.admOK(root, "PUT", "/v1/rooms/"+one+"/block", obj{"block": false})
	h.join(carol, one)
	h.admOK(root, "PUT", "/v1/rooms/!unknown:elsewhere/block", obj{"block": true})
	want(t, h.admOK(root, "GET", "/v1/rooms/!unknown:elsewhere/block", nil), map[string]string{"block": "true"})
	h.admNo(400, "M_INVALID_PARAM", root, "PUT", "/v1/rooms/x/block", obj{"block": true})
	h.admNo(400, "M_MISSING_PARAM", root, "PUT", "/v1/rooms/"+one+"/block", obj{})
}

// deleted waits until a deletion is done.
func (h *hs) deleted(root, id string) (out gjson.Result) {
	h.Helper()
	h.eventually("the room is deleted", func() bool {
		out = h.admOK(root, "GET", "/v2/rooms/delete_status/"+id, nil)
		return out.Get("status").Str != "active"
	})
	return out
}

func TestAdminDeleteRoom(t *testing.T) {
	t.Parallel()
	h, root := startAdmin(t, func(o *Options) { o.Search = true })
	alice, bob := h.user("alice"), h.user("bob")
	room := h.room(alice, obj{"name": "Bad", "preset": "public_chat", "visibility": "public", "room_alias_name": "bad"})
	other := h.room(alice, obj{"name": "Good", "preset": "public_chat"})
	h.join(bob, room)
	h.join(bob, other)
	var last string
	for i := range 450 { // more than one write takes away
		last = h.say(alice, room, fmt.Sprintf("word %d", i))
	}
	h.send(alice, room, "m.room.message", relates("m.thread", last, nil))
	h.send(bob, room, "m.reaction", obj{"m.relates_to": obj{"rel_type": "m.annotation", "event_id": last, "key": "x"}})
	h.ok(bob, "POST", "/v3/rooms/"+room+"/receipt/m.read/"+last, nil)
	h.ok(bob, "PUT", "/v3/user/@bob:test/rooms/"+room+"/account_data/x.y", obj{})
	h.ok(bob, "POST", "/v3/rooms/"+room+"/report/"+last, obj{"reason": "bad"})
	good := h.say(alice, other, "word of the other room")
	found := func(token string) int64 {
		return h.ok(token, "POST", "/v3/search", obj{"search_categories": obj{"room_events": obj{"search_term": "word"}}}).Get("search_categories.room_events.count").Int()
	}
	h.eventually("all is indexed", func() bool { return found(bob) == 451 })
	since := h.ok(bob, "GET", "/v3/sync", nil).Get("next_batch").Str

	id := h.admOK(root, "DELETE", "/v2/rooms/"+room, obj{"new_room_user_id": "@root:test", "room_name": "Gone", "message": "It is gone.", "block": true}).Get("delete_id").Str
	out := h.deleted(root, id)
	want(t, out, map[string]string{"status": "complete", "room_id": room, "delete_id": id, "shutdown_room.kicked_users": `["@alice:test","@bob:test"]`,
		"shutdown_room.failed_to_kick_users": "[]", "shutdown_room.local_aliases": `["#bad:test"]`})
	refuge := out.Get("shutdown_room.new_room_id").Str
	want(t, h.admOK(root, "GET", "/v2/rooms/"+room+"/delete_status", nil), map[string]string{"results.#": "1", "results.0.status": "complete"})
	want(t, h.ok(bob, "GET", "/v3/directory/room/%23bad:test", nil), map[string]string{"room_id": refuge})
	want(t, h.ok(bob, "GET", "/v3/joined_rooms", nil), map[string]string{"joined_rooms.#": "2"})
	want(t, h.ok(bob, "GET", "/v3/rooms/"+refuge+"/messages?dir=b&limit=100&filter="+url.QueryEscape(`{"types":["m.room.message"]}`), nil), map[string]string{"chunk.0.content.body": "It is gone."})
	h.refused(403, "M_FORBIDDEN", bob, "PUT", "/v3/rooms/"+refuge+"/send/m.room.message/1", obj{"body": "no"})

	// Nothing of it is left, and nothing else is harmed.
	h.admNo(404, "M_NOT_FOUND", root, "GET", "/v1/rooms/"+room, nil)
	h.admNo(404, "M_NOT_FOUND", root, "GET", "/v1/fetch_event/"+last, nil)
	h.admNo(404, "M_NOT_FOUND", root, "GET", "/v2/rooms/delete_status/none", nil)
	h.admNo(404, "M_NOT_FOUND", root, "DELETE", "/v2/rooms/"+room, obj{})
	h.refused(404, "M_NOT_FOUND", alice, "PUT", "/v3/rooms/"+room+"/send/m.room.message/1", obj{"body": "no"})
	h.refused(404, "M_NOT_FOUND", alice, "POST", "/v3/join/"+room, nil)
	if n := found(bob); n != 1 {
		t.Errorf("%d messages are found", n)
	}
	want(t, h.ok(bob, "GET", "/v3/rooms/"+other+"/event/"+good, nil), map[string]string{"content.body": "word of the other room"})
	want(t, h.admOK(root, "GET", "/v1/event_reports", nil), map[string]string{"total": "0"})
	if out := h.ok(bob, "GET", "/v3/sync?since="+since, nil); out.Get("rooms.join").Map()[room].Exists() {
		t.Error(out.Raw)
	}
	for _, token := range []string{alice, bob} {
		if out := h.ok(token, "GET", "/v3/sync?full_state=true", nil); out.Get("rooms.join").Map()[room].Exists() || !out.Get("rooms.join").Map()[other].Exists() {
			t.Error(out.Raw)
		}
	}
	entries, err := h.Store().Entries(t.Context(), 0, 10000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Kind == 1 {
			if _, err := h.Store().Event(t.Context(), e.Ref); err != nil {
				t.Errorf("the log speaks of an event that is gone: %v", err)
			}
		}
	}

	// The old form waits, and blocks rooms that are not known.
	want(t, h.admOK(root, "DELETE", "/v1/rooms/"+refuge, obj{}), map[string]string{"new_room_id": "", "local_aliases": "[]"})
	want(t, h.admOK(root, "DELETE", "/v1/rooms/!unknown:elsewhere", obj{"block": true}), map[string]string{"kicked_users": "[]"})
	want(t, h.admOK(root, "GET", "/v1/rooms/!unknown:elsewhere/block", nil), map[string]string{"block": "true"})
	h.admNo(404, "M_NOT_FOUND", root, "DELETE", "/v1/rooms/!unknown2:elsewhere", obj{})
	// Only the people go.
	want(t, h.admOK(root, "DELETE", "/v1/rooms/"+other, obj{"purge": false}), map[string]string{"kicked_users.#": "2"})
	want(t, h.admOK(root, "GET", "/v1/rooms/"+other, nil), map[string]string{"joined_members": "0"})
}

func TestAdminPurgeHistory(t *testing.T) {
	t.Parallel()
	h, root := startAdmin(t)
	alice := h.user("alice")
	room := h.room(alice, obj{"name": "Old", "preset": "public_chat"})
	first := h.say(alice, room, "first")
	h.state(alice, room, "m.room.topic", "", obj{"topic": "kept"})
	middle := h.say(alice, room, "middle")
	last := h.say(alice, room, "last")
	done := func(id string) {
		t.Helper()
		h.eventually("history is purged", func() bool {
			return h.admOK(root, "GET", "/v1/purge_history_status/"+id, nil).Get("status").Str == "complete"
		})
	}
	// What people of this server said stays unless asked otherwise.
	done(h.admOK(root, "POST", "/v1/purge_history/"+room+"/"+middle, obj{}).Get("purge_id").Str)
	h.ok(alice, "GET", "/v3/rooms/"+room+"/event/"+first, nil)
	done(h.admOK(root, "POST", "/v1/purge_history/"+room, obj{"purge_up_to_event_id": middle, "delete_local_events": true}).Get("purge_id").Str)
	h.refused(404, "M_NOT_FOUND", alice, "GET", "/v3/rooms/"+room+"/event/"+first, nil)
	h.ok(alice, "GET", "/v3/rooms/"+room+"/event/"+middle, nil)
	want(t, h.ok(alice, "GET", "/v3/rooms/"+room+"/state/m.room.topic", nil), map[string]string{"topic": "kept"})
	// Nothing that is not followed yet ever goes.
	done(h.admOK(root, "POST", "/v1/purge_history/"+room, obj{"purge_up_to_ts": 1 << 50, "delete_local_events": true}).Get("purge_id").Str)
	h.ok(alice, "GET", "/v3/rooms/"+room+"/event/"+last, nil)
	h.refused(404, "M_NOT_FOUND", alice, "GET", "/v3/rooms/"+room+"/event/"+middle, nil)
	next := h.say(alice, room, "next")
	if out := h.ok(alice, "GET", "/v3/rooms/"+room+"/messages?dir=b&limit=100", nil); all(out.Get("chunk.#(type==\"m.room.message\")#"), "event_id") != next+" "+last {
		t.Error(out.Raw)
	}
	h.admNo(400, "M_BAD_JSON", root, "POST", "/v1/purge_history/"+room, obj{})
	h.admNo(400, "M_BAD_JSON", root, "POST", "/v1/purge_history/"+room+"/$none", obj{})
	h.admNo(404, "M_NOT_FOUND", root, "POST", "/v1/purge_history/!none:test", obj{"purge_up_to_ts": 1})
	h.admNo(404, "M_NOT_FOUND", root, "GET", "/v1/purge_history_status/none", nil)
}
