package irc_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// homeserver is as much of a Matrix homeserver as the bridge needs: rooms with
// state and a timeline in memory, behind an http.RoundTripper. It checks no
// rights but that members send.
type homeserver struct {
	t  *testing.T
	mu sync.Mutex
	// sendFails is how many sends of messages are to fail.
	sendFails int
	// answersLost is how many messages are to be taken without an answer.
	answersLost int
	// txns are the events of sends, by room and path.
	txns     map[string]string
	rooms    map[string]*fakeRoom
	aliases  map[string]string
	profiles map[string]map[string]any
	changed  chan struct{} // closed and replaced at each event
	events   int
	// held, if not nil, keeps messages from being taken until it is closed.
	held chan struct{}
	// typing is who is typing, by room and user.
	typing map[[2]string]bool
	// deliver takes events that are not the bridge's own.
	deliver func([]byte)
}

type fakeRoom struct {
	id       string
	state    map[[2]string]*fakeEvent
	timeline []*fakeEvent
}

type fakeEvent struct {
	Type     string         `json:"type"`
	ID       string         `json:"event_id"`
	Room     string         `json:"room_id"`
	Sender   string         `json:"sender"`
	StateKey *string        `json:"state_key,omitempty"`
	TS       int64          `json:"origin_server_ts"`
	Content  map[string]any `json:"content"`
	Unsigned map[string]any `json:"unsigned,omitempty"`
}

func newHomeserver(t *testing.T) *homeserver {
	return &homeserver{
		t: t, rooms: make(map[string]*fakeRoom), aliases: make(map[string]string),
		profiles: make(map[string]map[string]any), txns: make(map[string]string), typing: make(map[[2]string]bool), changed: make(chan struct{}),
	}
}

// RoundTrip implements http.RoundTripper.
func (h *homeserver) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		r.Body.Close()
	}
	h.mu.Lock()
	if held := h.held; held != nil && strings.Contains(r.URL.Path, "/send/m.room.message/") {
		h.mu.Unlock()
		<-held
		h.mu.Lock()
	}
	status, answer := h.handle(r, body)
	h.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer)
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

type obj = map[string]any

func fail(status int, code, text string) (int, any) {
	return status, obj{"errcode": code, "error": text}
}

func (h *homeserver) handle(r *http.Request, raw []byte) (int, any) {
	path := strings.Split(strings.Trim(r.URL.EscapedPath(), "/"), "/")
	for i := range path {
		path[i], _ = url.PathUnescape(path[i])
	}
	user := r.URL.Query().Get("user_id")
	if user == "" {
		user = "@ircbot:test.example"
	}
	var body obj
	_ = json.Unmarshal(raw, &body)
	if len(path) >= 2 && path[0] == "_matrix" && path[1] == "client" {
		path = path[2:]
	}
	if path[0] == "versions" {
		return 200, obj{"versions": []string{"v1.4"}, "unstable_features": obj{}}
	}
	if len(path) < 2 {
		return fail(404, "M_UNRECOGNIZED", "unknown path")
	}
	switch path[1] {
	case "account":
		return 200, obj{"user_id": user}
	case "register":
		return 200, obj{"user_id": "@" + fmt.Sprint(body["username"]) + ":test.example"}
	case "capabilities":
		return 200, obj{"capabilities": obj{}}
	case "media":
		return 200, obj{"m.upload.size": 1000000}
	case "createRoom":
		return h.createRoom(user, body)
	case "directory":
		return h.directory(r.Method, path[3], body)
	case "profile":
		return h.profile(r.Method, user, path, body)
	case "join":
		return h.join(user, path[2])
	case "rooms":
		return h.room(r, user, path, body)
	}
	return fail(404, "M_UNRECOGNIZED", "unknown path "+strings.Join(path, "/"))
}

func (h *homeserver) profile(method, user string, path []string, body obj) (int, any) {
	p := h.profiles[path[2]]
	if method == http.MethodGet {
		if p == nil {
			p = obj{}
		}
		return 200, p
	}
	if p == nil {
		p = obj{}
		h.profiles[path[2]] = p
	}
	for k, v := range body {
		p[k] = v
	}
	for _, room := range h.rooms {
		if m := room.state[[2]string{"m.room.member", user}]; m != nil && m.Content["membership"] == "join" {
			h.add(room, user, "m.room.member", &user, obj{"membership": "join", "displayname": p["displayname"]}, 0)
		}
	}
	return 200, obj{}
}

func (h *homeserver) directory(method, alias string, body obj) (int, any) {
	if method == http.MethodPut {
		h.aliases[alias] = fmt.Sprint(body["room_id"])
		return 200, obj{}
	}
	if room, ok := h.aliases[alias]; ok {
		return 200, obj{"room_id": room, "servers": []string{"test.example"}}
	}
	return fail(404, "M_NOT_FOUND", "no such alias")
}

