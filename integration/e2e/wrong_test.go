package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/integration/client"
)

// endpoint is one that is called rightly and in all the usual wrong ways. In its path, ROOM, USER,
// EVENT and ALIAS stand for those of a room that the caller is in and others are not.
type endpoint struct {
	method, path, body string
	// forbidden is the status for somebody who is not in the room; 0 where that is no matter.
	forbidden int
	// own is set where the path names the caller.
	own bool
}

var endpoints = []endpoint{
	{method: "GET", path: "/account/whoami"},
	{method: "GET", path: "/capabilities"},
	{method: "GET", path: "/joined_rooms"},
	{method: "GET", path: "/devices"},
	{method: "GET", path: "/sync"},
	{method: "POST", path: "/createRoom", body: `{}`},
	{method: "PUT", path: "/profile/USER/displayname", body: `{"displayname":"Somebody"}`, own: true},
	{method: "POST", path: "/user/USER/filter", body: `{"room":{"timeline":{"limit":5}}}`, own: true},
	{method: "PUT", path: "/user/USER/account_data/org.example", body: `{"a":1}`, own: true},
	{method: "GET", path: "/user/USER/account_data/org.example", own: true},
	{method: "PUT", path: "/user/USER/rooms/ROOM/account_data/org.example", body: `{"a":1}`, own: true},
	{method: "GET", path: "/user/USER/rooms/ROOM/tags", own: true},
	{method: "PUT", path: "/user/USER/rooms/ROOM/tags/u.work", body: `{"order":0.5}`, own: true},
	{method: "POST", path: "/rooms/ROOM/join", body: `{}`, forbidden: 403},
	{method: "POST", path: "/rooms/ROOM/invite", body: `{"user_id":"@invited:test"}`, forbidden: 403},
	{method: "PUT", path: "/rooms/ROOM/send/m.room.message/TXN", body: `{"msgtype":"m.text","body":"hello"}`, forbidden: 403},
	{method: "PUT", path: "/rooms/ROOM/state/m.room.topic/", body: `{"topic":"talk"}`, forbidden: 403},
	{method: "PUT", path: "/rooms/ROOM/state/m.room.topic", body: `{"topic":"more talk"}`, forbidden: 403},
	{method: "PUT", path: "/rooms/ROOM/redact/EVENT/TXN", body: `{"reason":"over"}`, forbidden: 403},
	{method: "GET", path: "/rooms/ROOM/state", forbidden: 403},
	{method: "GET", path: "/rooms/ROOM/state/m.room.create", forbidden: 403},
	{method: "GET", path: "/rooms/ROOM/state/m.room.create/?format=event", forbidden: 403},
	{method: "GET", path: "/rooms/ROOM/members", forbidden: 403},
	{method: "GET", path: "/rooms/ROOM/joined_members", forbidden: 403},
	{method: "GET", path: "/rooms/ROOM/messages?dir=b", forbidden: 403},
	{method: "GET", path: "/rooms/ROOM/event/EVENT", forbidden: 404},
	{method: "GET", path: "/rooms/ROOM/context/EVENT", forbidden: 403},
	{method: "GET", path: "/rooms/ROOM/aliases", forbidden: 403},
	{method: "PUT", path: "/rooms/ROOM/typing/USER", body: `{"typing":true,"timeout":1000}`, forbidden: 403, own: true},
	{method: "POST", path: "/rooms/ROOM/receipt/m.read/EVENT", body: `{}`, forbidden: 403},
	{method: "POST", path: "/rooms/ROOM/read_markers", body: `{"m.fully_read":"EVENT"}`, forbidden: 403},
	{method: "PUT", path: "/directory/room/ALIAS", body: `{"room_id":"ROOM"}`},
}

