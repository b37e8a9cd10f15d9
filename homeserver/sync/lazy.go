package sync

import (
	lru "github.com/hashicorp/golang-lru/v2"
)

// LazyMemory remembers which membership events a device has been sent, so that lazily loading
// clients are spared those that they know. Specification, "Lazy-loading room members": "the server
// MAY assume that clients will remember membership events they have already been sent, and choose
// to skip sending membership events for members whose membership has not changed." It is bounded
// and kept in memory only: what is not remembered is sent again.
type LazyMemory struct {
	sent *lru.Cache[LazyKey, lazySent]
}

// LazyKey is whose membership was sent to whom.
type LazyKey struct {
	// Scope is the device, or connection, that was sent something.
	Scope int64
	Room  int64
	User  string
}

// lazySent is which event was sent, and the position of the answer that had it: the client is
// known to have that answer only once it comes with a token at or after it.
type lazySent struct{ event, at int64 }

// lazyMax bounds how many members of all devices' rooms are remembered: some 25 MB.
const lazyMax = 1 << 17

// NewLazyMemory makes an empty memory for so many events.
func NewLazyMemory(size int) *LazyMemory {
	c, _ := lru.New[LazyKey, lazySent](max(size, 1)) // it fails only for a size that is not positive
	return &LazyMemory{c}
}

// Has tells whether the client that asks from a position is known to have an event.
func (m *LazyMemory) Has(k LazyKey, event, since int64) bool {
	s, ok := m.sent.Get(k)
	return ok && s.event == event && s.at <= since
}

// Add remembers that the answer of a position has an event.
func (m *LazyMemory) Add(k LazyKey, event, at int64) {
	if s, ok := m.sent.Get(k); ok && s.event == event && s.at <= at {
		return
	}
	m.sent.Add(k, lazySent{event, at})
}
