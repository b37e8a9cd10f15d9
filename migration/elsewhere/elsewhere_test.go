package elsewhere

import (
	"encoding/json/jsontext"
	"encoding/json/v2"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/importer/wire"
	"github.com/landbridge-im/landbridge/registration"
)

// server is a homeserver that forgets its transactions at once.
type server struct {
	*httptest.Server
	t  *testing.T
	mu sync.Mutex
	// events are those of the one room "!r", and asked what was asked for.
	events []map[string]any
	asked  []string
	rooms  []map[string]any
	// limit is how many requests are refused for coming too fast, cut how many are done and not answered.
	limit, cut int
	// late is how many looks it takes until the rooms that were made can be seen.
	late   int
	bodies []string
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	user := r.URL.Query().Get("user_id")
	path := strings.TrimPrefix(r.URL.Path, "/_matrix/client/v3/")
	s.asked = append(s.asked, r.Method+" "+path+" "+user)
	answer := func(status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		if err := json.MarshalWrite(w, v); err != nil {
			s.t.Error(err)
		}
	}
	if r.Header.Get("Authorization") != "Bearer as" {
		answer(401, map[string]any{"errcode": "M_UNKNOWN_TOKEN"})
		return
	}
	if s.limit > 0 && r.Method == "PUT" {
		s.limit--
		answer(429, map[string]any{"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 70_000})
		return
	}
	var in map[string]any
	if r.Header.Get("Content-Type") == "application/json" && json.Unmarshal(raw, &in) != nil {
		s.t.Errorf("%s is no JSON", raw)
	}
	out, status := map[string]any{}, 200
	switch {
	case path == "account/whoami":
		out["user_id"] = "@bot:x"
	case path == "capabilities":
		out["capabilities"] = map[string]any{"m.room_versions": map[string]any{"default": "11"}}
	case strings.HasPrefix(path, "directory/room/"):
		for i, r := range s.rooms {
			if "#"+fmt.Sprint(r["room_alias_name"])+":x" == strings.TrimPrefix(path, "directory/room/") {
				out["room_id"] = fmt.Sprintf("!%d", i+1)
			}
		}
	case path == "createRoom":
		if in["room_alias_name"] == "taken" || in["room_alias_name"] != nil && slices.ContainsFunc(s.rooms, func(r map[string]any) bool { return r["room_alias_name"] == in["room_alias_name"] }) {
			answer(400, map[string]any{"errcode": "M_ROOM_IN_USE"})
			return
		}
		s.rooms = append(s.rooms, in)
		out["room_id"] = fmt.Sprintf("!%d", len(s.rooms))
	case path == "joined_rooms":
		list := []string{}
		for i := range s.rooms {
			list = append(list, fmt.Sprintf("!%d", i+1))
		}
		if s.late > 0 {
			s.late--
			list = list[:0]
		}
		out["joined_rooms"] = list
	case strings.HasSuffix(path, "/state/m.room.create/"):
		var n int
		if _, err := fmt.Sscanf(path, "rooms/!%d/", &n); err != nil {
			s.t.Error(err)
		}
		out = s.rooms[n-1]["creation_content"].(map[string]any)
	case strings.HasSuffix(path, "/state/m.room.join_rules/"):
		out["join_rule"] = "invite"
	case strings.Contains(path, "/event/"):
		id := path[strings.LastIndex(path, "/")+1:]
		i := slices.IndexFunc(s.events, func(e map[string]any) bool { return e["event_id"] == id })
		out = s.events[i]
	case strings.HasSuffix(path, "/messages"):
		chunk := slices.Clone(s.events)
		slices.Reverse(chunk)
		out["chunk"] = chunk
	case strings.Contains(path, "/send/"), strings.Contains(path, "/redact/"):
		if in["body"] == "bad" {
			answer(413, map[string]any{"errcode": "M_TOO_LARGE", "error": "no"})
			return
		}
		id := fmt.Sprintf("$%d", len(s.events))
		typ := "m.room.message"
		if strings.Contains(path, "/redact/") {
			typ, in = "m.room.redaction", map[string]any{"redacts": strings.Split(path, "/")[3]}
		}
		s.events = append(s.events, map[string]any{"event_id": id, "type": typ, "sender": user, "content": in, "ts": r.URL.Query().Get("ts")})
		out["event_id"] = id
	case strings.Contains(path, "/state/"):
		out["event_id"] = "$state"
		s.bodies = append(s.bodies, path+" "+string(raw))
	case strings.HasSuffix(path, "/upload"):
		if r.ContentLength < 0 {
			s.t.Error("the length is not told")
		}
		out["content_uri"] = "mxc://x/" + string(raw)
	case path == "register":
		if in["username"] == "there" {
			answer(400, map[string]any{"errcode": "M_USER_IN_USE"})
			return
		}
	case strings.HasPrefix(path, "profile/"):
	default:
		status, out["errcode"] = 404, "M_UNRECOGNIZED"
	}
	if s.cut > 0 && r.Method != "GET" {
		s.cut--
		panic(http.ErrAbortHandler)
	}
	answer(status, out)
}

func opened(t *testing.T) (*server, *Target, func() *Target) {
	t.Helper()
	s := &server{t: t}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	path := filepath.Join(t.TempDir(), "ledger.db")
	open := func() *Target {
		target, err := New(Options{URL: s.URL, Bot: "bot", Ledger: path, Registration: &registration.Registration{ID: "b", ASToken: "as", HSToken: "hs", SenderLocalpart: "bot",
			Namespaces: registration.Namespaces{Users: []registration.Namespace{{Regex: "^@b_.+:x$", Exclusive: true}}}}})
		if err != nil {
			t.Fatal(err)
		}
		target.after = func(d time.Duration) <-chan time.Time {
			if d > maxPause {
				t.Errorf("a pause of %s", d)
			}
			c := make(chan time.Time, 1)
			c <- time.Time{}
			return c
		}
		if o, err := target.Open(t.Context()); err != nil || o.Server != "x" {
			t.Fatalf("%+v, %v", o, err)
		}
		t.Cleanup(func() {
			if err := target.Close(); err != nil {
				t.Error(err)
			}
		})
		return target
	}
	return s, open(), open
}

func say(remote, body string) wire.Item {
	return wire.Item{Remote: remote, Sender: "@b_ann:x", Type: "m.room.message", TS: 5, Content: jsontext.Value(`{"body":"` + body + `"}`)}
}

func (s *server) told() (out []string) {
	for _, e := range s.events {
		out = append(out, fmt.Sprintf("%v %v %v", e["sender"], e["ts"], e["content"].(map[string]any)["body"]))
	}
	return out
}

// TestBatch: what is cut off, limited and sent again is there once; what is refused says so, and the rest is there.
func TestBatch(t *testing.T) {
	t.Parallel()
	s, target, open := opened(t)
	ctx := t.Context()
	q := wire.Batch{Source: "a", RoomID: "!r", Creator: "@bot:x", Items: []wire.Item{say("1", "same"), say("2", "same"), say("bad", "bad"), say("3", "same"),
		{Remote: "gone", Kind: wire.KindRedact, Sender: "@bot:x", TS: 6, Relates: &wire.Relation{To: "2"}}, {Kind: wire.KindJoin, Sender: "@real:x", TS: 7}}}
	s.limit, s.cut = 2, 3
	out, err := target.Batch(ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"@b_ann:x 5 same", "@b_ann:x 5 same", "@b_ann:x 5 same"}
	if got := s.told(); len(got) != 4 || !slices.Equal(got[:3], want) {
		t.Errorf("said %q", got)
	}
	for i, d := range out.Items {
		if (d.Problem != "") != (i == 2) || (d.EventID != "") != (i != 2 && i != 5) {
			t.Errorf("item %d is %+v", i, d)
		}
	}
	// A process that was killed after the homeserver had the event, and before the ledger had.
	if err := target.ledger.begin(ctx, "!r", "a", "4"); err != nil {
		t.Fatal(err)
	}
	s.events = append(s.events, map[string]any{"event_id": "$there", "type": "m.room.message", "sender": "@b_ann:x", "content": map[string]any{"body": "same"}})
	q.Items = append(q.Items, say("4", "same"), say("5", "same"))
	again, err := open().Batch(ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(s.events); n != 6 || again.Items[6].EventID != "$there" || again.Items[7].EventID != "$5" || again.Items[0] != (wire.Done{EventID: out.Items[0].EventID}) {
		t.Errorf("%d events, %+v", n, again.Items)
	}
	invites := 0
	for _, b := range s.bodies {
		if strings.Contains(b, "@real:x") {
			invites++
			if !strings.Contains(b, `"invite"`) {
				t.Error("somebody real is spoken for: " + b)
			}
		}
	}
	if invites != 1 {
		t.Errorf("%d invitations", invites)
	}
}

// TestIf: an item with a condition is brought in where that is met, and nowhere else.
func TestIf(t *testing.T) {
	t.Parallel()
	s, target, _ := opened(t)
	on := func(to string) wire.Item {
		it := say(to+"/more", "more about "+to)
		it.Relates, it.If = &wire.Relation{Rel: wire.RelEdit, To: to}, "lost"
		return it
	}
	lost := say("lost", "a file")
	lost.Content = jsontext.Value(`{"body":"a file","lost":true}`)
	q := wire.Batch{Source: "a", RoomID: "!r", Creator: "@bot:x", Items: []wire.Item{lost, on("lost"), say("here", "a text"), on("here"), on("none")}}
	for i, want := range [][]string{{"a file", "a text"}, {"a file", "a text", "more about lost"}, {"a file", "a text", "more about lost"}} {
		out, err := target.Batch(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range s.events {
			got = append(got, e["content"].(map[string]any)["body"].(string))
		}
		if !slices.Equal(got, want) || slices.ContainsFunc(out.Items, func(d wire.Done) bool { return d.Problem != "" || d.Unresolved }) {
			t.Errorf("after run %d there are %q, and %+v is told", i+1, got, out.Items)
		}
	}
}

// TestRoom: a room is made once, also if nobody heard that it was, and without an address that is taken.
func TestRoom(t *testing.T) {
	t.Parallel()
	s, target, open := opened(t)
	ctx := t.Context()
	q := wire.Room{Source: "a", Remote: "channel/1", Creator: "@bot:x", TS: 1, Alias: "#taken:x",
		State: []wire.State{{Type: "m.room.power_levels", Content: jsontext.Value(`{"users":{"@b_ann:x":50},"events":{"m.room.tombstone":150}}`)}}}
	s.cut = 1
	made, err := target.Room(ctx, q)
	if err != nil || made.RoomID != "!1" || len(s.rooms) != 1 {
		t.Fatalf("%+v, %v, %d rooms", made, err, len(s.rooms))
	}
	again, err := open().Room(ctx, q)
	if err != nil || again.RoomID != "!1" || again.Fresh || len(s.rooms) != 1 {
		t.Errorf("%+v, %v, %d rooms", again, err, len(s.rooms))
	}
	raw, err := json.Marshal(s.rooms[0], json.Deterministic(true))
	if err != nil || !strings.Contains(string(raw), `"@bot:x":100`) || !strings.Contains(string(raw), `"m.room.tombstone":100`) {
		t.Errorf("the room is %s, %v", raw, err)
	}
	// A process that was killed while the homeserver was making the room, which is seen only later; or has its address already.
	for i, alias := range []string{"", "#mine:x"} {
		q := wire.Room{Source: "a", Remote: fmt.Sprint("late/", i), Creator: "@bot:x", TS: 1, Alias: alias}
		if _, err := target.create(ctx, q, "a/"+q.Remote); err != nil {
			t.Fatal(err)
		}
		if alias == "" {
			s.late = 3
			if err := target.ledger.begin(ctx, roomsPlace, "a", "room/"+q.Remote); err != nil {
				t.Fatal(err)
			}
		}
		n := len(s.rooms)
		if made, err := target.Room(ctx, q); err != nil || made.RoomID != fmt.Sprintf("!%d", n) || made.NoAlias || len(s.rooms) != n {
			t.Errorf("%+v, %v, %d rooms instead of %d", made, err, len(s.rooms), n)
		}
	}
	q.Remote = "channel/2"
	if other, err := target.Room(ctx, q); err != nil || other.RoomID != "!4" || !other.NoAlias {
		t.Errorf("%+v, %v", other, err)
	}
}

func TestPeopleAndFiles(t *testing.T) {
	t.Parallel()
	s, target, _ := opened(t)
	ctx := t.Context()
	q := wire.People{Service: "b", People: []wire.Person{{Localpart: "b_ann", Name: "Ann"}}}
	for i, fresh := range []int{1, 0} {
		if out, err := target.People(ctx, q); err != nil || out.Fresh != fresh {
			t.Errorf("time %d: %+v, %v", i, out, err)
		}
	}
	if _, err := target.People(ctx, wire.People{Service: "b", People: []wire.Person{{Localpart: "else"}}}); err == nil {
		t.Error("an account outside of the registration is made")
	}
	for i, fresh := range []bool{true, false} {
		if out, err := target.PutMedia(ctx, "f", "@bot:x", "a b", "text/plain", strings.NewReader("data")); err != nil || out.Fresh != fresh || out.URI != "mxc://x/data" {
			t.Errorf("time %d: %+v, %v", i, out, err)
		}
	}
	if _, err := target.PutMedia(ctx, "empty", "@bot:x", "", "", strings.NewReader("")); err != nil {
		t.Error(err)
	}
	if had, err := target.HaveMedia(ctx, wire.HaveMedia{IDs: []string{"f", "g"}}); err != nil || !slices.Equal(had.Have, []string{"f"}) || had.URIs["f"] != "mxc://x/data" {
		t.Errorf("%+v, %v", had, err)
	}
	for _, a := range s.asked {
		if strings.HasPrefix(a, "PUT profile/") && !strings.HasSuffix(a, " @b_ann:x") {
			t.Error(a)
		}
	}
	if _, err := New(Options{URL: "matrix.example.org"}); err == nil {
		t.Error("an address without https is taken")
	}
	target.o.Registration = &registration.Registration{ID: "b", ASToken: "other"}
	if _, err := target.Open(ctx); err == nil || strings.Contains(err.Error(), "other") || !strings.Contains(err.Error(), "restarted") {
		t.Errorf("a registration that the homeserver has not read: %v", err)
	}
}
