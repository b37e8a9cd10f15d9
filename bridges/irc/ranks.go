package irc

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

const (
	// maxRanked is how many people of a channel are shown with their rank, the highest
	// first: all of them are in one event, which may have 64 KiB.
	maxRanked = 500
	// ranksDelay gathers changes of ranks, which come in many lines after a netsplit.
	ranksDelay = time.Second
)

// rankLevels are the power levels of the ranks that most networks know. Kicks and
// bans need 50.
var rankLevels = map[byte]int{'q': 90, 'a': 75, 'o': 50, 'h': 25, 'v': 1}

// rankLevel returns the power level of a rank of a network: the configured one, that
// of rankLevels, or, for a rank of its own, one by its place among the others.
func (n *network) rankLevel(isup *session.ISupport, mode byte) int {
	if level, ok := n.cfg.PowerLevels[mode]; ok {
		return level
	}
	if level, ok := rankLevels[mode]; ok {
		return level
	}
	place := strings.IndexByte(isup.PrefixModes, mode)
	if op := strings.IndexByte(isup.PrefixModes, 'o'); op >= 0 && place < op {
		return rankLevels['a']
	}
	if voice := strings.IndexByte(isup.PrefixModes, 'v'); voice >= 0 && place < voice {
		return rankLevels['h']
	}
	return rankLevels['v']
}

// levels returns the power levels that the people of a channel should have.
func (n *network) levels(ch *channel) map[networkid.UserID]int {
	isup := n.session.Support()
	self := isup.Casemapping.Fold(n.session.Nick())
	type ranked struct {
		ghost networkid.UserID
		level int
	}
	var list []ranked
	for _, m := range n.session.Ranked(ch.Name) {
		folded := isup.Casemapping.Fold(m.Nick)
		level := 0
		for i := range len(m.Prefixes) {
			if at := strings.IndexByte(isup.PrefixSymbols, m.Prefixes[i]); at >= 0 && at < len(isup.PrefixModes) {
				level = max(level, n.rankLevel(isup, isup.PrefixModes[at]))
			}
		}
		if level > 0 && folded != self && !n.puppets.has(m.Nick) {
			list = append(list, ranked{n.ids.ghost(m.Nick, folded), level})
		}
	}
	slices.SortFunc(list, func(a, b ranked) int {
		if a.level != b.level {
			return b.level - a.level
		}
		return strings.Compare(string(a.ghost), string(b.ghost))
	})
	if len(list) > maxRanked {
		n.log.Info("not all ranks of a channel are shown", "channel", ch.Name, "ranked", len(list), "shown", maxRanked)
		list = list[:maxRanked]
	}
	out := make(map[networkid.UserID]int, len(list))
	for _, r := range list {
		out[r.ghost] = r.level
	}
	return out
}

// ranksChanged has a room follow the ranks of its channel, soon.
func (n *network) ranksChanged(ch *channel) {
	n.mu.Lock()
	due := n.ranksDue[ch.Name]
	n.ranksDue[ch.Name] = true
	n.mu.Unlock()
	if due {
		return
	}
	n.background(func() {
		timer := time.NewTimer(ranksDelay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-n.ctx.Done():
			return // the list of names after the next start has them
		}
		n.mu.Lock()
		n.ranksDue[ch.Name] = false
		n.mu.Unlock()
		n.queueTurn(ch, func(ctx context.Context, portal *bridgev2.Portal) { n.followRanks(ctx, portal, ch) })
	})
}

// followRanks gives the ghosts of a room the power levels of their ranks. Those of
// Matrix users are left as they are. It is called in a turn of the room's portal.
func (n *network) followRanks(ctx context.Context, portal *bridgev2.Portal, ch *channel) {
	if portal.MXID == "" || !n.session.InChannel(ch.Name) {
		return // nobody knows
	}
	n.insist(ctx, "the power levels of people", func() error {
		now, err := n.powerLevels(ctx, portal)
		if err != nil {
			return err
		}
		users := make(map[id.UserID]int, len(now.Users))
		for user, level := range now.Users {
			ghost, ok := n.b.br.Matrix.ParseGhostMXID(user)
			if network, _, of := splitGhost(ghost); !ok || !of || network != n.cfg.ID {
				users[user] = level
			}
		}
		ranked := make(map[networkid.UserID]bool)
		for ghost, level := range n.levels(ch) {
			users[n.b.br.Matrix.GhostIntent(ghost).GetMXID()] = level
			ranked[ghost] = true
		}
		n.mu.Lock()
		n.ranked[ch.Name] = ranked
		n.mu.Unlock()
		if maps.Equal(users, now.Users) {
			return nil
		}
		next := now.Clone()
		next.Users = users
		_, err = portal.Bridge.Bot.SendState(ctx, portal.MXID, event.StatePowerLevels, "", &event.Content{Parsed: next}, time.Time{})
		return err
	})
}
