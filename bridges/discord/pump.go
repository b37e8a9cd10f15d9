package discord

import (
	"context"
	"runtime/debug"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/simplevent"
	"maunium.net/go/mautrix/bridgev2/status"

	"github.com/landbridge-im/landbridge/bridges/discord/api"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// pump takes events from the inbox to the portals until ctx is done. What it has not
// taken then is in the inbox for the next time.
func (n *bot) pump(ctx context.Context) {
	for {
		select {
		case e := <-n.inbox.out:
			n.handle(context.WithoutCancel(ctx), e)
		case p := <-n.pages:
			n.onPage(context.WithoutCancel(ctx), p)
		case s := <-n.snapshots:
			n.onSnapshot(context.WithoutCancel(ctx), s)
		case f := <-n.asks:
			f(context.WithoutCancel(ctx))
		case <-n.again:
			n.retry(context.WithoutCancel(ctx))
		case <-n.timeouts.clock.C:
			n.endTimeouts()
		case <-ctx.Done():
			return
		}
	}
}

// handle handles one event. One on which that fails in a way that nobody thought of is
// not tried for ever.
func (n *bot) handle(ctx context.Context, e *entry) {
	defer n.survive(e)
	if e.stored() {
		n.handleStored(ctx, e)
		return
	}
	switch e.kind {
	case api.Disconnected:
		n.report(status.StateTransientDisconnect, "discord-disconnected", "The connection to Discord is lost; it is made again")
	case "READY":
		n.onReady(ctx, e)
	case "RESUMED":
		n.report(status.StateConnected, "", "")
		n.outbox.poke()
	case "GUILD_CREATE":
		n.onGuild(ctx, e)
	case "GUILD_UPDATE":
		n.onGuildUpdate(e)
	case "GUILD_DELETE":
		n.onGuildDelete(e)
	case "CHANNEL_CREATE", "CHANNEL_UPDATE", "CHANNEL_DELETE":
		n.onChannel(ctx, e)
	case "THREAD_CREATE", "THREAD_UPDATE", "THREAD_DELETE":
		n.onThread(ctx, e)
	case "THREAD_LIST_SYNC":
		var list struct {
			GuildID wire.ID                 `json:"guild_id"`
			Threads wire.List[wire.Channel] `json:"threads"`
		}
		if n.decode(e, &list) {
			for _, t := range list.Threads {
				t.GuildID = list.GuildID
				n.noteThread(ctx, t)
			}
		}
	case "GUILD_ROLE_CREATE", "GUILD_ROLE_UPDATE", "GUILD_ROLE_DELETE":
		n.onRole(e)
	case "GUILD_MEMBER_ADD", "GUILD_MEMBER_UPDATE", "GUILD_MEMBER_REMOVE":
		n.onMember(ctx, e)
	case "GUILD_BAN_ADD", "GUILD_BAN_REMOVE":
		n.onBan(ctx, e)
	case "GUILD_SCHEDULED_EVENT_CREATE", "GUILD_SCHEDULED_EVENT_UPDATE", "GUILD_SCHEDULED_EVENT_DELETE":
		n.onScheduled(ctx, e)
	case "VOICE_STATE_UPDATE":
		n.onVoice(ctx, e)
	case "STAGE_INSTANCE_CREATE", "STAGE_INSTANCE_DELETE":
		n.onStage(ctx, e)
	case "PRESENCE_UPDATE":
		n.onPresence(ctx, e)
	case "INTERACTION_CREATE":
		n.onInteraction(ctx, e)
	case "TYPING_START":
		n.onTyping(ctx, e)
	}
}

// survive is deferred by what handles an event: a panic is of that event alone.
func (n *bot) survive(e *entry) {
	if v := recover(); v != nil {
		n.log.Error("an event of Discord cannot be handled", "type", e.kind, "panic", v, "stack", string(debug.Stack()))
		n.inbox.done(handled{seq: e.seq})
	}
}

// decode reads an event; one that cannot be read at all is logged.
func (n *bot) decode(e *entry, into any) bool {
	if err := wire.Decode(e.data, into); err != nil {
		n.log.Warn("an event of Discord cannot be read", "type", e.kind, "error", err)
		return false
	}
	return true
}

// onGuild takes over a guild: its rooms, what was said meanwhile, and what an earlier run
// has left of it.
func (n *bot) onGuild(ctx context.Context, e *entry) {
	var g wire.Guild
	if !n.decode(e, &g) || g.ID == "" || g.Unavailable || !n.cfg.wants(g.ID) {
		return
	}
	n.guilds.set(g)
	if len(n.guilds.ids()) > 1 && !n.many.Swap(true) {
		// The bot was invited to a second guild: ghosts are called by their own names from now on.
		for _, other := range n.guilds.ids() {
			n.introduceAll(ctx, other)
			n.dressAll(other)
		}
	}
	n.fetchMembers(ctx, g.ID)
	for _, t := range g.Threads {
		t.GuildID = g.ID
		n.noteThread(ctx, t)
	}
	n.introduceAll(ctx, g.ID)
	n.fetchBans(ctx, g.ID)
	n.noteTimeouts(g.ID)
	n.ensureGuild(ctx, g.ID)
	n.ensureThreadRooms(ctx, g.ID)
	n.dressAll(g.ID)
	// First what is after the cursors, in the order of Discord: what an earlier run has
	// stored may have gaps where it was about to fetch something. The messages that are
	// in both come to nothing the second time.
	n.fillGaps(ctx, g.ID)
	held := n.held[g.ID]
	delete(n.held, g.ID)
	delete(n.stale, g.ID)
	for _, e := range held {
		n.handleStored(ctx, e)
	}
}

func (n *bot) onGuildUpdate(e *entry) {
	var g wire.Guild
	if !n.decode(e, &g) {
		return
	}
	known := n.guilds.change(g.ID, func(have *guild) {
		have.Name, have.Icon, have.Description = g.Name, g.Icon, g.Description
		if g.OwnerID != "" {
			have.OwnerID = g.OwnerID
		}
	})
	if known {
		n.refresh(guildKey(g.ID))
	}
}

// onGuildDelete takes over that the bot is in a guild no more. That a guild is away for a while comes in the same way.
func (n *bot) onGuildDelete(e *entry) {
	var g wire.Guild
	if !n.decode(e, &g) || g.Unavailable || !n.guilds.read(g.ID, func(*guild) {}) {
		return
	}
	n.log.Error("the bot was taken out of a guild; nothing is bridged until it is invited again", "guild", g.ID)
	if room := n.eventRoom(&wire.ScheduledEvent{GuildID: g.ID}); room != "" {
		n.tellRoom(room, "The bot was taken out of the server on Discord. Nothing is bridged until it is invited again", nil)
	}
}

func (n *bot) onChannel(ctx context.Context, e *entry) {
	var ch wire.Channel
	if !n.decode(e, &ch) || ch.GuildID == "" {
		return
	}
	if ch.IsThread() { // some servers tell so of threads
		thread := *e
		thread.kind = "THREAD_" + strings.TrimPrefix(e.kind, "CHANNEL_")
		n.onThread(ctx, &thread)
		return
	}
	if e.kind == "CHANNEL_DELETE" {
		n.guilds.removeChannel(ch)
		if n.rooms[ch.ID] {
			n.setRoom(ch.ID, false)
			n.closeRoom(ctx, &ch)
		}
		return
	}
	n.learnChannel(ctx, ch)
}

// learnChannel takes over a channel as it is now.
func (n *bot) learnChannel(ctx context.Context, ch wire.Channel) {
	before, _ := n.guilds.channel(ch.ID)
	if ch.LastMessageID == "" {
		ch.LastMessageID = before.LastMessageID
	}
	n.guilds.setChannel(ch)
	if _, ok := n.guilds.channel(ch.ID); !ok || !n.bridged(&ch) && !n.rooms[ch.ID] {
		return
	}
	if ch.Type == wire.ChannelCategory {
		if n.rooms[ch.ID] {
			n.refresh(channelKey(ch.ID))
		}
		return
	}
	if ch.HasMessages() {
		n.ensureChannel(ctx, &ch)
		if _, known := n.cursors[ch.ID]; !known && n.rooms[ch.ID] {
			n.catchUp(ctx, &ch) // the bot sees it now
		}
		n.missed(ctx, &ch, &before)
	}
}

// missed fetches what was said in a channel, or in a thread, that is said to have a newer message than the bridge was told
// of. before is how it was. A message that is on its way comes to nothing the second time.
func (n *bot) missed(ctx context.Context, ch, before *wire.Channel) {
	after, known := n.cursors[ch.ID]
	switch {
	case ch.IsForum(), n.gaps[ch.ID] != nil, n.history(ctx, ch.ID) == historyRunning, n.pasts[ch.ParentID] != nil:
	case !ch.LastMessageID.After(before.LastMessageID):
	case !known && ch.IsThread():
		n.catchUpThread(ctx, ch)
	case known && ch.LastMessageID.After(after) && n.hasRoom(n.streamRoom(ch)):
		n.fillGap(ctx, ch, after, nil)
	}
}

// closeRoom says in a room that its channel is gone, and lets nobody write any more.
// The room and its history stay.
func (n *bot) closeRoom(_ context.Context, ch *wire.Channel) {
	nobody := levelAdmin
	meta := n.meta(bridgev2.RemoteEventChatInfoChange, channelKey(ch.ID), time.Now(), "")
	name := ch.Name + " (deleted)"
	n.queue(&simplevent.ChatInfoChange{EventMeta: meta, ChatInfoChange: &bridgev2.ChatInfoChange{
		ChatInfo: &bridgev2.ChatInfo{Name: &name},
		MemberChanges: &bridgev2.ChatMemberList{
			MemberMap: bridgev2.ChatMemberMap{}, PowerLevels: &bridgev2.PowerLevelOverrides{EventsDefault: &nobody},
		},
	}})
}

// noteThread remembers the channel of a thread.
func (n *bot) noteThread(ctx context.Context, t wire.Channel) {
	if t.ID == "" || t.ParentID == "" {
		return
	}
	if t.GuildID != "" {
		n.guilds.setChannel(t)
	}
	if n.threads[t.ID] == t.ParentID {
		return
	}
	if err := n.b.store.setThread(ctx, t.ID, t.ParentID, t.Name); err != nil {
		n.log.Error("a thread is not remembered", "error", err)
	}
	n.threads[t.ID] = t.ParentID
}

func (n *bot) onRole(e *entry) {
	var ev wire.RoleEvent
	if !n.decode(e, &ev) {
		return
	}
	n.guilds.change(ev.GuildID, func(g *guild) {
		if e.kind == "GUILD_ROLE_DELETE" {
			delete(g.roles, ev.RoleID)
		} else if ev.Role.ID != "" {
			g.roles[ev.Role.ID] = ev.Role
		}
	})
	n.refreshGuild(ev.GuildID)
}

// refreshGuild brings all rooms of a guild up to date.
func (n *bot) refreshGuild(guildID wire.ID) {
	for _, ch := range n.bridgedChannels(guildID) {
		n.refresh(channelKey(ch.ID))
	}
}

// changeMembers changes memberships of a room.
func (n *bot) changeMembers(key networkid.PortalKey, list bridgev2.ChatMemberMap) {
	if len(list) == 0 {
		return
	}
	n.queue(&simplevent.ChatInfoChange{
		EventMeta:      n.meta(bridgev2.RemoteEventChatInfoChange, key, time.Now(), ""),
		ChatInfoChange: &bridgev2.ChatInfoChange{MemberChanges: &bridgev2.ChatMemberList{MemberMap: list}},
	})
}

// refresh brings a room up to date with what is known of its channel then.
func (n *bot) refresh(key networkid.PortalKey) {
	meta := n.meta(bridgev2.RemoteEventChatResync, key, time.Now(), "")
	n.queue(&simplevent.ChatResync{EventMeta: meta, GetChatInfoFunc: n.GetChatInfo})
}

func (n *bot) onTyping(_ context.Context, e *entry) {
	var ev wire.TypingEvent
	if !n.cfg.Typing || !n.decode(e, &ev) || ev.UserID == n.self || !n.rooms[ev.ChannelID] {
		return
	}
	if !n.people.knows(userID(ev.UserID)) {
		return // not for those who have not said anything yet
	}
	n.queue(&simplevent.Typing{
		EventMeta: n.meta(bridgev2.RemoteEventTyping, channelKey(ev.ChannelID), time.Now(), userID(ev.UserID)),
		Timeout:   10 * time.Second,
	})
}

// meta is what all events of a room have in common.
func (n *bot) meta(kind bridgev2.RemoteEventType, key networkid.PortalKey, at time.Time, sender networkid.UserID) simplevent.EventMeta {
	return simplevent.EventMeta{
		Type: kind, PortalKey: key, Sender: bridgev2.EventSender{Sender: sender}, Timestamp: at,
		LogContext: func(c zerolog.Context) zerolog.Context { return c },
	}
}

func (n *bot) queue(e bridgev2.RemoteEvent) {
	if res := n.login.QueueRemoteEvent(e); res.Error != nil && !res.Success {
		n.log.Error("an event of Discord failed", "type", e.GetType().String(), "error", res.Error)
	}
}
