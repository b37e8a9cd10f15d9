package homeserver

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// TestHistoryVisibility: who joins, leaves and comes again sees of each setting what the rules say
// of the time at which things were said.
func TestHistoryVisibility(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice := h.user("alice")
	for _, tc := range []struct {
		visibility string
		// What is seen of: before, invited, joined, after leaving.
		invited, joined, left, outside string
	}{
		{"world_readable", "before invited", "before invited joined", "before invited joined gone", "before invited joined gone"},
		{"shared", "", "before invited joined", "before invited joined", ""},
		{"invited", "", "invited joined", "invited joined", ""},
		{"joined", "", "joined", "joined", ""},
		{"nonsense", "", "before invited joined", "before invited joined", ""},
	} {
		t.Run(tc.visibility, func(t *testing.T) {
			bob := h.user("bob." + strings.ReplaceAll(tc.visibility, "_", ""))
			carol := h.user("carol." + strings.ReplaceAll(tc.visibility, "_", ""))
			me := h.ok(bob, "GET", "/v3/account/whoami", nil).Get("user_id").Str
			room := h.room(alice, obj{"initial_state": []obj{{"type": "m.room.history_visibility", "content": obj{"history_visibility": tc.visibility}}}})
			saw := func(token string) string {
				var seen []string
				_, out := h.do(token, "GET", "/v3/rooms/"+room+"/messages?dir=f&limit=100", nil)
				for _, e := range out.Get("chunk").Array() {
					if b := e.Get("content.body").Str; b != "" {
						seen = append(seen, b)
						h.ok(token, "GET", "/v3/rooms/"+room+"/event/"+esc(e.Get("event_id").Str), nil)
					}
				}
				return strings.Join(seen, " ")
			}
			is := func(when, got, want string) {
				t.Helper()
				if got != want {
					t.Errorf("%s: %q, want %q", when, got, want)
				}
			}
			before := h.say(alice, room, "before")
			h.ok(alice, "POST", "/v3/rooms/"+room+"/invite", obj{"user_id": me})
			h.say(alice, room, "invited")
			if tc.invited != "" {
				is("invited", saw(bob), tc.invited)
			} else {
				h.refused(403, "M_FORBIDDEN", bob, "GET", "/v3/rooms/"+room+"/messages?dir=b", nil)
				h.refused(404, "M_NOT_FOUND", bob, "GET", "/v3/rooms/"+room+"/event/"+esc(before), nil)
			}
			h.join(bob, room)
			h.say(alice, room, "joined")
			is("joined", saw(bob), tc.joined)
			h.ok(bob, "POST", "/v3/rooms/"+room+"/leave", nil)
			gone := h.say(alice, room, "gone")
			h.state(alice, room, "m.room.name", "", obj{"name": "later"})
			is("left", saw(bob), tc.left)
			if tc.visibility == "world_readable" {
				is("outside", saw(carol), tc.outside)
				return
			}
			h.refused(404, "M_NOT_FOUND", bob, "GET", "/v3/rooms/"+room+"/event/"+esc(gone), nil)
			h.refused(404, "M_NOT_FOUND", bob, "GET", "/v3/rooms/"+room+"/context/"+esc(gone), nil)
			h.refused(404, "M_NOT_FOUND", bob, "GET", "/v3/rooms/"+room+"/state/m.room.name", nil) // it had none then
			h.refused(403, "M_FORBIDDEN", carol, "GET", "/v3/rooms/"+room+"/messages?dir=b", nil)
			h.refused(403, "M_FORBIDDEN", carol, "GET", "/v3/rooms/"+room+"/state", nil)
			h.refused(403, "M_FORBIDDEN", carol, "GET", "/v3/rooms/"+room+"/members", nil)
		})
	}
}

// TestVisibilityChanges: the setting in force when something was said decides, not the one of now.
func TestVisibilityChanges(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob := h.user("alice"), h.user("bob")
	room := h.room(alice, obj{"preset": "public_chat"})
	set := func(v string) string {
		return h.state(alice, room, "m.room.history_visibility", "", obj{"history_visibility": v})
	}
	h.say(alice, room, "shared")
	set("joined")
	h.say(alice, room, "joined")
	world := set("world_readable")
	h.say(alice, room, "world")
	closed := set("joined")
	h.say(alice, room, "closed")
	h.join(bob, room)
	got := strings.TrimSpace(strings.Join(strings.Fields(all(h.ok(bob, "GET", "/v3/rooms/"+room+"/messages?dir=f&limit=100", nil).Get("chunk"), "content.body")), " "))
	if got != "shared world" {
		t.Errorf("bob reads %q", got)
	}
	for _, id := range []string{world, closed} {
		h.ok(bob, "GET", "/v3/rooms/"+room+"/event/"+esc(id), nil) // allowed by what was before or after
	}
}

