package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// Late events are brought into a room that is lived in, each at its place by time: before the first message, or between
// two. As what comes before all else (AddPastEvent) they have negative positions, but those of a room rise with the time, so that
// what is brought in first can be followed by what was before it. Each such room has a range of its own, far below the other
// positions, in which a time has lateSlots places.
const (
	lateTop   = -1 << 61
	lateSlots = 16
	// lateMillis is how long the time is that a range has room for: 69 years.
	lateMillis = 1 << 41
	lateSpan   = lateSlots * lateMillis
)

// lateBegin is before anybody wrote logs; what is said to be older comes first.
var lateBegin = time.Date(1988, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()

// errLateFull says that there are too many rooms with history that was brought in late: some 190,000.
var errLateFull = errors.New("no positions are left for history to be brought into one more room")

// AddLateEvent writes an event at its place by time among those that are there. Clients page back to it. Of the cursors only
// those that want to know of it are told (KindPast).
func (t *Tx) AddLateEvent(e *event.Event, raw []byte) error {
	floor, err := t.lateFloor(e.Room)
	if err != nil {
		return err
	}
	e.Pos = floor + lateSlots*min(max(e.OriginServerTS-lateBegin, 0), lateMillis-1)
	var n int64
	if err := t.row("late_taken", e.Room, e.Pos).Scan(&n); err != nil {
		return err
	}
	if n > 0 {
		if err := t.row("late_free", e.Room, e.Pos).Scan(&e.Pos); err != nil {
			return fmt.Errorf("looking for a free position: %w", err)
		}
	}
	if err := t.insertEvent(e, raw); err != nil {
		return err
	}
	_, err = t.Log(Entry{Kind: KindPast, Room: e.Room, Ref: e.NID})
	return err
}

// lateFloor is where the range of a room begins, which is set aside when it is asked for first.
func (t *Tx) lateFloor(room int64) (floor int64, err error) {
	err = t.row("late_floor", room).Scan(&floor)
	if !errors.Is(err, ErrNotFound) {
		return floor, err
	}
	if err := t.row("late_lowest", int64(lateTop)).Scan(&floor); err != nil {
		return 0, err
	}
	if floor < -1<<63+2*lateSpan {
		return 0, Refuse(errLateFull)
	}
	floor -= lateSpan
	return floor, t.exec("late_range_insert", room, floor)
}

// NextTalk is the first message of a room, in the order of the log, that is later than a time; ErrNotFound if there is none.
func (s *Store) NextTalk(ctx context.Context, room, ts int64) (*event.Event, error) {
	var nid int64
	if err := s.row(ctx, "late_next", room, ts).Scan(&nid); err != nil {
		return nil, err
	}
	return s.Event(ctx, nid)
}

// NewestTalk is the time of the newest message in a room's log; 0 if nothing was said.
func (s *Store) NewestTalk(ctx context.Context, room int64) (ts int64, err error) {
	return ts, s.row(ctx, "late_newest", room).Scan(&ts)
}

// HasTalk tells whether something was said in a room that was not brought in.
func (s *Store) HasTalk(ctx context.Context, room int64) (bool, error) {
	var n int64
	err := s.row(ctx, "late_lives", room, int64(event.Imported)).Scan(&n)
	return n > 0, err
}

// SaidBetween lists what somebody did in a room's log between two times, the first hundred.
func (s *Store) SaidBetween(ctx context.Context, room, author, from, to int64) ([]*event.Event, error) {
	return s.timeline(ctx, "late_said", room, from, to, author)
}
