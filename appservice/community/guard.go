package community

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"maunium.net/go/mautrix/id"
)

// maxBody bounds what the guard reads of a request or an answer, in bytes; an event has 64 KiB, a list of
// members some megabytes.
const maxBody = 16 << 20

// Guard is a transport between a bridge and its homeserver that sees to it that the bridge keeps to the rules
// of its rooms. Modules need not know of these: a request against them is answered as if it had been done. It is
// safe for concurrent use.
type Guard struct {
	next  http.RoundTripper
	ghost func(id.UserID) bool
	rule  func(channel string) Rule

	mu    sync.RWMutex
	rooms map[id.RoomID]Rule // those that have a rule other than the usual one
}

var _ http.RoundTripper = (*Guard)(nil)

// NewGuard makes a guard. ghost tells whether a user stands for somebody of the network, rule what is so for the room of
// a channel.
func NewGuard(next http.RoundTripper, ghost func(id.UserID) bool, rule func(channel string) Rule) *Guard {
	return &Guard{next: next, ghost: ghost, rule: rule, rooms: map[id.RoomID]Rule{}}
}

// Know tells the guard which channel a room is of, and whether it was there before the bridge.
func (g *Guard) Know(room id.RoomID, channel string, kept bool) {
	r := g.rule(channel)
	r.Kept = kept
	g.know(room, r)
}

func (g *Guard) know(room id.RoomID, r Rule) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !r.Kept && (r.Members == All || r.Members == "") {
		delete(g.rooms, room)
	} else {
		g.rooms[room] = r
	}
}

// RoundTrip implements http.RoundTripper.
func (g *Guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodGet {
		return g.next.RoundTrip(req)
	}
	parts := strings.Split(req.URL.EscapedPath(), "/")
	for i, p := range parts {
		if s, err := url.PathUnescape(p); err == nil {
			parts[i] = s
		}
	}
	// _matrix/client/v3/...
	if len(parts) < 5 || parts[2] != "client" {
		return g.next.RoundTrip(req)
	}
	rest := parts[4:]
	switch {
	case rest[0] == "createRoom":
		return g.create(req)
	case rest[0] == "join" && len(rest) == 2:
		if r, ok := g.of(rest[1]); ok {
			return g.inRoom(req, r, id.RoomID(rest[1]), []string{"join"})
		}
	case rest[0] == "rooms" && len(rest) >= 3:
		if r, ok := g.of(rest[1]); ok {
			return g.inRoom(req, r, id.RoomID(rest[1]), rest[2:])
		}
	}
	return g.next.RoundTrip(req)
}

func (g *Guard) of(room string) (Rule, bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	r, ok := g.rooms[id.RoomID(room)]
	return r, ok
}

// kept is the state that stays in a room that the bridge has not made.
func kept(kind string) bool {
	switch kind {
	case "m.room.name", "m.room.topic", "m.room.avatar", "m.room.join_rules", "m.room.power_levels", "m.room.canonical_alias",
		"m.room.history_visibility", "m.room.guest_access", "m.room.encryption", "m.room.tombstone", "m.space.parent", "com.beeper.disappearing_timer":
		return true
	}
	return false
}

// inRoom is a request for a room that has a rule. what is the path behind the room.
func (g *Guard) inRoom(req *http.Request, r Rule, room id.RoomID, what []string) (*http.Response, error) {
	if r.Kept && what[0] == "state" && len(what) > 1 && kept(what[1]) {
		return answer(req, `{"event_id":"$kept"}`), nil
	}
	if r.Kept && what[0] == "kick" {
		// bridgev2 empties a room when its channel is gone.
		body, err := peek(req)
		if err != nil {
			return nil, err
		}
		var kick struct {
			Reason string `json:"reason"`
		}
		if json.Unmarshal(body, &kick) == nil && kick.Reason == "Deleting portal" {
			return answer(req, `{}`), nil
		}
		return g.next.RoundTrip(again(req, body))
	}
	if r.Members != Active && r.Members != None {
		return g.next.RoundTrip(req)
	}
	acting := id.UserID(req.URL.Query().Get("user_id"))
	switch {
	case what[0] == "join" && g.ghost(acting):
		b, err := json.Marshal(map[string]id.RoomID{"room_id": room})
		return answer(req, string(b)), err
	case what[0] == "leave" && g.ghost(acting):
		return g.gone(req, r)
	case what[0] == "invite":
		body, err := peek(req)
		var who struct {
			UserID id.UserID `json:"user_id"`
		}
		if err == nil && json.Unmarshal(body, &who) == nil && g.ghost(who.UserID) {
			return answer(req, `{}`), nil
		}
		return g.next.RoundTrip(again(req, body))
	case what[0] == "state" && len(what) > 2 && what[1] == "m.room.member" && g.ghost(id.UserID(what[2])):
		body, err := peek(req)
		if err != nil {
			return nil, err
		}
		var member struct {
			Membership string `json:"membership"`
		}
		// What can't be read the homeserver refuses.
		_ = json.Unmarshal(body, &member)
		switch {
		case member.Membership == "invite", member.Membership == "join":
			return answer(req, `{"event_id":"$lazy"}`), nil
		case member.Membership == "leave" && (acting == id.UserID(what[2]) || acting == ""):
			return g.gone(again(req, body), r)
		}
		return g.next.RoundTrip(again(req, body))
	case g.ghost(acting):
		return g.asMember(req, room, what[0])
	}
	return g.next.RoundTrip(req)
}

