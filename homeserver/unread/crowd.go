package unread

import (
	"context"
	"errors"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Bounds of what is remembered of rooms in which people come and go: places altogether and of one room, and
// how many events must have been looked through for it to be worth it.
const (
	crowdKept   = 200_000
	crowdPlaces = 2000
	crowdMin    = 2 * page
)

// crowd are the events of a room in (from, upto] but for memberships, oldest first. In a large room most events
// are of people who come, which notify nobody who is there; without it each of ten thousand who have not
// read yet would have to look at all who came later. It is immutable.
type crowd struct {
	from, upto int64
	places     []placed
}

func (c *crowd) weight() int { return 4 + len(c.places) }

// recorder makes a crowd while events are looked through.
type recorder struct {
	crowd
	looked int
	full   bool
}

func (r *recorder) note(e *event.Event) {
	r.looked++
	if e.Type == "m.room.member" || r.full {
		return
	}
	if r.places = append(r.places, placed{e.Pos, e.NID}); len(r.places) > crowdPlaces {
		r.places, r.full = nil, true
	}
}

// keepCrowd keeps what was found of a room up to a position, if it is worth it and tells more than what is there.
func (c *Counter) keepCrowd(room, upto int64, r *recorder, known bool) {
	if r.full || !known && r.looked < crowdMin {
		return
	}
	made := r.crowd
	made.upto = upto
	c.crowds.mu.Lock()
	defer c.crowds.mu.Unlock()
	if have := c.crowds.m[room]; have != nil && have.from <= made.from && have.upto >= made.upto {
		return
	}
	c.crowds.set(room, &made)
}

// leap takes in the events of a room after m.Upto, as far as they are known without the memberships, for rules by
// which these notify nobody. The recorder goes on from there.
func (c *Counter) leap(ctx context.Context, m *memo, r *Rules, room, upto int64) (*recorder, bool, error) {
	rec := &recorder{crowd: crowd{from: m.Upto}}
	if !r.set.QuietMembers() {
		return rec, false, nil
	}
	known, ok := c.crowds.get(room)
	if !ok || m.Upto < known.from || m.Upto >= known.upto {
		return rec, false, nil
	}
	var nids []int64
	for _, p := range known.places {
		if p.pos > m.Upto && p.pos <= upto {
			nids = append(nids, p.nid)
		}
	}
	for chunk := range slices.Chunk(nids, page) {
		events, err := c.o.Store.Events(ctx, chunk)
		if errors.Is(err, store.ErrNotFound) {
			// History was removed meanwhile.
			c.crowds.forget(room)
			return rec, false, nil
		}
		if err != nil {
			return nil, false, err
		}
		for _, e := range events {
			if _, err := c.take(ctx, m, r, e, true); err != nil {
				return nil, false, err
			}
			m.Upto = e.Pos
		}
		m.work += len(events)
	}
	m.Upto = min(known.upto, upto)
	rec.from, rec.places = known.from, slices.Clip(known.places)
	rec.full = upto <= known.upto // there is nothing new to keep
	return rec, true, nil
}
