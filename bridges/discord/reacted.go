package discord

import "github.com/landbridge-im/landbridge/bridges/discord/wire"

// reacted remembers what was told last of reactions, by the gateway's numbers, so that one whose end comes before it does
// not stay. It is the pump's; the zero value is ready for use.
type reacted struct {
	last map[reactedKey]int64
}

type reactedKey struct{ message, user, emoji wire.ID }

// maxReacted bounds what is remembered.
const maxReacted = 4096

// forget forgets all: a new session counts from the beginning.
func (r *reacted) forget() { r.last = nil }

// older reports whether something later was told of a reaction than an event, and remembers the event if not.
func (r *reacted) older(e *entry, ev *wire.ReactionEvent) bool {
	key := reactedKey{ev.MessageID, ev.UserID, wire.ID(emojiID(ev.Emoji))}
	switch last, known := r.last[key]; {
	case e.told == 0:
		return false
	case e.told == unnumbered:
		return known // a repetition: what is told for the first time has a number, where there are numbers
	case last > e.told:
		return true
	}
	if r.last == nil || len(r.last) >= maxReacted {
		r.last = make(map[reactedKey]int64)
	}
	r.last[key] = e.told
	return false
}
