package discord

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/simplevent"

	"github.com/landbridge-im/landbridge/appservice/txnid"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// rawMessage is a message as it came.
type rawMessage struct {
	id  wire.ID
	raw json.RawMessage
}

// UnmarshalJSON implements json.Unmarshaler.
func (m *rawMessage) UnmarshalJSON(raw []byte) error {
	var id struct {
		ID wire.ID `json:"id"`
	}
	err := wire.Decode(raw, &id)
	m.id, m.raw = id.ID, bytes.Clone(raw)
	return err
}

// withGuild is the message with the guild's id, which only the gateway gives.
func (m *rawMessage) withGuild(guild wire.ID) json.RawMessage {
	var fields map[string]json.RawMessage
	if json.Unmarshal(m.raw, &fields) != nil {
		return m.raw
	}
	fields["guild_id"], _ = json.Marshal(string(guild)) // of a string; cannot fail
	out, err := json.Marshal(fields)
	if err != nil {
		return m.raw
	}
	return out
}

// place is what stored events say of where they belong.
type place struct {
	ChannelID wire.ID `json:"channel_id"`
	GuildID   wire.ID `json:"guild_id"`
	// ID or MessageID is the message that an event is about.
	ID        wire.ID `json:"id"`
	MessageID wire.ID `json:"message_id"`
}

// handleStored takes an event to the room that it concerns. An event of a guild that is
// not known yet waits for that.
func (n *bot) handleStored(ctx context.Context, e *entry) {
	n.handleEvent(ctx, e, false, func(e *entry, at place, room wire.ID) bool {
		return n.meanwhile(e, at, room) || n.behindGap(e, at, room)
	})
}

// handleKnown takes an event to its room while the room's history, or what fills a gap, is being
// brought in, of which it is a part. It does not wait for what a new session tells of the guild: what waits is taken for new
// afterwards, and would be left to a page that was fetched already.
func (n *bot) handleKnown(ctx context.Context, e *entry) {
	n.handleEvent(ctx, e, true, func(*entry, place, wire.ID) bool { return false })
}

// handleEvent does both; meanwhile may take an event away.
func (n *bot) handleEvent(ctx context.Context, e *entry, fetched bool, meanwhile func(*entry, place, wire.ID) bool) {
	defer n.survive(e)
	var at place
	if !n.decode(e, &at) {
		n.inbox.done(handled{seq: e.seq})
		return
	}
	if at.GuildID == "" {
		if ch, ok := n.guilds.channel(at.ChannelID); ok {
			at.GuildID = ch.GuildID
		}
	}
	if at.GuildID == "" && e.kind == "MESSAGE_CREATE" {
		n.onDirect(ctx, e)
		return
	}
	if at.GuildID == "" || !n.cfg.wants(at.GuildID) {
		n.inbox.done(handled{seq: e.seq})
		return
	}
	if n.stale[at.GuildID] && !fetched || !n.guilds.read(at.GuildID, func(*guild) {}) {
		n.held[at.GuildID] = append(n.held[at.GuildID], e)
		return
	}
	if n.seek(e, at) {
		return
	}
	room, thread := at.ChannelID, wire.ID("")
	if parent, ok := n.threads[at.ChannelID]; ok {
		room, thread = parent, at.ChannelID
	}
	if !n.rooms[room] {
		n.inbox.done(handled{seq: e.seq})
		return
	}
	if meanwhile(e, at, room) {
		return
	}
	if thread != "" {
		if t, known := n.guilds.channel(thread); known && n.ownRoom(&t) {
			if !n.ensureThreadRoom(ctx, &t) {
				n.inbox.done(handled{seq: e.seq})
				return
			}
			room, thread = thread, ""
		}
	}
	if ch, ok := n.guilds.channel(room); ok && ch.IsForum() && n.cfg.ForumSpaces {
		n.inbox.done(handled{seq: e.seq})
		return // a space; there is nothing in it but posts
	}
	if e.kind != "MESSAGE_CREATE" {
		n.changed[at.ChannelID] = true
		if n.isAhead(ctx, e, cmp.Or(at.MessageID, at.ID)) {
			return
		}
	}
	if thread != "" && n.seekRoot(ctx, e, at, room, thread) {
		return
	}
	switch e.kind {
	case "MESSAGE_CREATE":
		n.onMessage(ctx, e, at, room, thread)
		n.messageCame(ctx, at.ID)
	case "MESSAGE_UPDATE":
		n.onEdit(ctx, e, at, room, thread)
	case "MESSAGE_DELETE", "MESSAGE_DELETE_BULK":
		n.onDelete(e, room)
	case "CHANNEL_PINS_UPDATE":
		n.onPins(ctx, e, room, at.ChannelID)
	case "MESSAGE_POLL_VOTE_ADD", "MESSAGE_POLL_VOTE_REMOVE":
		n.onVote(ctx, e, at, room)
	default:
		n.onReaction(ctx, e, at, room)
	}
}

// finish makes what a room does after the last task of an event. One event may become
// several tasks of a room, which handles them in order.
func (n *bot) finish(e *entry, h handled) func(context.Context, *bridgev2.Portal) {
	h.seq = e.seq
	return func(context.Context, *bridgev2.Portal) { n.inbox.done(h) }
}

