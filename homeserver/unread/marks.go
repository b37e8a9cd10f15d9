package unread

import (
	"context"
	"errors"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Marks tell how far a user has read in a room, by positions of the log. They are immutable.
type Marks struct {
	// Joined tells whether the user is in the room. Who is not has nothing unread there.
	Joined bool
	// join is where the user came in, floor what everything is read up to: that, and the
	// receipts that are of no thread. threads are the receipts of threads; "" is the main timeline.
	join, floor int64
	threads     map[string]int64
}

// Read tells up to where a thread has been read; "" is the main timeline.
func (m *Marks) Read(thread string) int64 { return max(m.floor, m.threads[thread]) }

// place names a user in a room.
type place struct{ user, room int64 }

// maxJoins bounds how many changes of name or avatar are looked through for the join that they
// follow.
const maxJoins = 2000

// Marks reads how far a user has read in a room, by receipts alone. Of m.read and
// m.read.private "the receipt which is more recent/ahead must be used".
func (c *Counter) Marks(ctx context.Context, user, room int64) (*Marks, error) {
	at := place{user, room}
	if m, ok := c.marks.get(at); ok {
		return m, nil
	}
	mark := c.marks.mark()
	m, err := c.readMarks(ctx, user, room)
	if err != nil {
		return nil, err
	}
	c.marks.put(at, m, mark)
	return m, nil
}

func (c *Counter) readMarks(ctx context.Context, user, room int64) (*Marks, error) {
	s := c.o.Store
	member, err := s.Membership(ctx, room, user)
	if errors.Is(err, store.ErrNotFound) || err == nil && member.Membership != "join" {
		return &Marks{}, nil
	}
	if err != nil {
		return nil, err
	}
	m := &Marks{Joined: true, join: max(member.Pos, 0)}
	// A change of name or avatar follows the join and is none. Where an event on the way is not
	// known, what is known has to do.
	next := member.Event
	for n := 0; next != 0 && n < maxJoins; n++ {
		e, err := s.Event(ctx, next)
		if errors.Is(err, store.ErrNotFound) || err == nil && e.Membership() != "join" {
			break
		}
		if err != nil {
			return nil, err
		}
		m.join, next = max(e.Pos, 0), e.Replaces
	}
	m.floor = m.join
	receipts, err := s.ReceiptsOf(ctx, room, user)
	if err != nil {
		return nil, err
	}
	for _, r := range receipts {
		if r.Kind != "m.read" && r.Kind != "m.read.private" {
			continue
		}
		e, err := s.Event(ctx, r.Event)
		if errors.Is(err, store.ErrNotFound) {
			continue // of an event that has not come here yet
		}
		if err != nil {
			return nil, err
		}
		switch r.Thread {
		case "":
			m.floor = max(m.floor, e.Pos)
		case "main":
			m.raise("", e.Pos)
		default:
			m.raise(r.Thread, e.Pos)
		}
	}
	for thread, pos := range m.threads {
		if pos <= m.floor {
			delete(m.threads, thread)
		}
	}
	return m, nil
}

func (m *Marks) raise(thread string, pos int64) {
	if m.threads == nil {
		m.threads = map[string]int64{}
	}
	m.threads[thread] = max(m.threads[thread], pos)
}
