package homeserver

import (
	"encoding/json/jsontext"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

func TestTimestampToEvent(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob := h.user("alice"), h.user("bob")
	room := h.room(alice, obj{"preset": "public_chat", "initial_state": []obj{{"type": "m.room.history_visibility", "content": obj{"history_visibility": "joined"}}}})
	first := h.say(alice, room, "one")
	ts := h.ok(alice, "GET", "/v3/rooms/"+room+"/event/"+esc(first), nil).Get("origin_server_ts").Int()
	h.eventually("time passes", func() bool { return time.Now().UnixMilli() > ts+1 })
	second := h.say(alice, room, "two")
	path := "/v1/rooms/" + room + "/timestamp_to_event"
	at := func(token string, ts int64, dir string) string {
		return h.ok(token, "GET", fmt.Sprintf("%s?ts=%d&dir=%s", path, ts, dir), nil).Get("event_id").Str
	}
	if at(alice, ts, "f") != first || at(alice, ts, "b") != first || at(alice, ts+1, "f") != second || at(alice, ts+1, "b") != first || at(alice, 1<<50, "b") != second {
		t.Error("wrong event")
	}
	h.refused(404, "M_NOT_FOUND", alice, "GET", path+"?ts=1&dir=b", nil)
	h.refused(404, "M_NOT_FOUND", alice, "GET", fmt.Sprintf("%s?ts=%d&dir=f", path, 1<<50), nil)
	h.refused(400, "M_MISSING_PARAM", alice, "GET", path+"?dir=f", nil)
	h.refused(400, "M_MISSING_PARAM", alice, "GET", path+"?ts=1", nil)
	h.refused(400, "M_INVALID_PARAM", alice, "GET", path+"?ts=x&dir=f", nil)
	h.refused(400, "M_INVALID_PARAM", alice, "GET", path+"?ts=1&dir=x", nil)
	h.refused(403, "M_FORBIDDEN", bob, "GET", path+"?ts=1&dir=f", nil)
	h.joins(bob, room)
	if id := at(bob, 0, "f"); id == first || id == second {
		t.Error("bob finds what was before him")
	}
}

func TestReports(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob := h.user("alice"), h.user("bob")
	room := h.room(alice, obj{"preset": "public_chat"})
	bad := h.say(alice, room, "bad")
	event := "/v3/rooms/" + room + "/report/" + esc(bad)
	a := h.refused(404, "M_NOT_FOUND", bob, "POST", event, obj{"reason": "x"})
	b := h.refused(404, "M_NOT_FOUND", bob, "POST", "/v3/rooms/"+room+"/report/$nothing", obj{"reason": "x"})
	if c := h.refused(404, "M_NOT_FOUND", bob, "POST", "/v3/rooms/!nowhere:test/report/$nothing", obj{"reason": "x"}); a.Raw != b.Raw || b.Raw != c.Raw {
		t.Error("the answers differ")
	}
	h.ok(bob, "POST", "/v3/rooms/"+room+"/report", obj{"reason": "from outside"})
	h.joins(bob, room)
	h.refused(404, "M_NOT_FOUND", bob, "POST", "/v3/rooms/"+room+"/report/$nothing", obj{"reason": "x"})
	h.ok(bob, "POST", event, obj{"reason": "bad words", "score": -100})
	h.ok(bob, "POST", event, obj{})
	h.ok(bob, "POST", "/v3/users/@alice:test/report", obj{"reason": ""})
	h.ok(bob, "POST", "/v3/users/@nobody:test/report", obj{"reason": "who?"})
	h.refused(400, "M_BAD_JSON", bob, "POST", event, obj{"reason": 5})
	h.refused(400, "M_MISSING_PARAM", bob, "POST", "/v3/rooms/"+room+"/report", obj{})
	h.refused(404, "M_NOT_FOUND", bob, "POST", "/v3/rooms/!nowhere:test/report", obj{"reason": "x"})
	h.refused(400, "M_INVALID_PARAM", bob, "POST", "/v3/users/nobody/report", obj{"reason": "x"})
	h.refused(413, "M_TOO_LARGE", bob, "POST", event, obj{"reason": strings.Repeat("x", 20000)})
	all, err := h.Store().Reports(t.Context(), 0, "", 10)
	if err != nil || len(all) != 4 {
		t.Fatalf("%d reports, %v", len(all), err)
	}
	if r := all[2]; r.Kind != store.ReportEvent || r.Reason != "bad words" || r.Score != -100 || r.Event == 0 || r.Room == 0 || r.User == 0 || r.Reporter == 0 {
		t.Errorf("report %+v", r)
	}
	if only, err := h.Store().Reports(t.Context(), all[1].ID, store.ReportRoom, 10); err != nil || len(only) != 1 || only[0].Reason != "from outside" {
		t.Errorf("room reports %+v, %v", only, err)
	}
}

func TestMutualRooms(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob := h.user("alice"), h.user("bob")
	h.user("carol")
	for _, base := range []string{"/v1/mutual_rooms", "/unstable/uk.half-shot.msc2666/user/mutual_rooms"} {
		both := h.room(alice, obj{"preset": "public_chat"})
		h.joins(bob, both)
		h.room(alice, obj{"invite": []string{"@bob:test"}})
		out := h.ok(alice, "GET", base+"?user_id=@bob:test", nil)
		rooms := out.Get("joined").Array()
		if rooms[len(rooms)-1].Str != both || out.Get("count").Int() != int64(len(rooms)) {
			t.Errorf("%s", out.Raw)
		}
		h.ok(bob, "POST", "/v3/rooms/"+both+"/leave", nil)
	}
	for _, who := range []string{"@bob:test", "@carol:test", "@nobody:test"} {
		if out := h.ok(alice, "GET", "/v1/mutual_rooms?user_id="+who, nil); out.Raw != `{"count":0,"joined":[]}` {
			t.Errorf("with %s: %s", who, out.Raw)
		}
	}
	for _, q := range []string{"", "?user_id=bob", "?user_id=@alice:test", "?user_id=@bob:test&from=x"} {
		h.refused(400, "M_INVALID_PARAM", alice, "GET", "/v1/mutual_rooms"+q, nil)
	}
}

func TestDelayedEvents(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.runs()
	alice, bob := h.user("alice"), h.user("bob")
	room := h.room(alice, obj{"preset": "public_chat", "power_level_content_override": obj{"events": obj{"org.example.x": 0}}})
	h.joins(bob, room)
	const base = "/unstable/org.matrix.msc4140/delayed_events"
	listed := func(token string) int {
		return len(h.ok(token, "GET", base, nil).Get("delayed_events").Array())
	}
	later := func(path string, ms int, content any) string {
		t.Helper()
		return h.ok(alice, "PUT", fmt.Sprintf("/v3/rooms/%s/%s?org.matrix.msc4140.delay=%d", room, path, ms), content).Get("delay_id").Str
	}
	state := func(key string) string {
		_, out := h.do(alice, "GET", "/v3/rooms/"+room+"/state/org.example.x/"+key, nil)
		return out.Get("v").Str
	}
	// Messages come by themselves, once.
	id := later("send/m.room.message/one", 300, obj{"msgtype": "m.text", "body": "later"})
	if again := later("send/m.room.message/one", 300, obj{}); again != id {
		t.Error("a retry scheduled another")
	}
	if listed(bob) != 0 {
		t.Error("bob sees alice's")
	}
	if e := h.ok(alice, "GET", base+"/"+id, nil); e.Get("type").Str != "m.room.message" || e.Get("room_id").Str != room || e.Get("delay").Int() != 300 || e.Get("content.body").Str != "later" {
		t.Errorf("scheduled %s", e.Raw)
	}
	h.refused(404, "M_NOT_FOUND", bob, "GET", base+"/"+id, nil)
	h.eventually("the message", func() bool { return listed(alice) == 0 })
	if e := h.ok(alice, "GET", "/v3/rooms/"+room+"/messages?dir=b&limit=1", nil).Get("chunk.0"); e.Get("content.body").Str != "later" || e.Get("unsigned.transaction_id").Str != "one" {
		t.Errorf("sent %s", e.Raw)
	}
	if out := h.ok(alice, "GET", base+"?status=finalised", nil).Get("delayed_events.0"); out.Get("outcome").Str != "sent" || out.Get("event_id").Str == "" {
		t.Errorf("finalised %s", out.Raw)
	}
	// Cancel, send, restart: by anybody who knows the id.
	id = later("state/org.example.x/a", 100000, obj{"v": "a"})
	h.ok("", "POST", base+"/"+id+"/cancel", nil)
	h.ok("", "POST", base+"/"+id+"/cancel", nil)
	h.refused(409, "M_UNKNOWN", "", "POST", base+"/"+id+"/send", nil)
	h.refused(404, "M_NOT_FOUND", "", "POST", base+"/"+id+"/restart", nil)
	id = later("state/org.example.x/b", 100000, obj{"v": "b"})
	h.ok("", "POST", base+"/"+id+"/restart", nil)
	h.ok("", "POST", base+"/"+id, obj{"action": "send"})
	if state("a") != "" || state("b") != "b" || listed(alice) != 0 {
		t.Errorf("state is %q and %q", state("a"), state("b"))
	}
	// State that somebody else sets cancels, one's own does not.
	later("state/org.example.x/c", 100000, obj{"v": "delayed"})
	h.state(alice, room, "org.example.x", "c", obj{"v": "own"})
	if listed(alice) != 1 {
		t.Error("cancelled by her own state")
	}
	h.state(bob, room, "org.example.x", "c", obj{"v": "bob's"})
	if listed(alice) != 0 {
		t.Error("not cancelled by bob's state")
	}
	// What can't be sent any more fails.
	id = h.ok(bob, "PUT", "/v3/rooms/"+room+"/send/m.room.message/x?org.matrix.msc4140.delay=100000", obj{}).Get("delay_id").Str
	h.ok(bob, "POST", "/v3/rooms/"+room+"/leave", nil)
	h.refused(403, "M_FORBIDDEN", "", "POST", base+"/"+id+"/send", nil)
	h.refused(403, "M_FORBIDDEN", bob, "PUT", "/v3/rooms/"+room+"/send/m.room.message/y?org.matrix.msc4140.delay=1000", obj{})
	send := "/v3/rooms/" + room + "/send/m.room.message/z?org.matrix.msc4140.delay="
	h.refused(400, "M_INVALID_PARAM", alice, "PUT", send+"-1", obj{})
	h.refused(400, "M_INVALID_PARAM", alice, "PUT", send+"soon", obj{})
	if out := h.refused(400, "M_UNKNOWN", alice, "PUT", send+"999999999999", obj{}); out.Get(`org\.matrix\.msc4140\.errcode`).Str != "M_MAX_DELAY_EXCEEDED" {
		t.Errorf("too long: %s", out.Raw)
	}
	for i := range 100 {
		later(fmt.Sprintf("send/m.room.message/many%d", i), 100000, obj{})
	}
	if out := h.refused(400, "M_UNKNOWN", alice, "PUT", send+"100000", obj{}); out.Get(`org\.matrix\.msc4140\.errcode`).Str != "M_MAX_DELAYED_EVENTS_EXCEEDED" {
		t.Errorf("too many: %s", out.Raw)
	}
	for _, action := range []string{"cancel", "restart", "send"} {
		h.refused(404, "M_NOT_FOUND", "", "POST", base+"/abc/"+action, nil)
	}
	h.refused(400, "M_MISSING_PARAM", "", "POST", base+"/abc", nil)
	h.refused(400, "M_INVALID_PARAM", "", "POST", base+"/abc", obj{"action": "oops"})
	h.refused(404, "M_UNRECOGNIZED", "", "POST", base+"/abc/oops", nil)
	h.refused(401, "M_MISSING_TOKEN", "", "GET", base, nil)
}

// TestDelayedEventsSurvive: what is scheduled is sent after a restart.
func TestDelayedEventsSurvive(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice := h.user("alice")
	room := h.room(alice, obj{})
	// Nothing runs yet: this stands for the time in which the server is down.
	h.ok(alice, "PUT", "/v3/rooms/"+room+"/state/org.example.x/?delay=1", obj{"v": 1})
	h.runs()
	h.eventually("the state", func() bool {
		status, _ := h.do(alice, "GET", "/v3/rooms/"+room+"/state/org.example.x/", nil)
		return status == 200
	})
}

func TestServerNotices(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice := h.user("alice")
	notice := func(body string) string {
		t.Helper()
		id, err := h.Notices().SendNotice(t.Context(), "@alice:test", jsontext.Value(`{"msgtype":"m.server_notice","body":"`+body+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	notice("one")
	notice("two")
	s := h.ok(alice, "GET", "/v3/sync", nil)
	invites := s.Get("rooms.invite").Map()
	if len(invites) != 1 {
		t.Fatalf("%d invitations", len(invites))
	}
	for room := range invites {
		h.refused(403, "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM", alice, "POST", "/v3/rooms/"+room+"/leave", nil)
		h.refused(403, "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM", alice, "PUT", "/v3/rooms/"+room+"/state/m.room.member/@alice:test", obj{"membership": "leave"})
		if tags := h.ok(alice, "GET", "/v3/user/@alice:test/rooms/"+room+"/tags", nil); !tags.Get(`tags.m\.server_notice`).Exists() {
			t.Errorf("tags %s", tags.Raw)
		}
		h.joins(alice, room)
		if got := all(h.ok(alice, "GET", "/v3/rooms/"+room+"/messages?dir=b&limit=3", nil).Get("chunk"), "content.body"); got != " two one" {
			t.Errorf("notices %q", got)
		}
		h.refused(403, "M_FORBIDDEN", alice, "PUT", "/v3/rooms/"+room+"/send/m.room.message/x", obj{"body": "thanks"})
		h.ok(alice, "POST", "/v3/rooms/"+room+"/leave", nil)
		notice("three")
		if !h.ok(alice, "GET", "/v3/sync", nil).Get("rooms.invite." + room).Exists() {
			t.Error("not invited again")
		}
	}
	root := h.user("root")
	h.admin("@root:test")
	send := func(method, path, token string) (int, string) {
		req, _ := http.NewRequest(method, h.url+"/_synapse/admin/v1/send_server_notice"+path, strings.NewReader(`{"user_id":"@alice:test","content":{"body":"from root"}}`))
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := h.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		raw, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(raw)
	}
	if status, body := send("POST", "", alice); status != 403 {
		t.Errorf("alice sends notices: %d %s", status, body)
	}
	status, one := send("PUT", "/t1", root)
	_, again := send("PUT", "/t1", root)
	_, two := send("POST", "", root)
	if status != 200 || one != again || one == two {
		t.Errorf("%d %s, %s, %s", status, one, again, two)
	}
	if _, err := h.Notices().SendNotice(t.Context(), "@nobody:test", jsontext.Value(`{}`)); err == nil {
		t.Error("a notice to nobody")
	}
	if _, err := h.Notices().SendNotice(t.Context(), "@alice:test", jsontext.Value(`[]`)); err == nil {
		t.Error("a notice without content")
	}
}
