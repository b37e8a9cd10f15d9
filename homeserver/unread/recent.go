package unread

import (
	"context"
	"slices"
	"sync"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/push"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Bounds of what is remembered of new events: rooms, and events of each; and events that are ready for
// rules to be tried on.
const (
	tailsKept  = 4096
	tailMin    = 16
	tailMax    = 64
	triedsKept = 64
)

// recent is what there is to know of the newest events without a look-up. When somebody writes in a
// room in which a thousand clients wait, each asks for the same few events.
type recent struct {
	mu sync.Mutex
	// pos is the newest position that was published.
	pos   int64
	tails map[int64]*tail

	// tried are events that rules have been tried on, in a ring.
	tried [triedsKept]*tried
	next  int
}

// tail is the end of a room's log: all events after the position from, oldest first.
type tail struct {
	from   int64
	events []placed
}

type placed struct{ pos, nid int64 }

// tried is an event on which the rules of many users are tried, one after the other.
type tried struct {
	nid int64
	mu  sync.Mutex
	ev  *push.Event
}

func newRecent(pos int64) *recent { return &recent{pos: pos, tails: map[int64]*tail{}} }

// publish takes in a log entry.
func (r *recent) publish(e store.Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pos = max(r.pos, e.Pos)
	t := r.tails[e.Room]
	if e.Kind != store.KindEvent || t == nil || e.Pos <= 0 {
		return
	}
	if len(t.events) >= tailMax {
		cut := len(t.events) - tailMin
		t.from = t.events[cut-1].pos
		t.events = slices.Clone(t.events[cut:])
	}
	t.events = append(t.events, placed{e.Pos, e.Ref})
}

// after gives the events of a room in (after, upto], oldest first and at most limit; false if they are
// not known here. A room that is asked for is known from then on.
func (r *recent) after(room, after, upto int64, limit int) (nids []int64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.tails[room]
	if t == nil {
		if len(r.tails) >= tailsKept {
			clear(r.tails)
		}
		t = &tail{from: r.pos}
		r.tails[room] = t
	}
	if after < t.from || upto > r.pos {
		return nil, false
	}
	for _, e := range t.events {
		if e.pos > after && e.pos <= upto && len(nids) < limit {
			nids = append(nids, e.nid)
		}
	}
	return nids, true
}

// events reads the events of a room in (after, upto].
func (c *Counter) events(ctx context.Context, room, after, upto int64) ([]*event.Event, error) {
	if nids, ok := c.recent.after(room, after, upto, page); ok {
		if len(nids) == 0 {
			return nil, nil
		}
		return c.o.Store.Events(ctx, nids)
	}
	return c.o.Store.TimelineForward(ctx, room, after, upto, page)
}

// try tries a user's rules on an event.
func (r *recent) try(set *push.Ruleset, e *event.Event, x push.RoomContext) push.Actions {
	t := r.find(e)
	t.mu.Lock()
	defer t.mu.Unlock()
	return set.Evaluate(t.ev, x)
}

func (r *recent) find(e *event.Event) *tried {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.tried {
		if t != nil && t.nid == e.NID {
			return t
		}
	}
	t := &tried{nid: e.NID, ev: push.NewEvent(e)}
	r.tried[r.next] = t
	r.next = (r.next + 1) % triedsKept
	return t
}
