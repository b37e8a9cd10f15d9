package sync

import (
	lru "github.com/hashicorp/golang-lru/v2"
)

// lazyMemory remembers which membership events a device has been sent, so that lazily loading
// clients are spared those that they know. Specification, "Lazy-loading room members": "the server
// MAY assume that clients will remember membership events they have already been sent, and choose
// to skip sending membership events for members whose membership has not changed." It is bounded
// and kept in memory only: what is not remembered is sent again.
type lazyMemory struct {
	sent *lru.Cache[lazyKey, lazySent]
}

type lazyKey struct {
	scope int64 // of the device
	room  int64
	user  string
}

// lazySent is which event was sent, and the position of the answer that had it: the client is
// known to have that answer only once it comes with a token at or after it.
type lazySent struct{ event, at int64 }

// lazyMax bounds how many members of all devices' rooms are remembered: some 25 MB.
const lazyMax = 1 << 17

func newLazyMemory() *lazyMemory {
	c, _ := lru.New[lazyKey, lazySent](lazyMax) // it fails only for a size that is not positive
	return &lazyMemory{c}
}

// has tells whether the client that asks from a position is known to have an event.
func (m *lazyMemory) has(k lazyKey, event, since int64) bool {
	s, ok := m.sent.Get(k)
	return ok && s.event == event && s.at <= since
}

func (m *lazyMemory) add(k lazyKey, event, at int64) {
	if s, ok := m.sent.Get(k); ok && s.event == event && s.at <= at {
		return
	}
	m.sent.Add(k, lazySent{event, at})
}
