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
}

type cached struct {
	e    *event.Event
	size int
}

// eventOverhead is about what an event takes in memory beyond its encoded size.
const eventOverhead = 700

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

// keep puts in an event that was read, unless the writer has put in a newer form meanwhile,
// and returns the one that is there.
func (c *eventCache) keep(e *event.Event, size int) *event.Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el, ok := c.byNID[e.NID]; ok {
		return el.Value.(*cached).e
	}
	c.put(e, size)
	return e
}

// add puts an event in, in place of an older form of it.
func (c *eventCache) add(e *event.Event, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(e, size)
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