// gone is a ghost's leaving. Mostly it was never in the room.
func (g *Guard) gone(req *http.Request, r Rule) (*http.Response, error) {
	if r.Members == None {
		return answer(req, `{"event_id":"$lazy"}`), nil
	}
	resp, err := g.next.RoundTrip(req)
	if err == nil && resp.StatusCode == http.StatusForbidden {
		resp.Body.Close()
		return answer(req, `{"event_id":"$lazy"}`), nil
	}
	return resp, err
}

// asMember is what a ghost does in a room. If it may not because it isn't there, it comes in for what is to be seen.
func (g *Guard) asMember(req *http.Request, room id.RoomID, what string) (*http.Response, error) {
	body, err := peek(req)
	if err != nil {
		return nil, err
	}
	resp, err := g.next.RoundTrip(again(req, body))
	if err != nil || resp.StatusCode != http.StatusForbidden {
		return resp, err
	}
	switch what {
	case "send", "redact", "state":
	case "typing", "receipt", "read_markers":
		resp.Body.Close()
		return answer(req, `{}`), nil
	default:
		return resp, nil
	}
	if err := g.enter(req, room); err != nil {
		return resp, nil // the first answer says it best
	}
	resp.Body.Close()
	return g.next.RoundTrip(again(req, body))
}

// enter takes the acting ghost into a room, by itself if everybody may, or else by the bot's invitation.
func (g *Guard) enter(req *http.Request, room id.RoomID) error {
	ghost := req.URL.Query().Get("user_id")
	at := func(what, as string, body any) error {
		raw, err := json.Marshal(body)
		if err != nil {
			return err
		}
		u := *req.URL
		base, _, _ := strings.Cut(u.Path, "/_matrix/")
		u.Path, u.RawPath = base+"/_matrix/client/v3/rooms/"+string(room)+"/"+what, base+"/_matrix/client/v3/rooms/"+url.PathEscape(string(room))+"/"+what
		u.RawQuery = ""
		if as != "" {
			u.RawQuery = url.Values{"user_id": {as}}.Encode()
		}
		out, err := http.NewRequestWithContext(context.WithoutCancel(req.Context()), http.MethodPost, u.String(), bytes.NewReader(raw))
		if err != nil {
			return err
		}
		out.Header = req.Header.Clone()
		out.Header.Set("Content-Type", "application/json")
		resp, err := g.next.RoundTrip(out)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: status %d", what, resp.StatusCode)
		}
		return nil
	}
	if at("join", ghost, struct{}{}) == nil {
		return nil
	}
	if err := at("invite", "", map[string]string{"user_id": ghost}); err != nil {
		return err
	}
	return at("join", ghost, struct{}{})
}

// create leaves the ghosts out of a room that is made, if they are to come when they speak.
func (g *Guard) create(req *http.Request) (*http.Response, error) {
	body, err := peek(req)
	if err != nil {
		return nil, err
	}
	var head struct {
		InitialState []struct {
			Type    string `json:"type"`
			Content struct {
				Channel struct {
					ID string `json:"id"`
				} `json:"channel"`
			} `json:"content"`
		} `json:"initial_state"`
	}
	channel := ""
	if json.Unmarshal(body, &head) == nil {
		for _, e := range head.InitialState {
			if e.Type == "m.bridge" {
				channel = e.Content.Channel.ID
			}
		}
	}
	rule := g.rule(channel)
	if channel == "" || rule.Members != Active && rule.Members != None {
		return g.next.RoundTrip(again(req, body))
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(body, &all); err != nil {
		return nil, fmt.Errorf("read the request for a room: %w", err)
	}
	for _, key := range []string{"invite", "com.beeper.initial_members"} {
		var users, rest []id.UserID
		if json.Unmarshal(all[key], &users) != nil {
			continue
		}
		rest = []id.UserID{}
		for _, u := range users {
			if !g.ghost(u) {
				rest = append(rest, u)
			}
		}
		if all[key], err = json.Marshal(rest); err != nil {
			return nil, err
		}
	}
	if body, err = json.Marshal(all); err != nil {
		return nil, err
	}
	resp, err := g.next.RoundTrip(again(req, body))
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	made, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	var room struct {
		RoomID id.RoomID `json:"room_id"`
	}
	if json.Unmarshal(made, &room) == nil && room.RoomID != "" {
		g.know(room.RoomID, Rule{Members: rule.Members})
	}
	resp.Body = io.NopCloser(bytes.NewReader(made))
	return resp, nil
}

// peek reads the body of a request, which is gone then; see again.
func peek(req *http.Request) ([]byte, error) {
	if req.Body == nil {
		return nil, nil
	}
	defer req.Body.Close()
	body, err := io.ReadAll(io.LimitReader(req.Body, maxBody+1))
	if err == nil && len(body) > maxBody {
		err = fmt.Errorf("a request of more than %d bytes", maxBody)
	}
	return body, err
}

// again is a request with a body that was read.
func again(req *http.Request, body []byte) *http.Request {
	out := req.Clone(req.Context()) // a RoundTripper must not change its request
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	out.GetBody = nil
	return out
}

// answer is the answer to what was not asked of the homeserver.
func answer(req *http.Request, body string) *http.Response {
	if req.Body != nil {
		req.Body.Close()
	}
	return &http.Response{StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
}