// pass is done with a message that is not shown, when the room has handled what came
// before it: the cursor must not overtake those.
func (n *bot) pass(e *entry, h handled, room wire.ID) {
	meta := n.meta(bridgev2.RemoteEventUnknown, channelKey(room), time.Now(), "")
	meta.PostHandleFunc = n.finish(e, h)
	n.queue(&meta)
}

// onMessage takes a message to its room.
func (n *bot) onMessage(ctx context.Context, e *entry, at place, room, thread wire.ID) {
	var m wire.Message
	if !n.decode(e, &m) || m.ID == "" {
		n.inbox.done(handled{seq: e.seq})
		return
	}
	m.GuildID = at.GuildID
	end := handled{channel: at.ChannelID, message: m.ID}
	if m.ID.After(n.cursors[at.ChannelID]) {
		n.cursors[at.ChannelID] = m.ID
	}
	if n.isOurs(&m) || m.Type == wire.MessageThreadStarter { // the latter copies the message that the thread was made from
		n.pass(e, end, room)
		return
	}
	author := n.meetAuthor(ctx, &m, room)
	n.letWrite(&m, room, author)
	var root *networkid.MessageID
	if thread != "" && m.ID != thread {
		id := messageID(thread)
		root = &id
	}
	id := messageID(m.ID)
	if m.Type == wire.MessageThreadCreated && m.Reference != nil && m.Reference.ChannelID != "" {
		// The thread has the id of the message that it begins with.
		id = messageID(m.Reference.ChannelID)
		n.noteThread(ctx, wire.Channel{ID: m.Reference.ChannelID, ParentID: room, GuildID: at.GuildID, Type: wire.ThreadPublic, Name: m.Content})
	}
	list := n.parts(&m, room)
	if len(list) == 0 {
		n.pass(e, end, room)
		return
	}
	for i, p := range list {
		msg := n.partEvent(&m, id, p, room, author, root, i == 0)
		last := i == len(list)-1
		msg.PostHandleFunc = func(ctx context.Context, portal *bridgev2.Portal) {
			if n.ensureTaken(ctx, portal, msg, p.id) && last {
				n.finish(e, end)(ctx, portal)
			}
		}
		n.queue(msg)
	}
}

// isOurs reports whether a message is one that the bridge has written.
func (n *bot) isOurs(m *wire.Message) bool {
	if m.Author.ID == n.self && m.WebhookID == "" {
		return true
	}
	return m.WebhookID != "" && (n.hooks.owns(m.WebhookID) || m.ApplicationID != "" && m.ApplicationID == n.app && m.Author.ID == m.WebhookID)
}

// meetAuthor introduces who a message is from.
func (n *bot) meetAuthor(ctx context.Context, m *wire.Message, room wire.ID) networkid.UserID {
	id, u, member := authorID(m), m.Author, m.Member
	switch {
	case !isUser(id):
		u.Bot = true
	case member != nil:
		full := *member
		full.User = u
		member = &full
		// Of a guild whose members are not all known these are.
		n.guilds.change(m.GuildID, func(g *guild) { g.members[u.ID] = full })
	default:
		if known, ok := n.guilds.member(m.GuildID, u.ID); ok {
			member = &known
		}
	}
	n.meet(ctx, m.GuildID, room, id, u, member)
	return id
}

// letWrite sees to it that the ghost of who has written may write in the room: in one
// that is read-only that takes a power level.
func (n *bot) letWrite(m *wire.Message, room wire.ID, author networkid.UserID) {
	ch, ok := n.guilds.channel(room)
	key := [2]wire.ID{room, wire.ID(author)}
	if _, done := n.writers[key]; done || !ok {
		return
	}
	readOnly, l := false, levelWriter
	n.guilds.read(m.GuildID, func(g *guild) {
		readOnly = g.common(&ch)&permSend == 0
		if m.Member != nil {
			l = max(l, level(g.permissions(m.Author.ID, m.Member.Roles, &ch), true))
		} else if known, ok := g.members[m.Author.ID]; ok {
			l = max(l, level(g.permissions(m.Author.ID, known.Roles, &ch), true))
		}
	})
	if !readOnly {
		return
	}
	if len(n.writers) > 100_000 {
		clear(n.writers)
	}
	n.writers[key] = struct{}{}
	n.changeMembers(channelKey(room), bridgev2.ChatMemberMap{author: {
		EventSender: bridgev2.EventSender{Sender: author}, Membership: "join", PowerLevel: &l,
	}})
}

// onDelete takes deletions to their room.
func (n *bot) onDelete(e *entry, room wire.ID) {
	var d wire.DeleteEvent
	if !n.decode(e, &d) {
		n.inbox.done(handled{seq: e.seq})
		return
	}
	list := d.IDs
	if d.ID != "" {
		list = append(list, d.ID)
	}
	if len(list) == 0 {
		n.inbox.done(handled{seq: e.seq})
		return
	}
	n.turn(e, room, func(ctx context.Context, portal *bridgev2.Portal) error {
		for len(list) > 0 {
			ev := &simplevent.MessageRemove{EventMeta: n.meta(bridgev2.RemoteEventMessageRemove, channelKey(room), time.Now(), ""), TargetMessage: messageID(list[0])}
			if err := n.deliver(ctx, portal, ev); err != nil && !refusedByMatrix(err) {
				return err
			}
			list = list[1:]
		}
		return nil
	})
}

// with gives what a room sends a transaction id by which a repetition is known.
func with(name string) func(context.Context) context.Context {
	return func(ctx context.Context) context.Context { return txnid.With(ctx, "discord/"+name) }
}
