package homeserver

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

func TestAdminReports(t *testing.T) {
	t.Parallel()
	h, root := startAdmin(t)
	alice, bob := h.user("alice"), h.user("bob")
	room := h.room(alice, obj{"name": "Loud", "preset": "public_chat", "room_alias_name": "loud"})
	h.join(bob, room)
	one, two := h.say(alice, room, "one"), h.say(bob, room, "two")
	h.ok(bob, "POST", "/v3/rooms/"+room+"/report/"+one, obj{"reason": "first", "score": -50})
	h.ok(alice, "POST", "/v3/rooms/"+room+"/report/"+two, obj{"reason": "second"})
	h.ok(alice, "POST", "/v3/rooms/"+room+"/report", obj{"reason": "of another kind"})
	out := h.admOK(root, "GET", "/v1/event_reports", nil)
	want(t, out, map[string]string{"total": "2", "event_reports.#": "2", "event_reports.0.reason": "second", "event_reports.1.event_id": one, "event_reports.1.user_id": "@bob:test",
		"event_reports.1.sender": "@alice:test", "event_reports.1.score": "-50", "event_reports.1.room_id": room, "event_reports.1.name": "Loud", "event_reports.1.canonical_alias": "#loud:test"})
	for query, reasons := range map[string]string{
		"dir=f": "first second", "limit=1": "second", "from=1": "first", "user_id=@bob:test": "first", "event_sender_user_id=@bob:test": "second",
		"room_id=" + room: "second first", "room_id=!x:test": "", "user_id=@bob:test&event_sender_user_id=@bob:test": "",
	} {
		if out := h.admOK(root, "GET", "/v1/event_reports?"+query, nil); all(out.Get("event_reports"), "reason") != reasons {
			t.Errorf("%s: %s", query, out.Raw)
		}
	}
	id := out.Get("event_reports.1.id").Raw
	want(t, h.admOK(root, "GET", "/v1/event_reports/"+id, nil), map[string]string{"reason": "first", "event_json.content.body": "one", "event_json.sender": "@alice:test"})
	h.admOK(root, "DELETE", "/v1/event_reports/"+id, nil)
	h.admNo(404, "M_NOT_FOUND", root, "GET", "/v1/event_reports/"+id, nil)
	h.admNo(404, "M_NOT_FOUND", root, "DELETE", "/v1/event_reports/"+id, nil)
	h.admNo(400, "M_INVALID_PARAM", root, "GET", "/v1/event_reports/x", nil)
}

func TestAdminTokens(t *testing.T) {
	t.Parallel()
	h, root := startAdmin(t)
	const base = "/v1/registration_tokens"
	future := time.Now().Add(time.Hour).UnixMilli()
	want(t, h.admOK(root, "POST", base+"/new", obj{"token": "abcd", "uses_allowed": 2, "expiry_time": future}), map[string]string{"token": "abcd", "uses_allowed": "2", "pending": "0", "completed": "0"})
	if out := h.admOK(root, "POST", base+"/new", obj{"length": 10}); len(out.Get("token").Str) != 10 || out.Get("uses_allowed").Raw != "null" || out.Get("expiry_time").Raw != "null" {
		t.Error(out.Raw)
	}
	want(t, h.admOK(root, "POST", base+"/new", obj{"token": "never", "uses_allowed": 0}), map[string]string{"uses_allowed": "0"})
	want(t, h.admOK(root, "GET", base, nil), map[string]string{"registration_tokens.#": "3"})
	want(t, h.admOK(root, "GET", base+"?valid=true", nil), map[string]string{"registration_tokens.#": "2"})
	want(t, h.admOK(root, "GET", base+"?valid=false", nil), map[string]string{"registration_tokens.#": "1", "registration_tokens.0.token": "never"})
	if out := h.admOK(root, "PUT", base+"/abcd", obj{"uses_allowed": nil}); out.Get("uses_allowed").Raw != "null" || out.Get("expiry_time").Int() != future {
		t.Error(out.Raw)
	}
	want(t, h.admOK(root, "GET", base+"/abcd", nil), map[string]string{"token": "abcd"})
	h.admOK(root, "DELETE", base+"/abcd", nil)
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		h.admNo(404, "M_NOT_FOUND", root, method, base+"/abcd", nil)
	}
	for _, bad := range []obj{{"token": ""}, {"token": "a b"}, {"token": "never"}, {"length": 0}, {"length": 65}, {"uses_allowed": -1}, {"uses_allowed": "x"}, {"expiry_time": 1}} {
		h.admNo(400, "M_INVALID_PARAM", root, "POST", base+"/new", bad)
	}
}

