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

// levels returns the power levels that the people of a channel should have: of those from IRC, and of Matrix users who
// are there themselves.
func (n *network) levels(ch *channel) (ghosts map[networkid.UserID]int, users map[id.UserID]int) {
	isup := n.session.Support()
	self := isup.Casemapping.Fold(n.session.Nick())
	type ranked struct {
		user  id.UserID
		ghost networkid.UserID // empty for a Matrix user
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
		if level == 0 || folded == self {
			continue
		}
		if user, ok := n.puppets.byNick(m.Nick); ok {
			list = append(list, ranked{user: user, level: level})
		} else if !n.puppets.has(m.Nick) {
			list = append(list, ranked{ghost: n.ids.ghost(m.Nick, folded), level: level})
		}
	}
	slices.SortFunc(list, func(a, b ranked) int {
		if a.level != b.level {
			return b.level - a.level
		}
		return strings.Compare(string(a.user)+string(a.ghost), string(b.user)+string(b.ghost))
	})
	if len(list) > maxRanked {
		n.log.Info("not all ranks of a channel are shown", "channel", ch.Name, "ranked", len(list), "shown", maxRanked)
		list = list[:maxRanked]
	}
	ghosts, users = make(map[networkid.UserID]int, len(list)), make(map[id.UserID]int)
	for _, r := range list {
		if r.user != "" {
			users[r.user] = r.level
		} else {
			ghosts[r.ghost] = r.level
		}
	}
	return ghosts, users
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

// followRanks gives the people of a room the power levels of their ranks. Of Matrix users, only a level that they have
// from here, or none, is changed. It is called in a turn of the room's portal.
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
		ghosts, own := n.levels(ch)
		given := giveLevels(users, given(portal), own)
		ranked := make(map[networkid.UserID]bool)
		for ghost, level := range ghosts {
			users[n.b.br.Matrix.GhostIntent(ghost).GetMXID()] = level
			ranked[ghost] = true
		}
		n.mu.Lock()
		n.ranked[ch.Name] = ranked
		n.mu.Unlock()
		if !maps.Equal(users, now.Users) {
			next := now.Clone()
			next.Users = users
			if _, err := portal.Bridge.Bot.SendState(ctx, portal.MXID, event.StatePowerLevels, "", &event.Content{Parsed: next}, time.Time{}); err != nil {
				return err
			}
		}
		return keepGiven(ctx, portal, given)
	})
}

// given are the power levels that Matrix users of a room have by their ranks.
func given(portal *bridgev2.Portal) map[id.UserID]int {
	if meta, ok := portal.Metadata.(*PortalMetadata); ok {
		return meta.Given
	}
	return nil
}

// keepGiven remembers the power levels that Matrix users have by their ranks.
func keepGiven(ctx context.Context, portal *bridgev2.Portal, levels map[id.UserID]int) error {
	meta, ok := portal.Metadata.(*PortalMetadata)
	if !ok || maps.Equal(meta.Given, levels) {
		return nil
	}
	meta.Given = levels
	return portal.Save(ctx)
}

// giveLevels changes the power levels of Matrix users to those of their ranks, and returns which they have by their
// ranks then. A level that is not the one given before is somebody's choice in Matrix, and stays.
func giveLevels(users, before, want map[id.UserID]int) map[id.UserID]int {
	now := make(map[id.UserID]int, len(want))
	for user, level := range before {
		if users[user] != level {
			continue
		}
		if _, still := want[user]; !still {
			delete(users, user)
		}
	}
	for user, level := range want {
		has, ok := users[user]
		last, had := before[user]
		if ok && has != last {
			continue
		}
		if had && !ok { // taken away in Matrix
			now[user] = last
			continue
		}
		users[user], now[user] = level, level
	}
	return now
}
