package homeserver

import (
	"net/url"
	"strconv"
	"testing"
	"time"
)

// redactAll has an administrator redact all that somebody sent, and tells what could not be.
func (h *hs) redactAll(root, user string, body obj) map[string]string {
	h.Helper()
	id := h.admOK(root, "POST", "/v1/user/"+user+"/redact", body).Get("redact_id").Str
	failed := map[string]string{}
	h.eventually("all is redacted", func() bool {
		out := h.admOK(root, "GET", "/v1/user/redact_status/"+id, nil)
		for event, why := range out.Get("failed_redactions").Map() {
			failed[event] = why.Str
		}
		return out.Get("status").Str == "complete"
	})
	return failed
}

func TestAdminRedact(t *testing.T) {
	t.Parallel()
	h, root := startAdmin(t)
	alice, eve := h.user("alice"), h.user("eve")
	room, other := h.room(alice, obj{"preset": "public_chat"}), h.room(alice, obj{"preset": "public_chat"})
	for _, id := range []string{room, other} {
		h.join(eve, id)
	}
	gone := func(id, event string, wantGone bool) {
		t.Helper()
		if out := h.ok(alice, "GET", "/v3/rooms/"+id+"/event/"+event, nil); out.Get("content.body").Exists() == wantGone {
			t.Errorf("gone %v: %s", wantGone, out.Raw)
		}
	}
	first := h.say(eve, room, "first")
	h.tick()
	second, elsewhere := h.say(eve, room, "second"), h.say(eve, other, "elsewhere")
	mine := h.say(alice, room, "mine")
	at := h.ok(alice, "GET", "/v3/rooms/"+room+"/event/"+second, nil).Get("origin_server_ts").Int()

	// Of a room, of a time, of the newest only.
	h.redactAll(root, "@eve:test", obj{"rooms": []string{room}, "after_ts": at, "reason": "spam"})
	gone(room, second, true)
	gone(room, first, false)
	gone(other, elsewhere, false)
	if why := h.ok(alice, "GET", "/v3/rooms/"+room+"/event/"+second, nil).Get("unsigned.redacted_because"); why.Get("content.reason").Str != "spam" || why.Get("sender").Str != "@eve:test" {
		t.Error(why.Raw)
	}
	h.redactAll(root, "@eve:test", obj{"rooms": []string{room}, "before_ts": at - 1})
	gone(room, first, true)
	third, fourth := h.say(eve, room, "third"), h.say(eve, room, "fourth")
	h.redactAll(root, "@eve:test", obj{"rooms": []string{room}, "limit": 1})
	gone(room, fourth, true)
	gone(room, third, false)

	// All of it, also where they can't any more; the administrator is in one of the rooms only.
	h.join(root, room)
	h.ok(alice, "POST", "/v3/rooms/"+room+"/ban", obj{"user_id": "@eve:test"})
	h.ok(alice, "POST", "/v3/rooms/"+other+"/ban", obj{"user_id": "@eve:test"})
	failed := h.redactAll(root, "@eve:test", obj{"rooms": []string{}})
	gone(room, third, true)
	gone(other, elsewhere, false)
	gone(room, mine, false)
	if failed[elsewhere] == "" || failed[third] != "" {
		t.Errorf("failed: %v", failed)
	}
	want(t, h.admOK(root, "GET", "/v1/scheduled_tasks?action_name=redact_all_events&resource_id=@eve:test&status=complete", nil),
		map[string]string{"scheduled_tasks.#": "4", "scheduled_tasks.0.status": "complete", "scheduled_tasks.0.action": "redact_all_events"})
	want(t, h.admOK(root, "GET", "/v1/scheduled_tasks?max_timestamp=1", nil), map[string]string{"scheduled_tasks.#": "0"})
	want(t, h.admOK(root, "GET", "/v1/scheduled_tasks?action_name=purge_history", nil), map[string]string{"scheduled_tasks.#": "0"})
	h.admNo(400, "M_INVALID_PARAM", root, "GET", "/v1/scheduled_tasks?status=odd", nil)

	h.admNo(400, "M_MISSING_PARAM", root, "POST", "/v1/user/@eve:test/redact", obj{})
	h.admNo(400, "M_INVALID_PARAM", root, "POST", "/v1/user/@eve:test/redact", obj{"rooms": []string{}, "limit": 0})
	h.admNo(400, "M_INVALID_PARAM", root, "POST", "/v1/user/@eve:test/redact", obj{"rooms": []string{"x"}})
	h.admNo(400, "M_INVALID_PARAM", root, "POST", "/v1/user/eve/redact", obj{"rooms": []string{}})
	h.admNo(404, "M_NOT_FOUND", root, "GET", "/v1/user/redact_status/none", nil)
}

