package sync

import (
	"context"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// Slice is a question for the newest events of a room.
type Slice struct {
	UserID   string
	Standing Standing
	// After is the position from which on events are wanted, 0 for the room's whole history; Upto
	// the last.
	After, Upto int64
	Limit       int
	// Ignored are the users whose messages are left out.
	Ignored map[string]bool
}

// Timeline reads the newest events of a room that a user may see, oldest first, and the token from
// which to page back. limited tells whether there are more.
func (s *Syncer) Timeline(ctx context.Context, q Slice) (events []*event.Event, limited bool, prev Position, err error) {
	b := &builder{s: s, q: Request{UserID: q.UserID, Initial: q.After == 0, StateAfter: stateAfter}, ignored: q.Ignored}
	b.q.Filter.Room.Timeline.Limit = &q.Limit
	name, err := s.o.Store.RoomByNID(ctx, q.Standing.Room)
	if err != nil {
		return nil, false, prev, err
	}
	p := part{from: q.After, upto: q.Upto, current: q.Standing.Membership.Membership}
	if events, limited, _, _, err = b.recent(ctx, q.Standing, name, p); err != nil {
		return nil, false, prev, err
	}
	place, _, err := b.startOf(ctx, q.Standing, events, nil, p)
	if err != nil {
		return nil, false, prev, err
	}
	prev, err = b.prevOf(ctx, q.Standing, place, events, p)
	return events, limited, prev, err
}

// stateAfter says that the state isn't worked out from the timeline: no need to cut it.
const stateAfter = "state_after"

// DeviceListsSince compares two positions of a user who is active.
func (s *Syncer) DeviceListsSince(ctx context.Context, userID string, user int64, from, to int64, v View) (DeviceLists, error) {
	b := &builder{s: s, q: Request{UserID: userID, User: user, Since: Token{Log: from}}, upto: Token{Log: to}, view: v}
	if v.DeviceLists <= from && !b.moves() {
		return DeviceLists{}, nil
	}
	return b.changedDevices(ctx)
}

// Options are what the Syncer was made with.
func (s *Syncer) Options() Options { return s.o }
