package discord

import (
	"cmp"
	"context"
	"strconv"
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// fillGaps begins to fetch what was said in a guild's channels while nobody listened, and the
// history of those that are new.
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
	if ch.IsForum() {
		return
	}
	if !known {
		// What was said before is history. If nothing was, all that will be is newer than the channel.
		after = cmp.Or(ch.LastMessageID, ch.ID)
		n.cursors[ch.ID] = after
		n.inbox.done(handled{channel: ch.ID, message: after})
		return
	}
	n.recheck(*ch, after, recheckTries, recheckPages)
	if ch.LastMessageID.After(after) {
		n.fillGap(ctx, ch, after, nil)
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
		parent := n.cursors[t.ParentID]
		switch {
		case parent != "" && t.ID.After(parent):
			after = wire.ID(prevID(t.ID)) // begun meanwhile
		case parent != "" && t.LastMessageID.After(parent):
			after = parent // begun meanwhile, too, at an older message, or nothing was said in it for long
		default:
			n.cursors[t.ID] = t.LastMessageID
			n.inbox.done(handled{channel: t.ID, message: t.LastMessageID})
			return
		}
	} else {
		n.recheck(*t, after, recheckTries, recheckPages)
	}
	if t.LastMessageID.After(after) {
		n.fillGap(ctx, t, after, nil)
	}
}

// gap is a time in which nobody listened to a channel, or to a thread, while what was said then is fetched. What comes
// meanwhile waits: if it went first, the cursor would pass the gap. Other channels do not wait, however slow Discord is with
// this one. All fields are the pump's.
type gap struct {
	stream wire.Channel
	held   []*entry
	// again says that messages came that are not held: there were too many, and they are fetched.
	again bool
	total int
	then  []func(context.Context)
}

// maxHeld bounds what waits for a gap.
const maxHeld = 500

// fillGap begins to fetch the messages of a channel that are newer than after. then, if not nil, is called by the pump when
// they have been handed to the room. Called by the pump.
func (n *bot) fillGap(ctx context.Context, ch *wire.Channel, after wire.ID, then func(context.Context)) {
	g := n.gaps[ch.ID]
	known := g != nil
	if !known {
		g = &gap{stream: *ch}
		n.gaps[ch.ID] = g
	}
	if then != nil {
		g.then = append(g.then, then)
	}
	if known {
		g.again = true
		return
	}
	begin := func(context.Context) { n.work.Go(func() { n.fetchGap(n.ctx, g, after) }) }
	if parent := n.gaps[ch.ParentID]; ch.IsThread() && parent != nil {
		parent.then = append(parent.then, begin) // what the thread hangs on comes first
		return
	}
	begin(ctx)
}

// fetchGap fetches what a gap hides, page by page, as fast as its room takes it.
func (n *bot) fetchGap(ctx context.Context, g *gap, after wire.ID) {
	for first := true; ; first = false {
		page, err := n.fetchPage(ctx, &g.stream, after, nil)
		if first && g.stream.IsThread() && len(page) > 0 {
			n.bringRoot(ctx, &g.stream, page[0].raw)
		}
		if ctx.Err() != nil {
			return // it is begun anew by the next run
		}
		if err != nil {
			n.log.Warn("what was said in a channel meanwhile cannot be fetched", "channel", g.stream.ID, "error", err)
		}
		var entries []*entry
		for _, m := range page {
			if m.id.After(after) {
				entries = append(entries, &entry{kind: "MESSAGE_CREATE", data: m.withGuild(g.stream.GuildID)})
				after = m.id
			}
		}
		more, taken := false, make(chan struct{})
		asked := n.ask(ctx, func(ctx context.Context) {
			more = n.onGapPage(ctx, g, entries, len(entries) > 0 && goesOn(&g.stream, page, after))
			if more {
				n.afterIn(n.streamRoom(&g.stream), func() { close(taken) })
			}
		})
		if asked != nil || !more {
			return
		}
		select {
		case <-taken:
		case <-ctx.Done():
			return
		}
	}
}

// goesOn reports whether there may be more after a page of a channel, whose newest message is after: it is full, or the
// channel has a newer one. Somebody may give less at once than was asked for.
func goesOn(ch *wire.Channel, page []rawMessage, after wire.ID) bool {
	return len(page) >= historyPage || ch.LastMessageID.After(after)
}

// afterIn calls f when a room, if it is there, has handled what was queued so far. Called by the pump.
func (n *bot) afterIn(room wire.ID, f func()) {
	if n.rooms[room] {
		n.after(room, f)
	} else {
		f()
	}
}

// streamRoom is the channel whose room has what is said in a channel or a thread.
func (n *bot) streamRoom(ch *wire.Channel) wire.ID {
	if ch.IsThread() && !n.ownRoom(ch) {
		return ch.ParentID
	}
	return ch.ID
}

// onGapPage takes a page to its room, and ends the gap if there are no more. It reports whether there are. Called by the
// pump.
func (n *bot) onGapPage(ctx context.Context, g *gap, entries []*entry, full bool) (more bool) {
	if len(entries) > 0 {
		if !n.inbox.keep(entries) {
			return false // stopping
		}
		for _, e := range entries {
			n.handleKnown(ctx, e)
		}
		g.total += len(entries)
	}
	if n.rooms[g.stream.ID] || n.rooms[g.stream.ParentID] {
		if full {
			return true
		}
		if g.again {
			g.again = false
			return true
		}
	}
	delete(n.gaps, g.stream.ID)
	if g.total > 0 {
		n.log.Info("fetched what was said meanwhile", "channel", g.stream.ID, "messages", g.total)
	}
	for _, f := range g.then {
		f(ctx)
	}
	for _, e := range g.held {
		n.handleStored(ctx, e)
	}
	return false
}

// behindGap has an event wait whose channel, or, of a thread, whose channel or itself, has a gap. It reports whether it does.
func (n *bot) behindGap(e *entry, at place, room wire.ID) bool {
	g := n.gaps[at.ChannelID]
	if g == nil {
		g = n.gaps[room]
	}
	switch {
	case g == nil:
		return false
	case e.kind == "MESSAGE_CREATE" && g.stream.ID == at.ChannelID && !n.passed(at) && (g.again || len(g.held) >= maxHeld):
		g.again = true
		n.inbox.done(handled{seq: e.seq}) // it will be met
	case len(g.held) >= 2*maxHeld:
		n.log.Warn("too much happens to a channel while what was said in it is fetched; something is passed over", "channel", at.ChannelID, "type", e.kind)
		n.inbox.done(handled{seq: e.seq})
	default:
		g.held = append(g.held, e)
	}
	return true
}

// prevID is the id before one: what follows it is the one and all that are newer.
func prevID(id wire.ID) string { return strconv.FormatUint(max(id.Uint(), 1)-1, 10) }

// nextID is the id after one.
func nextID(id wire.ID) string { return strconv.FormatUint(id.Uint()+1, 10) }