func TestAdminCounts(t *testing.T) {
	t.Parallel()
	h, root := startAdmin(t)
	alice, bob := h.user("alice"), h.user("bob")
	h.room(alice, obj{"invite": []string{"@bob:test"}})
	room := h.room(alice, obj{"preset": "public_chat"})
	h.ok(alice, "POST", "/v3/rooms/"+room+"/invite", obj{"user_id": "@bob:test"})
	h.join(bob, room)
	h.ok(bob, "POST", "/v3/rooms/"+room+"/leave", nil)
	count := func(user, path string, from int64) string {
		t.Helper()
		out := h.admOK(root, "GET", "/v1/users/"+user+"/"+path+"?from_ts="+strconv.FormatInt(from, 10), nil)
		return out.Get("invite_count").Raw + out.Get("cumulative_joined_room_count").Raw
	}
	later := time.Now().Add(time.Hour).UnixMilli()
	for _, c := range []struct {
		user, path string
		from       int64
		want       string
	}{
		{"@alice:test", "sent_invite_count", 0, "2"}, {"@alice:test", "sent_invite_count", later, "0"}, {"@bob:test", "sent_invite_count", 0, "0"},
		{"@alice:test", "cumulative_joined_room_count", 0, "2"}, {"@bob:test", "cumulative_joined_room_count", 0, "1"},
		{"@bob:test", "cumulative_joined_room_count", later, "0"}, {"@nobody:test", "cumulative_joined_room_count", 0, "0"},
	} {
		if got := count(c.user, c.path, c.from); got != c.want {
			t.Errorf("%s of %s from %d: %s, want %s", c.path, c.user, c.from, got, c.want)
		}
	}
	h.admNo(400, "M_MISSING_PARAM", root, "GET", "/v1/users/@bob:test/sent_invite_count", nil)
	h.admNo(400, "M_INVALID_PARAM", root, "GET", "/v1/users/@bob:test/sent_invite_count?from_ts=x", nil)
}

func TestAdminReportsOfOthers(t *testing.T) {
	t.Parallel()
	h, root := startAdmin(t)
	alice, bob := h.user("alice"), h.user("bob")
	room := h.room(alice, obj{"name": "Loud", "preset": "public_chat"})
	h.ok(bob, "POST", "/v3/rooms/"+room+"/report", obj{"reason": "noise"})
	h.ok(bob, "POST", "/v3/users/@alice:test/report", obj{"reason": "rude"})
	h.ok(alice, "POST", "/v3/users/@bob:test/report", obj{"reason": "too"})
	out := h.admOK(root, "GET", "/v1/user_reports", nil)
	want(t, out, map[string]string{"total": "2", "user_reports.0.reason": "too", "user_reports.1.target_user_id": "@alice:test", "user_reports.1.user_id": "@bob:test"})
	for query, reasons := range map[string]string{"dir=f": "rude too", "user_id=@bob:test": "rude", "target_user_id=@bob:test": "too", "limit=1": "too", "from=1": "rude"} {
		if out := h.admOK(root, "GET", "/v1/user_reports?"+query, nil); all(out.Get("user_reports"), "reason") != reasons {
			t.Errorf("%s: %s", query, out.Raw)
		}
	}
	want(t, h.admOK(root, "GET", "/v1/room_reports", nil), map[string]string{"total": "1", "room_reports.0.room_id": room, "room_reports.0.name": "Loud", "room_reports.0.reason": "noise"})
	id := out.Get("user_reports.1.id").Raw
	want(t, h.admOK(root, "GET", "/v1/user_reports/"+id, nil), map[string]string{"reason": "rude"})
	h.admNo(404, "M_NOT_FOUND", root, "GET", "/v1/event_reports/"+id, nil)
	h.admNo(404, "M_NOT_FOUND", root, "DELETE", "/v1/room_reports/"+id, nil)
	h.admOK(root, "DELETE", "/v1/user_reports/"+id, nil)
	h.admNo(404, "M_NOT_FOUND", root, "GET", "/v1/user_reports/"+id, nil)
}