func (h *homeserver) createRoom(user string, body obj) (int, any) {
	room := &fakeRoom{id: fmt.Sprintf("!room%d:test.example", len(h.rooms)), state: make(map[[2]string]*fakeEvent)}
	h.rooms[room.id] = room
	empty := ""
	create, _ := body["creation_content"].(obj)
	if create == nil {
		create = obj{}
	}
	create["room_version"] = "11"
	h.add(room, user, "m.room.create", &empty, create, 0)
	h.add(room, user, "m.room.member", &user, obj{"membership": "join"}, 0)
	pl, _ := body["power_level_content_override"].(obj)
	h.add(room, user, "m.room.power_levels", &empty, pl, 0)
	h.add(room, user, "m.room.join_rules", &empty, obj{"join_rule": "invite"}, 0)
	initial, _ := body["initial_state"].([]any)
	for _, s := range initial {
		e := s.(obj)
		key, _ := e["state_key"].(string)
		content, _ := e["content"].(obj)
		h.add(room, user, fmt.Sprint(e["type"]), &key, content, 0)
	}
	return 200, obj{"room_id": room.id}
}

func (h *homeserver) member(room *fakeRoom, user string) string {
	if m := room.state[[2]string{"m.room.member", user}]; m != nil {
		return fmt.Sprint(m.Content["membership"])
	}
	return "leave"
}

func (h *homeserver) join(user, name string) (int, any) {
	if id, ok := h.aliases[name]; ok {
		name = id
	}
	room := h.rooms[name]
	if room == nil {
		return fail(404, "M_NOT_FOUND", "no such room")
	}
	if h.member(room, user) == "ban" {
		return fail(403, "M_FORBIDDEN", "banned")
	}
	if h.member(room, user) == "leave" && room.state[[2]string{"m.room.join_rules", ""}].Content["join_rule"] != "public" {
		return fail(403, "M_FORBIDDEN", "not invited")
	}
	if h.member(room, user) != "join" {
		h.add(room, user, "m.room.member", &user, obj{"membership": "join", "displayname": h.profiles[user]["displayname"]}, 0)
	}
	return 200, obj{"room_id": room.id}
}

func (h *homeserver) room(r *http.Request, user string, path []string, body obj) (int, any) {
	room := h.rooms[path[2]]
	if room == nil {
		return fail(404, "M_NOT_FOUND", "no such room")
	}
	var ts int64
	_, _ = fmt.Sscan(r.URL.Query().Get("ts"), &ts)
	switch path[3] {
	case "join":
		return h.join(user, room.id)
	case "invite":
		target := fmt.Sprint(body["user_id"])
		if h.member(room, target) == "ban" {
			return fail(403, "M_FORBIDDEN", "banned")
		}
		h.add(room, user, "m.room.member", &target, obj{"membership": "invite"}, 0)
		return 200, obj{}
	case "members":
		chunk := []*fakeEvent{}
		for key, e := range room.state {
			if key[0] == "m.room.member" {
				chunk = append(chunk, e)
			}
		}
		return 200, obj{"chunk": chunk}
	case "state":
		key := ""
		if len(path) > 5 {
			key = path[5]
		}
		if r.Method == http.MethodGet {
			e := room.state[[2]string{path[4], key}]
			if e == nil {
				return fail(404, "M_NOT_FOUND", "no such state")
			}
			if r.URL.Query().Get("format") == "event" {
				return 200, e
			}
			return 200, e.Content
		}
		if m := h.member(room, user); m != "join" && (path[4] != "m.room.member" || key != user || m == "ban") {
			return fail(403, "M_FORBIDDEN", "not in the room")
		}
		return 200, obj{"event_id": h.add(room, user, path[4], &key, body, ts)}
	case "send":
		if h.member(room, user) != "join" {
			return fail(403, "M_FORBIDDEN", "not in the room")
		}
		if h.sendFails > 0 && path[4] == "m.room.message" {
			h.sendFails--
			return fail(400, "M_UNKNOWN", "the homeserver does not feel like it")
		}
		txn := strings.Join(path[2:], " ")
		if h.txns[txn] == "" {
			h.txns[txn] = h.add(room, user, path[4], nil, body, ts)
			if h.answersLost > 0 && path[4] == "m.room.message" {
				h.answersLost--
				return fail(502, "M_UNKNOWN", "the answer is lost")
			}
		}
		return 200, obj{"event_id": h.txns[txn]}
	case "redact":
		txn := strings.Join(path[2:], " ")
		if h.txns[txn] == "" {
			h.txns[txn] = h.add(room, user, "m.room.redaction", nil, obj{"redacts": path[4]}, ts)
		}
		return 200, obj{"event_id": h.txns[txn]}
	case "typing":
		h.typing[[2]string{room.id, path[4]}] = body["typing"] == true
		close(h.changed)
		h.changed = make(chan struct{})
		return 200, obj{}
	case "receipt", "read_markers":
		return 200, obj{}
	}
	return fail(404, "M_UNRECOGNIZED", "unknown path "+strings.Join(path, "/"))
}