// raw makes a request and gives status and errcode.
func raw(t *testing.T, c *client.Client, method, path string, body []byte) (status int, code string) {
	t.Helper()
	status, answer, err := c.Raw(t.Context(), method, "/_matrix/client/v3"+path, nil, body)
	ok(t, err)
	var e struct{ Errcode, Error string }
	if !json.Valid(answer) {
		t.Errorf("%s %s: the answer is no JSON: %s", method, path, answer)
	}
	if status/100 == 2 {
		return status, ""
	}
	if err := json.Unmarshal(answer, &e); err != nil || e.Errcode == "" || e.Error == "" {
		t.Errorf("%s %s: an error without code and sentence: %s", method, path, answer)
	}
	return status, e.Errcode
}

func wrongRequests(t *testing.T, r *rig) {
	stranger := r.user(t)
	for i, e := range endpoints {
		t.Run(e.method+" "+e.path, func(t *testing.T) {
			t.Parallel()
			alice := r.user(t)
			room := r.room(t, alice, map[string]any{"preset": "private_chat"})
			event := must(alice.Send(t.Context(), room, "m.room.message", "first", client.Message("first")))(t)
			fill := func(s, room string, c *client.Client, txn string) string {
				return strings.NewReplacer("ROOM", room, "USER", c.UserID, "EVENT", event, "TXN", txn,
					"ALIAS", fmt.Sprintf("%%23wrong%d:test", i)).Replace(s)
			}
			path := func(txn string) string { return fill(e.path, room, alice, txn) }
			body := []byte(fill(e.body, room, alice, ""))
			expect := func(what string, c *client.Client, path string, body []byte, status int, code string) {
				t.Helper()
				if got, gotCode := raw(t, c, e.method, path, body); got != status || code != "" && gotCode != code {
					t.Errorf("%s: got %d %s, want %d %s", what, got, gotCode, status, code)
				}
			}
			if e.method == "GET" && strings.Contains(e.path, "account_data") {
				raw(t, alice, "PUT", path(""), []byte(`{"a":1}`))
			}
			expect("no token", r.anon, path("1"), body, 401, "M_MISSING_TOKEN")
			unknown := *r.anon
			unknown.Token = "no-such-token"
			expect("unknown token", &unknown, path("2"), body, 401, "M_UNKNOWN_TOKEN")
			if e.body != "" {
				expect("no JSON", alice, path("3"), []byte(`{"a":`), 400, "M_NOT_JSON")
				expect("no object", alice, path("4"), []byte(`[]`), 400, "M_BAD_JSON")
				huge := append(append([]byte(`{"a":"`), bytes.Repeat([]byte("x"), 5<<20)...), `"}`...)
				expect("oversize", alice, path("5"), huge, 413, "M_TOO_LARGE")
			}
			if strings.Contains(e.path, "ROOM") {
				expect("a room id that is none", alice, fill(e.path, "nonsense", alice, "6"), body, 400, "M_INVALID_PARAM")
				status, code := raw(t, alice, e.method, fill(e.path, "!unknown:test", alice, "7"), body)
				if (status != 404 || code != "M_NOT_FOUND") && (status != 403 || code != "M_FORBIDDEN") {
					t.Errorf("unknown room: got %d %s", status, code)
				}
			}
			if e.own {
				expect("in the name of somebody else", stranger, fill(e.path, room, alice, "8"), body, 403, "M_FORBIDDEN")
			}
			if e.forbidden != 0 {
				expect("not in the room", stranger, fill(e.path, room, stranger, "9"), body, e.forbidden, "")
			}
			expect("as it should be", alice, path("10"), body, 200, "")
		})
	}
	t.Run("unknown endpoint", func(t *testing.T) {
		if status, code := raw(t, stranger, "GET", "/nonsense", nil); status != 404 || code != "M_UNRECOGNIZED" {
			t.Errorf("got %d %s", status, code)
		}
		if status, code := raw(t, stranger, "DELETE", "/sync", nil); status != 405 || code != "M_UNRECOGNIZED" {
			t.Errorf("wrong method: got %d %s", status, code)
		}
	})
	t.Run("too large an event", func(t *testing.T) {
		room := r.room(t, stranger, nil)
		_, err := stranger.Send(t.Context(), room, "m.room.message", "huge", client.Message(strings.Repeat("x", 70000)))
		refused(t, err, 413, "M_TOO_LARGE")
	})
}
