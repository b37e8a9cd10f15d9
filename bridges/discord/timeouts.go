package discord

import (
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// Somebody whom a moderator of Discord has silenced for some time has, in Matrix, a power level below that which
// writing needs. Discord does not say when the time is over; the clock does.

// levelSilenced is the power level of who may not write for some time.
const levelSilenced = -1

// timeouts are those that are known. They are the pump's.
type timeouts struct {
	until map[[2]wire.ID]time.Time // by guild and user
	clock *time.Timer              // goes off when the first of them ends
}

func newTimeouts() timeouts {
	t := timeouts{until: make(map[[2]wire.ID]time.Time), clock: time.NewTimer(time.Hour)}
	t.clock.Stop()
	return t
}

// silenced reports whether a member may not write for now. Discord: the time may be in the past; and
// administrators cannot be silenced.
func silenced(m *wire.Member, have int64) bool {
	return m.TimeoutUntil.After(time.Now()) && have&permAdministrator == 0
}

// noteTimeouts notes those of all members of a guild.
func (n *bot) noteTimeouts(guildID wire.ID) {
	n.guilds.read(guildID, func(g *guild) {
		for _, m := range g.members {
			n.noteTimeout(guildID, &m)
		}
	})
}

func (n *bot) noteTimeout(guildID wire.ID, m *wire.Member) {
	key := [2]wire.ID{guildID, m.User.ID}
	if !m.TimeoutUntil.After(time.Now()) {
		if _, was := n.timeouts.until[key]; !was {
			return
		}
		delete(n.timeouts.until, key)
	} else {
		n.timeouts.until[key] = m.TimeoutUntil.Time
	}
	n.timeouts.wind()
}

// wind sets the clock to the first end.
func (t *timeouts) wind() {
	var first time.Time
	for _, until := range t.until {
		if first.IsZero() || until.Before(first) {
			first = until
		}
	}
	if first.IsZero() {
		t.clock.Stop()
		return
	}
	t.clock.Reset(max(time.Until(first), 0) + time.Millisecond)
}

// endTimeouts gives those their voice back whose time is over.
func (n *bot) endTimeouts() {
	now := time.Now()
	for key, until := range n.timeouts.until {
		if until.After(now) {
			continue
		}
		delete(n.timeouts.until, key)
		if m, ok := n.guilds.member(key[0], key[1]); ok {
			n.placeMember(key[0], &m)
		}
	}
	n.timeouts.wind()
}
