package fclient

import (
	"context"
	"encoding/json/jsontext"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Transaction is what is sent to a server at once: "they can have at most 50 PDUs and 100 EDUs".
type Transaction struct {
	Origin string           `json:"origin"`
	TS     int64            `json:"origin_server_ts"`
	PDUs   []jsontext.Value `json:"pdus"`
	EDUs   []jsontext.Value `json:"edus,omitzero"`
}

// The most that a transaction may have.
const (
	MaxPDUs = 50
	MaxEDUs = 100
)

// Send sends a transaction, and answers with the errors of those events that have one, by id.
func (c *Client) Send(ctx context.Context, server, txn string, t Transaction) (map[string]string, error) {
	var out struct {
		PDUs map[string]struct {
			Error string `json:"error"`
		} `json:"pdus"`
	}
	if t.PDUs == nil {
		t.PDUs = []jsontext.Value{}
	}
	if err := c.do(ctx, server, call{method: http.MethodPut, path: v1("send", txn), body: t, timeout: 2 * time.Minute}, &out); err != nil {
		return nil, err
	}
	failed := map[string]string{}
	for id, r := range out.PDUs {
		if r.Error != "" {
			failed[id] = r.Error
		}
	}
	return failed, nil
}

// Event reads one event.
func (c *Client) Event(ctx context.Context, server, eventID string) (jsontext.Value, error) {
	var out Transaction
	err := c.do(ctx, server, call{method: http.MethodGet, path: v1("event", eventID)}, &out)
	if err != nil || len(out.PDUs) == 0 {
		return nil, err
	}
	return out.PDUs[0], nil
}

// EventAuth reads the whole auth chain of an event, event by event.
func (c *Client) EventAuth(ctx context.Context, server, room, eventID string, each Each) error {
	f := fields{"auth_chain": each.list(SectionAuth)}
	return c.do(ctx, server, call{method: http.MethodGet, path: v1("event_auth", room, eventID), timeout: slow, limit: stateLimit, read: f.read}, nil)
}

// State reads the state of a room before an event, with its auth chain, event by event.
func (c *Client) State(ctx context.Context, server, room, eventID string, each Each) error {
	f := fields{"pdus": each.list(SectionState), "auth_chain": each.list(SectionAuth)}
	return c.do(ctx, server, call{method: http.MethodGet, path: v1("state", room), query: url.Values{"event_id": {eventID}},
		timeout: slow, limit: stateLimit, read: f.read}, nil)
}

// maxStateIDs bounds the lists of StateIDs.
const maxStateIDs = 2_000_000

// StateIDs reads the ids of a room's state before an event, and of its auth chain.
func (c *Client) StateIDs(ctx context.Context, server, room, eventID string) (state, auth []string, err error) {
	f := fields{"pdu_ids": texts(&state, maxStateIDs), "auth_chain_ids": texts(&auth, maxStateIDs)}
	err = c.do(ctx, server, call{method: http.MethodGet, path: v1("state_ids", room), query: url.Values{"event_id": {eventID}},
		timeout: slow, limit: stateLimit, read: f.read}, nil)
	return state, auth, err
}

// Backfill reads at most limit events of a room from before some, including those.
func (c *Client) Backfill(ctx context.Context, server, room string, from []string, limit int) ([]jsontext.Value, error) {
	var out Transaction
	q := url.Values{"v": from, "limit": {strconv.Itoa(limit)}}
	err := c.do(ctx, server, call{method: http.MethodGet, path: v1("backfill", room), query: q, timeout: time.Minute, limit: 64 << 20}, &out)
	return out.PDUs[:min(len(out.PDUs), limit)], err
}

// Gap says which events are missing: those before latest, and after earliest.
type Gap struct {
	Earliest []string `json:"earliest_events"`
	Latest   []string `json:"latest_events"`
	Limit    int      `json:"limit"`
	MinDepth int64    `json:"min_depth,omitzero"`
}

// MissingEvents reads what is missing in a room.
func (c *Client) MissingEvents(ctx context.Context, server, room string, g Gap) ([]jsontext.Value, error) {
	var out struct {
		Events []jsontext.Value `json:"events"`
	}
	err := c.do(ctx, server, call{method: http.MethodPost, path: v1("get_missing_events", room), body: g, timeout: time.Minute}, &out)
	return out.Events[:min(len(out.Events), g.Limit)], err
}

// TimestampToEvent finds the event of a room nearest to a time in milliseconds; dir is f or b.
func (c *Client) TimestampToEvent(ctx context.Context, server, room string, ts int64, dir string) (eventID string, eventTS int64, err error) {
	var out struct {
		ID string `json:"event_id"`
		TS int64  `json:"origin_server_ts"`
	}
	q := url.Values{"ts": {strconv.FormatInt(ts, 10)}, "dir": {dir}}
	err = c.do(ctx, server, call{method: http.MethodGet, path: v1("timestamp_to_event", room), query: q}, &out)
	return out.ID, out.TS, err
}

// PolicySign asks a policy server to sign an event, and answers with its signature. A refusal is an *Error.
func (c *Client) PolicySign(ctx context.Context, server string, event jsontext.Value) (signature string, err error) {
	var out map[string]map[string]string
	k := call{method: http.MethodPost, path: []string{"_matrix", "policy", "v1", "sign"}, body: event, limit: 64 << 10}
	if err := c.do(ctx, server, k, &out); err != nil {
		return "", err
	}
	return out[server]["ed25519:policy_server"], nil
}
