package irc

import (
	"context"
	"slices"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

// maxModes is how many modes one change in Matrix may become.
const maxModes = 50

// watchModes has changes of a room's rights go to its channel.
func (c *Connector) watchModes() {
	c.watch(event.StatePowerLevels, c.onRights)
	c.watch(event.StateJoinRules, c.onRights)
}

// onRights takes what a Matrix user changes of a room's power levels and join rule to its channel, as far as the bridge may do
// that there: ranks of people (+o, +v, ...), who may speak (+m) and who may come in (+i).
func (c *Connector) onRights(ctx context.Context, evt *event.Event) {
	if _, own := c.b.br.Matrix.ParseGhostMXID(evt.Sender); own || evt.Sender == c.b.br.Bot.GetMXID() || evt.GetStateKey() != "" {
		return
	}
	portal, err := c.b.br.GetPortalByMXID(ctx, evt.RoomID)
	if err != nil || portal == nil {
		return
	}
	name, _ := splitPortal(portal.ID)
	login := c.b.br.GetCachedUserLoginByID(networkid.UserLoginID(name))
	if login == nil {
		return
	}
	n, ok := login.Client.(*network)
	if !ok {
		return
	}
	ch := n.channelOf(portal)
	if ch == nil {
		return
	}
	if _, closed := n.frozen.of(ch.Name); closed {
		return
	}
	var modes []mode
	switch evt.Type {
	case event.StatePowerLevels:
		modes = n.modesOfRanks(ch, levelsBefore(evt), evt.Content.AsPowerLevels())
		if _, said := evt.Content.Raw["events_default"]; said {
			modes = append(modes, n.modesOfSpeech(ctx, portal, evt.Content.AsPowerLevels().EventsDefault > 0)...)
		}
	case event.StateJoinRules:
		modes = n.modesOfDoor(ctx, portal, evt.Content.AsJoinRules().JoinRule)
	}
	if len(modes) == 0 {
		return
	}
	if len(modes) > maxModes {
		modes = modes[:maxModes]
	}
	o := &outgoing{
		EventID: evt.ID, Channel: ch.Name, Command: "MODE",
		Status: eventInfo{RoomID: evt.RoomID, Type: evt.Type, Sender: evt.Sender},
	}
	for _, m := range modes {
		step := []string{"MODE", ch.Name, m.change}
		if m.nick != "" {
			step = append(step, m.nick)
		}
		o.Steps = append(o.Steps, step)
	}
	if _, err := n.take(ctx, n.outbox, o, nil); err != nil {
		_ = n.refuse(ctx, evt, err)
		n.rightsRefused(o)
	}
}

// mode is one change of a mode.
type mode struct{ change, nick string }

// levelsBefore are the power levels that an event has changed; nil if they are not known.
func levelsBefore(evt *event.Event) *event.PowerLevelsEventContent {
	prev := evt.Unsigned.PrevContent
	if prev == nil {
		return nil
	}
	_ = prev.ParseRaw(evt.Type) // fails if it was done before
	return prev.AsPowerLevels()
}

// modesOfRanks are the modes by which people's ranks follow a change of their power levels.
func (n *network) modesOfRanks(ch *channel, before, now *event.PowerLevelsEventContent) (modes []mode) {
	if before == nil {
		return nil
	}
	isup := n.session.Support()
	// Who is left out is put back (followRanks): an administrator who writes levels anew does not mean to end the ranks of all.
	var users []id.UserID
	for user, level := range now.Users {
		if before.GetUserLevel(user) != level {
			users = append(users, user)
		}
	}
	slices.Sort(users)
	for _, user := range users {
		nick, ok := n.nickIn(ch, user)
		if !ok {
			continue
		}
		from, to := n.rankOf(isup, before.GetUserLevel(user)), n.rankOf(isup, now.GetUserLevel(user))
		if from == to {
			continue
		}
		if to != 0 {
			modes = append(modes, mode{"+" + string(to), nick})
		}
		if from != 0 {
			modes = append(modes, mode{"-" + string(from), nick})
		}
	}
	return modes
}

// modesOfSpeech are the modes by which a channel follows whether messages in its room need a power level.
func (n *network) modesOfSpeech(ctx context.Context, portal *bridgev2.Portal, moderated bool) []mode {
	meta, ok := portal.Metadata.(*PortalMetadata)
	if !ok || meta.Moderated == moderated {
		return nil
	}
	meta.Moderated = moderated
	n.saveRights(ctx, portal)
	return []mode{{change: sign(moderated) + "m"}}
}

// modesOfDoor are the modes by which a channel follows the join rule of its room.
func (n *network) modesOfDoor(ctx context.Context, portal *bridgev2.Portal, rule event.JoinRule) []mode {
	meta, ok := portal.Metadata.(*PortalMetadata)
	if !ok {
		return nil
	}
	last := meta.JoinRule
	if last == "" {
		last = event.JoinRulePublic
	}
	closed := rule != event.JoinRulePublic
	// What comes from the channel later is compared with this: it is not an administrator's choice against the channel.
	meta.JoinRule = rule
	n.saveRights(ctx, portal)
	if closed == (last != event.JoinRulePublic) {
		return nil
	}
	return []mode{{change: sign(closed) + "i"}}
}

func (n *network) saveRights(ctx context.Context, portal *bridgev2.Portal) {
	if err := portal.Save(ctx); err != nil {
		n.log.Warn("what was changed in a room is not remembered", "room", portal.MXID, "error", err)
	}
}

func sign(on bool) string {
	if on {
		return "+"
	}
	return "-"
}

// nickIn is the nick of a ghost, or of a user with a connection of their own, in a channel; the bridge's own is nobody's.
func (n *network) nickIn(ch *channel, user id.UserID) (nick string, ok bool) {
	if ghost, is := n.b.br.Matrix.ParseGhostMXID(user); is {
		nick, ok = n.nickOf(ghost)
	} else if p := n.puppets.get(user); p != nil {
		nick, ok = p.Nick(), true
	}
	return nick, ok && n.session.InChannelWith(ch.Name, nick) && !n.isSelf(nick)
}

// rankOf is the highest rank of a network that a power level stands for; 0: none.
func (n *network) rankOf(isup *session.ISupport, level int) (rank byte) {
	best := 0
	for i := range len(isup.PrefixModes) {
		m := isup.PrefixModes[i]
		if at := n.rankLevel(isup, m); at > 0 && at <= level && at > best {
			rank, best = m, at
		}
	}
	return rank
}

// rightsRefused is called when IRC does not take what was changed of a room's rights: power levels are put back to what the
// channel has. A join rule stays, as an administrator's choice.
func (n *network) rightsRefused(o *outgoing) {
	ch := n.channel(o.Channel)
	if ch == nil {
		return
	}
	modes, known := n.session.Modes(ch.Name)
	if o.Status.Type == event.StatePowerLevels {
		n.ranksChanged(ch)
	}
	if !known {
		return
	}
	n.queueTurn(ch, func(ctx context.Context, portal *bridgev2.Portal) {
		if o.Status.Type == event.StatePowerLevels {
			n.followModerated(ctx, portal, modes.Has('m'))
			return
		}
		if meta, ok := portal.Metadata.(*PortalMetadata); ok {
			meta.JoinRule = doorOf(modes)
			n.saveRights(ctx, portal)
		}
	})
}