func TestMessagesFilters(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob := h.user("alice"), h.user("bob")
	room := h.room(alice, obj{"preset": "public_chat"})
	h.join(bob, room)
	h.say(alice, room, "a1")
	middle := h.send(bob, room, "m.room.message", obj{"body": "b1", "url": "mxc://x/y"})
	h.send(bob, room, "org.example.x", obj{"body": "x1"})
	last := h.say(alice, room, "a2")
	for _, tc := range []struct{ filter, want string }{
		{`{"types":["m.room.message"]}`, "a2 b1 a1"},
		{`{"types":["m.room.message"],"limit":1}`, "a2"},
		{`{"types":["org.*"]}`, "x1"},
		{`{"senders":["@bob:test"],"not_types":["m.room.member"]}`, "x1 b1"},
		{`{"types":["m.room.message"],"not_senders":["@bob:test"]}`, "a2 a1"},
		{`{"contains_url":true}`, "b1"},
		{`{"not_rooms":["` + room + `"]}`, ""},
		{`{"rooms":["!other:test"]}`, ""},
	} {
		out := h.ok(alice, "GET", "/v3/rooms/"+room+"/messages?dir=b&filter="+url.QueryEscape(tc.filter), nil)
		if got := all(out.Get("chunk"), "content.body"); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.filter, got, tc.want)
		}
	}
	// From one place to another.
	ctx := h.ok(alice, "GET", "/v3/rooms/"+room+"/context/"+esc(middle)+"?limit=0", nil)
	to, from := ctx.Get("start").Str, ctx.Get("end").Str
	if got := all(h.ok(alice, "GET", "/v3/rooms/"+room+"/messages?dir=b&from="+from+"&to="+to, nil).Get("chunk"), "content.body"); got != "b1" {
		t.Errorf("between: %q", got)
	}
	if got := all(h.ok(alice, "GET", "/v3/rooms/"+room+"/messages?dir=f&from="+to, nil).Get("chunk"), "content.body"); got != "b1 x1 a2" {
		t.Errorf("forward: %q", got)
	}
	// Around an event: the limit is of both sides, the filter of all but the event itself.
	lazy := url.QueryEscape(`{"types":["m.room.message","m.room.member"],"lazy_load_members":true,"senders":["@alice:test"]}`)
	out := h.ok(alice, "GET", "/v3/rooms/"+room+"/context/"+esc(middle)+"?limit=2&filter="+lazy, nil)
	if out.Get("event.event_id").Str != middle || all(out.Get("events_before"), "content.body") != "a1" || all(out.Get("events_after"), "event_id") != last || all(out.Get("state"), "state_key") != "@alice:test" {
		t.Errorf("context %s", out.Raw)
	}
	for _, q := range []string{"", "?dir=x", "?dir=b&limit=-1", "?dir=b&limit=x", "?dir=b&from=x", "?dir=b&to=x"} {
		h.refused(400, "M_INVALID_PARAM", alice, "GET", "/v3/rooms/"+room+"/messages"+q, nil)
	}
	h.refused(400, "M_BAD_JSON", alice, "GET", "/v3/rooms/"+room+"/messages?dir=b&filter={", nil)
}

func TestMembers(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob := h.user("alice"), h.user("bob")
	room := h.room(alice, obj{"preset": "public_chat"})
	now := h.ok(alice, "GET", "/v3/sync", nil).Get("next_batch").Str
	h.join(bob, room)
	h.ok(alice, "POST", "/v3/rooms/"+room+"/invite", obj{"user_id": "@carol:test"})
	h.ok(alice, "POST", "/v3/rooms/"+room+"/ban", obj{"user_id": "@dave:test"})
	for _, tc := range []struct{ query, want string }{
		{"", "@alice:test @bob:test @carol:test @dave:test"},
		{"?membership=join", "@alice:test @bob:test"},
		{"?not_membership=join", "@carol:test @dave:test"},
		{"?membership=invite&not_membership=join", "@carol:test @dave:test"},
		{"?membership=join&not_membership=join", "@alice:test @bob:test @carol:test @dave:test"},
		{"?at=" + now, "@alice:test"},
	} {
		if got := all(h.ok(alice, "GET", "/v3/rooms/"+room+"/members"+tc.query, nil).Get("chunk"), "state_key"); got != tc.want {
			t.Errorf("%s: %s", tc.query, got)
		}
	}
	h.refused(400, "M_INVALID_PARAM", alice, "GET", "/v3/rooms/"+room+"/members?membership=lurk", nil)
	h.refused(400, "M_INVALID_PARAM", alice, "GET", "/v3/rooms/"+room+"/members?at=x", nil)
	h.refused(403, "M_FORBIDDEN", h.user("erin"), "GET", "/v3/rooms/"+room+"/joined_members", nil)
	h.ok(bob, "POST", "/v3/rooms/"+room+"/leave", nil)
	h.refused(403, "M_FORBIDDEN", bob, "GET", "/v3/rooms/"+room+"/joined_members", nil)
	h.refused(403, "M_FORBIDDEN", bob, "GET", "/v3/rooms/"+room+"/aliases", nil)
}