// add appends an event and delivers it to the bridge if it is someone else's.
func (h *homeserver) add(room *fakeRoom, sender, kind string, key *string, content obj, ts int64) string {
	h.events++
	if ts == 0 {
		ts = time.Now().UnixMilli()
	}
	e := &fakeEvent{Type: kind, ID: fmt.Sprintf("$event%d", h.events), Room: room.id, Sender: sender, TS: ts, Content: content}
	if key != nil {
		k := *key
		e.StateKey = &k
		if old := room.state[[2]string{kind, k}]; old != nil {
			e.Unsigned = obj{"prev_content": old.Content}
		}
		room.state[[2]string{kind, k}] = e
	}
	room.timeline = append(room.timeline, e)
	close(h.changed)
	h.changed = make(chan struct{})
	if h.deliver != nil {
		raw, _ := json.Marshal(obj{"events": []*fakeEvent{e}})
		h.deliver(raw)
	}
	return e.ID
}

// byAlias returns a room by the localpart of its alias.
func (h *homeserver) byAlias(localpart string) *fakeRoom {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	room := h.rooms[h.aliases["#"+localpart+":test.example"]]
	if room == nil {
		h.t.Fatalf("no room has the alias #%s; aliases are %v", localpart, h.aliases)
	}
	return room
}

// await returns the first event of a room's timeline, from index from on, for
// which match holds, and the index after it.
func (h *homeserver) await(room *fakeRoom, from int, what string, match func(*fakeEvent) bool) (*fakeEvent, int) {
	h.t.Helper()
	deadline := time.After(15 * time.Second)
	for {
		h.mu.Lock()
		for i := from; i < len(room.timeline); i++ {
			if match(room.timeline[i]) {
				e := room.timeline[i]
				h.mu.Unlock()
				return e, i + 1
			}
		}
		changed := h.changed
		h.mu.Unlock()
		select {
		case <-changed:
		case <-deadline:
			var all bytes.Buffer
			h.mu.Lock()
			for _, e := range room.timeline[max(from, len(room.timeline)-8):] {
				raw, _ := json.Marshal(e)
				all.Write(append(raw, '\n'))
			}
			h.mu.Unlock()
			h.t.Fatalf("no %s came; events were:\n%s", what, all.String())
		}
	}
}

// say sends an event as a user.
func (h *homeserver) say(room *fakeRoom, user, kind string, content obj) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.add(room, user, kind, nil, content, 0)
}

// enter joins a user with a display name.
func (h *homeserver) enter(room *fakeRoom, user, name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.profiles[user] = obj{"displayname": name}
	if status, answer := h.join(user, room.id); status != 200 {
		h.t.Errorf("%s cannot join: %v", user, answer)
	}
}

// hold keeps messages from being taken, and so the turns of their rooms from going on, until the function that it
// returns is called.
func (h *homeserver) hold() (release func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	held := make(chan struct{})
	h.held = held
	return sync.OnceFunc(func() {
		h.mu.Lock()
		h.held = nil
		h.mu.Unlock()
		close(held)
	})
}

// membership returns a user's membership and name in a room.
func (h *homeserver) membership(room *fakeRoom, user string) (string, string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	m := room.state[[2]string{"m.room.member", user}]
	if m == nil {
		return "", ""
	}
	name, _ := m.Content["displayname"].(string)
	return fmt.Sprint(m.Content["membership"]), name
}

// redact deletes an event as a user.
func (h *homeserver) redact(room *fakeRoom, user, event string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.add(room, user, "m.room.redaction", nil, obj{"redacts": event}, 0)
}

// type_ says who is typing in a room now.
func (h *homeserver) type_(room *fakeRoom, users ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if users == nil {
		users = []string{}
	}
	raw, _ := json.Marshal(obj{"events": []any{}, "ephemeral": []any{obj{"type": "m.typing", "room_id": room.id, "content": obj{"user_ids": users}}}})
	h.deliver(raw)
}

// awaitTyping waits until somebody is typing.
func (h *homeserver) awaitTyping(room *fakeRoom, user string) {
	h.t.Helper()
	deadline := time.After(15 * time.Second)
	for {
		h.mu.Lock()
		on, changed := h.typing[[2]string{room.id, user}], h.changed
		h.mu.Unlock()
		if on {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			h.t.Fatal("nobody is typing")
		}
	}
}