func TestAdminAccountEnds(t *testing.T) {
	t.Parallel()
	h, root := startAdmin(t)
	bob := h.user("bob")
	const path = "/v1/account_validity/validity"
	until := time.Now().Add(time.Second).UnixMilli()
	want(t, h.admOK(root, "POST", path, obj{"user_id": "@bob:test", "expiration_ts": until}), map[string]string{"expiration_ts": strconv.FormatInt(until, 10)})
	h.eventually("the account has ended", func() bool {
		status, out := h.do(bob, "GET", "/v3/account/whoami", nil)
		return status == 401 && out.Get("errcode").Str == "M_USER_LOCKED" && out.Get("soft_logout").Bool()
	})
	want(t, h.admOK(root, "GET", "/v2/users/@bob:test", nil), map[string]string{"locked": "true"})
	want(t, h.admOK(root, "POST", path, obj{"user_id": "@bob:test"}), map[string]string{"expiration_ts": "9007199254740991"})
	h.ok(bob, "GET", "/v3/account/whoami", nil)
	h.admOK(root, "POST", path, obj{"user_id": "@bob:test", "expiration_ts": 1})
	h.refused(401, "M_USER_LOCKED", bob, "GET", "/v3/account/whoami", nil)
	h.admNo(404, "M_NOT_FOUND", root, "POST", path, obj{"user_id": "@nobody:test"})
	h.admNo(400, "M_MISSING_PARAM", root, "POST", path, obj{})
	h.admNo(403, "M_FORBIDDEN", root, "POST", path, obj{"user_id": "@root:test", "expiration_ts": 1})
}

func TestAdminFeatures(t *testing.T) {
	t.Parallel()
	h, root := startAdmin(t)
	h.user("bob")
	const path = "/v1/experimental_features/@bob:test"
	want(t, h.admOK(root, "GET", path, nil), map[string]string{"features.msc4222": "true", "features.msc3881": "false"})
	h.admOK(root, "PUT", path, obj{"features": obj{"msc4222": true}})
	h.admNo(400, "M_UNKNOWN", root, "PUT", path, obj{"features": obj{"msc4222": false}})
	h.admNo(400, "M_UNKNOWN", root, "PUT", path, obj{"features": obj{"msc1": true}})
	h.admNo(404, "M_NOT_FOUND", root, "GET", "/v1/experimental_features/@nobody:test", nil)
	h.admOK(root, "POST", "/v1/background_updates/start_job", obj{"job_name": "regenerate_directory"})
	h.admNo(400, "M_UNKNOWN", root, "POST", "/v1/background_updates/start_job", obj{"job_name": "other"})
	h.admNo(404, "M_NOT_FOUND", root, "GET", "/v1/federation/destinations/"+url.PathEscape("none.example")+"/rooms", nil)
}

func TestAdminDestinations(t *testing.T) {
	t.Parallel()
	p := sites(t, 2)
	a, b := p[0], p[1]
	alice, bob := a.user("alice"), b.user("bob")
	a.admin(a.id("alice"))
	root := a.again("alice")
	room := a.room(alice, obj{"preset": "public_chat", "room_alias_name": "shared"})
	b.ok(bob, "POST", "/v3/join/"+url.PathEscape("#shared:"+a.o.Name), nil)
	a.member(t, alice, room, b.id("bob"), "join")
	const path = "/v1/federation/destinations"
	want(t, a.admOK(root, "GET", path, nil), map[string]string{"total": "1", "destinations.0.destination": b.o.Name, "destinations.0.retry_interval": "0"})
	want(t, a.admOK(root, "GET", path+"/"+url.PathEscape(b.o.Name), nil), map[string]string{"destination": b.o.Name})
	want(t, a.admOK(root, "GET", path+"/"+url.PathEscape(b.o.Name)+"/rooms?dir=b", nil), map[string]string{"total": "1", "rooms.0.room_id": room})
	a.admNo(400, "M_UNKNOWN", root, "POST", path+"/"+url.PathEscape(b.o.Name)+"/reset_connection", obj{})
	a.admNo(404, "M_NOT_FOUND", root, "POST", path+"/none.example/reset_connection", obj{})
}
