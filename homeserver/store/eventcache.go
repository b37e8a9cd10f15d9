package store

import (
	"container/list"
	"sync"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// eventCache keeps recently used events, bounded by their size.
type eventCache struct {
	mu    sync.Mutex
	max   int
	size  int
	order *list.List // of *cached, most recently used first
	byNID map[int64]*list.Element
	// prunes counts the events that got a newer form; see keep.
	prunes int64
}

type cached struct {
	e    *event.Event
	size int
}

// eventOverhead is about what an event takes in memory beyond its encoded size.
const eventOverhead = 1400

func newEventCache(maxBytes int) *eventCache {
	return &eventCache{max: maxBytes, order: list.New(), byNID: map[int64]*list.Element{}}
}

func (c *eventCache) get(nid int64) (*event.Event, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	el, ok := c.byNID[nid]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(el)
	return el.Value.(*cached).e, true
}

// pruned is a mark to take before an event is read from the database; see keep.
func (c *eventCache) pruned() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.prunes
}

// keep puts in an event that was read, unless the writer has put in a newer form meanwhile,
// and returns the one that is there. Where any event was pruned since the mark was taken, the
// newer form may have come and gone already, so the one that was read is not kept.
func (c *eventCache) keep(e *event.Event, size int, mark int64) *event.Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el, ok := c.byNID[e.NID]; ok {
		return el.Value.(*cached).e
	}
	if c.prunes == mark {
		c.put(e, size)
	}
	return e
}

// add puts a new event in.
func (c *eventCache) add(e *event.Event, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(e, size)
}

// prune puts an event in, in place of an older form of it.
func (c *eventCache) prune(e *event.Event, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.prunes++
	c.put(e, size)
}

// drop takes events out that are no longer in the database.
func (c *eventCache) drop(nids []int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.prunes++
	for _, nid := range nids {
		if el, ok := c.byNID[nid]; ok {
			c.size -= c.order.Remove(el).(*cached).size
			delete(c.byNID, nid)
		}
	}
}

func (c *eventCache) put(e *event.Event, size int) {
	size += eventOverhead
	if el, ok := c.byNID[e.NID]; ok {
		was := el.Value.(*cached)
		c.size += size - was.size
		el.Value = &cached{e, size}
		c.order.MoveToFront(el)
	} else {
		c.byNID[e.NID] = c.order.PushFront(&cached{e, size})
		c.size += size
	}
	for c.size > c.max && c.order.Len() > 1 {
		last := c.order.Back()
		v := c.order.Remove(last).(*cached)
		delete(c.byNID, v.e.NID)
		c.size -= v.size
	}
}
