package presence

import (
	"context"
	"encoding/json/v2"
	"fmt"
	"slices"
	"time"

	homesync "github.com/landbridge-im/landbridge/homeserver/sync"
)

var _ homesync.Presences = (*Tracker)(nil)

// changedMax bounds how many changes are told at once.
const changedMax = 5000

// Position is the newest change of anybody.
func (t *Tracker) Position() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seq
}

// Changed implements sync.Presences. From the position 0 it lists who is there, leaving out who is
// offline.
func (t *Tracker) Changed(ctx context.Context, user, after int64, also map[string]bool) ([]homesync.PresenceEvent, error) {
	var out []homesync.PresenceEvent
	for _, s := range t.candidates(after, also) {
		ok, err := t.visible(ctx, user, s.User)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		content, err := json.Marshal(Content(s, t.o.Now()))
		if err != nil {
			return nil, fmt.Errorf("encoding the presence of %s: %w", s.UserID, err)
		}
		out = append(out, homesync.PresenceEvent{Sender: s.UserID, Type: "m.presence", Content: content})
	}
	return out, nil
}

// ChangedSince lists whose presence changed after a position, oldest first. Whether anybody may see it
// is for the caller to find out.
func (t *Tracker) ChangedSince(after int64) []State { return t.candidates(after, nil) }

// candidates lists who has changed, newest first.
func (t *Tracker) candidates(after int64, also map[string]bool) (out []State) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for el := t.order.Back(); el != nil && len(out) < changedMax; el = el.Prev() {
		u := el.Value.(*tracked)
		if u.seq <= after && len(also) == 0 {
			break
		}
		fresh := u.seq > after && (after > 0 || u.Presence != Offline)
		if fresh || also[u.UserID] {
			out = append(out, u.State)
		}
	}
	slices.Reverse(out)
	return out
}

// visible tells whether a user may see another's presence.
func (t *Tracker) visible(ctx context.Context, user, other int64) (bool, error) {
	if user == other {
		return true, nil
	}
	return t.o.Audience.Shares(ctx, user, other)
}

// Visible tells whether a user may see another's presence: "Presence information is published to
// all users who share a room with the target user."
func (t *Tracker) Visible(ctx context.Context, user, other int64) (bool, error) {
	return t.visible(ctx, user, other)
}

// Info is the content of an m.presence event, and the answer of GET /presence/{userId}/status.
type Info struct {
	Presence        string  `json:"presence"`
	LastActiveAgo   *int64  `json:"last_active_ago,omitempty"`
	Status          *string `json:"status_msg,omitempty"`
	CurrentlyActive *bool   `json:"currently_active,omitempty"`
}

// Content describes a state as of now.
func Content(s State, now time.Time) Info {
	c := Info{Presence: s.Presence, Status: s.Status}
	if !s.LastActive.IsZero() {
		ago := max(now.Sub(s.LastActive).Milliseconds(), 0)
		c.LastActiveAgo = &ago
	}
	if s.Presence == Online {
		c.CurrentlyActive = &s.CurrentlyActive
	}
	return c
}
