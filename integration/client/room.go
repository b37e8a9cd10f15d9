package client

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
)

// Event is an event as clients see it.
type Event struct {
	Type      string          `json:"type"`
	ID        string          `json:"event_id"`
	RoomID    string          `json:"room_id"`
	Sender    string          `json:"sender"`
	StateKey  *string         `json:"state_key"`
	Redacts   string          `json:"redacts"`
	TS        int64           `json:"origin_server_ts"`
	Content   json.RawMessage `json:"content"`
	PrevState json.RawMessage `json:"prev_content"`
	Unsigned  struct {
		TxnID       string          `json:"transaction_id"`
		PrevContent json.RawMessage `json:"prev_content"`
		Because     json.RawMessage `json:"redacted_because"`
		Membership  string          `json:"membership"`
	} `json:"unsigned"`
}

// Body is content.body.
func (e Event) Body() string { return e.field("body") }

// Membership is content.membership.
func (e Event) Membership() string { return e.field("membership") }

func (e Event) field(name string) string {
	var m map[string]any
	if json.Unmarshal(e.Content, &m) != nil {
		return ""
	}
	s, _ := m[name].(string)
	return s
}

// Message is the content of a text message.
func Message(body string) map[string]any { return map[string]any{"msgtype": "m.text", "body": body} }

// CreateRoom makes a room with the body of createRoom; nil means {}.
func (c *Client) CreateRoom(ctx context.Context, opts map[string]any) (roomID string, err error) {
	if opts == nil {
		opts = map[string]any{}
	}
	var out struct {
		RoomID string `json:"room_id"`
	}
	err = c.Do(ctx, "POST", Path("createRoom"), nil, opts, &out)
	return out.RoomID, err
}

// Join joins by room id or alias.
func (c *Client) Join(ctx context.Context, room string) error {
	return c.Do(ctx, "POST", Path("join", room), nil, struct{}{}, nil)
}

// Leave leaves a room.
func (c *Client) Leave(ctx context.Context, room string) error {
	return c.Do(ctx, "POST", Path("rooms", room, "leave"), nil, struct{}{}, nil)
}

// Change does to a user what the verb says: invite, kick, ban or unban.
func (c *Client) Change(ctx context.Context, room, verb, userID string) error {
	return c.Do(ctx, "POST", Path("rooms", room, verb), nil, map[string]string{"user_id": userID}, nil)
}

type eventReply struct {
	EventID string `json:"event_id"`
}

// Send sends an event.
func (c *Client) Send(ctx context.Context, room, typ, txn string, content any) (eventID string, err error) {
	var out eventReply
	err = c.Do(ctx, "PUT", Path("rooms", room, "send", typ, txn), nil, content, &out)
	return out.EventID, err
}

// SetState sets a piece of state.
func (c *Client) SetState(ctx context.Context, room, typ, key string, content any) (eventID string, err error) {
	var out eventReply
	err = c.Do(ctx, "PUT", Path("rooms", room, "state", typ, key), nil, content, &out)
	return out.EventID, err
}

// Redact redacts an event.
func (c *Client) Redact(ctx context.Context, room, target, txn string) (eventID string, err error) {
	var out eventReply
	err = c.Do(ctx, "PUT", Path("rooms", room, "redact", target, txn), nil, struct{}{}, &out)
	return out.EventID, err
}

// State is the whole current state.
func (c *Client) State(ctx context.Context, room string) (out []Event, err error) {
	return out, c.Do(ctx, "GET", Path("rooms", room, "state"), nil, nil, &out)
}

// StateContent is the content of a piece of state.
func (c *Client) StateContent(ctx context.Context, room, typ, key string) (out map[string]any, err error) {
	return out, c.Do(ctx, "GET", Path("rooms", room, "state", typ, key), nil, nil, &out)
}

// Event is one event of a room.
func (c *Client) Event(ctx context.Context, room, id string) (out Event, err error) {
	return out, c.Do(ctx, "GET", Path("rooms", room, "event", id), nil, nil, &out)
}

// Page is an answer of /messages.
type Page struct {
	Chunk []Event `json:"chunk"`
	State []Event `json:"state"`
	Start string  `json:"start"`
	End   string  `json:"end"`
}

// Messages is one page of a room's history, from a token, empty for an end of the room; dir is
// "b" or "f".
func (c *Client) Messages(ctx context.Context, room, from, dir string, limit int) (out Page, err error) {
	q := url.Values{"dir": {dir}, "limit": {strconv.Itoa(limit)}}
	if from != "" {
		q.Set("from", from)
	}
	return out, c.Do(ctx, "GET", Path("rooms", room, "messages"), q, nil, &out)
}

// History is all of a room's history that one can see, oldest first, read in pages.
func (c *Client) History(ctx context.Context, room, dir string, limit int) ([]Event, error) {
	var all []Event
	for from := ""; ; {
		p, err := c.Messages(ctx, room, from, dir, limit)
		if err != nil {
			return nil, err
		}
		all = append(all, p.Chunk...)
		if p.End == "" {
			break
		}
		from = p.End
	}
	if dir == "b" {
		reverse(all)
	}
	return all, nil
}

func reverse(l []Event) {
	for i, j := 0, len(l)-1; i < j; i, j = i+1, j-1 {
		l[i], l[j] = l[j], l[i]
	}
}
