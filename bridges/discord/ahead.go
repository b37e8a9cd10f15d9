package discord

import (
	"context"
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// Events may come in another order than they happened in. What is about a message that has not come yet waits for it: an
// edit that was passed over would leave the message as it was before, and a deletion would leave it altogether.

const (
	// maxAhead bounds what waits for messages.
	maxAhead = 1000
	// aheadTime is how long it waits, and how old a message may be for which something waits.
	aheadTime = time.Minute
	// maxTold is how many messages are remembered to have come.
	maxTold = 8192
)

// ahead is what waits for messages that have not come yet. It is the pump's; the zero value is ready for use.
type ahead struct {
	waiting []*entry // in the order in which they came
	of      map[*entry]wire.ID
	since   map[*entry]time.Time

	told map[wire.ID]bool // the messages that came last
	ring []wire.ID
	next int
}

// came notes that a message has come.
func (a *ahead) came(message wire.ID) {
	if a.told == nil {
		a.told = make(map[wire.ID]bool)
	}
	if a.told[message] {
		return
	}
	a.told[message] = true
	if len(a.ring) < maxTold {
		a.ring = append(a.ring, message)
		return
	}
	delete(a.told, a.ring[a.next])
	a.ring[a.next] = message
	a.next = (a.next + 1) % maxTold
}

// take returns what waits and, if message is not "", is about it; if it is "", what has waited for too long.
func (a *ahead) take(message wire.ID, now time.Time) (list []*entry) {
	left := a.waiting[:0]
	for _, e := range a.waiting {
		if message != "" && a.of[e] == message || message == "" && now.Sub(a.since[e]) > aheadTime {
			list = append(list, e)
			delete(a.of, e)
			delete(a.since, e)
		} else {
			left = append(left, e)
		}
	}
	clear(a.waiting[len(left):])
	a.waiting = left
	return list
}

// add has an event wait for a message. It returns false if too many do.
func (a *ahead) add(e *entry, message wire.ID, now time.Time) bool {
	if len(a.waiting) >= maxAhead {
		return false
	}
	if a.of == nil {
		a.of, a.since = make(map[*entry]wire.ID), make(map[*entry]time.Time)
	}
	a.waiting = append(a.waiting, e)
	a.of[e], a.since[e] = message, now
	return true
}

// isAhead has an event wait that is about a message that has not come yet. It reports whether it does. Called by the pump.
func (n *bot) isAhead(ctx context.Context, e *entry, message wire.ID) bool {
	now := time.Now()
	for _, old := range n.ahead.take("", now) {
		n.inbox.done(handled{seq: old.seq}) // its message does not come any more
	}
	if message == "" || n.ahead.told[message] || !message.After(wire.IDAt(now.Add(-aheadTime))) {
		return false
	}
	row, err := n.b.br.DB.Message.GetFirstPartByID(ctx, "", n.firstPart(ctx, message))
	if err != nil || row != nil {
		return false
	}
	return n.ahead.add(e, message, now)
}

// messageCame handles what has waited for a message. Called by the pump when the message has been handed to its room.
func (n *bot) messageCame(ctx context.Context, message wire.ID) {
	n.ahead.came(message)
	if len(n.ahead.waiting) == 0 {
		return
	}
	for _, e := range n.ahead.take(message, time.Time{}) {
		n.handleKnown(ctx, e)
	}
}
