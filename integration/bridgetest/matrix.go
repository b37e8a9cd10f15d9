package bridgetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// Matrix is somebody with a Matrix client: requests over HTTP, and a long-poll
// of /sync that remembers all events of timelines that it sees.
type Matrix struct {
	URL, Token, UserID string
	HTTP               *http.Client
	// Events are those of the timelines of all rooms, in the order of arrival.
	Events Log[Event]

	since  string
	txn    atomic.Int64
	cancel context.CancelFunc
	ended  chan struct{}
}

// Event is one event in a room.
type Event struct {
	At       time.Time       `json:"-"` // when it came
	RoomID   string          `json:"room_id"`
	ID       string          `json:"event_id"`
	Type     string          `json:"type"`
	Sender   string          `json:"sender"`
	StateKey *string         `json:"state_key"`
	Redacts  string          `json:"redacts"`
	TS       int64           `json:"origin_server_ts"`
	Content  json.RawMessage `json:"content"`
}

// Field is a string in the content, or "".
func (e Event) Field(name string) string {
	var m map[string]any
	if json.Unmarshal(e.Content, &m) != nil {
		return ""
	}
	s, _ := m[name].(string)
	return s
}

// Body is the text of a message.
func (e Event) Body() string { return e.Field("body") }

// String is the event for people to read.
func (e Event) String() string {
	key := ""
	if e.StateKey != nil {
		key = "/" + *e.StateKey
	}
	return fmt.Sprintf("%s %s%s %s", e.Sender, e.Type, key, e.Content)
}

// Error is an answer that is no success.
type Error struct {
	Status  int
	ErrCode string `json:"errcode"`
	Message string `json:"error"`
	Method  string
	Path    string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s %s: %d %s: %s", e.Method, e.Path, e.Status, e.ErrCode, e.Message)
}

// NewMatrix makes a client that is not logged in.
func NewMatrix(base string) *Matrix {
	return &Matrix{URL: base, HTTP: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}}
}

// Register makes an account, with a registration token if one is given.
func Register(ctx context.Context, base, name, token string) (*Matrix, error) {
	m := NewMatrix(base)
	body := map[string]any{"username": name, "password": "a long password of " + name, "inhibit_login": false}
	var challenge struct {
		Session string `json:"session"`
	}
	var done struct {
		UserID string `json:"user_id"`
		Token  string `json:"access_token"`
	}
	status, raw, err := m.raw(ctx, http.MethodPost, "/_matrix/client/v3/register", body)
	if err != nil {
		return nil, err
	}
	if status == http.StatusUnauthorized {
		if err := json.Unmarshal(raw, &challenge); err != nil {
			return nil, err
		}
		auth := map[string]any{"type": "m.login.dummy", "session": challenge.Session}
		if token != "" {
			auth["type"], auth["token"] = "m.login.registration_token", token
		}
		body["auth"] = auth
	}
	if err := m.Do(ctx, http.MethodPost, "/v3/register", body, &done); err != nil {
		return nil, err
	}
	m.UserID, m.Token = done.UserID, done.Token
	return m, nil
}

