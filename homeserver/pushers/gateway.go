package pushers

import (
	"bytes"
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/homeserver/unread"
)

// notification makes the body of a request about an event: "When pushing notifications for events,
// the homeserver is expected to include all of the event-related fields [...] When [...] the format
// is event_id_only, only the event_id, room_id, counts, and devices are required to be populated."
func (t *turn) notification(ctx context.Context, row store.Pusher, to target, n unread.Notification) ([]byte, error) {
	e := n.Event
	counts := map[string]int{}
	if t.badge > 0 {
		counts["unread"] = t.badge // "Counts whose value is zero should be omitted."
	}
	prio := "low"
	if n.Actions.Highlight || len(n.Actions.Tweaks["sound"]) > 0 || e.Type == "m.room.encrypted" {
		prio = "high"
	}
	body := map[string]any{"event_id": e.ID, "room_id": e.InRoom, "counts": counts, "prio": prio}
	if !to.idOnly {
		body["type"], body["sender"], body["content"] = e.Type, string(e.Sender), jsontext.Value(e.Content)
		// Gateways from before the specification had event_id look for this one.
		body["id"] = e.ID
		if e.StateKey != nil && e.Type == "m.room.member" {
			body["user_is_target"] = *e.StateKey == t.u.id
			body["membership"] = e.Membership() // likewise
		}
		name, err := t.p.stateText(ctx, e, t.u.nid, "m.room.member", string(e.Sender), "displayname")
		if err != nil {
			return nil, err
		}
		if name == "" {
			name = string(e.Sender)
		}
		body["sender_display_name"] = name
		room, alias, err := t.p.roomName(ctx, e, t.u.nid)
		if err != nil {
			return nil, err
		}
		if room != "" {
			body["room_name"] = room
		}
		if alias != "" {
			body["room_alias"] = alias
		}
	}
	return wrap(row, to, n.Actions.Tweaks, body)
}

// wrap makes the whole body of a request. A browser gets what is about the event alone: it knows which
// it is. What does not fit into a message is left to be fetched.
func wrap(row store.Pusher, to target, tweaks map[string]jsontext.Value, body map[string]any) ([]byte, error) {
	if to.web == nil {
		body["devices"] = devices(row, to, tweaks)
		return json.Marshal(map[string]any{"notification": body}, json.Deterministic(true))
	}
	if len(tweaks) > 0 {
		body["tweaks"] = tweaks
	}
	raw, err := json.Marshal(body, json.Deterministic(true))
	for _, member := range [...]string{"content", "tweaks", "room_alias", "room_name", "sender_display_name"} {
		if err != nil || len(raw) <= webPlainMax {
			break
		}
		delete(body, member)
		raw, err = json.Marshal(body, json.Deterministic(true))
	}
	return raw, err
}

// onlyBadge makes the body of a request that only tells the count. A count of zero is the point
// of it and so can't be left out.
func (t *turn) onlyBadge(row store.Pusher, to target) ([]byte, error) {
	return wrap(row, to, nil, map[string]any{"prio": "low", "counts": map[string]int{"unread": t.badge}})
}

// stateText is a text of the state at an event. Of a room that this server is not in, a reader knows what came with the
// invitation.
func (p *Pushers) stateText(ctx context.Context, at *event.Event, reader int64, typ, key, field string) (string, error) {
	e, err := p.o.Store.StateEvent(ctx, at.Root, typ, key)
	if err == nil {
		return e.ContentString(field), nil
	}
	if !errors.Is(err, store.ErrNotFound) || !at.Has(event.Outlier) {
		return "", notFound(err)
	}
	raw, err := p.o.Store.InviteState(ctx, at.Room, reader)
	if err != nil {
		return "", notFound(err)
	}
	text := ""
	gjson.ParseBytes(raw).ForEach(func(_, e gjson.Result) bool {
		if e.Get("type").Str == typ && e.Get("state_key").Type == gjson.String && e.Get("state_key").Str == key {
			text = e.Get("content").Get(field).Str
		}
		return text == ""
	})
	return text, nil
}

// notFound is err, unless it says that something is not there.
func notFound(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// roomName is what a room is called, as a reader sees it, and its main alias: specification,
// "Calculating the display name for a room".
func (p *Pushers) roomName(ctx context.Context, e *event.Event, reader int64) (name, alias string, err error) {
	s := p.o.Store
	if name, err = p.stateText(ctx, e, reader, "m.room.name", "", "name"); err != nil {
		return "", "", err
	}
	if alias, err = p.stateText(ctx, e, reader, "m.room.canonical_alias", "", "alias"); err != nil || name != "" || alias != "" {
		if name == "" {
			name = alias
		}
		return name, alias, err
	}
	others, err := s.SomeMembers(ctx, e.Room, reader)
	if err != nil {
		return "", "", err
	}
	for i, nid := range others {
		id, err := s.UserID(ctx, nid)
		if err != nil {
			return "", "", err
		}
		who, err := p.stateText(ctx, e, reader, "m.room.member", id, "displayname")
		if err != nil {
			return "", "", err
		}
		if who == "" {
			who = id
		}
		switch {
		case i == 0:
		case i == len(others)-1:
			name += " and "
		default:
			name += ", "
		}
		name += who
	}
	return name, "", nil
}

// Bounds of gateways: the size of their answers, and how many failing hosts are remembered.
const (
	answerMax = 64 << 10
	hostsMax  = 10_000
	hostPause = time.Minute
	// hostTries is how many failures in a row make a host one that is left alone.
	hostTries = 3
)

// errHost reports a host that failed just now and is left alone for a while, so that one dead
// gateway does not keep everybody waiting.
var errHost = errors.New("the push gateway's host does not answer")

// post sends a body to a gateway and returns the rejected keys.
func (p *Pushers) post(ctx context.Context, to target, body []byte) (rejected []string, err error) {
	if !p.hosts.try(to.host, p.o.Now()) {
		return nil, errHost
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Landbridge")
	res, err := p.http.Do(req)
	p.hosts.note(to.host, p.o.Now(), p.o.Backoff, err == nil && res.StatusCode < 500)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, answerMax))
	if err != nil {
		return nil, err
	}
	if res.StatusCode/100 != 2 {
		return nil, fmt.Errorf("the push gateway answered with status %d", res.StatusCode)
	}
	var answer struct {
		Rejected []string `json:"rejected"`
	}
	// An answer without the list rejects nothing.
	_ = json.Unmarshal(raw, &answer)
	return answer.Rejected, nil
}

// hosts remembers which hosts fail.
type hosts struct {
	mu sync.Mutex
	m  map[string]*host
}

type host struct {
	failures int
	until    time.Time
}

// try tells whether a host may be tried. Of those who come after the pause, the first one tries
// and the others wait for what becomes of it.
func (h *hosts) try(name string, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	x := h.m[name]
	if x == nil || x.failures < hostTries {
		return true
	}
	if now.Before(x.until) {
		return false
	}
	x.until = now.Add(30 * time.Second)
	return true
}

func (h *hosts) note(name string, now time.Time, first time.Duration, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ok {
		delete(h.m, name)
		return
	}
	x := h.m[name]
	if x == nil {
		if len(h.m) >= hostsMax {
			clear(h.m)
		}
		x = &host{}
		h.m[name] = x
	}
	x.failures++
	x.until = now.Add(min(first<<min(max(x.failures-hostTries, 0), 16), hostPause))
}