func TestAdminMedia(t *testing.T) {
	t.Parallel()
	h, root := startAdmin(t)
	alice := h.user("alice")
	room := h.room(alice, obj{"preset": "public_chat"})
	var ids []string
	for _, body := range []string{"one", "three", "fifteen"} {
		h.tick()
		path := h.upload(alice, "", "text/plain", body)
		ids = append(ids, path[strings.LastIndexByte(path, '/')+1:])
	}
	h.send(alice, room, "m.room.message", obj{"msgtype": "m.file", "body": "x", "url": "mxc://test/" + ids[0]})
	h.send(alice, room, "m.room.message", obj{"msgtype": "m.file", "body": "x", "url": "mxc://elsewhere/abc"})
	want(t, h.admOK(root, "GET", "/v1/room/"+room+"/media", nil), map[string]string{"local.#": "1", "local.0": "mxc://test/" + ids[0], "remote.0": "mxc://elsewhere/abc"})
	out := h.admOK(root, "GET", "/v1/users/@alice:test/media", nil)
	want(t, out, map[string]string{"total": "3", "media.0.media_id": ids[2], "media.0.media_length": "7", "media.0.quarantined_by": "", "media.0.safe_from_quarantine": "false"})
	want(t, h.admOK(root, "GET", "/v1/users/@alice:test/media?order_by=media_length&limit=1", nil), map[string]string{"media.0.media_id": ids[0], "next_token": "1"})
	want(t, h.admOK(root, "GET", "/v1/media/test/"+ids[1], nil), map[string]string{"media_info.media_id": ids[1], "media_info.user_id": "@alice:test", "media_info.media_length": "5"})
	want(t, h.admOK(root, "GET", "/v1/statistics/users/media", nil), map[string]string{"total": "1", "users.0.user_id": "@alice:test", "users.0.media_count": "3", "users.0.media_length": "15"})
	want(t, h.admOK(root, "GET", "/v1/statistics/users/media?search_term=nobody", nil), map[string]string{"total": "0"})

	want(t, h.admOK(root, "POST", "/v1/room/"+room+"/media/quarantine", nil), map[string]string{"num_quarantined": "1"})
	h.refused(404, "M_NOT_FOUND", alice, "GET", "/v1/media/download/test/"+ids[0], nil)
	h.admOK(root, "POST", "/v1/media/unquarantine/test/"+ids[0], nil)
	h.admOK(root, "POST", "/v1/media/protect/"+ids[0], nil)
	want(t, h.admOK(root, "POST", "/v1/user/@alice:test/media/quarantine", nil), map[string]string{"num_quarantined": "2"})
	h.admOK(root, "POST", "/v1/media/unprotect/"+ids[0], nil)
	h.admOK(root, "POST", "/v1/media/quarantine/test/"+ids[0], nil)
	h.admNo(404, "M_NOT_FOUND", root, "POST", "/v1/media/quarantine/test/none", nil)
	h.admNo(404, "M_NOT_FOUND", root, "POST", "/v1/media/protect/none", nil)

	want(t, h.admOK(root, "DELETE", "/v1/media/test/"+ids[1], nil), map[string]string{"total": "1", "deleted_media.0": ids[1]})
	h.admNo(404, "M_NOT_FOUND", root, "DELETE", "/v1/media/test/"+ids[1], nil)
	h.admNo(400, "M_INVALID_PARAM", root, "DELETE", "/v1/media/elsewhere/x", nil)
	want(t, h.admOK(root, "DELETE", "/v1/users/@alice:test/media?limit=1", nil), map[string]string{"deleted_media.0": ids[2]})
	h.admNo(400, "M_MISSING_PARAM", root, "POST", "/v1/media/delete", nil)
	h.admNo(400, "M_INVALID_PARAM", root, "POST", "/v1/media/delete?before_ts=1000000", nil)
	want(t, h.admOK(root, "POST", "/v1/media/delete?before_ts=9999999999999", nil), map[string]string{"total": "1"})
	want(t, h.admOK(root, "POST", "/v1/purge_media_cache?before_ts=9999999999999", nil), map[string]string{"deleted": "0"})
}

func TestAdminServer(t *testing.T) {
	t.Parallel()
	h, root := startAdmin(t)
	room := h.room(root, obj{})
	want(t, h.admOK(root, "GET", "/v1/statistics/database/rooms", nil), map[string]string{"rooms.0.room_id": room})
	want(t, h.admOK(root, "GET", "/v1/background_updates/status", nil), map[string]string{"enabled": "true", "current_updates": "{}"})
	want(t, h.admOK(root, "GET", "/v1/background_updates/enabled", nil), map[string]string{"enabled": "true"})
	want(t, h.admOK(root, "GET", "/v1/federation/destinations", nil), map[string]string{"total": "0", "destinations.#": "0"})
	err := h.Store().Write(t.Context(), func(t *store.Tx) error {
		return t.SetBackoff("dead.example", store.Backoff{Failures: 3, SinceTS: 1000, RetryTS: 5000})
	})
	if err != nil {
		t.Fatal(err)
	}
	want(t, h.admOK(root, "GET", "/v1/federation/destinations", nil), map[string]string{"total": "1", "destinations.0.destination": "dead.example", "destinations.0.failure_ts": "1000"})
	want(t, h.admOK(root, "GET", "/v1/federation/destinations/dead.example", nil), map[string]string{"retry_interval": "4000"})
	h.admNo(404, "M_NOT_FOUND", root, "GET", "/v1/federation/destinations/"+url.PathEscape("other.example"), nil)
}

// TestAdminAudit: what the API changes, or tries to, is in the audit log, with who did it and no secret.
func TestAdminAudit(t *testing.T) {
	t.Parallel()
	h, root := startAdmin(t)
	h.admOK(root, "POST", "/v1/registration_tokens/new", obj{"token": "sesame"})
	h.admOK(root, "DELETE", "/v1/registration_tokens/sesame", nil)
	h.admOK(root, "GET", "/v1/registration_tokens", nil)
	h.admNo(404, "M_NOT_FOUND", root, "PUT", "/v1/suspend/@nobody:test", obj{"suspend": true})
	list, err := h.Store().Audits(t.Context(), 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range list {
		got = append(got, a.Did+" "+a.To)
		if a.Who == "" || strings.Contains(a.Did+a.To+a.More, "sesame") {
			t.Errorf("%+v", a)
		}
	}
	want := []string{"API: PUT /v1/suspend/{userId} (failed) @nobody:test", "API: DELETE /v1/registration_tokens/{token} ", "API: POST /v1/registration_tokens/new "}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
