package slack

import (
	"sync"
	"time"

	"maunium.net/go/mautrix/bridgev2"
)

// Slack promises no order: what is repeated, because an acknowledgement was late or lost, comes after what happened later. So a
// change may come before the message that it changes, and an older one after a newer one. Messages are known by their ids,
// the rest by when it happened.

// maxHappened bounds how much is remembered of each kind of what has happened in this run; up to twice as much is.
const maxHappened = 10_000

// happened remembers when things happened last, by what they are. It is safe for concurrent use.
type happened struct {
	mu       sync.Mutex
	now, was map[string]string
}

// last returns when something happened last, as a ts; "" if it has not, or long ago.
func (h *happened) last(what string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return max(h.now[what], h.was[what])
}

// note notes that something happened at ts, and reports false if it has happened later already.
func (h *happened) note(what, ts string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if max(h.now[what], h.was[what]) > ts {
		return false
	}
	if h.now == nil || len(h.now) >= maxHappened {
		h.now, h.was = make(map[string]string), h.now
	}
	h.now[what] = ts
	return true
}

const (
	// earlyTime is how long something may come before the message that it is about.
	earlyTime = 10 * time.Minute
	// maxEarly bounds how many such things wait.
	maxEarly = 1000
)

// early keeps events about messages that have not come yet. What waits is in the inbox, too.
type early struct {
	mu    sync.Mutex
	list  map[string][]*entry // by channel and ts
	order []string            // keys of list, oldest first; some may be gone
}

// keep has an event wait for a message.
func (k *early) keep(w *workspace, key string, e *entry) {
	k.mu.Lock()
	if k.list == nil {
		k.list = make(map[string][]*entry)
	}
	k.list[key] = append(k.list[key], e)
	k.order = append(k.order, key)
	var late []*entry
	for len(k.order) > maxEarly {
		late = append(late, k.list[k.order[0]]...)
		delete(k.list, k.order[0])
		k.order = k.order[1:]
	}
	k.mu.Unlock()
	for _, e := range late {
		w.inbox.finish(e, "", "")
	}
}

// wait has an event, which is being handled in a turn of its room, wait for the message that it is about.
func (w *workspace) wait(key string, e *entry) {
	later := *e
	e.seq = 0 // so it is not done with
	w.early.keep(w, key, &later)
	if w.said.last(key) != "" { // the message has come just now
		for _, e := range w.early.take(key) {
			w.inbox.again(e)
		}
	}
}

// take returns what has waited for a message.
func (k *early) take(key string) []*entry {
	k.mu.Lock()
	defer k.mu.Unlock()
	list := k.list[key]
	delete(k.list, key)
	return list
}

// comes reports whether a message of this run has come, so that its room has it, or will when it is its turn.
func (w *workspace) comes(key string) bool { return w.said.last(key) != "" && w.gone.last(key) == "" }

// mayCome reports whether a message that its room does not have may still come: it is new, the room has begun with it, and it was
// neither there nor deleted.
func (w *workspace) mayCome(portal *bridgev2.Portal, channel, ts string) bool {
	key := channel + "/" + ts
	meta, ok := portal.Metadata.(*PortalMetadata)
	if !ok || ts < meta.Begins || time.Since(tsTime(ts)) > earlyTime {
		return false
	}
	return w.said.last(key) == "" && w.gone.last(key) == ""
}
