package discord

import (
	"context"
	"slices"
	"strings"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// ownRoom reports whether a thread is a room of its own, and not a thread in its channel's room. Private threads
// always are: not everybody who sees the channel sees them.
func (n *bot) ownRoom(t *wire.Channel) bool {
	if !t.IsThread() {
		return false
	}
	if t.Type == wire.ThreadPrivate {
		return true
	}
	if parent, ok := n.guilds.channel(t.ParentID); ok && parent.IsForum() {
		return n.cfg.ForumSpaces
	}
	return n.cfg.ThreadRooms
}

// ensureThreadRoom makes the room of a thread that has one of its own. It returns false if there is none.
func (n *bot) ensureThreadRoom(ctx context.Context, t *wire.Channel) bool {
	if n.rooms[t.ID] {
		return true
	}
	parent, ok := n.guilds.channel(t.ParentID)
	if !ok || !n.rooms[t.ParentID] {
		return false
	}
	in := guildKey(t.GuildID)
	switch {
	case parent.IsForum() && n.cfg.ForumSpaces:
		in = channelKey(parent.ID)
	case parent.ParentID != "" && n.rooms[parent.ParentID]:
		in = channelKey(parent.ParentID)
	}
	visible := false
	n.guilds.read(t.GuildID, func(g *guild) { visible = g.permissions("", nil, t)&permView != 0 })
	if err := n.ensureRoom(ctx, channelKey(t.ID), in.ID, string(t.ID), visible); err != nil {
		n.log.Error("a thread has no room", "thread", t.ID, "error", err)
		return false
	}
	n.setRoom(t.ID, true)
	if portal, err := n.b.br.GetExistingPortalByKey(ctx, channelKey(t.ID)); err == nil && portal != nil {
		if meta, ok := portal.Metadata.(*PortalMetadata); ok && meta.Parent != t.ParentID {
			meta.Parent = t.ParentID
			if err := portal.Save(ctx); err != nil {
				n.log.Warn("the channel of a thread's room is not stored", "error", err)
			}
		}
	}
	return true
}

// ensureThreadRooms makes those of the active threads of a guild.
func (n *bot) ensureThreadRooms(ctx context.Context, guildID wire.ID) {
	var list []wire.Channel
	n.guilds.read(guildID, func(g *guild) {
		for _, t := range g.threads {
			list = append(list, t)
		}
	})
	for _, t := range list {
		if n.ownRoom(&t) {
			n.ensureThreadRoom(ctx, &t)
		}
	}
}

// onThread takes over that a thread was begun, changed, or deleted.
func (n *bot) onThread(ctx context.Context, e *entry) {
	var t wire.Channel
	if !n.decode(e, &t) || t.ID == "" {
		return
	}
	before, known := n.guilds.channel(t.ID)
	if e.kind == "THREAD_DELETE" {
		n.guilds.removeChannel(t)
		if n.rooms[t.ID] {
			n.setRoom(t.ID, false)
			before.ID = t.ID
			n.closeRoom(ctx, &before)
		} else if known {
			n.tellThread(ctx, &before, "The thread "+before.Name+" was deleted on Discord")
		}
		return
	}
	if t.GuildID == "" {
		t.GuildID = before.GuildID
	}
	n.noteThread(ctx, t)
	if n.ownRoom(&t) && n.ensureThreadRoom(ctx, &t) && known {
		n.refresh(channelKey(t.ID))
	}
	if e.kind == "THREAD_UPDATE" {
		n.missed(ctx, &t, &before)
	}
	if e.kind != "THREAD_UPDATE" || !known {
		return
	}
	switch {
	case t.Metadata.Archived && !before.Metadata.Archived:
		n.tellThread(ctx, &t, "The thread was archived on Discord. It is opened again by writing in it")
	case !t.Metadata.Archived && before.Metadata.Archived:
		n.tellThread(ctx, &t, "The thread was opened again on Discord")
	case t.Metadata.Locked && !before.Metadata.Locked:
		n.tellThread(ctx, &t, "The thread was locked on Discord")
	case !t.Metadata.Locked && before.Metadata.Locked:
		n.tellThread(ctx, &t, "The thread was unlocked on Discord")
	}
	if t.Name == before.Name && slices.Equal(t.AppliedTags, before.AppliedTags) {
		return
	}
	if parent, ok := n.guilds.channel(t.ParentID); ok && parent.IsForum() && !n.ownRoom(&t) {
		n.refetch(ctx, &t, t.ID) // its title and tags stand over its first message
	} else if t.Name != before.Name && !n.ownRoom(&t) {
		n.tellThread(ctx, &t, "The thread is called "+t.Name+" now")
	}
}

// refetch has a message be looked at as it is now, as if it had been edited.
func (n *bot) refetch(ctx context.Context, in *wire.Channel, message wire.ID) {
	guildID, channel := in.GuildID, in.ID
	n.errand(ctx, func(ctx context.Context) {
		var m rawMessage
		path := "/channels/" + string(channel) + "/messages/"
		if err := n.api.Do(ctx, "GET", path+string(message), path+"id", nil, &m); err != nil {
			n.log.Debug("a message cannot be looked at again", "message", message, "error", err)
			return
		}
		n.inbox.put(&entry{kind: "MESSAGE_UPDATE", data: m.withGuild(guildID)})
	})
}

// tellThread says something in a thread, in the name of the bot.
func (n *bot) tellThread(_ context.Context, t *wire.Channel, text string) {
	room := t.ParentID
	if n.ownRoom(t) {
		room = t.ID
	}
	if !n.rooms[room] {
		return
	}
	root := messageID(t.ID)
	n.tellRoom(room, text, func(ctx context.Context, portal *bridgev2.Portal, content *event.MessageEventContent) bool {
		if room == t.ID {
			return true
		}
		row, err := n.b.br.DB.Message.GetFirstPartByID(ctx, portal.Receiver, root)
		if err != nil || row == nil || row.HasFakeMXID() {
			return false // nobody has seen the thread
		}
		last := row
		if newest, err := n.b.br.DB.Message.GetLastThreadMessage(ctx, portal.PortalKey, root); err == nil && newest != nil {
			last = newest
		}
		content.RelatesTo = (&event.RelatesTo{}).SetThread(row.MXID, last.MXID)
		return true
	})
}

// tellRoom says something in a room, in the name of the bot. place, if not nil, may say where, or that it is not to be
// said.
func (n *bot) tellRoom(room wire.ID, text string, place func(context.Context, *bridgev2.Portal, *event.MessageEventContent) bool) {
	meta := n.meta(bridgev2.RemoteEventUnknown, channelKey(room), time.Now(), "")
	meta.PreHandleFunc = func(ctx context.Context, portal *bridgev2.Portal) {
		content := &event.MessageEventContent{MsgType: event.MsgNotice, Body: text, Mentions: &event.Mentions{}}
		if portal.MXID == "" || place != nil && !place(ctx, portal, content) {
			return
		}
		if _, err := n.b.br.Bot.SendMessage(ctx, portal.MXID, event.EventMessage, &event.Content{Parsed: content}, nil); err != nil {
			n.log.Warn("a room is not told something", "room", portal.MXID, "error", err)
		}
	}
	n.queue(&meta)
}

// doArchive archives a thread, or opens it again.
func (n *bot) doArchive(ctx context.Context, j *job) error {
	return n.api.Do(ctx, "PATCH", "/channels/"+string(j.TargetID), "/channels/"+string(j.TargetID), map[string]any{"archived": j.Archived}, nil)
}

// headline is what stands over the first message of a forum's post: its title, and its tags.
func (n *bot) headline(m *wire.Message, room wire.ID) (title string, tags []string) {
	ch, ok := n.guilds.channel(room)
	if !ok || !ch.IsForum() || m.ID != m.ChannelID {
		return "", nil
	}
	t, ok := n.guilds.channel(m.ChannelID)
	if !ok {
		return "", nil
	}
	for _, tag := range t.AppliedTags {
		for _, have := range ch.Tags {
			if have.ID == tag {
				tags = append(tags, strings.TrimSpace(have.EmojiName+" "+have.Name))
			}
		}
	}
	return t.Name, tags
}

// hashOf tells whether an update changes what is shown of a message.
func (n *bot) hashOf(m *wire.Message, room wire.ID) string {
	title, tags := n.headline(m, room)
	if title == "" {
		return contentHash(m)
	}
	return hash(contentHash(m) + "\x00" + title + "\x00" + strings.Join(tags, "\x00"))[:16]
}

// flagRequireTag is of forums whose posts must have a tag; maxTags is how many one may have.
const (
	flagRequireTag = 1 << 4
	maxTags        = 5
)

// tagsOf are the tags of a new post: those of the forum's that its text names with a #.
func tagsOf(forum *wire.Channel, text string) (tags []wire.ID) {
	low := strings.ToLower(text)
	for _, tag := range forum.Tags {
		word := "#" + strings.ToLower(strings.ReplaceAll(tag.Name, " ", "-"))
		if i := strings.Index(low, word); i >= 0 && len(tags) < maxTags && !tag.Moderated {
			rest := low[i+len(word):]
			if rest == "" || strings.ContainsAny(rest[:1], " \t\n,.;:!?#") {
				tags = append(tags, tag.ID)
			}
		}
	}
	if len(tags) == 0 && forum.Flags&flagRequireTag != 0 {
		for _, tag := range forum.Tags {
			if !tag.Moderated {
				return []wire.ID{tag.ID}
			}
		}
	}
	return tags
}