func TestRedactions(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob := h.user("alice"), h.user("bob")
	for _, version := range []string{"9", "10", "11", "12"} {
		t.Run(version, func(t *testing.T) {
			room := h.room(alice, obj{"preset": "public_chat", "room_version": version})
			h.join(bob, room)
			get := func(id string) (out string) { return h.ok(alice, "GET", "/v3/rooms/"+room+"/event/"+esc(id), nil).Raw }
			mine, his := h.say(alice, room, "alice's"), h.say(bob, room, "bob's")
			h.refused(403, "M_FORBIDDEN", bob, "PUT", "/v3/rooms/"+room+"/redact/"+esc(mine)+"/x", nil)
			h.refused(404, "M_NOT_FOUND", bob, "PUT", "/v3/rooms/"+room+"/redact/$nothing/x", nil)
			h.refused(400, "M_BAD_JSON", alice, "PUT", "/v3/rooms/"+room+"/redact/"+esc(his)+"/r", obj{"reason": 5})
			id := h.ok(alice, "PUT", "/v3/rooms/"+room+"/redact/"+esc(his)+"/r", obj{"reason": "spam"}).Get("event_id").Str
			if again := h.ok(alice, "PUT", "/v3/rooms/"+room+"/redact/"+esc(his)+"/r", obj{"reason": "spam"}).Get("event_id").Str; again != id {
				t.Error("a retry redacted again")
			}
			out := h.ok(alice, "GET", "/v3/rooms/"+room+"/event/"+esc(his), nil)
			if out.Get("content").Raw != "{}" || out.Get("unsigned.redacted_because.event_id").Str != id || out.Get("unsigned.redacted_because.content.reason").Str != "spam" {
				t.Errorf("redacted: %s", out.Raw)
			}
			// redacts stands at both places, whatever the version keeps.
			by := h.ok(bob, "GET", "/v3/rooms/"+room+"/event/"+esc(id), nil)
			if by.Get("redacts").Str != his || by.Get("content.redacts").Str != his {
				t.Errorf("redaction: %s", by.Raw)
			}
			// As an ordinary event.
			id = h.send(alice, room, "m.room.redaction", obj{"redacts": mine, "reason": "mine"})
			if by = h.ok(bob, "GET", "/v3/rooms/"+room+"/event/"+esc(id), nil); by.Get("redacts").Str != mine || by.Get("content.redacts").Str != mine {
				t.Errorf("redaction: %s", by.Raw)
			}
			if e, err := h.Store().EventByID(t.Context(), id); err != nil || strings.Contains(string(e.Content), "redacts") != (version == "11" || version == "12") {
				t.Errorf("stored as %s, %v", e.Content, err)
			}
			h.refused(400, "M_BAD_JSON", alice, "PUT", "/v3/rooms/"+room+"/send/m.room.redaction/none", obj{})
			// State stays in force as if it said nothing; a redaction of a redaction undoes nothing.
			topic := h.state(alice, room, "m.room.topic", "", obj{"topic": "gone"})
			undo := h.redact(alice, room, topic)
			if out := h.ok(alice, "GET", "/v3/rooms/"+room+"/state/m.room.topic", nil); out.Raw != "{}" {
				t.Errorf("topic %s", out.Raw)
			}
			h.redact(alice, room, undo)
			if strings.Contains(get(topic), "gone\"") {
				t.Error("a redaction was undone")
			}
			join := h.ok(alice, "GET", "/v3/rooms/"+room+"/state/m.room.member/@bob:test?format=event", nil).Get("event_id").Str
			h.redact(alice, room, join)
			h.say(bob, room, "still here")
		})
	}
}

func TestAdminRedacts(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob, root := h.user("alice"), h.user("bob"), h.user("root")
	h.admin("@root:test")
	room := h.room(alice, obj{"preset": "public_chat"})
	h.join(bob, room)
	h.join(root, room)
	said := h.say(alice, room, "x")
	path := fmt.Sprintf("/v3/rooms/%s/redact/%s/t", room, esc(said))
	h.refused(403, "M_FORBIDDEN", bob, "PUT", path, nil)
	h.ok(root, "PUT", path, nil)
}
