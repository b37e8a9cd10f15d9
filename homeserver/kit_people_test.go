package homeserver

import (
	"fmt"
	"net/url"
	"sync/atomic"
	"testing"
)

// user signs somebody up.
func (h *hs) user(name string) (token string) {
	h.Helper()
	return h.ok("", "POST", "/v3/register", obj{"username": name, "password": "long enough", "auth": obj{"type": "m.login.dummy"}}).Get("access_token").Str
}

// newAdmin signs up an administrator.
func (h *hs) newAdmin(name string) (token string) {
	h.Helper()
	token = h.user(name)
	nid, err := h.store.UserNID(h.Context(), "@"+name+":test")
	if err != nil {
		h.Fatal(err)
	}
	if err := h.accounts.SetAdmin(h.Context(), nid, true); err != nil {
		h.Fatal(err)
	}
	return token
}

// startAdmin starts a server with an administrator.
func startAdmin(t testing.TB, change ...func(*Options)) (h *hs, root string) {
	h = start(t, change...)
	h.runs()
	return h, h.newAdmin("root")
}

// passwordAuth is the auth object of somebody with the password that user gives.
func passwordAuth(name string) obj {
	return obj{"type": "m.login.password", "identifier": obj{"type": "m.id.user", "user": name}, "password": "long enough"}
}

// login logs in with the password that user gives.
func (h *hs) login(name string, more obj) reply {
	h.Helper()
	body := passwordAuth(name)
	for k, v := range more {
		body[k] = v
	}
	return h.want(200, "", "", "POST", "/v3/login", body)
}

// again logs somebody in once more.
func (h *hs) again(name string) (token string) {
	h.Helper()
	return h.login(name, nil).str("access_token")
}

func (h *hs) room(token string, opts obj) string {
	h.Helper()
	return h.ok(token, "POST", "/v3/createRoom", opts).Get("room_id").Str
}

func (h *hs) join(token, room string) {
	h.Helper()
	h.ok(token, "POST", "/v3/join/"+url.PathEscape(room), nil)
}

var txns atomic.Int64

// event sends an event with a transaction id and returns the event's id.
func (h *hs) event(token, room, typ, txn string, content any) string {
	h.Helper()
	return h.ok(token, "PUT", "/v3/rooms/"+room+"/send/"+typ+"/"+url.PathEscape(txn), content).Get("event_id").Str
}

// send sends an event.
func (h *hs) send(token, room, typ string, content any) string {
	h.Helper()
	return h.event(token, room, typ, fmt.Sprintf("t%d", txns.Add(1)), content)
}

// text sends a message, by its text or its content, with a transaction id.
func (h *hs) text(token, room, txn string, content any) string {
	h.Helper()
	if s, ok := content.(string); ok {
		content = obj{"msgtype": "m.text", "body": s}
	}
	return h.event(token, room, "m.room.message", txn, content)
}

// say sends a message.
func (h *hs) say(token, room, body string) string {
	h.Helper()
	return h.tell(token, room, body, nil)
}

// tell sends a message with more than its text.
func (h *hs) tell(token, room, body string, more obj) string {
	h.Helper()
	content := obj{"msgtype": "m.text", "body": body}
	for k, v := range more {
		content[k] = v
	}
	return h.send(token, room, "m.room.message", content)
}

// state sets a room's state and returns the event's id.
func (h *hs) state(token, room, typ, key string, content any) string {
	h.Helper()
	return h.ok(token, "PUT", "/v3/rooms/"+room+"/state/"+typ+"/"+url.PathEscape(key), content).Get("event_id").Str
}

func (h *hs) redact(token, room, event string) string {
	h.Helper()
	return h.ok(token, "PUT", fmt.Sprintf("/v3/rooms/%s/redact/%s/t%d", room, url.PathEscape(event), txns.Add(1)), nil).Get("event_id").Str
}

// relates is the content of an event that belongs to another.
func relates(relType, parent string, more obj) obj {
	out := obj{"msgtype": "m.text", "body": relType, "m.relates_to": obj{"rel_type": relType, "event_id": parent}}
	for k, v := range more {
		out[k] = v
	}
	return out
}

func esc(s string) string { return url.PathEscape(s) }
