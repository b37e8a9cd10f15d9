package discord

import (
	"context"
	"encoding/json"
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord/api"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// The gateway does not tell of threads that are archived when a session begins, and what is said in a channel may come before
// the channel itself. What comes of a channel that is not known waits until Discord has said what it is.

const (
	// seekTries is how often Discord is asked in vain.
	seekTries = 5
	// maxSought bounds what is remembered of channels that turned out to be none of ours.
	maxSought = 10_000
)

// seek has an event wait whose channel is not known. It reports whether it does. Called by the pump.
func (n *bot) seek(e *entry, at place) bool {
	if _, known := n.guilds.channel(at.ChannelID); known || n.sought[at.ChannelID] || at.ChannelID == "" {
		return false
	}
	list, asked := n.seeking[at.ChannelID]
	if len(list) >= maxHeld {
		n.log.Warn("too much happens in a channel that is not known; something is passed over", "channel", at.ChannelID, "type", e.kind)
		n.inbox.done(handled{seq: e.seq})
		return true
	}
	n.seeking[at.ChannelID] = append(list, e)
	if !asked {
		n.work.Go(func() { n.askWhat(n.ctx, at) })
	}
	return true
}

// askWhat asks what a channel is.
func (n *bot) askWhat(ctx context.Context, at place) {
	var raw json.RawMessage
	var err error
	for try := range seekTries {
		if err = n.question(ctx, "/channels/"+string(at.ChannelID), "", try > 0, &raw); err == nil || api.Refused(err) {
			break
		}
		if !pause(ctx, time.Second<<try) {
			return // what waits is in the inbox
		}
	}
	_ = n.ask(ctx, func(ctx context.Context) { // in vain only while the bridge is stopping
		if err == nil || api.Refused(err) {
			if len(n.sought) >= maxSought {
				clear(n.sought)
			}
			n.sought[at.ChannelID] = true
		}
		var ch wire.Channel
		if err == nil && wire.Decode(raw, &ch) == nil && ch.ID == at.ChannelID {
			n.found(ctx, ch, at.GuildID)
		}
		list := n.seeking[at.ChannelID]
		delete(n.seeking, at.ChannelID)
		for _, e := range list {
			n.handleStored(ctx, e)
		}
	})
}

// found takes over a channel or a thread of which the gateway has not told.
func (n *bot) found(ctx context.Context, ch wire.Channel, guildID wire.ID) {
	if ch.GuildID == "" {
		ch.GuildID = guildID
	}
	if ch.IsThread() {
		n.noteThread(ctx, ch)
		return
	}
	if _, known := n.guilds.channel(ch.ID); !known && ch.GuildID == guildID {
		n.learnChannel(ctx, ch)
	}
}
