package homeserver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// obj is a JSON object.
type obj = map[string]any

// do makes a request and returns its status and its answer, whatever they are.
func (h *hs) do(token, method, path string, body any) (int, gjson.Result) {
	h.Helper()
	raw, ok := body.([]byte)
	if !ok {
		if body == nil {
			body = obj{}
		}
		var err error
		if raw, err = json.Marshal(body); err != nil {
			h.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(h.Context(), method, h.url+"/_matrix/client"+path, bytes.NewReader(raw))
	if err != nil {
		h.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := h.http.Do(req)
	if err != nil {
		h.Fatal(err)
	}
	defer res.Body.Close()
	if raw, err = io.ReadAll(res.Body); err != nil {
		h.Fatal(err)
	}
	if !gjson.ValidBytes(raw) {
		h.Fatalf("%s %s: no JSON: %s", method, path, raw)
	}
	return res.StatusCode, gjson.ParseBytes(raw)
}

// ok makes a request that must succeed.
func (h *hs) ok(token, method, path string, body any) gjson.Result {
	h.Helper()
	status, out := h.do(token, method, path, body)
	if status/100 != 2 {
		h.Fatalf("%s %s: %d %s", method, path, status, out.Raw)
	}
	return out
}

// refused makes a request that must fail in this way.
func (h *hs) refused(status int, code, token, method, path string, body any) gjson.Result {
	h.Helper()
	got, out := h.do(token, method, path, body)
	if got != status || out.Get("errcode").Str != code {
		h.Errorf("%s %s: %d %s, want %d %s", method, path, got, out.Raw, status, code)
	}
	return out
}

var roomTxns atomic.Int64

// send sends an event and returns its id.
func (h *hs) send(token, room, typ string, content any) string {
	h.Helper()
	return h.ok(token, "PUT", fmt.Sprintf("/v3/rooms/%s/send/%s/t%d", room, typ, roomTxns.Add(1)), content).Get("event_id").Str
}

func (h *hs) say(token, room, body string) string {
	h.Helper()
	return h.send(token, room, "m.room.message", obj{"msgtype": "m.text", "body": body})
}

// state sets a room's state and returns the event's id.
func (h *hs) state(token, room, typ, key string, content any) string {
	h.Helper()
	return h.ok(token, "PUT", "/v3/rooms/"+room+"/state/"+typ+"/"+url.PathEscape(key), content).Get("event_id").Str
}

func (h *hs) redact(token, room, event string) string {
	h.Helper()
	return h.ok(token, "PUT", fmt.Sprintf("/v3/rooms/%s/redact/%s/t%d", room, url.PathEscape(event), roomTxns.Add(1)), nil).Get("event_id").Str
}

func (h *hs) joins(token, room string) {
	h.Helper()
	h.ok(token, "POST", "/v3/join/"+url.PathEscape(room), nil)
}

// relates is the content of an event that belongs to another.
func relates(relType, parent string, more obj) obj {
	out := obj{"msgtype": "m.text", "body": relType, "m.relates_to": obj{"rel_type": relType, "event_id": parent}}
	for k, v := range more {
		out[k] = v
	}
	return out
}

// all reads one string out of each object of an array.
func all(list gjson.Result, path string) string {
	var out []string
	for _, e := range list.Array() {
		out = append(out, e.Get(path).String())
	}
	return strings.Join(out, " ")
}

// eventually waits until check is true.
func (h *hs) eventually(what string, check func() bool) {
	h.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if check() {
			return
		}
		if time.Now().After(end) {
			h.Fatalf("%s: not in time", what)
		}
	}
}

// admin makes somebody an administrator of the server.
func (h *hs) admin(user string) {
	h.Helper()
	nid, err := h.Store().UserNID(h.Context(), user)
	if err == nil {
		err = h.Store().Write(h.Context(), func(t *store.Tx) error { return t.SetAdmin(nid, true) })
	}
	if err != nil {
		h.Fatal(err)
	}
}

// tick waits until the clock shows another time, in milliseconds.
func (h *hs) tick() {
	now := time.Now().UnixMilli()
	h.eventually("time passes", func() bool { return time.Now().UnixMilli() > now })
}

// runs lets the server do what goes on by itself, until the test ends.
func (h *hs) runs() {
	ctx, stop := context.WithCancel(context.WithoutCancel(h.Context()))
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	h.Cleanup(func() { stop(); <-done })
}
