package discord

import (
	"context"
	"strconv"
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// fillGaps fetches what was said in a guild's channels while nobody listened, before
// anything newer is handled, and begins with the history of those that are new.
func (n *bot) fillGaps(ctx context.Context, guildID wire.ID) {
	var list, threads []wire.Channel
	n.guilds.read(guildID, func(g *guild) {
		list = g.sorted()
		for _, t := range g.threads {
			threads = append(threads, t)
		}
	})
	for i := range list {
		if n.rooms[list[i].ID] && list[i].HasMessages() {
			n.catchUp(ctx, &list[i])
		}
	}
	for i := range threads {
		n.catchUpThread(ctx, &threads[i])
	}
}

// catchUp brings a channel up to date: from its cursor, or, if it is seen for the first
// time, with as much of its history as is wanted.
func (n *bot) catchUp(ctx context.Context, ch *wire.Channel) {
	after, known := n.cursors[ch.ID]
	switch n.history(ctx, ch.ID) {
	case historyRunning:
		n.beginPast(*ch)
		return
	case "":
		start, wanted := n.cfg.since(time.Now())
		fresh := !known && !n.hasThreads(ch.ID)
		if wanted && fresh && (ch.IsForum() || ch.LastMessageID.After(start)) {
			n.cursors[ch.ID] = start
			n.inbox.done(handled{channel: ch.ID, message: start})
			if err := n.setHistory(ctx, ch.ID, historyRunning); err != nil {
				n.log.Error("a channel has no history", "channel", ch.ID, "error", err)
			}
			n.beginPast(*ch)
			return
		}
		if err := n.setHistory(ctx, ch.ID, historyNone); err != nil {
			n.log.Error("that a channel has no history is not recorded", "channel", ch.ID, "error", err)
		}
	}
	if ch.IsForum() || ch.LastMessageID == "" {
		return
	}
	if !known {
		// What was said before is history.
		n.cursors[ch.ID] = ch.LastMessageID
		n.inbox.done(handled{channel: ch.ID, message: ch.LastMessageID})
		return
	}
	n.recheck(*ch, after, recheckTries)
	if ch.LastMessageID.After(after) {
		n.fillGap(ctx, ch, after)
	}
}

// hasThreads reports whether anything was bridged of a channel's threads.
func (n *bot) hasThreads(channel wire.ID) bool {
	for t, parent := range n.threads {
		if _, known := n.cursors[t]; known && parent == channel {
			return true
		}
	}
	return false
}

// catchUpThread brings an active thread up to date.
func (n *bot) catchUpThread(ctx context.Context, t *wire.Channel) {
	if !n.rooms[t.ParentID] || n.pasts[t.ParentID] != nil || t.LastMessageID == "" {
		return
	}
	after, known := n.cursors[t.ID]
	if !known {
		if parent := n.cursors[t.ParentID]; parent == "" || !t.ID.After(parent) {
			n.cursors[t.ID] = t.LastMessageID
			n.inbox.done(handled{channel: t.ID, message: t.LastMessageID})
			return
		}
		after = wire.ID(prevID(t.ID)) // begun meanwhile
	} else {
		n.recheck(*t, after, recheckTries)
	}
	if t.LastMessageID.After(after) {
		n.fillGap(ctx, t, after)
	}
}

// fillGap fetches the messages of a channel that are newer than after. Newer ones wait: if
// they went first, the cursor would pass the gap.
func (n *bot) fillGap(ctx context.Context, ch *wire.Channel, after wire.ID) {
	total := 0
	for {
		page, err := n.fetchPage(n.ctx, ch, after)
		if err != nil {
			n.log.Warn("what was said in a channel meanwhile cannot be fetched", "channel", ch.ID, "error", err)
			return
		}
		var entries []*entry
		for _, m := range page {
			if m.id.After(after) {
				entries = append(entries, &entry{kind: "MESSAGE_CREATE", data: m.withGuild(ch.GuildID)})
				after = m.id
			}
		}
		if len(entries) == 0 || !n.inbox.keep(entries) {
			break
		}
		for _, e := range entries {
			n.handleStored(ctx, e)
		}
		if total += len(entries); len(page) < historyPage {
			break
		}
	}
	if total > 0 {
		n.log.Info("fetched what was said meanwhile", "channel", ch.ID, "messages", total)
	}
}

// prevID is the id before one: what follows it is the one and all that are newer.
func prevID(id wire.ID) string { return strconv.FormatUint(max(id.Uint(), 1)-1, 10) }

// nextID is the id after one.
func nextID(id wire.ID) string { return strconv.FormatUint(id.Uint()+1, 10) }
