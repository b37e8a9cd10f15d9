package unread

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/push"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Notification is an event that a user is, or would have been, notified of.
type Notification struct {
	Event   *event.Event
	Actions push.Actions
	Read    bool
}

// Query says which notifications are wanted.
type Query struct {
	// After and Upto are positions of the log: those in (After, Upto].
	After, Upto int64
	Limit       int
	// Rooms, when not nil, are the only rooms that are looked at.
	Rooms []int64
	// Highlights leaves out those that are no highlights, and Unread those that have been read.
	Highlights, Unread bool
}

// Bounds of listing: how many places of one room are read at once, and how many events are looked
// at for one answer.
const (
	roomPage  = 32
	maxLooked = 3000
)

// Notifications lists a user's notifications, newest first. more is where to go on, as Upto of
// the next query; 0 if there are no more. It may be set although fewer than Limit were found: the
// search is bounded.
func (c *Counter) Notifications(ctx context.Context, user int64, userID string, q Query) (found []Notification, more int64, err error) {
	rules, err := c.Rules(ctx, user, userID)
	if err != nil {
		return nil, 0, err
	}
	now := c.o.Store.Position()
	merged, err := c.merge(ctx, user, q)
	if err != nil {
		return nil, 0, err
	}
	for looked := 0; ; looked++ {
		at, room, err := merged.next(ctx)
		if err != nil || room == nil {
			return found, 0, err
		}
		if looked == maxLooked || len(found) == q.Limit {
			return found, at.Pos, nil
		}
		e, err := c.o.Store.Event(ctx, at.NID)
		if err != nil {
			return nil, 0, err
		}
		a, err := c.Evaluate(ctx, rules, e)
		if err != nil {
			return nil, 0, err
		}
		if !a.Notify || q.Highlights && !a.Highlight {
			continue
		}
		n := Notification{Event: e, Actions: a}
		if n.Read, err = c.read(ctx, user, userID, room, e, now); err != nil {
			return nil, 0, err
		}
		if !n.Read || !q.Unread {
			found = append(found, n)
		}
	}
}

// read tells whether an event has been read.
func (c *Counter) read(ctx context.Context, user int64, userID string, room *roomCursor, e *event.Event, now int64) (bool, error) {
	if room.invite {
		return false, nil
	}
	if room.marks == nil {
		var err error
		if room.marks, err = c.ReadMarks(ctx, user, userID, e.Room, now); err != nil {
			return false, err
		}
	}
	thread, _, err := Thread(ctx, c.o.Store, e)
	return e.Pos <= room.marks.Read(thread), err
}

// roomCursor goes back through a room.
type roomCursor struct {
	room, after int64
	places      []store.EventPlace
	full        bool // there may be more
	invite      bool // there is only the invitation
	marks       *Marks
}

// merge goes back through all of a user's rooms at once.
type merge struct {
	s     *store.Store
	rooms []*roomCursor
}

func (c *Counter) merge(ctx context.Context, user int64, q Query) (*merge, error) {
	m := &merge{s: c.o.Store}
	all, err := c.standings(ctx, user, q)
	if err != nil {
		return nil, err
	}
	for _, st := range all {
		r := &roomCursor{room: st.Room, after: q.After}
		switch st.Membership {
		case "invite":
			r.invite = true
			if st.Pos > q.After && st.Pos <= q.Upto {
				r.places = []store.EventPlace{{NID: st.Event, Pos: st.Pos}}
			}
		case "join":
			marks, err := c.Marks(ctx, user, st.Room)
			if err != nil {
				return nil, err
			}
			r.after = max(r.after, marks.join)
			if err := m.load(ctx, r, q.Upto); err != nil {
				return nil, err
			}
		}
		if len(r.places) > 0 {
			m.rooms = append(m.rooms, r)
		}
	}
	heap.Init(m)
	return m, nil
}

// standings lists the rooms of a user that a query is about.
func (c *Counter) standings(ctx context.Context, user int64, q Query) (all []store.Membership, err error) {
	rooms := q.Rooms
	switch {
	case rooms != nil:
	case q.After == 0:
		return c.o.Store.RoomsOf(ctx, user)
	default:
		if rooms, err = c.o.Store.RoomsWithNews(ctx, user, q.After, q.Upto); err != nil {
			return nil, err
		}
	}
	for _, room := range rooms {
		m, err := c.o.Store.Membership(ctx, room, user)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

func (m *merge) load(ctx context.Context, r *roomCursor, upto int64) (err error) {
	r.places, err = m.s.PlacesBack(ctx, r.room, r.after, upto, roomPage)
	r.full = len(r.places) == roomPage
	return err
}

// next is the newest event that is left; room is nil if none is.
func (m *merge) next(ctx context.Context) (at store.EventPlace, room *roomCursor, err error) {
	if len(m.rooms) == 0 {
		return at, nil, nil
	}
	room = m.rooms[0]
	at, room.places = room.places[0], room.places[1:]
	if len(room.places) == 0 && room.full {
		if err := m.load(ctx, room, at.Pos-1); err != nil {
			return at, nil, err
		}
	}
	if len(room.places) == 0 {
		heap.Pop(m)
	} else {
		heap.Fix(m, 0)
	}
	return at, room, nil
}

var _ heap.Interface = (*merge)(nil)

// Len implements heap.Interface.
func (m *merge) Len() int { return len(m.rooms) }

// Less implements heap.Interface.
func (m *merge) Less(i, j int) bool { return m.rooms[i].places[0].Pos > m.rooms[j].places[0].Pos }

// Swap implements heap.Interface.
func (m *merge) Swap(i, j int) { m.rooms[i], m.rooms[j] = m.rooms[j], m.rooms[i] }

// Push implements heap.Interface.
func (m *merge) Push(x any) { m.rooms = append(m.rooms, x.(*roomCursor)) }

// Pop implements heap.Interface.
func (m *merge) Pop() any {
	last := m.rooms[len(m.rooms)-1]
	m.rooms = m.rooms[:len(m.rooms)-1]
	return last
}

// News lists, oldest first, the notifications of a user that are not read yet; of many only the
// newest.
func (c *Counter) News(ctx context.Context, user int64, userID string, q Query) ([]Notification, error) {
	q.Unread = true
	found, _, err := c.Notifications(ctx, user, userID, q)
	slices.SortFunc(found, func(a, b Notification) int { return cmp.Compare(a.Event.Pos, b.Event.Pos) })
	return found, err
}
