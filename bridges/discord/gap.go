package discord

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord/api"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// fillGaps fetches what was said in a guild's channels while nobody listened, before
// anything newer is handled.
func (n *bot) fillGaps(ctx context.Context, guildID wire.ID) {
	var list []wire.Channel
	n.guilds.read(guildID, func(g *guild) {
		list = g.sorted()
		for _, t := range g.threads {
			list = append(list, t)
		}
	})
	for i := range list {
		ch := &list[i]
		parent := ch.ID
		if ch.IsThread() {
			parent = ch.ParentID
		}
		if !n.rooms[parent] || ch.IsForum() || ch.LastMessageID == "" || ch.Type == wire.ChannelCategory {
			continue
		}
		after, known := n.cursors[ch.ID]
		switch {
		case !known && ch.IsThread() && n.cursors[parent] != "" && ch.ID.After(n.cursors[parent]):
			after = wire.ID(prevID(ch.ID)) // begun meanwhile
		case !known:
			// Seen for the first time: what was said before is history.
			n.cursors[ch.ID] = ch.LastMessageID
			n.inbox.done(handled{channel: ch.ID, message: ch.LastMessageID})
			continue
		}
		if ch.LastMessageID.After(after) {
			n.fillGap(ctx, ch, after)
		}
	}
}

// fillGap fetches the messages of a channel that are newer than after.
func (n *bot) fillGap(ctx context.Context, ch *wire.Channel, after wire.ID) {
	total := 0
	for wait := time.Second; ; {
		var page wire.List[rawMessage]
		path := "/channels/" + string(ch.ID) + "/messages?limit=100&after=" + string(after)
		if err := n.api.Do(ctx, "GET", path, "/channels/"+string(ch.ID)+"/messages", nil, &page); err != nil {
			n.log.Warn("what was said in a channel meanwhile cannot be fetched", "channel", ch.ID, "error", err)
			if api.Refused(err) {
				return
			}
			// Newer messages wait: if they went first, the cursor would pass the gap.
			select {
			case <-time.After(wait):
			case <-n.ctx.Done():
				return
			}
			wait = min(2*wait, time.Minute)
			continue
		}
		slices.SortFunc(page, func(a, b rawMessage) int {
			if b.id.After(a.id) {
				return -1
			}
			return boolInt(a.id.After(b.id))
		})
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
		if total += len(entries); len(page) < 100 {
			break
		}
	}
	if total > 0 {
		n.log.Info("fetched what was said meanwhile", "channel", ch.ID, "messages", total)
	}
}

func prevID(id wire.ID) string { return strconv.FormatUint(max(id.Uint(), 1)-1, 10) }