// Do makes a request to a path below /_matrix/client and decodes the answer.
func (m *Matrix) Do(ctx context.Context, method, path string, body, out any) error {
	status, raw, err := m.raw(ctx, method, "/_matrix/client"+path, body)
	if err != nil {
		return err
	}
	if status/100 != 2 {
		e := &Error{Status: status, Method: method, Path: path}
		if json.Unmarshal(raw, e) != nil {
			e.Message = string(raw)
		}
		return e
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(raw, out)
}

func (m *Matrix) raw(ctx context.Context, method, path string, body any) (int, []byte, error) {
	var r io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		r = bytes.NewReader(raw)
	} else if method != http.MethodGet {
		r = strings.NewReader("{}")
	}
	req, err := http.NewRequestWithContext(ctx, method, m.URL+path, r)
	if err != nil {
		return 0, nil, err
	}
	if m.Token != "" {
		req.Header.Set("Authorization", "Bearer "+m.Token)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := m.HTTP.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	return res.StatusCode, raw, err
}

// Resolve looks an alias up.
func (m *Matrix) Resolve(ctx context.Context, alias string) (string, error) {
	var out struct {
		RoomID string `json:"room_id"`
	}
	err := m.Do(ctx, http.MethodGet, "/v3/directory/room/"+url.PathEscape(alias), nil, &out)
	return out.RoomID, err
}

// Join joins a room by its id or alias.
func (m *Matrix) Join(ctx context.Context, room string) (string, error) {
	var out struct {
		RoomID string `json:"room_id"`
	}
	err := m.Do(ctx, http.MethodPost, "/v3/join/"+url.PathEscape(room), nil, &out)
	return out.RoomID, err
}

// Send sends an event with a transaction id that is new, and returns its id.
func (m *Matrix) Send(ctx context.Context, room, kind string, content any) (string, error) {
	return m.SendTxn(ctx, room, kind, fmt.Sprintf("t%d-%d", time.Now().UnixNano(), m.txn.Add(1)), content)
}

// SendTxn sends an event with the given transaction id.
func (m *Matrix) SendTxn(ctx context.Context, room, kind, txn string, content any) (string, error) {
	var out struct {
		ID string `json:"event_id"`
	}
	err := m.Do(ctx, http.MethodPut, "/v3/rooms/"+url.PathEscape(room)+"/send/"+kind+"/"+url.PathEscape(txn), content, &out)
	return out.ID, err
}

// Say sends a plain message.
func (m *Matrix) Say(ctx context.Context, room, text string) (string, error) {
	return m.Send(ctx, room, "m.room.message", map[string]any{"msgtype": "m.text", "body": text})
}

// State reads the content of a state event.
func (m *Matrix) State(ctx context.Context, room, kind, key string, out any) error {
	return m.Do(ctx, http.MethodGet, "/v3/rooms/"+url.PathEscape(room)+"/state/"+kind+"/"+url.PathEscape(key), nil, out)
}

// SetState sends a state event.
func (m *Matrix) SetState(ctx context.Context, room, kind, key string, content any) error {
	return m.Do(ctx, http.MethodPut, "/v3/rooms/"+url.PathEscape(room)+"/state/"+kind+"/"+url.PathEscape(key), content, nil)
}

// AllState reads the state of a room.
func (m *Matrix) AllState(ctx context.Context, room string) ([]Event, error) {
	var out []Event
	err := m.Do(ctx, http.MethodGet, "/v3/rooms/"+url.PathEscape(room)+"/state", nil, &out)
	return out, err
}

// Members are the display names of those who are in a room, by user id.
func (m *Matrix) Members(ctx context.Context, room string) (map[string]string, error) {
	var out struct {
		Joined map[string]struct {
			Name string `json:"display_name"`
		} `json:"joined"`
	}
	err := m.Do(ctx, http.MethodGet, "/v3/rooms/"+url.PathEscape(room)+"/joined_members", nil, &out)
	members := make(map[string]string, len(out.Joined))
	for user, member := range out.Joined {
		members[user] = member.Name
	}
	return members, err
}

// History reads all events of a room that are there, oldest first.
func (m *Matrix) History(ctx context.Context, room string) ([]Event, error) {
	var all []Event
	for from := ""; ; {
		var page struct {
			Chunk []Event `json:"chunk"`
			End   string  `json:"end"`
		}
		path := "/v3/rooms/" + url.PathEscape(room) + "/messages?dir=f&limit=500"
		if from != "" {
			path += "&from=" + url.QueryEscape(from)
		}
		if err := m.Do(ctx, http.MethodGet, path, nil, &page); err != nil {
			return all, err
		}
		all = append(all, page.Chunk...)
		if page.End == "" || page.End == from {
			return all, nil
		}
		from = page.End
	}
}

// syncAnswer is what Follow reads of an answer to /sync.
type syncAnswer struct {
	Next  string `json:"next_batch"`
	Rooms struct {
		Join map[string]struct {
			Timeline struct {
				Events []Event `json:"events"`
			} `json:"timeline"`
		} `json:"join"`
	} `json:"rooms"`
}

// sync makes one request and records what comes.
func (m *Matrix) sync(ctx context.Context, timeout time.Duration) error {
	path := fmt.Sprintf("/v3/sync?timeout=%d&filter=%s", timeout.Milliseconds(), url.QueryEscape(`{"room":{"timeline":{"limit":1000}}}`))
	if m.since != "" {
		path += "&since=" + url.QueryEscape(m.since)
	}
	var out syncAnswer
	if err := m.Do(ctx, http.MethodGet, path, nil, &out); err != nil {
		return err
	}
	now := time.Now()
	for room, r := range out.Rooms.Join {
		for i := range r.Timeline.Events {
			r.Timeline.Events[i].RoomID, r.Timeline.Events[i].At = room, now
		}
		m.Events.Add(r.Timeline.Events...)
	}
	m.since = out.Next
	return nil
}

// Follow follows /sync until Close, also over failures of the server: it goes on
// from the last answer.
func (m *Matrix) Follow(ctx context.Context) error {
	if err := m.sync(ctx, 0); err != nil {
		return err
	}
	ctx, m.cancel = context.WithCancel(ctx)
	m.ended = make(chan struct{})
	go func() {
		defer close(m.ended)
		for ctx.Err() == nil {
			if m.sync(ctx, 20*time.Second) != nil {
				select {
				case <-time.After(20 * time.Millisecond):
				case <-ctx.Done():
				}
			}
		}
	}()
	return nil
}

// Close ends Follow.
func (m *Matrix) Close() {
	if m.cancel != nil {
		m.cancel()
		<-m.ended
	}
	m.HTTP.CloseIdleConnections()
}

// Await waits for an event in a room.
func (m *Matrix) Await(ctx context.Context, from int, room, what string, match func(Event) bool) (Event, int, error) {
	e, next, err := m.Events.Wait(ctx, from, func(e Event) bool { return e.RoomID == room && match(e) })
	if err != nil {
		err = fmt.Errorf("%s at %s: %w; the last events: %v", what, m.UserID, err, last(m.Events.All(from), 15))
	}
	return e, next, err
}

// IsStatus reports whether an error is an answer with the status.
func IsStatus(err error, status int) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == status
}
