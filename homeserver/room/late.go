package room

import (
	"context"
	"errors"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// place is where late events of some time belong.
type place struct {
	// anchor is the event that they hang after, and next, if not nil, the message that comes after them.
	anchor, next *event.Event
	from         int64
}

// Insert puts an event of the past at its place by time: before the first message that is later, or before all that was
// said. It is for rooms that are lived in, and news to nobody. Like what Manager.Import brings in, it is not checked against what
// the state was then: who spoke need not have been here. near, if not nil, is an event that it belongs to; it comes to the
// place of that one then, if that is an event of the past as well.
func (s *Scribe) Insert(p Proposal, near *event.Event) (*event.Event, error) {
	if p.StateKey != nil {
		return nil, mxerror.BadJSON("State can't be put into the past.")
	}
	var at place
	var err error
	if near != nil && s.Past(near) {
		if at, err = s.a.beside(s.ctx, near); err != nil {
			return nil, err
		}
	} else if at, err = s.placeOf(p.TS); err != nil {
		return nil, err
	}
	e, err := s.a.pastEvent(s.ctx, at.anchor, Past{Sender: p.Sender, Type: p.Type, Content: p.Content, TS: p.TS}, s.b.drafts)
	if err != nil {
		return nil, err
	}
	if at.next != nil {
		e.Depth = at.next.Depth
	}
	e.Flags |= event.Imported
	s.b.late, s.b.lateLandings = append(s.b.late, e), append(s.b.lateLandings, &landing{})
	s.b.result = append(s.b.result, e)
	return e, nil
}

// late tells whether an event is one that this turn inserts.
func (s *Scribe) late(e *event.Event) bool {
	for _, x := range s.b.late {
		if x == e {
			return true
		}
	}
	return false
}

// placeOf finds where events of a time belong. What is in flight is not seen, and later than what is brought in.
func (s *Scribe) placeOf(ts int64) (place, error) {
	if at := s.at; at.anchor != nil && ts >= at.from && (at.next == nil || ts < at.next.OriginServerTS) {
		return at, nil
	}
	st := s.a.m.o.Store
	at, before := place{from: ts}, int64(1<<62)
	next, err := st.NextTalk(s.ctx, s.a.nid, ts)
	if err == nil {
		at.next, before = next, next.Pos-1
	} else if !errors.Is(err, store.ErrNotFound) {
		return at, err
	}
	if at.anchor, err = st.LastEvent(s.ctx, s.a.nid, before); err != nil {
		return at, err
	}
	s.at = at
	return at, nil
}

// beside is the place of a late event.
func (a *actor) beside(ctx context.Context, e *event.Event) (at place, err error) {
	if len(e.Prev) == 0 {
		return at, errors.New("a late event has nothing before it")
	}
	at.anchor, err = a.event(ctx, e.Prev[0])
	at.next = e // of which the depth is taken
	return at, err
}

// NewestTalk is the time of the newest message in the room; 0 if nothing was said in it.
func (s *Scribe) NewestTalk() (int64, error) {
	ts, err := s.a.m.o.Store.NewestTalk(s.ctx, s.a.nid)
	for _, e := range s.b.events {
		if !e.IsState() {
			ts = max(ts, e.OriginServerTS)
		}
	}
	return ts, err
}

// Said lists what a user did in the room between two times, as far as it is in the log.
func (s *Scribe) Said(user string, from, to int64) ([]*event.Event, error) {
	nid, err := s.a.m.o.Store.UserNID(s.ctx, user)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return s.a.m.o.Store.SaidBetween(s.ctx, s.a.nid, nid, from, to)
}

// Past tells whether an event is one that was put into the past.
func (s *Scribe) Past(e *event.Event) bool { return e.Pos < 0 || e.Pos == 0 && s.late(e) }

// Member is the membership event of a user; nil if they were never there.
func (s *Scribe) Member(user string) (*event.Event, error) {
	return s.a.state(s.ctx, "m.room.member", user)
}
