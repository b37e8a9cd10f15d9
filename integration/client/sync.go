package client

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"time"
)

// SyncOptions are the parameters of /sync.
type SyncOptions struct {
	Since     string
	Filter    any // a filter's id, or what is sent as JSON
	Timeout   time.Duration
	FullState bool
}

// Sync is an answer of /sync.
type Sync struct {
	Next        string     `json:"next_batch"`
	AccountData EventList  `json:"account_data"`
	ToDevice    EventList  `json:"to_device"`
	Presence    EventList  `json:"presence"`
	Rooms       SyncRooms  `json:"rooms"`
	DeviceLists DeviceList `json:"device_lists"`
}

// SyncRooms are the rooms of a Sync by what one is in them.
type SyncRooms struct {
	Join   map[string]JoinedRoom  `json:"join"`
	Invite map[string]InvitedRoom `json:"invite"`
	Leave  map[string]JoinedRoom  `json:"leave"`
	Knock  map[string]struct {
		State EventList `json:"knock_state"`
	} `json:"knock"`
}

// EventList is an object around a list of events.
type EventList struct {
	Events []Event `json:"events"`
}

// DeviceList says whose devices changed.
type DeviceList struct {
	Changed []string `json:"changed"`
	Left    []string `json:"left"`
}

// JoinedRoom is news of a room that one is or was in.
type JoinedRoom struct {
	State    EventList `json:"state"`
	Timeline struct {
		EventList
		Limited   bool   `json:"limited"`
		PrevBatch string `json:"prev_batch"`
	} `json:"timeline"`
	Ephemeral   EventList       `json:"ephemeral"`
	AccountData EventList       `json:"account_data"`
	Summary     json.RawMessage `json:"summary"`
}

// InvitedRoom is an invitation.
type InvitedRoom struct {
	State EventList `json:"invite_state"`
}

// Sync makes one request.
func (c *Client) Sync(ctx context.Context, o SyncOptions) (*Sync, error) {
	q := url.Values{"timeout": {strconv.FormatInt(o.Timeout.Milliseconds(), 10)}}
	if o.Since != "" {
		q.Set("since", o.Since)
	}
	if o.FullState {
		q.Set("full_state", "true")
	}
	switch f := o.Filter.(type) {
	case nil:
	case string:
		q.Set("filter", f)
	default:
		raw, err := json.Marshal(f)
		if err != nil {
			return nil, err
		}
		q.Set("filter", string(raw))
	}
	out := &Sync{}
	return out, c.Do(ctx, "GET", Path("sync"), q, nil, out)
}

// Follow syncs on from a token, empty for the beginning, and gives each answer to the function
// until that returns false or an error comes. It gives the last token.
func (c *Client) Follow(ctx context.Context, o SyncOptions, each func(*Sync) bool) (since string, err error) {
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	for {
		s, err := c.Sync(ctx, o)
		if err != nil {
			return o.Since, err
		}
		o.Since = s.Next
		if !each(s) {
			return o.Since, nil
		}
	}
}
